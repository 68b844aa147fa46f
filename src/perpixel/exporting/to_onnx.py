"""ONNX: the bundle that perpixel itself predicts with, without PyTorch, and that every runtime reads."""

from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final

import numpy as np

from perpixel.exporting.differing_layer import first_differing_layer
from perpixel.exporting.graphs import write_onnx
from perpixel.exporting.output import GraphOutput
from perpixel.exporting.parity import Parity
from perpixel.exporting.precision import TriedGraph, lowered
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target, WrittenModels
from perpixel.prediction.onnx_engine import GRAPHS, Graph
from perpixel.store.bundle import MODEL, UNTEMPERED

SAMPLE_PX: Final = 256

USE: Final = """
```sh
pip install perpixel-runtime            # or perpixel and onnxruntime
perpixel predict THIS_FOLDER images/ --out masks/
python example.py                       # numpy and onnxruntime alone
```
"""

EXAMPLE: Final = Template(
    '''"""Predict with model.onnx: numpy and onnxruntime are all that is needed. Usage: python example.py [IMAGE]"""

import os
import sys
from pathlib import Path

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else ONNX Runtime from 1.29 on reports to its makers

import numpy as np
import onnxruntime

CLASSES = $names
here = Path(__file__).parent
session = onnxruntime.InferenceSession(here / "model.onnx", providers=["CPUExecutionProvider"])

if len(sys.argv) > 1:
    from PIL import Image

    pixels = np.asarray(Image.open(sys.argv[1]))  # (H, W, C), or (H, W) of one channel
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels[..., :$channels]
    image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])  # raw pixels, (N, C, H, W)
else:
    image = np.load(here / "sample_input.npy")

probabilities = session.run(None, {"image": image.astype(np.$dtype)})[0]  # (N, K, H, W)
$decode
if len(sys.argv) == 1:
    expected = np.load(here / "sample_output.npy")
    print(f"largest difference to the expected output: {abs(probabilities - expected).max():.1e}")
for k, name in enumerate(CLASSES):
    print(f"{name}: {$share:.2%} of the pixels")
'''
)

DECODE: Final = {
    "multiclass": (
        "mask = (probabilities / np.array($thresholds)[:, None, None]).argmax(1)  # (N, H, W)",
        "(mask == k).mean()",
    ),
    "multilabel": (
        "mask = probabilities >= np.array($thresholds)[:, None, None]  # (N, K, H, W)",
        "mask[:, k].mean()",
    ),
}


def installed_graphs(content: bytes) -> dict[str, Graph]:
    """The graph by each program that is installed; the name tells its version."""
    libraries = [name for name in GRAPHS if find_spec(name) is not None]
    return {f"{name} {version(name)}": GRAPHS[name](content, None) for name in libraries}


def write_model(
    source: ExportSource, path: Path, output: GraphOutput, *, gives_both: bool = False
) -> tuple[TriedGraph, ...]:
    """Write the run's networks as one graph from raw pixels to probabilities.

    Args:
        source: The run.
        path: The file to write.
        output: What its probabilities are.
        gives_both: Whether a second output gives the untempered probabilities, where there is a temperature.

    Returns:
        The search for the precision that the source asks for; empty in float32.

    Raises:
        RunError: In that precision it loses too much.
    """
    codec = source.card.codec
    metadata = {"producer": "perpixel", "classes": ", ".join(codec.labels.names)}
    network = source.raw_network(output.temperature, gives_both=gives_both)
    more = (UNTEMPERED,) if gives_both and output.temperature != 1 else ()
    write_onnx(network, codec.channels, codec.dtype, path, metadata, more)
    if source.precision == "float32":
        return ()
    content, tried = lowered(source, path.read_bytes(), output, source.precision)
    path.write_bytes(content)
    return tried


def _write(source: ExportSource, folder: Path) -> WrittenModels:
    output = GraphOutput.written(source.predictor)
    tried = write_model(source, folder / MODEL, output, gives_both=True)
    content = (folder / MODEL).read_bytes()
    return WrittenModels(
        (MODEL,),
        output,
        installed_graphs(content),
        tried=tried,
        cause=partial(first_differing_layer, source.raw_network(output.temperature, gives_both=True), content),
    )


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    image = source.images[0].image[:SAMPLE_PX, :SAMPLE_PX]
    np.save(folder / "sample_input.npy", np.ascontiguousarray(image.transpose(2, 0, 1)[None]))
    expected = GraphOutput.written(source.predictor).of(source.predictor.probabilities(image))
    np.save(folder / "sample_output.npy", expected[None])
    (folder / "example.py").write_text(_example(source), encoding="utf-8")
    write_readme(source, folder, parities, USE)


def _example(source: ExportSource) -> str:
    codec = source.card.codec
    decode, share = DECODE[codec.labels.kind]
    thresholds = source.card.thresholds or (0.5,) * len(codec.labels)
    return EXAMPLE.substitute(
        names=list(codec.labels.names),
        channels=codec.channels,
        dtype=codec.dtype,
        decode=Template(decode).safe_substitute(thresholds=list(thresholds)),
        share=share,
    )


ONNX: Final = Target(
    summary="ONNX Runtime and `perpixel predict` without PyTorch: raw pixels to probabilities",
    write=_write,
    precisions=("float32", "fp16", "int8"),
    finish=_finish,
)
