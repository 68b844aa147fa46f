"""TorchScript: for LibTorch, and for programs that read it from Java or C++."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from perpixel.exporting.graphs import EXAMPLE_HW, quiet, trace
from perpixel.exporting.output import GraphOutput
from perpixel.exporting.parity import Parity
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target, WrittenModels
from perpixel.prediction.onnx_engine import Graph
from perpixel.shapes import AnyArray

TORCHSCRIPT_FILE: Final = "model.pt"

USE: Final = """
```python
import torch

network = torch.jit.load("model.pt")
image = torch.zeros(1, {channels}, 480, 640, dtype=torch.{dtype})  # raw pixels, (N, C, H, W), any H and W
probabilities = network(image)  # (N, {classes}, H, W)
```
"""


def write_torchscript(source: ExportSource, path: Path, temperature: float) -> Graph:
    """Write the network as TorchScript, and give it as it is read back."""
    example = torch.zeros(2, source.card.codec.channels, *EXAMPLE_HW)
    with quiet():
        trace(source.raw_network(temperature), example).save(str(path))
    return torchscript_graph(path)


def torchscript_graph(path: Path) -> Graph:
    """A TorchScript file, run by PyTorch."""
    with quiet():
        network: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]

    def run(batch: AnyArray) -> NDArray[np.float32]:
        with torch.inference_mode():
            answer: NDArray[np.float32] = network(torch.from_numpy(batch)).numpy()
        return answer

    return run


def _write(source: ExportSource, folder: Path) -> WrittenModels:
    output = GraphOutput.written(source.predictor)
    graph = write_torchscript(source, folder / TORCHSCRIPT_FILE, output.temperature)
    return WrittenModels((TORCHSCRIPT_FILE,), output, {f"TorchScript of PyTorch {torch.__version__}": graph})


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    write_readme(source, folder, parities, USE)


TORCHSCRIPT: Final = Target(
    summary="LibTorch and programs in Java or C++: raw pixels to probabilities", write=_write, finish=_finish
)
