"""Files whose position embedding is for another grid of patches."""

import logging
import re

import pytest
import torch
import torch.nn.functional as F
from clip_files import ARCH, LAYOUTS, build, tower
from mmengine.runner import load_checkpoint

from mmtemporal.checkpoints.fit import load_strictly

ways = pytest.mark.parametrize('way', ['pretrained', 'init_cfg'])
own_ways = pytest.mark.parametrize('way', ['pretrained', 'init_cfg', 'load_from'])


def initialise(file, way='pretrained', **options):
    if way == 'pretrained':
        options['pretrained'] = str(file)
    elif way == 'init_cfg':
        options['init_cfg'] = dict(type='Pretrained', checkpoint=str(file))
    backbone = build(**options)
    if way == 'load_from':
        wrapped = torch.nn.Module()
        wrapped.backbone = backbone
        load_checkpoint(wrapped, str(file))
    else:
        backbone.init_weights()
    return backbone


@pytest.fixture
def larger(tmp_path):
    """A CLIP for 24 x 24 pixels, as OpenAI's is for 336."""
    weights = tower(grid=6)
    torch.save(LAYOUTS['OpenAI'](weights), tmp_path / 'clip.pt')
    return weights['positional_embedding'], tmp_path / 'clip.pt'


@ways
def test_a_file_for_larger_frames_is_refused(way, larger):
    with pytest.raises(
        ValueError,
        match=r'does not fit this TAdaFormer \(.*img_size=\(16, 16\)\): 0 missing, '
        r'0 unexpected, 1 \(positional_embedding for 6 x 6 patches instead of 4 x 4\) '
        r'mismatched; set backbone.img_size=24 \(now 16\), or '
        "backbone.interpolate_mode='bicubic' to resize the position embedding",
    ) as error:
        initialise(larger[1], way)
    assert str(error.value).count('\n') == 0
    initialise(larger[1], way, img_size=24)


