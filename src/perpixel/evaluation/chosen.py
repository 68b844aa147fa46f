"""What is chosen on validation images, so that the images that are scored choose nothing."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perpixel.labels.calibration import draw_pixels, fit_temperature
from perpixel.labels.labels import Labels
from perpixel.metrics import ThresholdCurves, threshold_curves
from perpixel.shapes import TargetArray

PIXELS_DRAWN = 4096


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
        labels: The classes.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._curves = ThresholdCurves.zero(len(labels))
        self._drawn: list[tuple[NDArray[np.float64], TargetArray]] = []
        self._rng = np.random.default_rng(0)

    def add(self, probabilities: NDArray[np.float32], target: TargetArray) -> None:
        """Look at one image: (K, H, W) in 0..1 and its truth."""
        self._curves += threshold_curves(probabilities, target)
        logits = self._labels.logits(probabilities)
        self._drawn.append(draw_pixels(logits, target, PIXELS_DRAWN, self._rng))

    def made(self) -> Chosen | None:
        """The choices; None without an image."""
        if not self._drawn:
            return None
        logits, targets = (np.concatenate(part) for part in zip(*self._drawn, strict=True))
        return Chosen(self._curves.best_thresholds("iou"), fit_temperature(logits, targets), len(self._drawn))


def tempered(probabilities: NDArray[np.float32], temperature: float, labels: Labels) -> NDArray[np.float32]:
    """Probabilities (K, H, W) of the logits divided by the temperature.

    >>> labels = Labels("multiclass", ("a", "b"), (0, 1), ((0, 0, 0),) * 2)
    >>> tempered(np.array([[[0.9]], [[0.1]]], np.float32), 2.0, labels).ravel().round(2).tolist()
    [0.75, 0.25]
    """
    return labels.probabilities(labels.logits(probabilities) / np.float32(temperature))
