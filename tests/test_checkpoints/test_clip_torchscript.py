"""TorchScript archives are data: their tensors are read, and no code in them is run."""

import os
import pickle
import sys
from collections import OrderedDict
from zipfile import ZipFile

import pytest
import torch
from clip_files import LAYOUTS, build, save_torchscript, tower
from convert_tool import refuse
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file
from torch import nn

from mmtemporal.checkpoints.files import read_checkpoint
from mmtemporal.checkpoints.torchscript import is_torchscript, read_torchscript


class Attributes(nn.Module):
    """A module with everything that an archive may hold."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        self.weight = nn.Parameter(torch.rand(3, 2).t())
        self.shared = self.weight
        self.empty = nn.Parameter(torch.empty(0))
        self.register_buffer('part', torch.arange(6.0)[2:4])
        for dtype in ('half', 'bfloat16', 'double', 'long', 'int', 'short', 'bool'):
            self.register_buffer(f'as_{dtype}', getattr(torch.ones(2), dtype)())
        self.sizes, self.scales, self.flags = [1, 2], [0.5], [True]
        self.words, self.counts = ['a'], {'a': 1}
        self.tensors, self.pair = [torch.ones(1)], (1, 2.0)
        self.device, self.nothing = torch.device('cpu'), None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) * self.scales[0] + len(self.words) + self.tensors[0]


def test_reads_what_torch_reads(tmp_path):
    file = tmp_path / 'x.pt'
    torch.jit.script(Attributes()).save(str(file))
    expected = torch.jit.load(str(file)).state_dict()
    tensors = read_torchscript(file)
    assert tensors.keys() == expected.keys() and len(tensors) == 18
    for name, tensor in expected.items():
        assert torch.equal(tensors[name], tensor), name
        assert tensors[name].dtype == tensor.dtype
    tensors['weight'].add_(1)  # they can be written to
    traced = torch.jit.trace(nn.Linear(2, 2), torch.rand(1, 2))
    traced.save(str(file))
    assert read_torchscript(file).keys() == {'weight', 'bias'}


def test_other_files_are_none(tmp_path):
    file = tmp_path / 'x.pt'
    for content in (b'', b'PK\x03\x04', b'x' * 100):
        file.write_bytes(content)
        assert not is_torchscript(file)
    torch.save(dict(x=torch.ones(1)), file)
    assert not is_torchscript(file)
    torch.save(dict(x=torch.ones(1)), file, _use_new_zipfile_serialization=False)
    assert not is_torchscript(file)


class Call:
    """Pickles as a call of a function, with a state or without."""

    def __init__(self, function, *arguments, state=None):
        self.call = (function, arguments, *([state] if state else []))

    def __reduce__(self):
        return self.call


def write_archive(path, content, storages=None):
    """Write a TorchScript archive around a pickle."""
    with ZipFile(path, 'w') as archive:
        archive.writestr('x/data.pkl', content)
        archive.writestr('x/constants.pkl', pickle.dumps((), 2))
        archive.writestr('x/code/__torch__.py', 'raise SystemExit')
        for name, values in (storages or {}).items():
            archive.writestr(f'x/data/{name}', values)


# What makes the file of which it is told, and what the refusal names.
PROGRAMS = {
    'posix.system': lambda mark: Call(os.system, f'touch {mark}'),
    'builtins.exec': lambda mark: Call(exec, f'open({mark!r}, "w")'),
    'builtins.eval': lambda mark: Call(eval, f'open({mark!r}, "w")'),
    'builtins.getattr': lambda mark: Call(getattr, 'x', 'join'),
    '_pickle.loads': lambda mark: Call(pickle.loads, b'.'),
    'torch.serialization.load': lambda mark: Call(torch.load, mark),
    'collections.deque': lambda mark: Call(__import__('collections').deque),
    'torch.hub.load': lambda mark: Call(torch.hub.load, mark, 'x'),
    'torch.storage.UntypedStorage': lambda mark: Call(torch.UntypedStorage, 1 << 50),
    # Allowed itself, its state is not.
    'posix.getcwd': lambda mark: Call(OrderedDict, state={'x': Call(os.getcwd)}),
}


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('name', PROGRAMS)
def test_programs_are_refused_and_named(name, protocol, tmp_path):
    mark, file = tmp_path / 'mark', tmp_path / 'x.pt'
    attack = PROGRAMS[name](str(mark))
    for content in (attack, [attack], {'a': (attack,)}):
        write_archive(file, pickle.dumps(content, protocol))
        assert is_torchscript(file)
        # Some modules have other names in old protocols.
        text = (
            rf'x.pt is a Torch.*refers to \w+(\.\w+)*\.{name.rpartition(".")[2]}\. It'
        )
        with pytest.raises(ValueError, match=text):
            read_torchscript(file)
    assert not mark.exists()


def test_the_programs_do_run_otherwise(tmp_path):
    mark = tmp_path / 'mark'
    for name in ('posix.system', 'builtins.exec', 'builtins.eval'):
        pickle.loads(pickle.dumps(PROGRAMS[name](str(mark))))
        assert mark.exists()
        mark.unlink()


GLOBALS = {
    'c__torch__x\nA\n.': '__torch__x.A',  # not a class of the archive
    'cos\n__torch__.system\n.': 'os.__torch__.system',
    'ctorch\nFloatStorage.__class__\n.': 'torch.FloatStorage.__class__',
    '(S"touch x"\nios\nsystem\n.': 'os.system',
    'ctorch._utils\n_rebuild_parameter\n.': 'torch._utils._rebuild_parameter',
    'c__builtin__\neval\n.': '__builtin__.eval',
}


@pytest.mark.parametrize('content', GLOBALS)
def test_other_globals_are_refused(content, tmp_path):
    write_archive(tmp_path / 'x.pt', content.encode())
    with pytest.raises(ValueError, match=f'refers to {GLOBALS[content]}. Its code is'):
        read_torchscript(tmp_path / 'x.pt')


def tensor(size=2, stride=1, offset=0, storage='FloatStorage', name='0'):
    """Return the opcodes of a module with a tensor."""
    return (
        'c__torch__\nA\n)\x81}(Vx\n'
        f'ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\n{storage}\nV{name}\n'
        f'Vcuda:0\nI2\ntQI{offset}\n(I{size}\nt(I{stride}\nt'
        'I00\nccollections\nOrderedDict\n)RtRub.'
    ).encode('latin-1')


def test_tensors_do_not_leave_their_storage(tmp_path):
    file = tmp_path / 'x.pt'
    values = {'0': torch.tensor([1.0, 2.0]).numpy().tobytes()}
    write_archive(file, tensor(), values)
    assert read_torchscript(file)['x'].tolist() == [1, 2]
    for content in (
        *(tensor(size=3), tensor(stride=2), tensor(offset=1), tensor(offset=-1)),
        *(tensor(stride=-1), tensor(size=1 << 40), tensor(name='../version')),
        *(tensor(storage='DoubleStorage'), tensor(name='1')),
    ):
        write_archive(file, content, values)
        with pytest.raises(ValueError, match='x.pt is a damaged TorchScript archive: '):
            read_torchscript(file)


@pytest.mark.parametrize(
    'content',
    [
        pickle.dumps(3),
        pickle.dumps({'x': 1}),
        b'\x80\x02}',
        b'',
        b'c__torch__\nA\n)\x81q\x00}(Vx\nh\x00ub.',  # holds itself
        b'ctorch\nFloatStorage\n)R.',
        b'c__torch__\nA\n)\x81I3\nb.',
    ],
)
def test_damaged_pickles(content, tmp_path):
    write_archive(tmp_path / 'x.pt', content)
    with pytest.raises(ValueError, match='x.pt is a damaged TorchScript archive: '):
        read_torchscript(tmp_path / 'x.pt')


def test_damaged_bytes_are_noticed(tmp_path):
    """Wherever they are; and only one kind of error arises."""
    file = tmp_path / 'x.pt'
    save_torchscript(dict(x=torch.rand(64)), file)
    good, expected = file.read_bytes(), read_torchscript(file)['x']
    refused = 0
    for place in range(0, len(good), 7):
        file.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        try:
            if is_torchscript(file):
                assert torch.equal(read_torchscript(file)['x'], expected)
        except ValueError:
            refused += 1
    assert refused > 30


def run(way, file):
    if way == 'mmengine':
        return CheckpointLoader.load_checkpoint(str(file))
    if way == 'the tools':
        return read_checkpoint(file)
    options = (
        dict(pretrained=str(file))
        if way == 'pretrained'
        else dict(init_cfg=dict(type='Pretrained', checkpoint=str(file)))
    )
    return build(**options).init_weights()


WAYS = ('mmengine', 'the tools', 'pretrained', 'init_cfg')


@pytest.mark.parametrize('way', WAYS)
def test_every_way_refuses(way, url, tmp_path, monkeypatch):
    places = [tmp_path / 'x.pt']
    if way != 'the tools':
        places.append(f'{url}/x.pt')
    mark = tmp_path / 'mark'
    attack = pickle.dumps(PROGRAMS['posix.system'](str(mark)), 2)
    write_archive(tmp_path / 'x.pt', attack)
    for place in places:
        with pytest.raises(ValueError, match='refers to posix.system. Its code is nev'):
            run(way, place)
    assert not mark.exists()
    # A file that is read by a package that may be missing.
    weights = LAYOUTS['open_clip'](tower())
    save_file(weights, tmp_path / 'x.safetensors')
    places = [str(place).replace('x.pt', 'x.safetensors') for place in places]
    monkeypatch.setitem(sys.modules, 'safetensors.torch', None)
    for place in places:
        with pytest.raises(ValueError, match=r'x.safeten.*: pip install safetensors$'):
            run(way, type(tmp_path)(place) if way == 'the tools' else place)


def test_pretrained_names_its_key(tmp_path):
    write_archive(tmp_path / 'x.pt', b'')
    (tmp_path / 'x.safetensors').write_bytes(b'x' * 20)
    for name, kind in (('x.pt', 'TorchScript archive'), ('x.safetensors', 'safete')):
        path = tmp_path / name
        text = f'^cannot read backbone.pretrained={path}: {path} is a damaged {kind}'
        with pytest.raises(ValueError, match=text):
            build(pretrained=str(path)).init_weights()


def test_the_tool_names_what_it_refuses(tmp_path, dst):
    attack = pickle.dumps(PROGRAMS['posix.system']('mark'), 2)
    write_archive(tmp_path / 'x.pt', attack)
    refuse('refers to posix.system', tmp_path / 'x.pt', dst)
    refuse('refers to posix.system', tmp_path / 'x.pt', dst, '--allow-pickle')
