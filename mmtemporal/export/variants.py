"""Smaller ONNX files, of networks that are close to the exported one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Optional

from torch import Tensor

from .files import INPUT, quiet, require

# Temporal layers, sums and the classification stay in float32. That took no more time,
# and of a batch OpenVINO 2026.4 gave only the first view its scores where Gemm (of TIN)
# or Add (of TAdaFormer) were in eight bits.
_STATIC_OPERATORS = ('Conv', 'Relu', 'MaxPool', 'MatMul')


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
    data are needed for a calibration. It is small, but hardly faster.
    """
    quantization = require('onnxruntime.quantization')
    with quiet():
        # Products of signed weights can overflow on x86 processors without VNNI.
        quantization.quantize_dynamic(
            source, target, weight_type=quantization.QuantType.QUInt8
        )


def write_static_int8(source: Path, target: Path, views: Iterable[Tensor]) -> None:
    """Write a copy of an ONNX model with convolutions of eight bits.

    The scales of the feature maps are constants: their ranges while the model runs on
    some views. Runtimes then compute in eight bits without looking at the values first.

    Args:
        source: The model.
        target: The copy. It has pairs of operators that quantise and dequantise, which
            OpenVINO reads as well.
        views: Typical inputs of the model, each (1, frames, 3, h, w).
    """
    quantization = require('onnxruntime.quantization')

    class Views(quantization.CalibrationDataReader):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.rest = iter(views)

        def get_next(self) -> Optional[dict]:
            view = next(self.rest, None)
            return None if view is None else {INPUT: view.numpy()}

    with quiet():
        quantization.quantize_static(
            source,
            target,
            Views(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=[*_STATIC_OPERATORS],
            per_channel=True,
            # The only combination that both runtimes have fast kernels for.
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
        )


VARIANTS = {'fp16': write_half, 'int8': write_int8}
