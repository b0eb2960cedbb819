"""The head of TANet."""

from mmtemporal.registry import MODELS

from .segment_head import SegmentHead


@MODELS.register_module()
class TAMHead(SegmentHead):
    """The head of TANet: see :class:`SegmentHead` for arguments and shapes."""
