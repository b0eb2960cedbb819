"""TANets and TINs for another number of frames."""

import runpy
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import load_checkpoint
from network_names import OF_FRAMES, head_of
from torch import nn

from mmtemporal.checkpoints.segments import resize_segments
from mmtemporal.models.layers import TAM, TemporalInterlace

TOOL = Path(__file__).parents[2] / 'tools' / 'convert_checkpoint.py'
main = runpy.run_path(str(TOOL))['main']
networks = pytest.mark.parametrize('kind', OF_FRAMES)


# ------------------------------------------------------------------ one layer


class Branch(nn.Module):
    """The part of a layer that depends on the number of frames."""

    def __init__(self, kind, num_segments, **options):
        super().__init__()
        self.kind = kind
        if kind == 'TANet':
            self.tam = TAM(64, num_segments, **options)
        else:
            self.net1 = TemporalInterlace(64, num_segments)
        self.double().eval()

    def forward(self, x):
        if self.kind == 'TANet':
            return self.tam.G(x)
        net = self.net1.offset_net
        return net.fc2(net.fc1(x).relu())


def shaken(kind, num_segments):
    branch = Branch(kind, num_segments)
    with torch.no_grad():
        for name, tensor in branch.state_dict().items():
            if name.endswith('running_var'):
                tensor.uniform_(0.1, 1)
            elif tensor.is_floating_point() and tensor.dim() == 1:
                tensor.normal_()
    return branch


def resized(branch, num_segments, **options):
    new = Branch(branch.kind, num_segments, **options)
    state = {name: tensor.clone() for name, tensor in branch.state_dict().items()}
    names = resize_segments(state, num_segments, new.state_dict() if options else None)
    new.load_state_dict(state, strict=True)
    return new, names


def assert_same_function(new, old, x):
    torch.testing.assert_close(new, old, rtol=1e-12, atol=1e-12)
    assert old.std(0).min() > 1e-3, x  # which would be trivial otherwise


@networks
@pytest.mark.parametrize(('old', 'new'), [(8, 16), (8, 12), (4, 10), (3, 32)])
def test_more_frames_keep_the_function(kind, old, new):
    branch = shaken(kind, old)
    more, names = resized(branch, new)
    assert len(names) == (6 if kind == 'TANet' else 3)
    still = torch.rand(50, 1, dtype=torch.double)
    outs = more(still.expand(50, new)), branch(still.expand(50, old))
    assert_same_function(*outs, still)
    moving = torch.rand(50, new, dtype=torch.double)
    # Each old frame is the mean of what it overlaps: here in the finest common steps.
    steps = moving.repeat_interleave(old, 1).unflatten(1, (old, new)).mean(2)
    assert_same_function(more(moving), branch(steps), moving)


@networks
@pytest.mark.parametrize('more', [12, 16, 24])
def test_there_and_back(kind, more):
    branch = shaken(kind, 8)
    there, _ = resized(branch, more)
    back, _ = resized(there, 8)
    x = torch.rand(50, 8, dtype=torch.double)
    if more % 8 == 0:  # else frames are mixed
        assert_same_function(back(x), branch(x), x)
    still = x[:, :1].expand(50, 8)
    assert_same_function(back(still), branch(still), still)


def test_fewer_frames_with_as_many_hidden_units_keep_the_function():
    branch = shaken('TANet', 16)  # alpha is 2
    fewer, _ = resized(branch, 8, alpha=4)
    x = torch.rand(50, 8, dtype=torch.double)
    assert_same_function(fewer(x), branch(x.repeat_interleave(2, 1)), x)


@networks
def test_fewer_hidden_units_stay_near_the_function(kind):
    near = far = 0
    for seed in range(10):
        torch.manual_seed(seed)
        branch = shaken(kind, 8)
        fewer, _ = resized(branch, 6)
        x = torch.rand(100, 1, dtype=torch.double)
        expected = branch(x.expand(100, 8))
        near += (fewer(x.expand(100, 6)) - expected).norm()
        far += (expected.mean(0) - expected).norm()  # the best constant
    assert near < 0.75 * far


def test_what_does_not_depend_on_frames_stays():
    branch = shaken('TANet', 8)
    state = branch.state_dict()
    state.update(other=torch.ones(8, 8), half=torch.ones(2).half())
    before = dict(state)
    names = resize_segments(state, 16)
    for name in state.keys() - set(names):
        assert state[name] is before[name], name
    assert all(state[name].shape != before[name].shape for name in names)
    assert not resize_segments(state, 16)
    del state['tam.G.3.weight']
    with pytest.raises(
        ValueError, match='G.0.weight cannot be resized without tam.G.3'
    ):
        resize_segments(state, 8)


# ------------------------------------------------------------------- networks


def build(kind, num_segments, **options):
    options = dict(depth=18, num_segments=num_segments, **options)
    head = dict(num_classes=5, in_channels=512, num_segments=num_segments)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(
            dict(
                type='Recognizer2D',
                backbone=dict(type=f'mmtemporal.{kind}', **options),
                cls_head=dict(type=f'mmtemporal.{head_of(kind)}', **head),
            )
        )


@pytest.fixture
def log(caplog):
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    yield caplog
    logger.removeHandler(caplog.handler)


def write(kind, file, num_segments=4):
    model = build(kind, num_segments)
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.add_(torch.rand_like(tensor) * 0.1)
    torch.save(dict(state_dict=model.state_dict(), meta={}), file)
    return model.state_dict()


