"""Published models: the file, what it holds, and its entry in the metafile."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from mmaction.apis import init_recognizer
from mmengine import Config
from mmengine.hooks import EMAHook
from mmengine.logging import MessageHub
from mmengine.runner import load_checkpoint
from torch import nn

from mmtemporal.checkpoints.publish import publish_checkpoint
from mmtemporal.datasets.input_shape import input_shape

REPOSITORY = Path(__file__).parents[2]
TOOL = REPOSITORY / 'tools' / 'publish_model.py'
SHIPPED = (
    REPOSITORY / 'configs/recognition/tadaconvnext'
    '/tadaconvnextv2_scratch-mini_1xb8-u16-10e_motionclips-rgb.py'
)
NAME = 'tadaconvnextv2_scratch-nano_1xb8-u16-10e_motionclips-rgb'
DAY = date(2024, 2, 29)
METAFILE = """\
Collections:
  - Name: TAdaConvNeXt

Models:
  - Name: first
    Results:
      - Dataset: A  # a comment
        Metrics: {Top 1 Accuracy: 1.5}
        Task: Action Recognition

  # about the second
  - Name: second

Tail: kept
"""


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    """The shipped config with a network of a few thousand parameters."""
    file = tmp_path_factory.mktemp('config') / 'configs' / 'nano' / f'{NAME}.py'
    file.parent.mkdir(parents=True)
    arch = dict(depths=(1, 1, 1, 1), channels=(16, 16, 32, 32), head_dim=8)
    file.write_text(
        f'_base_ = [{str(SHIPPED)!r}]\n'
        f'model = dict(backbone=dict(arch=dict(_delete_=True, **{arch})),\n'
        '             cls_head=dict(in_channels=32))\n'
    )
    return file


def build(config):
    model = init_recognizer(Config.fromfile(config), device='cpu')
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


def make_checkpoint(model, dataset_meta=None):
    """What mmengine's runner saves."""
    hub = MessageHub('test_publish')
    hub.update_scalar('train/loss', np.float32(3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return dict(
        meta=dict(
            epoch=10,
            iter=1500,
            seed=3,
            experiment_name='mine',
            dataset_meta=dataset_meta or {},
        ),
        state_dict=model.state_dict(),
        message_hub=hub.state_dict(),
        optimizer=optimizer.state_dict(),
        param_schedulers=[],
    )


@pytest.fixture(scope='module')
def source(config, tmp_path_factory):
    file = tmp_path_factory.mktemp('source') / 'epoch_10.pth'
    torch.save(make_checkpoint(build(config), dict(classes=('a', np.int64(2)))), file)
    return file


def weights(file):
    return torch.load(file)['state_dict']


# ------------------------------------------------------------------------- file


def test_file(source, config, tmp_path):
    published = publish_checkpoint(source, config, tmp_path / 'out', DAY)
    (file,) = (tmp_path / 'out').iterdir()
    assert file == published.file and not published.averaged
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f'{NAME}_20240229-{digest[:8]}.pth'
    # What torch.hub compares the digest with.
    assert re.search(r'-([a-f0-9]*)\.', file.name)[1] == digest[:8]

    content = torch.load(file)
    assert content.keys() == {'meta', 'state_dict'}
    meta = content['meta']
    for package in ('mmtemporal', 'mmaction2', 'mmengine', 'torch'):
        assert meta.pop(f'{package}_version')[0].isdigit()
    cfg = Config.fromstring(meta.pop('cfg'), '.py')
    assert cfg.model.to_dict() == Config.fromfile(config).model.to_dict()
    assert meta == dict(
        config=NAME,
        source='epoch_10.pth',
        epoch=10,
        iter=1500,
        dataset_meta=dict(classes=['a', 2]),
    )
    torch.testing.assert_close(content['state_dict'], weights(source), rtol=0, atol=0)
    again = publish_checkpoint(source, config, tmp_path / 'again', DAY)
    assert again.file.name == file.name


def test_the_file_loads_in_a_fresh_process(source, config, tmp_path):
    file = publish_checkpoint(source, config, tmp_path, DAY).file
    code = 'import sys, torch; print(*torch.load(sys.argv[1], weights_only=True))'
    run = subprocess.run(
        [sys.executable, '-c', code, file], capture_output=True, text=True
    )
    assert run.stdout.split() == ['meta', 'state_dict'], run.stderr


def test_the_runner_loads_it(source, config, tmp_path):
    file = publish_checkpoint(source, config, tmp_path, DAY).file
    model = build(config)
    load_checkpoint(model, str(file), strict=True)
    torch.testing.assert_close(model.state_dict(), weights(source), rtol=0, atol=0)


def test_averaged_weights(config, tmp_path):
    model = build(config)
    hook = EMAHook(momentum=0.1)
    hook.before_run(SimpleNamespace(model=model))
    average = {k: v.clone() for k, v in hook.ema_model.module.state_dict().items()}
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    checkpoint = make_checkpoint(model)
    hook.before_save_checkpoint(None, checkpoint)
    torch.save(checkpoint, tmp_path / 'ema.pth')

    published = publish_checkpoint(tmp_path / 'ema.pth', config, tmp_path, DAY)
    assert published.averaged
    assert torch.load(published.file).keys() == {'meta', 'state_dict'}
    torch.testing.assert_close(weights(published.file), average, rtol=0, atol=0)


def test_prefixes_and_constants_of_other_versions(source, config, tmp_path):
    state_dict = {f'module.{k}': v for k, v in weights(source).items()}
    state_dict['module.data_preprocessor.mean'] = torch.ones(3, 1, 1, 1)
    torch.save(dict(state_dict=state_dict), tmp_path / 'old.pth')
    file = publish_checkpoint(tmp_path / 'old.pth', config, tmp_path, DAY).file
    assert weights(file).keys() == weights(source).keys()


def test_nothing_is_replaced_without_force(source, config, tmp_path):
    file = publish_checkpoint(source, config, tmp_path, DAY).file
    file.write_text('mine')
    with pytest.raises(FileExistsError, match=f'{file.name} exists; pass --force'):
        publish_checkpoint(source, config, tmp_path, DAY)
    assert file.read_text() == 'mine'
    publish_checkpoint(source, config, tmp_path, DAY, force=True)
    assert weights(file).keys() == weights(source).keys()
    assert [*tmp_path.iterdir()] == [file]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda s: s.pop('cls_head.fc_cls.bias'), 'fc_cls.bias.* missing'),
        (lambda s: s.update(extra=torch.ones(1)), 'extra.* unexpected'),
        (
            lambda s: s.update({'cls_head.fc_cls.bias': torch.ones(400)}),
            r'fc_cls.bias \(400,\) instead of \(8,\).* mismatched',
        ),
        (
            lambda s: s['cls_head.fc_cls.bias'].fill_(float('nan')),
            'not finite numbers',
        ),
    ],
)
def test_bad_weights(source, config, tmp_path, change, message):
    checkpoint = torch.load(source)
    change(checkpoint['state_dict'])
    torch.save(checkpoint, tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match=message):
        publish_checkpoint(tmp_path / 'bad.pth', config, tmp_path / 'out', DAY)
    assert not any((tmp_path / 'out').glob('*'))


