"""The table of targets: what an export is for, and what writes it."""

from typing import Final

from perpixel.exporting.target import Target
from perpixel.exporting.to_onnx import ONNX
from perpixel.exporting.to_torchscript import TORCHSCRIPT

TARGETS: Final[dict[str, Target]] = {
    "onnx": ONNX,
    "torchscript": TORCHSCRIPT,
}
"""Every target by name."""
