"""Smaller ONNX files, of networks that are close to the exported one."""

from pathlib import Path

from .files import quiet, require


def write_half(source: Path, target: Path) -> None:
    """Write a copy of an ONNX model with weights and feature maps in half precision.

    Inputs and outputs keep their types, and so do operators that need float32.
    """
    onnx = require('onnx')
    float16 = require('onnxruntime.transformers.float16')
    with quiet():
        half = float16.convert_float_to_float16(onnx.load(source), keep_io_types=True)
    onnx.save(half, target)


def write_int8(source: Path, target: Path) -> None:
    """Write a copy of an ONNX model with weights of eight bits.

    The scales of the feature maps are taken from each input while the model runs, so no
    data are needed for a calibration.
    """
    quantization = require('onnxruntime.quantization')
    with quiet():
        # Products of signed weights can overflow on x86 processors without VNNI.
        quantization.quantize_dynamic(
            source, target, weight_type=quantization.QuantType.QUInt8
        )


VARIANTS = {'fp16': write_half, 'int8': write_int8}
