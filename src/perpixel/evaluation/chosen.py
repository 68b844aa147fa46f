"""What is chosen on validation images, so that the images that are scored choose nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perpixel.metrics import ThresholdCurves, draw_pixels, fit_temperature, threshold_curves
from perpixel.shapes import LabelKind, TargetArray

PIXELS_DRAWN = 4096
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, eq=False)
class Chosen:
    """Choices made on validation images.

    Args:
        thresholds: (K,) float64, the probability of each class with the highest IoU; NaN without a pixel of it.
        temperature: What logits are divided by to make probabilities honest; NaN without a known pixel.
        images: How many images they were made on.
    """

    thresholds: NDArray[np.float64]
    temperature: float
    images: int


class Choice:
    """Gathers validation images, then chooses.

    Args:
        classes: K.
        kind: Of the labels.
    """

    def __init__(self, classes: int, kind: LabelKind) -> None:
        self._kind = kind
        self._curves = ThresholdCurves.zero(classes)
        self._drawn: list[tuple[NDArray[np.float64], TargetArray]] = []
        self._rng = np.random.default_rng(0)

    def add(self, probabilities: NDArray[np.float32], target: TargetArray) -> None:
        """Look at one image: (K, H, W) in 0..1 and its truth."""
        self._curves += threshold_curves(probabilities, target, kind=self._kind)
        logits = logits_of(probabilities, self._kind)
        self._drawn.append(draw_pixels(logits, target, PIXELS_DRAWN, self._rng))

    def made(self) -> Chosen | None:
        """The choices; None without an image."""
        if not self._drawn:
            return None
        logits, targets = (np.concatenate(part) for part in zip(*self._drawn, strict=True))
        return Chosen(self._curves.best_thresholds("iou"), fit_temperature(logits, targets), len(self._drawn))


def logits_of(probabilities: NDArray[np.float32], kind: LabelKind) -> NDArray[np.float32]:
    """Logits (K, H, W) that give these probabilities, which are kept off 0 and 1."""
    kept = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    logits: NDArray[np.float32] = np.log(kept) if kind == "multiclass" else np.log(kept / (1 - kept))
    return logits


def tempered(probabilities: NDArray[np.float32], temperature: float, kind: LabelKind) -> NDArray[np.float32]:
    """Probabilities (K, H, W) of the logits divided by the temperature.

    >>> tempered(np.array([[[0.9]], [[0.1]]], np.float32), 2.0, "multiclass").ravel().round(2).tolist()
    [0.75, 0.25]
    """
    weights = np.exp(logits_of(probabilities, kind) / np.float32(temperature))
    total = weights.sum(0) if kind == "multiclass" else 1 + weights
    softened: NDArray[np.float32] = weights / total
    return softened
