"""The ways to run a trained recognizer that deployment.py compares."""

import torch
from torch import nn

from mmtemporal.export import VARIANTS as SMALLER
from mmtemporal.export import ClipScores
from mmtemporal.export.files import INPUT, OUTPUT, open_onnx, write_onnx
from mmtemporal.export.variants import write_static_int8
from mmtemporal.models import fuse_for_inference

ONNX = 'float32.onnx'
DYNAMIC, STATIC = 'dynamic_int8.onnx', 'static_int8.onnx'
# The file that each variant runs, and the precision for which OpenVINO is asked: its
# own choice is bfloat16 where the processor has it. The first one is the reference.
FILES = {
    'eager': None,
    'fused': None,
    'compiled': None,
    'bfloat16': None,
    'onnxruntime': ONNX,
    'onnxruntime dynamic int8': DYNAMIC,
    'onnxruntime int8': STATIC,
    'OpenVINO': ONNX,
    'OpenVINO bfloat16': ONNX,
    'OpenVINO int8': STATIC,
}
REFERENCE = next(iter(FILES))


def has_bfloat16():
    """Whether this processor computes in bfloat16 itself."""
    found = torch.cpu.get_capabilities()
    return any(found.get(name) for name in ('avx512_bf16', 'amx_bf16', 'bf16'))


def usable(names, parser):
    """Return the variants that run on this machine, of those that were asked for.

    Args:
        names: Variants, or None for all but those that the processor lacks.
        parser: Says what is missing, and ends the program.
    """
    if names is None:
        names = [x for x in FILES if has_bfloat16() or 'bfloat16' not in x]
    elif not has_bfloat16() and any('bfloat16' in name for name in names):
        parser.error('--variants: this processor has no bfloat16')
    if any(FILES[name] for name in names):
        require(('onnx', 'onnxscript', 'onnxruntime'), parser)
    if any('OpenVINO' in name for name in names):
        require(('openvino',), parser)
    # What others are compared with is always there, and first.
    return [REFERENCE, *(name for name in FILES if name in names and name != REFERENCE)]


def require(modules, parser):
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            parser.error(
                f'--variants: {error}; install requirements/benchmarks.txt, or leave '
                'out the variants that need it'
            )


class Deployment:
    """A recognizer, and the files that are written of it when they are needed.

    Args:
        recognizer: In eval mode, with its config.
        view: What one of its inputs is, see ``mmtemporal.export.View``.
        shape: Its shape as the recognizer takes it.
        calibration: Typical inputs for static int8, each (1, frames, 3, h, w).
        folder: Where the files go.
    """

    def __init__(self, recognizer, view, shape, calibration, folder):
        self.view, self.calibration, self.folder = view, calibration, folder
        self.network = ClipScores(recognizer, shape).eval()
        self.fused = ClipScores(fuse_for_inference(recognizer), shape).eval()

    def run(self, name):
        """Return a function that maps frames, (n, frames, 3, h, w), to scores."""
        if FILES[name] is None:
            return self._run_torch(name)
        file = self.file(FILES[name])
        if not name.startswith('OpenVINO'):
            return open_onnx(file)
        return open_openvino(file, 'bf16' if 'bfloat16' in name else 'f32')

    def megabytes(self, name):
        """Return the size of the file, or of the weights where there is none."""
        if FILES[name]:
            return self.file(FILES[name]).stat().st_size / 1e6
        network = self.network if name == REFERENCE else self.fused
        tensors = nn.Module.state_dict(network).values()
        return sum(x.numel() * x.element_size() for x in tensors) / 1e6

    def file(self, name):
        """Return a file, which is written the first time."""
        path = self.folder / name
        if path.exists():
            return path
        if name == ONNX:
            # With two views, because exporters take a size of one for a constant.
            frames = torch.cat([self.calibration[0]] * 2)
            write_onnx(self.fused, frames, self.view, path)
        elif name == DYNAMIC:
            SMALLER['int8'](self.file(ONNX), path)
        else:
            write_static_int8(self.file(ONNX), path, self.calibration)
        return path

    def _run_torch(self, name):
        network = self.network if name == REFERENCE else self.fused
        if name == 'compiled':
            # Weights become constants in the layout that kernels read.
            options = dict(freezing=True)
            network = torch.compile(network, dynamic=False, options=options)

        def run(frames):
            enabled = name == 'bfloat16'
            with (
                torch.inference_mode(),
                torch.autocast('cpu', torch.bfloat16, enabled=enabled),
            ):
                return network(frames).float()

        return run


def open_openvino(file, precision):
    """Return a function that runs an ONNX model by OpenVINO, with torch's threads."""
    import openvino

    options = dict(
        INFERENCE_NUM_THREADS=torch.get_num_threads(),
        NUM_STREAMS=1,
        INFERENCE_PRECISION_HINT=precision,
    )
    compiled = openvino.Core().compile_model(str(file), 'CPU', options)
    request = compiled.create_infer_request()

    def run(frames):
        return torch.tensor(request.infer({INPUT: frames.numpy()})[OUTPUT])

    return run
