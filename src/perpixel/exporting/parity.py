"""The proof of an export: what it predicts beside what PyTorch predicts, on real images."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import RunError
from perpixel.exporting.output import GraphOutput
from perpixel.exporting.source import ProofImage
from perpixel.metrics import Counts
from perpixel.metrics.counting import count
from perpixel.prediction import Predictor
from perpixel.prediction.onnx_engine import Graph
from perpixel.runtime.json_values import JsonObject

MOST_DIFFERENCE: Final = 1e-4
"""Of a probability."""

MOST_DIFFERING: Final = 1e-4
"""The share of pixels that may be predicted otherwise; ties are not counted."""


@dataclass(frozen=True)
class Parity:
    """How far one program's answers are from PyTorch's.

    Args:
        runtime: The program, with its version.
        images: How many were predicted by both.
        pixels: Of all of them.
        largest_difference: Of a probability.
        differing_pixels: Predicted otherwise.
        tied_pixels: Of these, how many are ties; see `perpixel.exporting.output.TIE`.
        iou_difference: Mean IoU minus that of PyTorch, against the truth; None where there is none.
        seconds: For all images.
        torch_seconds: The same by PyTorch.
    """

    runtime: str
    images: int
    pixels: int
    largest_difference: float
    differing_pixels: int
    tied_pixels: int
    iou_difference: float | None
    seconds: float
    torch_seconds: float

    @property
    def holds(self) -> bool:
        """Whether the export is one."""
        untied = self.differing_pixels - self.tied_pixels
        return self.largest_difference <= MOST_DIFFERENCE and untied <= MOST_DIFFERING * self.pixels

    def to_dict(self) -> JsonObject:
        """As in parity.json."""
        return {**asdict(self), "differing_share": self.differing_pixels / self.pixels}


def measured_parity(
    predictor: Predictor, output: GraphOutput, graphs: Mapping[str, Graph], images: Sequence[ProofImage]
) -> list[Parity]:
    """Predict the images by PyTorch and by each program.

    Args:
        predictor: In PyTorch.
        output: What the programs' probabilities should be.
        graphs: Of each program that is installed.
        images: At least one.
    """
    expected, torch_seconds = [], 0.0
    for each in images:
        started = time.perf_counter()
        expected.append(predictor.probabilities(each.image, each.name))
        torch_seconds += time.perf_counter() - started
    return [_compared(output, name, graph, images, (expected, torch_seconds)) for name, graph in graphs.items()]


def refuse_differing(parities: Sequence[Parity], cause: Callable[[], str | None]) -> None:
    """Raise RunError where a program does not predict what PyTorch predicts; `cause` names the layer, or nothing."""
    wrong = [each for each in parities if not each.holds]
    if not wrong:
        return
    layer = cause()
    examples = [] if layer is None else [f"the first layer that gives something else: {layer}"]
    examples += [
        f"{each.runtime}: a probability differs by {each.largest_difference:.2g} (at most "
        f"{MOST_DIFFERENCE:g}), {each.differing_pixels:,} of {each.pixels:,} pixels are predicted otherwise"
        for each in wrong
    ]
    raise RunError(
        "the export does not predict what PyTorch predicts, and is not written.",
        examples=examples,
        fix="export for another target, or upgrade the runtime and the exporter.",
    )


def _compared(
    output: GraphOutput,
    runtime: str,
    graph: Graph,
    images: Sequence[ProofImage],
    by_torch: tuple[list[NDArray[np.float32]], float],
) -> Parity:
    labels = output.labels
    largest, differing, tied, pixels, seconds = 0.0, 0, 0, 0, 0.0
    ours: list[Counts] = []
    theirs: list[Counts] = []
    for each, expected in zip(images, by_torch[0], strict=True):
        batch = np.ascontiguousarray(each.image.transpose(2, 0, 1)[None])
        started = time.perf_counter()
        found = graph(batch)[0]
        seconds += time.perf_counter() - started
        decided, wanted = output.decide(found), output.wanted(expected)
        largest = max(largest, float(np.abs(found - output.of(expected)).max()))
        differs = (decided != wanted).reshape(-1, *expected.shape[1:])
        ties = output.is_tie(expected, decided).reshape(differs.shape)
        differing += int(differs.any(0).sum())
        tied += int((differs.any(0) & ~(differs & ~ties).any(0)).sum())
        pixels += expected[0].size
        if each.target is not None:
            for counts, prediction in ((ours, decided), (theirs, wanted)):
                counts.append(count(prediction, each.target, classes=len(labels), kind=labels.kind))
    difference = float(sum(ours).mean_iou - sum(theirs).mean_iou) if ours and theirs else None  # type: ignore[union-attr]
    if difference is not None and np.isnan(difference):
        difference = None
    return Parity(
        runtime=runtime,
        images=len(images),
        pixels=pixels,
        largest_difference=largest,
        differing_pixels=differing,
        tied_pixels=tied,
        iou_difference=difference,
        seconds=round(seconds, 4),
        torch_seconds=round(by_torch[1], 4),
    )
