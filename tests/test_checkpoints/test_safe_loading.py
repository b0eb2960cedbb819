"""Checkpoints are data: what a file wants to be run is not run, wherever it is read."""

import os
import pickle
import runpy
from functools import partial

import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import MODELS
from mmengine import Config
from mmengine.logging import HistoryBuffer, MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader, Runner
from parity import CONFIGS

from mmtemporal.checkpoints.fit import load_trained
from mmtemporal.checkpoints.publish import publish_checkpoint
from mmtemporal.compat import read_urls_safely

TOOL = CONFIGS.parent / 'tools' / 'convert_checkpoint.py'
convert = runpy.run_path(str(TOOL))['main']


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class State(Call):
    """Pickles as an object of a class that is allowed, whose state is a call."""

    def __reduce__(self):
        return HistoryBuffer, (), Call(*self.call[:1], *self.call[1])


def array_of(value):
    array = np.empty(1, dtype=object)
    array[0] = value
    return array


def look_up(*names):
    """Follow attributes by the ``getattr`` that checkpoints may use."""
    value = HistoryBuffer
    for name in names:
        value = Call(getattr, value, name)
    return value


# What makes the file ``mark`` as soon as it is read without care,
PROGRAMS = {
    'a command': lambda mark: Call(os.system, f'touch {mark}'),
    'python': lambda mark: Call(exec, f'open({mark!r}, "w")'),
    'a command in an array': lambda mark: array_of(Call(os.system, f'touch {mark}')),
    'a command as state': lambda mark: State(os.system, f'touch {mark}'),
    'a second pickle': lambda mark: Call(
        pickle.loads, pickle.dumps(Call(os.system, f'touch {mark}'))
    ),
    'a command by attributes': lambda mark: Call(
        exec, f'getattr(__import__("os"), "system")("touch {mark}")'
    ),
}
# and what only gets at more than is allowed.
OTHERS = {
    'an array of objects': lambda mark: array_of('x'),
    'a method of the allowed class': lambda mark: look_up('update'),
    'attributes of attributes': lambda mark: look_up('mean', '__globals__'),
    'subclasses': lambda mark: look_up('__class__', '__subclasses__'),
    'a module': lambda mark: Call(__import__, 'os'),
}


def save_pickle(content, file):
    file.write_bytes(pickle.dumps(content))


FORMATS = {
    'zip': torch.save,
    'before 1.6': partial(torch.save, _use_new_zipfile_serialization=False),
    'protocol 4': partial(torch.save, pickle_protocol=4),
    'plain pickle': save_pickle,
}
PLACES = {
    'state_dict': lambda attack: dict(state_dict={'backbone.x': attack}, meta={}),
    'meta': lambda attack: dict(state_dict={}, meta=dict(seed=attack)),
    'optimizer': lambda attack: dict(
        state_dict={}, meta={}, optimizer=dict(state={0: dict(step=attack)})
    ),
    'everything': lambda attack: attack,
}


@pytest.fixture
def mark(tmp_path):
    """The file that an attack would make."""
    yield str(tmp_path / 'mark')
    assert not (tmp_path / 'mark').exists()


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('program', PROGRAMS)
def test_who_is_careless_runs_the_programs(program, kind, tmp_path):
    mark, file = tmp_path / 'mark', tmp_path / 'x.pth'
    FORMATS[kind](PROGRAMS[program](str(mark)), file)
    try:
        if kind == 'plain pickle':
            pickle.loads(file.read_bytes())
        else:
            torch.load(file, weights_only=False)
    except AttributeError:  # the command's result is no state: too late
        assert program == 'a command as state'
    assert mark.exists()


@pytest.mark.parametrize('kind', FORMATS)
@pytest.mark.parametrize('attack', {**PROGRAMS, **OTHERS})
def test_mmengine_refuses(attack, kind, mark, tmp_path):
    for place in PLACES.values():
        FORMATS[kind](place({**PROGRAMS, **OTHERS}[attack](mark)), tmp_path / 'x.pth')
        with pytest.raises(pickle.UnpicklingError, match='Weights only load failed'):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'x.pth'))


# ---------------------------------------------------------------------- entrances

