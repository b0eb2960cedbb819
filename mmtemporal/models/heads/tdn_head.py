"""The head of TDN."""

from mmtemporal.registry import MODELS

from .segment_head import SegmentHead


@MODELS.register_module()
class TDNHead(SegmentHead):
    """The head of TDN: see :class:`SegmentHead` for arguments and shapes."""