@networks
@pytest.mark.parametrize('way', ['load_from', 'pretrained', 'init_cfg'])
def test_checkpoints_are_resized_on_request(kind, way, tmp_path, log):
    file = str(tmp_path / 'x.pth')
    expected = write(kind, file)
    resize_segments(expected, 8)
    options = {
        'load_from': {},
        'pretrained': dict(pretrained=file),
        'init_cfg': dict(init_cfg=dict(type='Pretrained', checkpoint=file)),
    }[way]
    model = build(kind, 8, resize_segments=True, **options)
    model.init_weights()
    if way == 'load_from':
        load_checkpoint(model, file)
    for name, tensor in model.backbone.state_dict().items():
        assert torch.equal(tensor, expected[f'backbone.{name}']), name
    # 8 blocks of 6 or 3 tensors.
    number = 48 if kind == 'TANet' else 24
    assert f'resized to another number of frames {number} (layer1.0.' in log.text
    assert model(torch.rand(1, 8, 3, 32, 32), stage='head').isfinite().all()


@networks
def test_without_the_request_the_way_out_is_named(kind, tmp_path):
    file = str(tmp_path / 'x.pth')
    write(kind, file)
    model = build(kind, 8)
    match = (
        'num_segments=8.*: 0 missing, 0 unexpected, .* mismatched; set .*'
        'num_segments=4 .now 8., or backbone.resize_segments=True or tools/conv'
    )
    with pytest.raises(ValueError, match=match):
        load_checkpoint(model, file)
    model.backbone.pretrained = file
    with pytest.raises(ValueError, match=match):
        model.backbone.init_weights()


# ------------------------------------------------------------------- the tool


def write_config(kind, folder, num_segments, **options):
    file = folder / 'config.py'
    file.write_text(
        "custom_imports = dict(imports=['mmtemporal'], allow_failed_imports=False)\n"
        "default_scope = 'mmaction'\n"
        f"backbone = dict(type='mmtemporal.{kind}', depth=18, "
        f'num_segments={num_segments}, **{options!r})\n'
        f"cls_head = dict(type='mmtemporal.{head_of(kind)}', num_classes=5, "
        f'in_channels=512, num_segments={num_segments})\n'
        "model = dict(type='Recognizer2D', backbone=backbone, cls_head=cls_head)\n"
    )
    return str(file)


def as_released(state):
    """Return a TANet as its authors have it."""
    names = {}
    for name in state:
        new = name.replace('backbone.', 'base_model.').replace('cls_head.fc_cls', 'fc')
        new = new.replace('.block.', '.net.').replace(
            '.downsample.conv', '.downsample.0'
        )
        new = new.replace('.downsample.bn', '.downsample.1')
        for i in '123':
            new = new.replace(f'.conv{i}.conv.', f'.conv{i}.')
            new = new.replace(f'.conv{i}.bn.', f'.bn{i}.')
        names[f'module.{new}' if new[:2] != 'fc' else f'module.new_{new}'] = name
    return {new: state[name] for new, name in names.items()}


@pytest.mark.parametrize(
    ('kind', 'released'), [('TANet', False), ('TANet', True), ('TIN', False)]
)
def test_tool(kind, released, tmp_path, capsys):
    src, dst = str(tmp_path / 'src.pth'), str(tmp_path / 'dst.pth')
    expected = write(kind, src)
    if released:
        torch.save(dict(state_dict=as_released(expected)), src)
    resize_segments(expected, 8)
    main([src, dst, '--num-segments', '8', '--config', write_config(kind, tmp_path, 8)])
    out = capsys.readouterr().out
    assert 'resized to another number of frames' in out and 'loaded strictly' in out
    converted = torch.load(dst)['state_dict']
    torch.testing.assert_close(converted, dict(expected), rtol=0, atol=0)
    main([src, dst, '--num-segments', '8', '--force'])
    again = torch.load(dst)['state_dict']
    torch.testing.assert_close(again, converted, rtol=0, atol=0)


def test_the_config_says_the_number_of_hidden_units(tmp_path):
    src, dst = str(tmp_path / 'src.pth'), str(tmp_path / 'dst.pth')
    write('TANet', src, num_segments=8)
    config = write_config('TANet', tmp_path, 4, tam_cfg=dict(alpha=4))
    main([src, dst, '--num-segments', '4', '--config', config])
    first = torch.load(dst)['state_dict']['backbone.layer1.0.tam.G.0.weight']
    assert first.shape == (16, 4)


@pytest.mark.parametrize('kind', OF_FRAMES)
def test_a_request_is_yes_or_no(kind):
    cfg = dict(type=f'mmtemporal.{kind}', depth=18, num_segments=4)
    with pytest.raises(ValueError, match="backbone.resize_segments='no' is none of"):
        MODELS.build(dict(cfg, resize_segments='no'))


def test_unfit_requests_are_refused(tmp_path):
    src, dst = tmp_path / 'src.pth', tmp_path / 'dst.pth'

    def refused(match, kind, *options):
        write(kind, src)
        with pytest.raises(SystemExit, match=match):
            main([str(src), str(dst), *options])
        assert not dst.exists()

    refused('no tensor of a network of this package has', 'TDN', '--num-segments', '8')
    refused('no tensor of TANet .* has to be', 'TANet', '--num-segments', '4')
    refused('2', 'TANet', '--num-segments', '0')
    refused('at least the 3 frames of the kernels', 'TANet', '--num-segments', '2')
    config = write_config('TANet', tmp_path, 16)
    refused(
        r'Set model.backbone.num_segments=8 \(now 16\).*--num-segments',
        *('TANet', '--num-segments', '8', '--config', config),
    )
    torch.save({'layer1.0.conv1.weight': torch.rand(1)}, src)
    with pytest.raises(
        SystemExit, match='is for a TANet or TIN; it is an image ResNet'
    ):
        main([str(src), str(dst), '--num-segments', '8', '--config', config])
