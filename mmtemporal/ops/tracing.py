"""Knowing that a compiler or exporter is recording."""

import torch

try:
    from torch.compiler import is_compiling
except ImportError:  # torch 2.1
    from torch._utils import is_compiling


def is_traced() -> bool:
    """Whether what is computed now becomes a graph.

    A compiler fuses plain forms by itself, decides by itself what to keep for the
    backward pass, and wants neither writes nor loops over the clips.
    """
    return is_compiling() or torch.jit.is_tracing()


def is_symbolic(value: object) -> bool:
    """Whether a value stands for a tensor or a size in a trace of ``torch.fx``.

    Nothing is known of it, so no condition can depend on it.
    """
    return isinstance(value, torch.fx.Proxy)
