"""The table of targets: what an export is for, and what writes it."""

from typing import Final

from perpixel.exporting.target import Target
from perpixel.exporting.to_bioimageio import BIOIMAGEIO
from perpixel.exporting.to_deepness import DEEPNESS
from perpixel.exporting.to_huggingface import HUGGINGFACE
from perpixel.exporting.to_onnx import ONNX
from perpixel.exporting.to_openvino import OPENVINO
from perpixel.exporting.to_torchscript import TORCHSCRIPT
from perpixel.exporting.to_web import WEB

TARGETS: Final[dict[str, Target]] = {
    "onnx": ONNX,
    "openvino": OPENVINO,
    "torchscript": TORCHSCRIPT,
    "deepness": DEEPNESS,
    "bioimageio": BIOIMAGEIO,
    "huggingface": HUGGINGFACE,
    "web": WEB,
}
"""Every target by name."""
