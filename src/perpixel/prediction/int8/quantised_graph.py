"""Convolutions in int8, as a graph of OpenVINO says it: what enters one is rounded to 256 levels between two values.

The operator FakeQuantize rounds; the compiler then computes with the numbers of the levels. Weights have a range of
their own for each output channel, symmetric about zero. Ranges are the least and the greatest value that training
images give: to cut rare values off, for finer levels, loses more than it gains (benchmarks/predict.md).
"""

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from perpixel.prediction.int8.tried import layer_choices
from perpixel.prediction.openvino_core import FLOAT32, openvino_core
from perpixel.shapes import AnyArray

if TYPE_CHECKING:
    from openvino import Model, Node, Output

Range: TypeAlias = tuple[float, float]
"""The least and the greatest value that enter a convolution; zero lies in it."""

Ranges: TypeAlias = tuple[Range | None, ...]
"""That of each convolution, in the order of the graph; None where it stays in float32."""

OUTPUT_AXES: Final = {
    "Convolution": (0,),
    "GroupConvolution": (0, 1),
    "ConvolutionBackpropData": (1,),
    "GroupConvolutionBackpropData": (0, 2),
}
"""Of the weights of each kind of convolution, the axes of its output channels."""

DEPTHWISE: Final = "GroupConvolution"
LEVELS: Final = 256
WEIGHT_LEVELS: Final = 255
TINY: Final = 1e-30
"""In place of zero, so that levels differ."""


def convolutions(graph: "Model") -> "list[Node]":
    """Those of a graph, in its order."""
    return [node for node in graph.get_ordered_ops() if node.get_type_name() in OUTPUT_AXES]


def layers_kept(graph: "Model") -> dict[str, set[int]]:
    """Which convolutions stay in float32, by what is quantised; see `tried.layer_choices`."""
    kinds = [node.get_type_name() for node in convolutions(graph)]
    depthwise = {place for place, kind in enumerate(kinds) if kind == DEPTHWISE}
    return layer_choices({0, len(kinds) - 1}, depthwise, every=set(range(len(kinds))))


def input_ranges(graph: "Model", batches: Iterable[AnyArray]) -> tuple[Range, ...]:
    """What enters each convolution.

    Args:
        graph: In float32, for batches of one shape.
        batches: Normalised images, (N, C, H, W) float32; at least one.
    """
    from openvino import Model, opset13

    ends = []
    for source in (node.input_value(0) for node in convolutions(graph)):
        axes = np.arange(len(source.get_partial_shape()))
        ends += [opset13.reduce_min(source, axes), opset13.reduce_max(source, axes)]
    probe = openvino_core().compile_model(Model(ends, graph.get_parameters()), "CPU", FLOAT32)
    seen = np.array([[float(value) for value in probe(batch).to_tuple()] for batch in batches])
    least, greatest = seen[:, ::2].min(0).clip(max=0), seen[:, 1::2].max(0).clip(min=0)
    return tuple(zip(least.tolist(), greatest.tolist(), strict=True))


def in_int8(graph: "Model", ranges: Ranges) -> "Model":
    """The same graph with convolutions in int8.

    Args:
        graph: In float32; it stays as it is.
        ranges: See `Ranges`.
    """
    from openvino.passes import ConstantFolding, Manager

    changed = graph.clone()
    manager = Manager()
    manager.register_pass(ConstantFolding())  # weights that are reshaped become constants
    manager.run_passes(changed)
    rounded: dict[tuple[str, int], Output] = {}
    for node, between in zip(convolutions(changed), ranges, strict=True):
        if between is None:
            continue
        source = node.input_value(0)
        place = source.get_node().get_friendly_name(), source.get_index()
        if place not in rounded:
            rounded[place] = _rounded(source, *_with_zero(between), LEVELS)
        node.input(0).replace_source_output(rounded[place])
        node.input(1).replace_source_output(_rounded_weights(node))
    changed.validate_nodes_and_infer_types()
    return changed


@cache
def weight_spread() -> float:
    """How much wider the range of weights is than the weights: 1, or 127/63 where sums of products are cut off.

    Processors without VNNI add two products of 8 bits in 16, which is enough for weights of 7 bits only. Whether this
    one, under its settings, cuts off is not asked of a flag but tried, on the largest values that there are.
    """
    from openvino import Model, opset13

    side, channels, largest = 8, 64, 127.0
    image = opset13.parameter([1, channels, side, side], np.float32)
    weights = opset13.constant(np.full((channels, channels, 3, 3), largest, np.float32))
    sums = opset13.convolution(
        _rounded(image.output(0), 0, 255, LEVELS),
        _rounded(weights.output(0), -largest, largest, WEIGHT_LEVELS),
        [1, 1],
        [0, 0],
        [0, 0],
        [1, 1],
    )
    computed = openvino_core().compile_model(Model([sums], [image]), "CPU", FLOAT32)
    found = computed(np.full((1, channels, side, side), 255, np.float32))[0]
    return 1.0 if np.allclose(found, 255 * 127 * 9 * channels, rtol=1e-3) else 127 / 63


def _with_zero(between: Range) -> Range:
    """The range moved by less than a level, so that zero, with which borders are padded, is one."""
    least, greatest = between
    step = max(greatest - least, TINY) / (LEVELS - 1)
    below = round(-least / step)
    return -below * step, (LEVELS - 1 - below) * step


def _rounded_weights(node: "Node") -> "Output":
    from openvino import opset13

    weights = node.input_value(1).get_node().data
    others = tuple(set(range(weights.ndim)) - set(OUTPUT_AXES[node.get_type_name()]))
    greatest = np.abs(weights).max(axis=others, keepdims=True).clip(min=TINY)
    greatest = np.float32(weight_spread()) * greatest
    return _rounded(opset13.constant(weights).output(0), -greatest, greatest, WEIGHT_LEVELS)


def _rounded(source: "Output", least: AnyArray | float, greatest: AnyArray | float, levels: int) -> "Output":
    from openvino import opset13

    low, high = np.float32(least), np.float32(greatest)
    return opset13.fake_quantize(source, low, high, low, high, levels).output(0)
