"""Knowing that a compiler or exporter is recording."""

import torch


def is_traced() -> bool:
    """Tells whether what is computed now becomes a graph.

    A compiler fuses plain forms by itself, decides by itself what to keep for the
    backward pass, and wants neither writes nor loops over the clips.
    """
    return torch.compiler.is_compiling() or torch.jit.is_tracing()