def test_a_file_that_lost_something_is_noticed(source, config, tmp_path, monkeypatch):
    save = torch.save

    def save_rounded(content, file):
        state_dict = content['state_dict']
        for name, tensor in state_dict.items():
            if tensor.is_floating_point():
                state_dict[name] = tensor.half().float()
        save(content, file)

    monkeypatch.setattr(torch, 'save', save_rounded)
    with pytest.raises(ValueError, match='gives other outputs'):
        publish_checkpoint(source, config, tmp_path, DAY)
    assert not any(tmp_path.iterdir())


class Foreign:
    """Something whose class torch does not know."""


def test_strange_files(source, config, tmp_path):
    file = tmp_path / 'file.pth'
    for content, message in [
        (dict(state_dict={}, extra=Foreign()), 'add --allow-pickle'),
        ([1], 'no checkpoint of mmengine'),
        (dict(weight=torch.ones(1)), 'no checkpoint of mmengine'),
    ]:
        torch.save(content, file)
        with pytest.raises(ValueError, match=message):
            publish_checkpoint(file, config, tmp_path / 'out', DAY)
    checkpoint = torch.load(source)
    checkpoint['meta']['dataset_meta'] = dict(x=torch.ones(1))
    torch.save(checkpoint, file)
    with pytest.raises(ValueError, match='metadata .* holds a Tensor'):
        publish_checkpoint(file, config, tmp_path / 'out', DAY)
    assert not (tmp_path / 'out').exists()


