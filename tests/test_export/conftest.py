"""The example of docs/export.md, which does not import the package."""

import importlib.util
from pathlib import Path

import pytest
from mmaction.utils import register_all_modules

EXAMPLE = Path(__file__).parents[2] / 'examples/onnx_video.py'


@pytest.fixture(scope='session')
def example():
    register_all_modules()
    spec = importlib.util.spec_from_file_location('onnx_video', EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
