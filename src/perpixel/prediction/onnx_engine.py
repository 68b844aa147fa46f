"""An exported network, run on windows by ONNX Runtime: no PyTorch."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import RunError, SettingsError
from perpixel.prediction.predict_options import TTA, PredictOptions
from perpixel.prediction.window_engine import WindowEngine
from perpixel.runtime.onnx_runtime import import_onnxruntime
from perpixel.shapes import AnyArray, ImageArray
from perpixel.store.bundle import UNTEMPERED, Bundle

Graph = Callable[[AnyArray], NDArray[np.float32]]
"""Maps raw pixels (N, C, H, W) to probabilities (N, K, H, W)."""


class OnnxEngine(WindowEngine):
    """The graph of a bundle.

    Args:
        bundle: What was exported.
        options: Test-time augmentation, tiles, and what runs the graph: ONNX Runtime, or "openvino".

    Raises:
        RunError: The graph is damaged, or the installed ONNX Runtime cannot run it.
        SettingsError: The library that is to run it is not installed, or not on this device.
    """

    def __init__(self, bundle: Bundle, options: PredictOptions) -> None:
        if options.device not in ("auto", "cpu"):
            raise SettingsError(
                f"a bundle is predicted on the CPU, not on {options.device}.",
                fix="choose the device cpu, or predict with the run.",
            )
        if options.backend == "int8":
            raise SettingsError(
                "a bundle is predicted in the precision that it was exported in, not in int8 by choice.",
                fix="export the run with `precision`, or predict with the run.",
            )
        self.options = options
        self._card = bundle.card
        content = bundle.model()
        self._bytes = len(content)
        library = "openvino" if options.backend == "openvino" else "onnxruntime"
        self.run: Graph = GRAPHS[library](content, UNTEMPERED if self._card.temperature != 1 else None)

    @property
    def align_px(self) -> int:
        """Windows that are multiples of this are seen by the graph as they are."""
        return self._card.align_px

    @property
    def device_type(self) -> str:
        """Always "cpu"."""
        return "cpu"

    @property
    def weight_bytes(self) -> int:
        """Bytes of the graph."""
        return self._bytes

    def feature_map_bytes(self, batch: int, window_hw: tuple[int, int]) -> int:
        """As PyTorch needs for the same windows, which the exporter measured."""
        working = window_hw[0] * window_hw[1] * self.options.ratio**2
        return int(batch * working * self._card.map_bytes_per_px)

    def probabilities(self, windows: ImageArray) -> NDArray[np.float32]:
        """Map windows (N, H, W, C) as they lie in the file to probabilities (N, K, H, W) float32."""
        batch = windows.transpose(0, 3, 1, 2)
        views = TTA[self.options.tta or "none"]
        total: NDArray[np.float32] | None = None
        for turns, mirrored in views:
            seen = np.rot90(batch, turns, (2, 3))
            answer = self.run(np.ascontiguousarray(seen[..., ::-1] if mirrored else seen))
            answer = np.rot90(answer[..., ::-1] if mirrored else answer, -turns, (2, 3))
            total = answer if total is None else total + answer
        assert total is not None, "a view is the image as it is"
        return np.ascontiguousarray(total / np.float32(len(views)) if len(views) > 1 else total)


def onnxruntime_graph(content: bytes, output: str | None = None) -> Graph:
    """A graph run by ONNX Runtime in float32 on the CPU.

    Args:
        content: Of the file.
        output: The name of the output that is wanted; None for the first.

    Raises:
        SettingsError: It is not installed.
        RunError: It cannot run the graph.
    """
    try:
        onnxruntime = import_onnxruntime()
    except ModuleNotFoundError:
        raise SettingsError(
            "a bundle is predicted with ONNX Runtime, which is not installed.",
            fix="pip install onnxruntime.",
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    options.enable_mem_pattern = False  # else twice the memory from the second window on, and no more speed
    options.intra_op_num_threads = _threads()
    arena = {"arena_extend_strategy": "kSameAsRequested"}  # else it doubles, whatever is needed
    try:
        session = onnxruntime.InferenceSession(content, options, providers=[("CPUExecutionProvider", arena)])
    except Exception as error:
        raise _cannot_run(onnxruntime.__version__, error) from None
    name, names = session.get_inputs()[0].name, [each.name for each in session.get_outputs()]
    if output is not None and output not in names:
        raise RunError(f"the graph has no output {output}.", fix="export the run again, or copy the bundle again.")
    wanted = [output or names[0]]

    def run(batch: AnyArray) -> NDArray[np.float32]:
        try:
            answer: NDArray[np.float32] = session.run(wanted, {name: batch})[0]
        except Exception as error:
            raise _cannot_run(onnxruntime.__version__, error) from error
        return answer

    return run


def openvino_graph(content: bytes | Path, output: str | None = None) -> Graph:
    """The same by OpenVINO.

    Args:
        content: Of the file, or its path.
        output: The name of the output that is wanted; None for the first.

    Raises:
        SettingsError: It is not installed, or cannot run the graph.
    """
    from perpixel.prediction.openvino_core import FLOAT32, openvino_core, require_openvino

    require_openvino()
    try:
        core = openvino_core()
        compiled = core.compile_model(core.read_model(content), "CPU", FLOAT32)
    except Exception as error:
        raise SettingsError(
            f"OpenVINO cannot run this graph ({type(error).__name__}).", fix="choose the backend auto."
        ) from error

    def run(batch: AnyArray) -> NDArray[np.float32]:
        answer: NDArray[np.float32] = compiled(batch)[output or 0]
        return answer.copy()  # it is overwritten by the next batch

    return run


def _cannot_run(version: str, error: Exception) -> RunError:
    return RunError(
        f"ONNX Runtime {version} cannot run this graph: {_lacking(str(error))}",
        fix="pip install --upgrade onnxruntime, or export the run again.",
    )


def _lacking(message: str) -> str:
    """What of a graph a program does not know, out of its message, or else the message's first line."""
    if found := re.search(r"No Op registered for (\w+)", message):
        return f"it has no operator {found[1]}."
    if found := re.search(r"Opset (\d+) is under development.* till opset (\d+)", message):
        return f"its operators are those of version {found[2]}, and the graph's of {found[1]}."
    return next(iter(message.splitlines()), "it does not say why.")


def _threads() -> int:
    """As many as OMP_NUM_THREADS says, which PyTorch follows, too; 0 for as many as there are cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    return int(asked) if asked.isdecimal() else 0


GRAPHS: Final[dict[str, Callable[[bytes, str | None], Graph]]] = {
    "onnxruntime": onnxruntime_graph,
    "openvino": openvino_graph,
}
"""What runs a graph, by the name of the library."""
