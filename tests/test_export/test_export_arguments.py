"""What tools/export.py says about its arguments before it reads a config."""

from pathlib import Path

import pytest

from mmtemporal.datasets.class_names import read_class_names


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--frames', '0'], '--frames 0: give 1 or more'),
        (['--size', '-1'], '--size -1: give 1 or more'),
        (['--out', 'model.pt'], '--out model.pt is no name for --format onnx'),
        (
            ['--format', 'torchscript', '--out', 'model.pt2'],
            '--out model.pt2 is no name for --format torchscript',
        ),
        (['--format', 'torchscript', '--fp16'], '--fp16 needs --format onnx'),
    ],
)
def test_refused_arguments(options, message, tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(['config.py', 'model.pth', '--out', 'model', *options])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize('name', ['model', 'model.onnx', 'model.v2'])
def test_other_names_are_free(name, tool):
    assert tool.parse_args(['config.py', 'model.pth', '--out', name]).out == Path(name)


def test_class_names_are_text(tmp_path):
    file = tmp_path / 'names.txt'
    file.write_text('wave\nräder\n', encoding='utf-8')
    assert read_class_names(file, 2) == ['wave', 'räder']
    file.write_bytes(b'\x00\xff\xfe')
    with pytest.raises(ValueError, match='names.txt is no text in UTF-8 with the name'):
        read_class_names(file, 2)
