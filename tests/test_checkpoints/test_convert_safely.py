"""What the tool that converts checkpoints reads, and how it writes."""

import argparse
import os

import pytest
import torch
from convert_tool import TINY, convert, refuse


class Malicious:
    """A class whose pickled form starts a program."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f'touch {self.trace}',)


@pytest.mark.parametrize('is_zip', [True, False])
def test_code_in_a_file_is_not_run(is_zip, src, dst, tmp_path):
    trace = tmp_path / 'trace'
    torch.save(
        dict(state_dict=TINY, extra=Malicious(trace)),
        src,
        _use_new_zipfile_serialization=is_zip,
    )
    refuse('reading it runs posix.system.*add --allow-pickle', src, dst)
    assert not trace.exists() and not dst.exists()
    convert(src, dst, '--allow-pickle')
    assert trace.exists()


def test_what_is_converted_needs_no_code(src, dst):
    torch.save(dict(state_dict=TINY, args=argparse.Namespace(lr=0.1)), src)
    refuse('runs argparse.Namespace', src, dst)
    convert(src, dst, '--allow-pickle')
    assert torch.load(dst, weights_only=True)['state_dict'].keys()


def test_unreadable_files(src, dst, tmp_path):
    refuse('nothing.pth is no file', tmp_path / 'nothing.pth', dst)
    refuse('is no file', tmp_path, dst)
    content = src.read_bytes()
    src.write_bytes(b'')
    refuse('src.pth is empty', src, dst)
    for damaged in (content[: len(content) // 2], b'<!DOCTYPE html>'):
        src.write_bytes(damaged)
        refuse('src.pth is damaged or no checkpoint of torch', src, dst)
        refuse('cannot read .*src.pth', src, dst, '--allow-pickle')
    (tmp_path / 'x.safetensors').write_bytes(b'x')
    refuse('x.safetensors is a damaged safetensors', tmp_path / 'x.safetensors', dst)


def test_unknown_content(src, dst):
    def refuse_content(match, content):
        torch.save(content, src)
        refuse(match, src, dst)

    refuse_content(
        r"unknown checkpoint format: 2 tensors, the first named \['a.weight', "
        r"'a.bias'\]; known are TANet of its authors, .* of transformers$",
        {'a.weight': torch.ones(1), 'a.bias': torch.ones(1)},
    )
    refuse_content('got a list', [torch.ones(1)])
    refuse_content('got a Tensor', dict(state_dict=torch.ones(1)))
    refuse_content('got a dict', {1: torch.ones(1)})
    extra = {'base_model.extra': 3}
    refuse_content(r'nothing but tensors, not so 1 \(base_mod', {**TINY, **extra})
    extra = {'base_model.extra': torch.ones(1)}
    refuse_content(r"has no tensors such as \['base_model.extra", {**TINY, **extra})
    tdn = {'base_model.layer2_bak.0.conv1.bias': torch.ones(1)}
    refuse_content('conv1.bias cannot be folded: there is no base_model', tdn)


def test_nothing_is_overwritten_unasked(src, tmp_path):
    dst = tmp_path / 'new' / 'folder' / 'dst.pth'
    convert(src, dst)
    before = dst.read_bytes()
    dst.write_bytes(b'mine')
    refuse('dst.pth exists; add --force', src, dst)
    assert dst.read_bytes() == b'mine'
    convert(src, dst, '--force')
    assert dst.read_bytes() == before
    # Nor is the source, but if asked.
    refuse('src.pth exists; add --force', src, src)
    convert(src, src, '--force')
    assert len(torch.load(src)['state_dict']) == len(TINY)
    refuse('is a folder', src, dst.parent, '--force')
    refuse('not a directory|Not a directory|File exists', src, src / 'dst.pth')


def test_interrupted_writing_leaves_the_old_file(src, dst, tmp_path, monkeypatch):
    dst.write_bytes(b'mine')

    def fail(checkpoint, file):
        file.write(b'half')
        raise OSError('no space left')

    monkeypatch.setattr(torch, 'save', fail)
    refuse('no space left', src, dst, '--force')
    assert dst.read_bytes() == b'mine'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['dst.pth', 'src.pth']
