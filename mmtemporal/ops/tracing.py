"""Knowing that a compiler or exporter is recording."""

import torch

try:
    from torch.compiler import is_compiling
except ImportError:  # torch 2.1
    from torch._utils import is_compiling


def is_traced() -> bool:
    """Tells whether what is computed now becomes a graph.

    A compiler fuses plain forms by itself, decides by itself what to keep for the
    backward pass, and wants neither writes nor loops over the clips.
    """
    return is_compiling() or torch.jit.is_tracing()
