"""The one core of OpenVINO that a process has."""

from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from perpixel.errors import SettingsError

if TYPE_CHECKING:
    from openvino import Core


FLOAT32: Final = {"INFERENCE_PRECISION_HINT": "f32"}
"""For what is not quantised: some processors would take bfloat16."""


def require_openvino() -> None:
    """Raise SettingsError where OpenVINO is not installed."""
    if find_spec("openvino") is None:
        raise SettingsError("OpenVINO is not installed.", fix="pip install 'perpixel[openvino]', or leave it out.")


@cache
def openvino_core() -> "Core":
    """One for as long as the process lives.

    Each has a stack for signals, and puts the one before it back when it goes: of two, the first to go leaves the
    second one's behind it, which is no more, and the next Ctrl-C ends the process.
    """
    from openvino import Core

    return Core()
