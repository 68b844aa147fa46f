"""Fit temperature and thresholds on validation images, once, so that the images that are scored choose nothing."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset import scan
from perpixel.dataset.overrides import stated_by
from perpixel.labels.calibration import draw_pixels, fit_temperature
from perpixel.labels.decision import Calibration, decoded
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts, ThresholdCurves, count, threshold_curves
from perpixel.prediction import Predictor
from perpixel.runtime.evenly import evenly
from perpixel.shapes import TargetArray
from perpixel.split import Split
from perpixel.store.model_file import set_calibration
from perpixel.store.run_folder import Run

PIXELS_DRAWN: Final = 4096
VALIDATION_IMAGES: Final = 64
"""Thresholds and temperature are fitted on at most this many, evenly taken."""


class Fitting:
    """Gathers validation images, then fits.

    Whether thresholds are better than none is measured by two-fold cross-validation: those of the even images decide
    about the odd ones, and the other way round.

    Args:
        labels: The classes.
    """

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._halves = [ThresholdCurves.zero(len(labels)), ThresholdCurves.zero(len(labels))]
        self._drawn: list[tuple[NDArray[np.float64], TargetArray]] = []
        self._rng = np.random.default_rng(0)

    def add(self, probabilities: NDArray[np.float32], target: TargetArray) -> None:
        """Look at one image: (K, H, W) in 0..1 and its truth."""
        half = len(self._drawn) % 2
        self._halves[half] = self._halves[half] + threshold_curves(probabilities, target)
        self._drawn.append(draw_pixels(self._labels.logits(probabilities), target, PIXELS_DRAWN, self._rng))

    def fitted(self) -> Calibration | None:
        """What was found; None without a known pixel."""
        if not self._drawn:
            return None
        logits, targets = (np.concatenate(part) for part in zip(*self._drawn, strict=True))
        temperature = fit_temperature(logits, targets)
        if not np.isfinite(temperature):
            return None
        thresholds = self._thresholds(self._halves[0] + self._halves[1])
        plain, calibrated = self._score([(), ()]), None
        if len(self._drawn) > 1:
            calibrated = self._score([self._thresholds(self._halves[1]), self._thresholds(self._halves[0])])
        return Calibration(temperature, thresholds, len(self._drawn), plain, calibrated)

    def _thresholds(self, curves: ThresholdCurves) -> tuple[float, ...]:
        """The best of each class, 0.5 where there is none; those of two classes add up to 1."""
        best = np.nan_to_num(curves.best_thresholds("iou"), nan=0.5)
        if not self._labels.is_multilabel and len(self._labels) == 2:
            k = self._labels.positive
            best[1 - k] = 1 - best[k]
        return tuple(map(float, best))

    def _score(self, thresholds: Sequence[tuple[float, ...]]) -> float | None:
        """Mean IoU over the drawn pixels, those of even images with the first thresholds."""
        labels, total = self._labels, Counts.zero(len(self._labels), self._labels.kind)
        for number, (logits, target) in enumerate(self._drawn):
            probabilities = labels.probabilities(logits.T.astype(np.float32))  # (K, M)
            prediction = decoded(labels, probabilities, thresholds[number % 2])
            pair = [np.ascontiguousarray(each)[..., None, :] for each in (prediction, target.T)]
            total = total + count(*pair, classes=len(labels), kind=labels.kind)
        return float(total.mean_iou) if np.isfinite(total.mean_iou) else None


def calibrate(
    run: Run, predictor: Predictor, progress: Callable[[int, int], None] | None = None
) -> Calibration | None:
    """Fit a trained run's temperature and thresholds on its validation images, and store them in its model file.

    Args:
        run: A single network, not an ensemble: its folds are calibrated one by one.
        predictor: Its model.
        progress: Called with (done, total) images.

    Returns:
        What was stored; None where there is no validation image.

    Raises:
        DataError: An image cannot be read.
        OutputError: The model file cannot be written.
    """
    dataset = scan(run.data, predictor.codec.labels, overrides=stated_by(run.settings.data))
    samples = evenly(Split.load(run.split_path, dataset.samples).part("val"), VALIDATION_IMAGES)
    fitting = Fitting(predictor.codec.labels)
    predictor.is_on_own_data = True
    for number, sample in enumerate(samples, start=1):
        image, target = dataset.labelled_image(sample)
        fitting.add(predictor.probabilities(image, str(sample.image)), target)
        if progress is not None:
            progress(number, len(samples))
    if (calibration := fitting.fitted()) is not None:
        set_calibration(run.model_path, calibration)
    return calibration