def test_foreign_classes_do_not_reach_the_published_file(source, config, tmp_path):
    torch.save(dict(torch.load(source), extra=Foreign()), tmp_path / 'file.pth')
    published = publish_checkpoint(
        tmp_path / 'file.pth', config, tmp_path / 'out', DAY, allow_pickle=True
    )
    assert torch.load(published.file).keys() == {'meta', 'state_dict'}


@pytest.mark.parametrize(
    ('changes', 'shape'),
    [
        (dict(), (1, 3, 16, 32, 32)),
        # Three views of one clip, cropped.
        (
            dict(
                test_pipeline=[
                    dict(type='SampleFrames', clip_len=8, num_clips=3),
                    dict(type='Resize', scale=(-1, 256)),
                    dict(type='ThreeCrop', crop_size=256),
                ]
            ),
            (1, 3, 8, 256, 256),
        ),
        # Frames of a wide picture.
        (
            {
                'model.type': 'Recognizer2D',
                'model.data_preprocessor.format_shape': 'NCHW',
                'test_pipeline': [
                    dict(type='SampleFrames', clip_len=1, num_clips=8),
                    dict(type='Resize', scale=(64, 48), keep_ratio=False),
                    dict(type='CenterCrop', crop_size=(60, 40)),
                ],
            },
            (8, 3, 40, 60),
        ),
        # Windows of frames, as TDN takes them.
        (
            {
                'model.type': 'Recognizer2D',
                'test_pipeline': [
                    dict(type='mmtemporal.SampleWindows', clip_len=5, num_clips=8),
                    dict(type='Resize', scale=(64, 48), keep_ratio=False),
                ],
            },
            (8, 3, 5, 48, 64),
        ),
        (
            dict(model=dict(_delete_=True, type='BMN', feat_dim=8, temporal_dim=9)),
            (8, 9),
        ),
    ],
)
def test_input_shape(config, changes, shape):
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(changes)
    assert input_shape(cfg) == shape


@pytest.mark.slow
def test_every_recipe_has_an_input():
    for metafile in (REPOSITORY / 'configs/recognition').rglob('metafile.yml'):
        for entry in yaml.safe_load(metafile.read_text())['Models']:
            cfg = Config.fromfile(REPOSITORY / entry['Config'])
            *frames, height, width = input_shape(cfg)
            assert f'{height}x{width}' == entry['Metadata']['Resolution']
            assert cfg.model.backbone.get('num_segments', 8) in frames


def test_input_without_a_size(config):
    cfg = Config.fromfile(config)
    cfg.test_pipeline = [dict(type='SampleFrames', clip_len=8)]
    with pytest.raises(ValueError, match='test_pipeline of the config needs'):
        input_shape(cfg)


# -------------------------------------------------------------------- tool, entry


