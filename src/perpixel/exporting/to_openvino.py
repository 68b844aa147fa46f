"""OpenVINO IR: for Intel's processors and graphics, from Python, C++ and C."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from perpixel.exporting.output import GraphOutput
from perpixel.exporting.parity import Parity
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target, WrittenModels
from perpixel.exporting.to_onnx import write_model
from perpixel.prediction.onnx_engine import openvino_graph
from perpixel.prediction.openvino_core import openvino_core, require_openvino

MODELS: Final = ("model.xml", "model.bin")

USE: Final = """
```python
import numpy as np
import openvino

network = openvino.Core().compile_model("model.xml", "CPU", {{"INFERENCE_PRECISION_HINT": "f32"}})
image = np.zeros((1, {channels}, 480, 640), np.{dtype})  # raw pixels, (N, C, H, W), any H and W
probabilities = network(image)[0]  # (N, {classes}, H, W)
```
"""


def _check(source: ExportSource) -> None:
    require_openvino()


def _write(source: ExportSource, folder: Path) -> WrittenModels:
    import openvino

    with TemporaryDirectory() as elsewhere:
        onnx = Path(elsewhere, "model.onnx")
        output = GraphOutput.written(source.predictor)
        tried = write_model(source, onnx, output)
        content = onnx.read_bytes()
    xml = folder / MODELS[0]
    openvino.save_model(openvino_core().read_model(content), str(xml), compress_to_fp16=source.precision == "fp16")
    return WrittenModels(
        MODELS, output, {f"openvino {openvino.__version__.partition('-')[0]}": openvino_graph(xml)}, tried=tried
    )


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    write_readme(source, folder, parities, USE)


OPENVINO: Final = Target(
    summary="OpenVINO on Intel's processors and graphics: raw pixels to probabilities",
    check=_check,
    precisions=("float32", "fp16", "int8"),
    write=_write,
    finish=_finish,
)
