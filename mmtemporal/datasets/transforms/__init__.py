from .sample_windows import SampleWindows

__all__ = ['SampleWindows']
