"""The pages' lines on configs of MMAction2's zoo run, or one error says why not.

All are built. One family of each kind of backbone is trained and tested with every
layer, and each of the others with one.
"""

from itertools import product

import pytest
import stock_zoo as zoo

LAYERS = ('TAM', 'TemporalInterlace', 'LongTermTDM', 'TemporalShift', 'TAdaConv')
KINDS = ('tsn', 'tsn flow', 'tsm non-local', 'csn', 'timesformer', 'swin')
# One of each kind, and each of the layers.
QUICK = {
    ('tsn', 'TAM'),
    ('tsn flow', 'TemporalShift'),
    ('tsm non-local', 'LongTermTDM'),
    ('csn', 'TAdaConv'),
    ('timesformer', 'TemporalInterlace'),
    ('timesformer', 'TAdaConv'),
    ('swin', 'TAM'),
}


def add_a_layer(path, layer, frames):
    lines = zoo.page_lines('docs/any_backbone.md')
    return zoo.replace(
        lines,
        ('your_tsn_config.py', str(path)),
        ("type='TAM'", f"type='{layer}'"),
        ('num_segments=8', f'num_segments={frames}'),
    )


def frames_of(name):
    """Return the num_segments that a user reads in the sampler of training."""
    cfg = zoo.Config.fromfile(zoo.path_of(name))
    pipeline = cfg.get('train_pipeline') or cfg.test_pipeline
    (sampler,) = (step for step in pipeline if 'clip_len' in step)
    clips = sampler.get('num_clips', 1)
    in_time = cfg.model.type == 'Recognizer3D' or clips == 1
    return sampler['clip_len'] if in_time else clips


# What is refused, and for which reason; all else runs.
NO_PLACE = 'no published insertion points of {layer}.* set backbone.where'
REFUSED = {
    **{('c3d', layer): NO_PLACE for layer in LAYERS[:4]},
    **{('uniformer', layer): NO_PLACE for layer in LAYERS[:4]},
    **{('uniformerv2', layer): NO_PLACE for layer in LAYERS[:4]},
    # The stock operator is compiled, and for CUDA alone.
    **{('tin', layer): 'Failed to import `tin_shift`' for layer in LAYERS},
    **{
        (name, 'LongTermTDM'): 'LongTermTDM convolves feature maps, but .* sees token'
        for name in zoo.CONFIGS
        if name.startswith(('mvit', 'timesformer', 'videomae'))
    },
    **{
        (name, 'TAdaConv'): NO_PLACE
        for name in zoo.CONFIGS
        if name.startswith(('swin', 'timesformer', 'videomae'))
    },
}
CASES = [
    pytest.param(*case, marks=[] if case in QUICK else pytest.mark.slow)
    for case in product(zoo.CONFIGS, LAYERS)
]


def is_trained(name, layer):
    layers = [layer for layer in LAYERS if (name, layer) not in REFUSED]
    return name in KINDS or layer == layers[[*zoo.CONFIGS].index(name) % len(layers)]


@pytest.mark.parametrize('name, layer', CASES)
def test_a_layer_is_added(name, layer, videos, tmp_path):
    frames = frames_of(name)
    lines = add_a_layer(zoo.path_of(name), layer, frames)
    cfg = zoo.read_config(lines, tmp_path)
    zoo.make_small(cfg, zoo.SIZES.get(name, zoo.SIZE))
    zoo.shrink_backbone(cfg, name)
    if (name, layer) in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name, layer].format(layer=layer)):
            zoo.build(cfg)
        return
    model = zoo.build(cfg)
    assert model.backbone.temporal_layers()
    if not is_trained(name, layer):
        return
    zoo.train(model, cfg, videos)
    zoo.score(model, cfg, videos, 'val')
    if name.startswith('tsn'):
        # A frame-wise network is tested on 25 frames and ten crops, whatever it was
        # trained on.
        with pytest.raises(ValueError, match=f'got 250 .* set num_clips={frames} in'):
            zoo.score(model, cfg, videos, 'test')
        next(s for s in cfg.test_pipeline if 'clip_len' in s)['num_clips'] = frames
    zoo.score(model, cfg, videos, 'test')
