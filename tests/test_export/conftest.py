"""The tool and the example of docs/export.md, which does not import the package."""

import importlib.util
from pathlib import Path

import pytest
from mmaction.utils import register_all_modules

ROOT = Path(__file__).parents[2]


def load(name, file):
    spec = importlib.util.spec_from_file_location(name, ROOT / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='session')
def tool():
    return load('export', 'tools/export.py')


@pytest.fixture(scope='session')
def example():
    register_all_modules()
    return load('onnx_video', 'examples/onnx_video.py')
