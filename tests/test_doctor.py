"""The page for reports of faults."""

import decord
import pytest
import torch

from mmtemporal import compat, doctor, tools


def test_the_page(monkeypatch, capsys):
    monkeypatch.setattr(doctor, '_time', lambda *args: 0.01)
    assert tools.main(['doctor', '--device', 'cpu']) == 0
    page = capsys.readouterr().out
    for heading in ('Versions', 'Devices', 'Readers of videos', 'Temporal mixing'):
        assert f'## {heading}\n' in page
    lines = page.splitlines()
    assert 'decord: reads' in lines and 'av: reads' in lines and 'cv2: reads' in lines
    # The released wheel lacks the file for which this one stands in.
    assert compat.stub_drn in compat.acted
    assert any(line.startswith('stub_drn: Supply') for line in lines)
    # 2 x 4 x 8 x 128 x 28 x 28 values of 4 bytes in 0.01 s
    assert (
        'cpu, torch.float32, contiguous: plain form; 2.6 GB/s, a copy 2.6 GB/s' in page
    )
    assert page.count('plain form') == 6


def test_faults_are_on_the_page(monkeypatch, capsys):
    monkeypatch.setattr(doctor, '_time', lambda *args: 1)
    monkeypatch.setattr(doctor, 'is_available', lambda x: True)
    faults = iter([None, 'the output differs by 3'] * 3)
    monkeypatch.setattr(doctor, 'find_fault', lambda *case: next(faults))
    monkeypatch.setattr(doctor, 'find_spec', lambda name: None)
    assert doctor.main(['--device', 'cpu']) == 0
    page = capsys.readouterr().out
    assert page.count('contiguous: kernels pass;') == 3
    failing = 'channels last: plain form, as kernels fail: the output differs by 3;'
    assert page.count(failing) == 3
    assert 'decord: not installed\nav: not installed\n' in page


def test_a_reader_that_fails_is_named(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError('no such codec')

    monkeypatch.setattr(decord, 'VideoReader', fail)
    first = next(iter(doctor._try_readers()))
    assert first == 'decord: RuntimeError: no such codec'


def test_a_device_that_is_not_there(capsys):
    with pytest.raises(SystemExit):
        doctor.main(['--device', 'cuda:7'])
    assert '--device cuda:7: torch finds cpu' in capsys.readouterr().err


def test_a_call_is_timed():
    x = torch.ones(8)
    assert 0 < doctor._time(lambda a, b: a + b, x, x) < 1


def test_a_reader_that_gives_other_frames_is_named(monkeypatch):
    get = decord.VideoReader.get_batch
    monkeypatch.setattr(
        decord.VideoReader,
        'get_batch',
        lambda self, numbers: get(self, [0] * len(numbers)),
    )
    assert next(iter(doctor._try_readers())) == 'decord: reads other frames'
