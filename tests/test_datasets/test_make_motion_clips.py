"""The tool that writes the motion clips."""

import importlib.util
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from small_clips import assert_same_files

from mmtemporal.datasets import draw_clip

TOOL = Path(__file__).parents[2] / 'tools' / 'make_motion_clips.py'


@pytest.fixture
def run_tool(monkeypatch):
    spec = importlib.util.spec_from_file_location('make_motion_clips_tool', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*arguments):
        monkeypatch.setattr('sys.argv', [TOOL.name, *map(str, arguments)])
        tool.main()

    return run


def test_tool_writes_the_set_and_the_preview(tmp_path, small_set, run_tool):
    root, picture = tmp_path / 'data' / 'set', tmp_path / 'pictures' / 'preview.png'
    options = '--train 16 --val 8 --size 32 --frames 8 --seed 3'.split()
    run_tool(root, *options, '--preview', picture)
    assert_same_files(small_set, root)
    sheet = cv2.imread(str(picture))
    assert sheet.shape[0] == 8 * (32 + 4)
    first_frame, _ = draw_clip(3, 'train', 0, size=32, num_frames=8)
    np.testing.assert_array_equal(sheet[2:34, 132:164], first_frame[0])
    assert json.loads((root / 'manifest.json').read_text())['seed'] == 3


def test_tool_reports_errors_in_one_line(tmp_path, own_set, run_tool):
    with pytest.raises(SystemExit, match='error: .*seed=3'):
        run_tool(own_set, *'--train 16 --val 8 --size 32 --frames 8'.split())
    with pytest.raises(SystemExit):
        run_tool(tmp_path / 'new', '--preview', tmp_path / 'preview.mp3')
    assert not (tmp_path / 'new').exists()