RESNET = dict(
    depth=18,
    num_stages=1,
    strides=(1,),
    dilations=(1,),
    out_indices=(0,),
    type='ResNet',
)
TANET = dict(RESNET, type='mmtemporal.TANet', num_segments=4)
CONVNEXT = dict(
    type='mmtemporal.TAdaConvNeXt',
    arch=dict(depths=[1] * 4, channels=[8] * 4),
    num_segments=4,
)


def config():
    head = dict(
        type='mmtemporal.TAMHead', num_classes=3, in_channels=64, num_segments=4
    )
    model = dict(type='Recognizer2D', backbone=dict(TANET), cls_head=head)
    return Config(dict(default_scope='mmaction', model=model, test_pipeline=[]))


def config_file(file):
    path = file.with_name('config.py')
    config().dump(path)
    return path


def initialise(cfg):
    MODELS.build(cfg).init_weights()


def load_by_runner(file, resume):
    Runner(
        config().model,
        str(file.parent / 'run'),
        load_from=str(file),
        resume=resume,
        default_scope='mmaction',
        experiment_name=f'safe_loading_{resume}',
        log_level='ERROR',
    ).load_or_resume()


def pretrained(file):
    return dict(type='Pretrained', checkpoint=str(file))


ENTRANCES = {
    'load_from': lambda file: load_by_runner(file, resume=False),
    'resume': lambda file: load_by_runner(file, resume=True),
    'backbone.init_cfg': lambda file: initialise(
        {**TANET, 'init_cfg': pretrained(file)}
    ),
    'backbone.pretrained': lambda file: initialise({**TANET, 'pretrained': str(file)}),
    'its own': lambda file: initialise(
        {**TANET, 'pretrained': str(file), 'torchvision_pretrain': False}
    ),
    'a ConvNeXt': lambda file: initialise({**CONVNEXT, 'pretrained': str(file)}),
    'a wrapped backbone': lambda file: initialise(
        dict(
            type='mmtemporal.TemporalAdapter',
            backbone={**RESNET, 'pretrained': str(file)},
            temporal=dict(type='TAM'),
            num_segments=4,
        )
    ),
    'inference': lambda file: init_recognizer(config(), str(file), device='cpu'),
    'load_trained': lambda file: load_trained(config_file(file), file),
    'convert_checkpoint': lambda file: convert([str(file), f'{file}.converted']),
    'publish_model': lambda file: publish_checkpoint(
        file, config_file(file), file.parent / 'out'
    ),
}
REFUSAL = 'Weights only load failed|is not only tensors: reading it runs'


@pytest.fixture(scope='module', autouse=True)
def quiet():
    MMLogger.get_instance('safe loading', log_level='ERROR')
    init_default_scope('mmaction')


@pytest.mark.parametrize('kind', ['zip', 'before 1.6'])
@pytest.mark.parametrize('entrance', ENTRANCES)
def test_every_entrance_refuses(entrance, kind, mark, tmp_path):
    file = tmp_path / 'x.pth'
    for program in ('a command', 'a command as state'):
        FORMATS[kind](PLACES['meta'](PROGRAMS[program](mark)), file)
        with pytest.raises(
            (ValueError, pickle.UnpicklingError, SystemExit), match=REFUSAL
        ):
            ENTRANCES[entrance](file)


@pytest.mark.parametrize('kind', ['zip', 'before 1.6'])
def test_files_behind_urls_are_refused(kind, url, mark, tmp_path):
    FORMATS[kind](PLACES['meta'](PROGRAMS['a command'](mark)), tmp_path / 'x.pth')
    with pytest.raises(pickle.UnpicklingError, match='Weights only load failed'):
        init_recognizer(config(), f'{url}/x.pth', device='cpu')
    with pytest.raises(ValueError, match='cannot read backbone.pretrained=http'):
        initialise({**TANET, 'pretrained': f'{url}/x.pth'})


def test_files_behind_urls_are_read(url, tmp_path):
    history = HistoryBuffer([1.0], [1])
    torch.save(dict(state_dict=dict(x=torch.ones(2)), log=history), tmp_path / 'x.pth')
    checkpoint = CheckpointLoader.load_checkpoint(f'{url}/x.pth')
    assert checkpoint['state_dict']['x'].tolist() == [1, 1]
    assert checkpoint['log'].current() == 1


def test_old_torch_keeps_its_way_with_urls(monkeypatch):
    assert not read_urls_safely()  # a second time
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    assert not read_urls_safely()
