"""Graphs of lower precision, under a guard: what they lose is measured on validation images before they are written.

fp16 halves the weights; every program computes with them in float32. int8 quantises convolutions, with a search for
the layers that bear it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from perpixel.errors import DataError, RunError
from perpixel.exporting.output import GraphOutput
from perpixel.exporting.source import ExportSource, ProofImage, images_of_part
from perpixel.metrics import Counts
from perpixel.metrics.counting import count
from perpixel.prediction.int8.tried import MOST_LOST, Tried, layer_choices
from perpixel.prediction.onnx_engine import Graph, onnxruntime_graph
from perpixel.runtime.choices import ExportPrecision
from perpixel.runtime.onnx_runtime import import_onnxruntime
from perpixel.runtime.race import race
from perpixel.shapes import AnyArray

CALIBRATION_PX: Final = 256
TIMED_PX: Final = 512
TIMED_S: Final = 1.0
SMALLEST: Final = 256
"""Weights of fewer numbers stay in float32."""


@dataclass(frozen=True)
class TriedGraph(Tried):
    """A graph that was tried.

    Args:
        megabytes: Of its file (10⁶ bytes).
    """

    megabytes: float

    def __str__(self) -> str:
        """A line of the table."""
        return (
            f"{self.layers}: mean IoU {self.mean_iou:.4f} ({-self.lost:+.4f}), {self.megabytes:.1f} MB, "
            f"{self.times_as_fast:.2f} times as fast as float32"
        )


def lowered(
    source: ExportSource, content: bytes, output: GraphOutput, precision: ExportPrecision
) -> tuple[bytes, tuple[TriedGraph, ...]]:
    """A graph in lower precision: of all that lose little enough, the fastest.

    Args:
        source: The run, with its validation and training images.
        content: The graph in float32.
        output: What its probabilities are.
        precision: "fp16" or "int8".

    Returns:
        The graph, and everything that was tried.

    Raises:
        RunError: Each loses more than `MOST_LOST` of the mean IoU; the message holds the table.
        DataError: The run's images are gone, or say nothing.
    """
    ways = WAYS[precision](source, content)
    validation = images_of_part(source.run, source.predictor.codec.labels, "val")
    plain = onnxruntime_graph(content)
    expected = _mean_iou(plain, output, validation)
    if np.isnan(expected):
        raise DataError("the validation images hold no labelled pixel.", fix="export in float32.")
    tried, graphs = [], []
    for layers, changed in ways.items():
        graph = onnxruntime_graph(changed)
        reached = _mean_iou(graph, output, validation)
        ratio = _times_as_fast(plain, graph, source)
        tried.append(TriedGraph(layers, reached, expected - reached, round(ratio, 2), len(changed) / 1e6))
        graphs.append(changed)
    held = [place for place, each in enumerate(tried) if each.holds]
    if not held:
        raise RunError(
            f"{precision} loses more than {MOST_LOST:g} of the mean IoU {expected:.4f} on "
            f"{len(validation)} validation images, and is not written.",
            examples=[str(each) for each in tried],
            fix="export in float32" + (", or in fp16." if precision == "int8" else "."),
        )
    return graphs[max(held, key=lambda place: tried[place].times_as_fast)], tuple(tried)


def _halved(source: ExportSource, content: bytes) -> dict[str, bytes]:
    """Weights in float16, each cast back before it is used."""
    import onnx

    model = onnx.load_from_string(content)
    graph = model.graph
    casts = []
    for tensor in graph.initializer:
        weights = onnx.numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.size < SMALLEST or np.abs(weights).max() > np.finfo(np.float16).max:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(weights.astype(np.float16), f"{name}_float16"))
        casts.append(
            onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT, name=f"{name}_cast")
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return {"all weights in float16": model.SerializeToString()}


def _quantised(source: ExportSource, content: bytes) -> dict[str, bytes]:
    """Convolutions in int8 between QuantizeLinear and DequantizeLinear, with several choices of layers."""
    import onnx

    convolutions = [node for node in onnx.load_from_string(content).graph.node if node.op_type == "Conv"]
    crops = list(_crops(source))
    return {layers: _quantised_but(content, kept, crops) for layers, kept in _choices(convolutions).items()}


def _choices(convolutions: Sequence[Any]) -> dict[str, set[str]]:
    """Names of the convolutions that stay in float32, by what is quantised."""
    by_network: dict[str, list[Any]] = {}
    outside = set()
    for node in convolutions:
        scope = next((part for part in node.name.split("/") if part.startswith("networks.")), None)
        if scope is None:
            outside.add(node.name)  # the reduction to the working resolution
        else:
            by_network.setdefault(scope, []).append(node)
    ends = {node.name for nodes in by_network.values() for node in (nodes[0], nodes[-1])}
    depthwise = {node.name for nodes in by_network.values() for node in nodes if _groups(node) > 1}
    every = {node.name for node in convolutions}
    return layer_choices(ends, depthwise, every=every, outside=frozenset(outside))


def _groups(node: Any) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)


def _quantised_but(content: bytes, kept: set[str], crops: list[AnyArray]) -> bytes:
    """Quantise all convolutions but those that are kept."""
    import_onnxruntime()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc] # the library has no types
        def __init__(self) -> None:
            self._crops = iter(crops)

        def get_next(self) -> Mapping[str, AnyArray] | None:
            crop = next(self._crops, None)
            return None if crop is None else {"image": crop}

    with TemporaryDirectory() as folder, _quiet():
        path, out = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        path.write_bytes(content)
        quantize_static(
            str(path),
            str(out),
            Reader(),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=sorted(kept),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return out.read_bytes()


def _crops(source: ExportSource) -> Iterator[AnyArray]:
    """The middle of training images, all of one size, (1, C, S, S)."""
    for each in images_of_part(source.run, source.predictor.codec.labels, "train"):
        image = each.image
        top, left = (max(0, side - CALIBRATION_PX) // 2 for side in image.shape[:2])
        crop = image[top : top + CALIBRATION_PX, left : left + CALIBRATION_PX]
        missing = [(0, CALIBRATION_PX - side) for side in crop.shape[:2]]
        padded = np.pad(crop, [*missing, (0, 0)], mode="reflect" if min(crop.shape[:2]) > 1 else "edge")
        yield np.ascontiguousarray(padded.transpose(2, 0, 1)[None])


def _mean_iou(graph: Graph, output: GraphOutput, images: Sequence[ProofImage]) -> float:
    labels = output.labels
    total = Counts.zero(len(labels), labels.kind)
    for each in images:
        assert each.target is not None, "the run's own images have their truth"
        found = output.decide(graph(np.ascontiguousarray(each.image.transpose(2, 0, 1)[None]))[0])
        total = total + count(found, each.target, classes=len(labels), kind=labels.kind)
    return float(total.mean_iou)


def _times_as_fast(plain: Graph, graph: Graph, source: ExportSource) -> float:
    codec = source.card.codec
    draw = np.random.default_rng(0).integers(0, 256, (1, codec.channels, TIMED_PX, TIMED_PX))
    image = draw.astype(codec.dtype)
    return race(lambda: plain(image), lambda: graph(image), seconds=TIMED_S).ratio


@contextmanager
def _quiet() -> Iterator[None]:
    """No advice of the quantiser."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


WAYS: Final[dict[str, Callable[[ExportSource, bytes], dict[str, bytes]]]] = {"fp16": _halved, "int8": _quantised}
