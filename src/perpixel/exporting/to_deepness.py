"""Deepness, the QGIS plug-in: a network that segments the map's rasters inside QGIS.

It feeds square tiles of one fixed size of 8-bit rasters, divided by 255 and standardised by what the file's metadata
say, and runs ONNX Runtime up to 1.17: ONNX IR 8, opset 17.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.exporting.graphs import require_onnx, write_plain_onnx
from perpixel.exporting.output import GraphOutput, balanced
from perpixel.exporting.parity import Parity
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target, WrittenModels
from perpixel.files.parse import parse_json
from perpixel.labels.labels import Labels
from perpixel.prediction import Predictor
from perpixel.prediction.onnx_engine import Graph
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.onnx_runtime import import_onnxruntime
from perpixel.shapes import AnyArray
from perpixel.store.bundle import MODEL, BundleCard

OPSET: Final = 17
IR_VERSION: Final = 8
TILE_PX: Final = 512
OVERLAP_PERCENT: Final = 15
UNKNOWN_RESOLUTION_CM: Final = 100.0

USE: Final = """
1. Install the plug-in *Deepness* in QGIS, and open your raster.
2. Open Deepness, choose this folder's `model.onnx`; classes, tile size, overlap and resolution are read from it.
3. Choose the channels of the raster in the order of training, and run.

The resolution in the file is that of the training images where they were georeferenced; otherwise it says 100 cm per
pixel, which stands for "unknown": set it to what a pixel of the training images measured on the ground.
"""


class DeepnessNetwork(nn.Module):
    """Standardised tiles to what the plug-in reads: a softmax, or one sigmoid output for each class.

    Args:
        networks: One, or those of an ensemble.
        labels: The classes.
        thresholds: The run's; what is given is shifted so that the plug-in's own rule decides as they do.
    """

    def __init__(self, networks: Sequence[nn.Module], labels: Labels, thresholds: tuple[float, ...]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.labels, self.thresholds = labels, thresholds

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map (N, C, S, S) to (N, K, S, S), or to K outputs (N, 1, S, S)."""
        each = [network(image) for network in self.networks]
        is_multilabel = self.labels.is_multilabel
        answers = [logits.sigmoid() if is_multilabel else logits.softmax(1) for logits in each]
        mean = answers[0] if len(answers) == 1 else torch.stack(answers).mean(0)
        parts = mean.split(1, dim=1)
        if self.thresholds:
            parts = tuple(balanced(self.labels, parts, self.thresholds))
        return parts if is_multilabel else torch.cat(parts, 1)


def plugin_metadata(card: BundleCard, tile_px: int) -> dict[str, str]:
    """The metadata that the plug-in reads, each value as JSON.

    >>> from perpixel.labels.codec import Codec
    >>> from perpixel.labels.labels import Labels
    >>> labels = Labels("multiclass", ("land", "water"), (0, 1), ((0, 0, 0), (0, 0, 255)))
    >>> found = plugin_metadata(BundleCard("deepness", Codec(labels, "uint8", (51.0,), (25.5,)), scale=0.5), 512)
    >>> found["class_names"], found["standardization_mean"], found["resolution"]
    ('{"0": "land", "1": "water"}', '[0.2]', '200.0')
    """
    codec = card.codec
    values: JsonObject = {
        "model_type": "Segmentor",
        "class_names": {str(k): name for k, name in enumerate(codec.labels.names)},
        "resolution": round((card.resolution_cm or UNKNOWN_RESOLUTION_CM) / card.scale, 3),
        "tile_size": tile_px,  # what its code reads
        "tiles_size": tile_px,  # what its documentation says
        "tiles_overlap": OVERLAP_PERCENT,
        "seg_thresh": 0.5 if codec.labels.is_multilabel else 0.0,  # the graph has those of the run
        "seg_small_segment": 0,
        "standardization_mean": [mean / 255 for mean in codec.mean],
        "standardization_std": [std / 255 for std in codec.std],
    }
    return {key: json.dumps(value, ensure_ascii=False) for key, value in values.items()}


def refuse_unusable(metadata: Mapping[str, str], session: Any) -> None:
    """What the plug-in demands of a file, checked before it is handed over.

    Args:
        metadata: As the file has it.
        session: The file, opened by ONNX Runtime.

    Raises:
        SettingsError: The plug-in would not take it.
    """
    names = parse_json(metadata["class_names"], "class_names")
    (shape,) = (each.shape for each in session.get_inputs())
    outputs = [each.shape for each in session.get_outputs()]
    size = [parse_json(metadata["tile_size"], "tile_size")] * 2
    is_one = len(outputs) == 1 and list(outputs[0][1:]) == [len(names), *size]
    is_each = len(outputs) == len(names) and all(list(each[1:]) == [1, *size] for each in outputs)
    if list(names) != [str(k) for k in range(len(names))] or list(shape[2:]) != size or not (is_one or is_each):
        raise SettingsError(
            f"Deepness does not take a network from {shape} to {outputs}.",
            fix="export for onnx, and predict with `perpixel predict`.",
        )


def _check(source: ExportSource) -> None:
    require_onnx()
    codec = source.card.codec
    if codec.dtype != "uint8":
        raise SettingsError(
            f"Deepness reads rasters of 8 bits; this run was trained on {codec.dtype}.",
            fix="export for onnx and predict GeoTIFFs with `perpixel predict`, or train on images of 8 bits.",
        )


def _write(source: ExportSource, folder: Path) -> WrittenModels:
    import onnx

    codec, path = source.card.codec, folder / MODEL
    labels = codec.labels
    predictor = Predictor(source.networks, codec, options=replace(source.predictor.options, scale=1.0))
    tile_px = -(-TILE_PX // predictor.inference.align_px) * predictor.inference.align_px
    outputs = [f"class_{k}" for k in range(len(labels))] if labels.is_multilabel else ["probabilities"]
    output = GraphOutput(labels, source.predictor.codec.thresholds, is_balanced=True)
    network = DeepnessNetwork(source.networks, labels, output.decided)
    example = torch.zeros(1, codec.channels, tile_px, tile_px)
    write_plain_onnx(network, example, path, opset=OPSET, names=("image", *outputs))
    metadata = plugin_metadata(source.card, tile_px)
    model = onnx.load(path)
    model.ir_version = IR_VERSION
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    name, graph = _as_the_plugin_runs(path, metadata)
    return WrittenModels((MODEL,), output, {name: graph}, fixed_hw=(tile_px, tile_px), reference=predictor)


def _as_the_plugin_runs(path: Path, metadata: Mapping[str, str]) -> tuple[str, Graph]:
    """The file by ONNX Runtime, fed as the plug-in feeds it."""
    onnxruntime = import_onnxruntime()
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    refuse_unusable(session.get_modelmeta().custom_metadata_map, session)
    mean, std = (
        np.array(parse_json(metadata[f"standardization_{what}"], what), np.float32)[:, None, None]
        for what in ("mean", "std")
    )

    def run(batch: AnyArray) -> NDArray[np.float32]:
        standardised = (batch.astype(np.float32) / 255 - mean) / std
        return np.concatenate(session.run(None, {"image": standardised}), axis=1)

    return f"onnxruntime {onnxruntime.__version__}, as Deepness feeds it", run


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    write_readme(source, folder, parities, USE)


DEEPNESS: Final = Target(
    summary="Deepness, the plug-in of QGIS: square tiles of 8-bit rasters",
    check=_check,
    write=_write,
    finish=_finish,
)
