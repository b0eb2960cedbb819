"""What users write, for the type checker: see test_types.py. It is never run."""

from typing import Union

from torch import Tensor, nn
from typing_extensions import assert_type

from mmtemporal.checkpoints import convert_state_dict
from mmtemporal.datasets import make_motion_clips
from mmtemporal.models import TANet, TemporalAdapter, fuse_for_inference
from mmtemporal.models.layers import TAM, MixingLayer, TAdaConv2d
from mmtemporal.ops import split_clips, temporal_mix


class FirstFrame(MixingLayer):
    """A layer of a user's own."""

    def mixing_weights(self, x: Tensor) -> Tensor:
        return x.new_ones((1, 1, 1, 1))


def use(x: Tensor, weights: Tensor, files: dict[str, Tensor]) -> None:
    assert_type(temporal_mix(x, 8, weights), Tensor)
    assert_type(split_clips(x, 8), Tensor)

    tanet = TANet(depth=18, num_segments=8, tam_cfg=dict(alpha=2))
    assert_type(tanet.forward(x), Union[Tensor, tuple])
    assert_type(tanet.train(), TANet)
    assert_type(fuse_for_inference(tanet), nn.Module)

    adapter = TemporalAdapter(dict(type='ResNet'), dict(type=FirstFrame), 8)
    assert_type(adapter.temporal_layers(), dict[str, nn.Module])

    assert_type(TAM(64, num_segments=8).forward(x), Tensor)
    assert_type(FirstFrame(8).forward(x), Tensor)
    assert_type(TAdaConv2d(64, 64, 3, num_segments=8).forward(x), Tensor)

    assert_type(convert_state_dict(files), dict[str, Tensor])
    make_motion_clips('data/motion_clips', num_train=16, num_val=8)