@pytest.fixture
def run_tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('publish_model_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr('sys.argv', [TOOL.name, *map(str, arguments)])
        tool.main()

    return run


RESULT = ['--dataset', 'Motion clips', '--metric', 'Top 1 Accuracy=82.5']


def test_entry(source, config, tmp_path, run_tool, capsys):
    run_tool(source, config, tmp_path, *RESULT)
    first, *rest = capsys.readouterr().out.splitlines()
    (file,) = tmp_path.iterdir()
    assert first == f'published {file}'
    (entry,) = yaml.safe_load('\n'.join(rest))
    assert entry['Metadata'].pop('FLOPs') > 0
    parameters = sum(p.numel() for p in build(config).parameters())
    assert entry == {
        'Name': NAME,
        'Config': f'configs/nano/{NAME}.py',
        'In Collection': 'tadaconvnextv2',
        'Metadata': {
            'Architecture': 'TAdaConvNeXtV2',
            'Batch Size': 8,
            'Epochs': 10,
            'Parameters': parameters,
            'Resolution': '32x32',
            'Training Data': 'Motion clips',
        },
        'Modality': 'RGB',
        'Results': [
            {
                'Dataset': 'Motion clips',
                'Metrics': {'Top 1 Accuracy': 82.5},
                'Task': 'Action Recognition',
            }
        ],
        'Weights': file.name,
    }


def test_shipped_entry_is_found_again(tmp_path, run_tool, capsys):
    """With the numbers that the repository has for its configs."""
    torch.save(make_checkpoint(build(SHIPPED)), tmp_path / 'epoch.pth')
    run_tool(tmp_path / 'epoch.pth', SHIPPED, tmp_path / 'out')
    (entry,) = yaml.safe_load(capsys.readouterr().out.partition('\n')[2])
    assert entry.pop('Weights')
    shipped = yaml.safe_load(SHIPPED.with_name('metafile.yml').read_text())['Models']
    (expected,) = (item for item in shipped if item['Name'] == SHIPPED.stem)
    assert entry == expected


def test_entry_is_appended_and_updated(source, config, tmp_path, run_tool):
    metafile, out = tmp_path / 'metafile.yml', tmp_path / 'out'
    metafile.write_text(METAFILE)
    options = ['--metafile', metafile, '--append']
    run_tool(source, config, out, *options, *RESULT)
    text = metafile.read_text()
    head, tail = METAFILE.split('\n\nTail')
    assert text.startswith(f'{head}\n\n  - Name: {NAME}\n    Config: configs/nano/')
    assert text.endswith('.pth\n\nTail' + tail)
    models = yaml.safe_load(text)['Models']
    assert [model['Name'] for model in models] == ['first', 'second', NAME]
    assert models[2]['In Collection'] == 'TAdaConvNeXt'

    with pytest.raises(SystemExit, match=f'error: .* has an entry {NAME}; pass'):
        run_tool(source, config, tmp_path / 'other', *options)
    assert metafile.read_text() == text and not (tmp_path / 'other').exists()

    # What is measured anew is replaced, and what else is known stays.
    text = text.replace('    Modality: RGB\n', '    Modality: RGB\n    Note: mine\n')
    metafile.write_text(text)
    metrics = ['--dataset', 'B', '--metric', 'mAP=0.5', '--metric', 'Top 5 Accuracy=9']
    run_tool(source, config, out, *options, *metrics, '--force')
    run_tool(source, config, out, *options, *RESULT[:3], 'mAP=3', '--force')
    entry = yaml.safe_load(metafile.read_text())['Models'][2]
    assert entry['Note'] == 'mine'
    assert [(r['Dataset'], r['Metrics']) for r in entry['Results']] == [
        ('Motion clips', {'mAP': 3}),
        ('B', {'mAP': 0.5, 'Top 5 Accuracy': 9}),
    ]
    assert metafile.read_text().partition(f'  - Name: {NAME}')[0] == f'{head}\n\n'
    assert metafile.read_text().endswith('.pth\n\nTail' + tail)


def test_entry_in_the_middle_is_updated(source, config, tmp_path, run_tool):
    metafile = tmp_path / 'metafile.yml'
    metafile.write_text(METAFILE.replace('first', NAME))
    run_tool(
        *(source, config, tmp_path / 'out', '--force', '--append'),
        *('--metafile', metafile),
    )
    text = metafile.read_text()
    assert '.pth\n\n  # about the second\n  - Name: second\n\nTail: kept\n' in text
    assert yaml.safe_load(text)['Models'][0]['Results'][0]['Dataset'] == 'A'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (None, 'there is no .*metafile.yml'),
        ('Models: []\n', 'has no list of Models'),
        ('Models:\n  - Name: [\n', 'error: '),
        ('- Name: x\n', 'has no list of Models'),
    ],
)
def test_bad_metafiles(source, config, tmp_path, run_tool, text, message):
    metafile = tmp_path / 'metafile.yml'
    if text:
        metafile.write_text(text)
    with pytest.raises(SystemExit, match=message) as error:
        run_tool(
            *(source, config, tmp_path / 'out', '--append'),
            *('--metafile', metafile),
        )
    assert '\n' not in str(error.value)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'options',
    [
        ['--metric', 'mAP=3'],
        ['--dataset', 'A', '--metric', 'mAP'],
        ['--dataset', 'A', '--metric', 'mAP=nan'],
        ['--dataset', 'A', '--metric', '=3'],
    ],
)
def test_bad_arguments(source, config, tmp_path, run_tool, options):
    with pytest.raises(SystemExit):
        run_tool(source, config, tmp_path / 'out', *options)
    assert not (tmp_path / 'out').exists()


def test_tool_reports_errors_in_one_line(source, config, tmp_path, run_tool):
    for arguments in [(tmp_path / 'none.pth', config), (source, tmp_path / 'none.py')]:
        with pytest.raises(SystemExit, match=r'error: .*none\.p') as error:
            run_tool(*arguments, tmp_path / 'out')
        assert '\n' not in str(error.value)