@ways
@pytest.mark.parametrize('mode', ['bicubic', 'bilinear'])
@pytest.mark.parametrize('size', [(16, 16), (8, 20), (32, 48), (8, 72)])
def test_it_is_resized_on_request(size, mode, way, larger, log):
    positions, file = larger
    backbone = initialise(file, way, img_size=size, interpolate_mode=mode)
    grid = tuple(side // 4 for side in size)
    # As a picture of 64 channels; the row of the class token stays.
    image = positions[1:].T.reshape(1, 64, 6, 6)
    resized = F.interpolate(image, grid, mode=mode, align_corners=False)
    expected = torch.cat((positions[:1], resized.reshape(64, -1).T))
    assert torch.equal(backbone.positional_embedding, expected)
    (report,) = (line for line in log.messages if ': loaded ' in line)
    text = f'positional_embedding for 6 x 6 patches to {grid[0]} x {grid[1]}'
    assert f'interpolated 1 ({text})' in report and 'frames' not in report


@ways
def test_half_precision_is_resized(way, larger):
    positions, file = larger
    content = {k: x.half() for k, x in torch.load(file).items()}
    torch.save(content, file)
    backbone = initialise(file, way, interpolate_mode='bicubic')
    image = positions[1:].T.reshape(1, 64, 6, 6)
    expected = F.interpolate(image, (4, 4), mode='bicubic', align_corners=False)
    found = backbone.positional_embedding[1:].T.reshape(1, 64, 4, 4)
    assert torch.equal(found, expected)


@ways
def test_another_grid_with_as_many_patches(way, tmp_path):
    weights, file = tower(), tmp_path / 'clip.pt'
    torch.save(LAYOUTS['timm'](weights), file)
    with pytest.raises(
        ValueError,
        match=r'1 \(positional_embedding for 4 x 4 patches instead of 2 x 8\) mism.*'
        r'set backbone.img_size=16 \(now \(8, 32\)\), or backbone.interpolate_mode',
    ):
        initialise(file, way, img_size=(8, 32))
    backbone = initialise(file, way, img_size=(8, 32), interpolate_mode='bicubic')
    old = weights['positional_embedding']
    assert backbone.positional_embedding.shape == old.shape
    assert not torch.equal(backbone.positional_embedding, old)


def save_own(path, **options):
    """Write a recognizer with a trained network; return its position embedding."""
    backbone = build(**options)
    state = {f'backbone.{name}': x for name, x in backbone.state_dict().items()}
    torch.save(dict(state_dict=state, meta={}), path)
    return backbone.positional_embedding


@own_ways
def test_own_checkpoints_of_other_sizes(way, tmp_path, log):
    file = tmp_path / 'own.pth'
    positions = save_own(file, img_size=24)
    with pytest.raises(
        ValueError,
        match=r'1 \(positional_embedding for 6 x 6 patches instead of 4 x 4\) mism.*; '
        r"set backbone.img_size=24 \(now 16\), or backbone.interpolate_mode='bicubic'",
    ):
        initialise(file, way)
    backbone = initialise(file, way, interpolate_mode='bicubic', img_size=(16, 20))
    expected = backbone.resize_positions(positions, (6, 6), (4, 5))
    assert torch.equal(backbone.positional_embedding, expected)
    text = 'interpolated 1 (positional_embedding for 6 x 6 patches to 4 x 5)'
    assert [line for line in log.messages if text in line]


@own_ways
@pytest.mark.parametrize(
    ('theirs', 'ours', 'grids'),
    [
        ((8, 20), (16, 16), '2 x 5 patches instead of 4 x 4'),
        ((8, 20), (20, 8), '2 x 5 patches instead of 5 x 2'),
        ((8, 32), (16, 16), '2 x 8 patches instead of 4 x 4'),
        ((8, 32), (12, 12), '2 x 8 patches instead of 3 x 3'),
        ((16, 16), (8, 32), '4 x 4 patches instead of 2 x 8'),
    ],
)
def test_own_checkpoints_of_frames_that_are_no_squares(
    theirs, ours, grids, way, tmp_path, log
):
    file = tmp_path / 'own.pth'
    positions = save_own(file, img_size=theirs)
    size = theirs[0] if theirs[0] == theirs[1] else theirs
    now = ours[0] if ours[0] == ours[1] else ours
    text = f'1 (positional_embedding for {grids}) mismatched; set backbone.img_size='
    text += f"{size} (now {now}), or backbone.interpolate_mode='bicubic'"
    with pytest.raises(ValueError, match=re.escape(text)):
        initialise(file, way, img_size=ours)
    backbone = initialise(file, way, img_size=ours, interpolate_mode='bicubic')
    old, new = ([side // 4 for side in size] for size in (theirs, ours))
    expected = backbone.resize_positions(positions, old, new)
    assert torch.equal(backbone.positional_embedding, expected)
    assert backbone.grid == tuple(new)
    assert torch.equal(
        backbone.state_dict().get('position_grid', torch.tensor(new)), torch.tensor(new)
    )
    log.clear()
    backbone = initialise(file, way, img_size=theirs, interpolate_mode='bicubic')
    assert torch.equal(backbone.positional_embedding, positions)
    assert not [x for x in log.records if x.levelno >= logging.WARNING]


def test_the_grid_is_kept_in_half_precision(tmp_path):
    file = tmp_path / 'own.pth'
    state = build(img_size=(8, 32)).half().state_dict()
    assert state['position_grid'].tolist() == [2, 8]
    assert 'position_grid' not in build().state_dict()
    torch.save({name: x.half() for name, x in state.items()}, file)
    initialise(file, 'init_cfg', img_size=(8, 32))
    with pytest.raises(ValueError, match='2 x 8 patches instead of 4 x 4'):
        initialise(file, 'init_cfg')


def test_strict_loading_without_a_grid():
    """Tensors of an own network of before, or made by hand, are of a square."""
    network = build(img_size=(8, 32))
    state = dict(network.state_dict())
    del state['position_grid']
    with pytest.raises(ValueError, match='4 x 4 patches instead of 2 x 8'):
        network.load_state_dict(state)
    network = build(img_size=(8, 20))
    state = dict(network.state_dict())
    del state['position_grid']
    network.load_state_dict(state)  # no square has as many rows


@pytest.mark.parametrize('theirs', [(8, 32), (24, 24)])
def test_strict_tools_resize_it_as_a_test_does(theirs):
    def holder(**options):
        model = torch.nn.Module()
        model.backbone = build(**options)
        return model

    trained = holder(img_size=theirs)
    state = trained.state_dict()
    with pytest.raises(
        ValueError,
        match=r'does not fit the model: .* Set model.backbone.img_size=.* \(now 16\), '
        r"or model.backbone.interpolate_mode='bicubic'",
    ):
        load_strictly(holder(), state)
    model = holder(interpolate_mode='bicubic')
    load_strictly(model, state)
    expected = model.backbone.resize_positions(
        trained.backbone.positional_embedding, trained.backbone.grid, (4, 4)
    )
    assert torch.equal(model.backbone.positional_embedding, expected)
    del state['backbone.ln_pre.bias']
    with pytest.raises(ValueError, match=r'1 \(backbone.ln_pre.bias\) missing, 0 un'):
        load_strictly(holder(interpolate_mode='bicubic'), state)


def test_the_arch_is_named_before_the_size(tmp_path):
    """A file for other patches is not taken for one for other frames."""
    file = tmp_path / 'clip.pt'
    torch.save(LAYOUTS['OpenAI'](tower(patch=8, grid=4)), file)
    with pytest.raises(
        ValueError, match=r"set backbone.arch=.*'patch_size': 8} \(now .*img_size=32 "
    ):
        initialise(file)
    arch = dict(ARCH, patch_size=8)
    initialise(file, arch=arch, img_size=32)
