"""Hugging Face: a folder with a model card, ready for `perpixel push`, that `perpixel predict` takes as it is."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import yaml

from perpixel.exporting.parity import Parity
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target
from perpixel.exporting.to_onnx import ONNX
from perpixel.runtime.json_values import Json, JsonObject

USE: Final = """
```sh
pip install perpixel-runtime huggingface_hub
hf download THIS_REPOSITORY --local-dir model
perpixel predict model images/ --out masks/
```
"""


def card_metadata(source: ExportSource) -> JsonObject:
    """What stands at the head of the model card, with the scores as `model-index`."""
    card = source.card
    data = str(card.trained_on["data"])
    metadata: JsonObject = {
        "library_name": "perpixel",
        "pipeline_tag": "image-segmentation",
        "tags": ["semantic-segmentation", "onnx", str(card.model["name"])],
    }
    if card.scores is None:
        return metadata
    task = {"type": "image-segmentation"}
    result = {"task": task, "dataset": {"type": data, "name": data, "split": card.scores["split"]}}
    metadata["model-index"] = [
        {"name": source.run.folder.name, "results": [{**result, "metrics": _metrics(card.scores)}]}
    ]
    return metadata


def _metrics(scores: Json) -> list[JsonObject]:
    """Each defined score of the data set, its interval in its name."""
    found = []
    for key, value in scores["dataset"].items():
        span = scores["intervals"]["dataset"].get(key)
        between = f" (95 %: {span[0]:.4f} to {span[1]:.4f})" if span else ""
        if value is not None:
            found.append({"type": key, "value": value, "name": key.replace("_", " ") + between})
    return found


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    assert ONNX.finish is not None
    ONNX.finish(source, folder, parities)
    write_readme(source, folder, parities, USE)
    readme = folder / "README.md"
    head = yaml.safe_dump(card_metadata(source), sort_keys=False, allow_unicode=True)
    readme.write_text(f"---\n{head}---\n{readme.read_text(encoding='utf-8')}", encoding="utf-8")
    if len(source.networks) == 1:
        shutil.copyfile(source.run.model_path, folder / "model.safetensors")


HUGGINGFACE: Final[Target] = replace(
    ONNX, summary="Hugging Face: the bundle for onnx with a model card, and the weights", finish=_finish
)
