"""The head of TIN."""

from mmtemporal.registry import MODELS

from .segment_head import SegmentHead


@MODELS.register_module()
class TINHead(SegmentHead):
    """The head of TIN: see :class:`SegmentHead` for arguments and shapes."""
