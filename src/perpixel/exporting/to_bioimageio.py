"""bioimage.io: a model package for ilastik, deepImageJ, QuPath and others, with ONNX and TorchScript.

Source: the model description of bioimage.io, format 0.5.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import torch
import yaml
from PIL import Image

from perpixel.exporting.graphs import OPSET
from perpixel.exporting.output import GraphOutput
from perpixel.exporting.parity import Parity
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target, WrittenModels
from perpixel.exporting.to_onnx import installed_graphs, write_model
from perpixel.exporting.to_torchscript import TORCHSCRIPT_FILE as TORCHSCRIPT_MODEL
from perpixel.exporting.to_torchscript import write_torchscript
from perpixel.files.write import overlay, picture
from perpixel.runtime.json_values import JsonObject
from perpixel.store.bundle import MODEL

FORMAT: Final = "0.5.3"
DESCRIPTION: Final = "bioimageio.yaml"
TEST_PX: Final = 256

USE: Final = """
```sh
pip install bioimageio.core
bioimageio test THIS_FOLDER/bioimageio.yaml
```

Add a licence, authors and a cover of your own to `bioimageio.yaml` before you upload it to bioimage.io.
"""


def _write(source: ExportSource, folder: Path) -> WrittenModels:
    output = GraphOutput.written(source.predictor)
    write_model(source, folder / MODEL, output)
    graphs = installed_graphs((folder / MODEL).read_bytes())
    torchscript = write_torchscript(source, folder / TORCHSCRIPT_MODEL, output.temperature)
    graphs[f"TorchScript of PyTorch {torch.__version__}"] = torchscript
    return WrittenModels((MODEL, TORCHSCRIPT_MODEL), output, graphs)


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    image = source.images[0].image[:TEST_PX, :TEST_PX]
    missing = [(0, TEST_PX - side) for side in image.shape[:2]]
    image = np.ascontiguousarray(np.pad(image, [*missing, (0, 0)], mode="reflect"))
    np.save(folder / "test_input.npy", image.transpose(2, 0, 1)[None])
    expected = GraphOutput.written(source.predictor).of(source.predictor.probabilities(image))
    np.save(folder / "test_output.npy", expected[None])
    drawn = overlay(picture(image), source.predictor.target(image), source.card.codec.labels)
    Image.fromarray(np.ascontiguousarray(drawn)).save(folder / "cover.png")
    write_readme(source, folder, parities, USE)
    text = yaml.safe_dump(_description(source, folder), sort_keys=False, allow_unicode=True)
    (folder / DESCRIPTION).write_text(text, encoding="utf-8")


def _description(source: ExportSource, folder: Path) -> JsonObject:
    card = source.card
    name = "".join(letter if letter.isalnum() or letter in " _-" else " " for letter in source.run.folder.name)
    return {
        "type": "model",
        "format_version": FORMAT,
        "name": f"{name} segmentation".strip()[:128],
        "description": f"Segments {', '.join(card.codec.labels.names)}"[:1000],
        "authors": [{"name": "unknown"}],
        "cite": [{"text": "perpixel", "url": "https://pypi.org/project/perpixel/"}],
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "tags": ["segmentation", "perpixel"],
        "covers": ["cover.png"],
        "documentation": {"source": "README.md"},
        "inputs": [_tensor(source, folder, "input")],
        "outputs": [_tensor(source, folder, "output")],
        "weights": {
            "torchscript": {
                **_file(folder, TORCHSCRIPT_MODEL),
                "pytorch_version": torch.__version__.partition("+")[0],
                "authors": [{"name": "unknown"}],
            },
            "onnx": {**_file(folder, MODEL), "opset_version": OPSET, "parent": "torchscript"},
        },
    }


def _tensor(source: ExportSource, folder: Path, which: str) -> JsonObject:
    """The input (raw pixels) or the output (probabilities)."""
    card, is_input = source.card, which == "input"
    labels = card.codec.labels
    names = [f"channel{c}" for c in range(card.codec.channels)] if is_input else list(labels.names)
    size: JsonObject = {"min": TEST_PX // card.align_px * card.align_px or card.align_px, "step": card.align_px}
    sides = [
        {"type": "space", "id": side, "size": size if is_input else {"tensor_id": "input", "axis_id": side}}
        for side in "yx"
    ]
    return {
        "id": which,
        "description": "raw pixels" if is_input else "probability of each class",
        "axes": [{"type": "batch"}, {"type": "channel", "channel_names": names}, *sides],
        "data": {"type": card.codec.dtype if is_input else "float32"},
        "test_tensor": _file(folder, f"test_{which}.npy"),
    }


def _file(folder: Path, name: str) -> dict[str, str]:
    return {"source": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}


BIOIMAGEIO: Final = Target(
    summary="bioimage.io: ilastik, deepImageJ, QuPath and other programs for microscopy",
    write=_write,
    finish=_finish,
)
