"""What a target is: a file of its own that has one, and a line in `perpixel.exporting.targets`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from perpixel.exporting.output import GraphOutput
from perpixel.exporting.parity import Parity
from perpixel.exporting.precision import TriedGraph
from perpixel.exporting.source import ExportSource
from perpixel.prediction import Predictor
from perpixel.prediction.onnx_engine import Graph
from perpixel.runtime.choices import ExportPrecision
from perpixel.shapes import AnyArray


@dataclass(frozen=True)
class WrittenModels:
    """What a target wrote.

    Args:
        models: The names of the model files, whose checksums go into the card.
        output: What their probabilities are.
        graphs: Each program that is installed and runs them: raw pixels (N, C, H, W) to probabilities (N, K, H, W).
        fixed_hw: The one height and width that they take; None for any.
        tried: The search for a lower precision; empty in float32.
        cause: Names the layer by which the graph differs from PyTorch on an image (H, W, C), where it can be found.
        reference: What they are compared with, where that is not the run as it predicts.
    """

    models: tuple[str, ...]
    output: GraphOutput
    graphs: Mapping[str, Graph] = field(default_factory=dict)
    fixed_hw: tuple[int, int] | None = None
    reference: Predictor | None = None
    tried: tuple[TriedGraph, ...] = ()
    cause: Callable[[AnyArray], str | None] | None = None


def accept_any(source: ExportSource) -> None:
    """A target without limits."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A place where an exported network is used.

    Args:
        summary: Where that is, in one line.
        write: Writes the model files into a folder.
        check: Raises SettingsError where the run breaks a limit of the place.
        precisions: What the place's programs compute with.
        finish: Writes what needs card and proof: the README, examples, a model card.
    """

    summary: str
    write: Callable[[ExportSource, Path], WrittenModels]
    check: Callable[[ExportSource], None] = accept_any
    precisions: tuple[ExportPrecision, ...] = ("float32",)
    finish: Callable[[ExportSource, Path, Sequence[Parity]], None] | None = None
