"""Writing an exported network to a file, and running the file."""

import dataclasses
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import torch
from mmengine.utils import digit_version
from torch import Tensor, nn

from .view import View

# Of a file, the key of what is needed to feed it, as JSON.
VIEW_KEY = 'mmtemporal_view'
INPUT, OUTPUT = 'frames', 'scores'
# The one that the exporter writes by itself; higher ones need newer runtimes.
OPSET = 18


def require(name: str) -> ModuleType:
    """Import an optional package, and say how to get it if it is missing."""
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f'ONNX files need onnx, onnxscript and onnxruntime: {error}; '
            'pip install onnx onnxscript onnxruntime'
        ) from error


# ------------------------------------------------------------------------- write


def write_onnx(module: nn.Module, frames: Tensor, view: View, file: Path) -> None:
    """Write an ONNX model; needs torch 2.6 or newer, onnx and onnxscript."""
    if digit_version(torch.__version__) < digit_version('2.6'):
        raise ImportError(
            f'ONNX files need torch 2.6 or newer, got {torch.__version__}; '
            'torchscript works with older ones'
        )
    onnx = require('onnx')
    require('onnxscript')
    program = _export(module, frames)
    # It prints its progress, and warns of operators of packages that are absent.
    with quiet():
        exported = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: 'batch'},),
            opset_version=OPSET,
            verbose=False,
        )
    model = exported.model_proto  # type: ignore[union-attr]
    model.metadata_props.add(key=VIEW_KEY, value=json.dumps(dataclasses.asdict(view)))
    # Shapes between the layers, some of which contradict what tools infer again.
    del model.graph.value_info[:]
    onnx.save(model, file)


def write_torchscript(
    module: nn.Module, frames: Tensor, view: View, file: Path
) -> None:
    """Write what ``torch.jit.load`` reads, in Python and C++."""
    with torch.no_grad(), quiet():
        # The check would compare with a second trace; the file is compared later.
        traced = torch.jit.trace(module, frames, check_trace=False)
        extra = {VIEW_KEY: json.dumps(dataclasses.asdict(view))}
        torch.jit.save(traced, str(file), _extra_files=extra)


def write_torch_export(
    module: nn.Module, frames: Tensor, view: View, file: Path
) -> None:
    """Write what ``torch.export.load`` reads."""
    extra = {VIEW_KEY: json.dumps(dataclasses.asdict(view))}
    torch.export.save(_export(module, frames), str(file), extra_files=extra)


def _export(module: nn.Module, frames: Tensor) -> torch.export.ExportedProgram:
    batch = torch.export.Dim('batch', min=1, max=1 << 16)
    with torch.no_grad():
        return torch.export.export(module, (frames,), dynamic_shapes=({0: batch},))


# --------------------------------------------------------------------------- run


def open_onnx(file: Path) -> Callable[[Tensor], Tensor]:
    """Return a function that runs an ONNX model on the CPU."""
    onnxruntime = require('onnxruntime')
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(file), options, providers=['CPUExecutionProvider']
    )

    def run(frames: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: frames.numpy()})[0])

    return run


def open_torchscript(file: Path) -> Callable[[Tensor], Tensor]:
    """Return a function that runs a TorchScript file."""
    with quiet():
        return torch.jit.load(str(file), map_location='cpu')


def open_torch_export(file: Path) -> Callable[[Tensor], Tensor]:
    """Return a function that runs an exported program."""
    return torch.export.load(str(file)).module()


class FileFormat(NamedTuple):
    """A way to write a network, and to run what was written.

    Attributes:
        suffix: How the names of its files end.
        write: Write a module, given example frames and their view.
        open: Return a function of the frames.
    """

    suffix: str
    write: Callable[[nn.Module, Tensor, View, Path], None]
    open: Callable[[Path], Callable[[Tensor], Tensor]]


FORMATS = {
    'onnx': FileFormat('.onnx', write_onnx, open_onnx),
    'torchscript': FileFormat('.pt', write_torchscript, open_torchscript),
    'torch-export': FileFormat('.pt2', write_torch_export, open_torch_export),
}


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the exporters from printing; errors pass."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(level)
