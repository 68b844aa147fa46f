"""How probabilities become classes: by the highest one, from a threshold on, or as validation images have chosen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import SettingsError
from perpixel.labels.labels import Labels
from perpixel.runtime.choices import ThresholdWord
from perpixel.shapes import FloatArray

Threshold: TypeAlias = float | ThresholdWord

LEAST_THRESHOLD: Final = 1e-6
"""What a threshold of 0 is taken for where classes exclude each other."""


@dataclass(frozen=True)
class Calibration:
    """What was fitted on validation images; it is stored in the model file.

    Args:
        temperature: What logits are divided by, so that probabilities say how often they are right.
        thresholds: (K,) the probability from which a class is taken, chosen for the highest IoU; a tuple.
        images: How many images it was fitted on.
        plain_iou: Mean IoU on them with the most probable class, or from 0.5 on.
        calibrated_iou: Mean IoU on them with thresholds that were chosen on the other half of them; NaN is None.
    """

    temperature: float
    thresholds: tuple[float, ...]
    images: int
    plain_iou: float | None
    calibrated_iou: float | None

    def __post_init__(self) -> None:
        assert 0 < self.temperature < math.inf, "a temperature is positive"
        assert all(0 <= threshold <= 1 for threshold in self.thresholds), "thresholds are probabilities"

    @property
    def is_better(self) -> bool:
        """Whether the thresholds were better on validation images than none."""
        return None not in (self.plain_iou, self.calibrated_iou) and self.calibrated_iou > self.plain_iou  # type: ignore[operator]


@dataclass(frozen=True)
class Decision:
    """How a predictor decides.

    Args:
        name: "calibrated", "argmax", or a number as text.
        thresholds: (K,) of the classes; none where the most probable class is taken, or each from 0.5 on.
        reason: Why, in words.
    """

    name: str
    thresholds: tuple[float, ...]
    reason: str


def decide(labels: Labels, asked: Threshold | None, calibration: Calibration | None) -> Decision:
    """How to turn probabilities into classes.

    Args:
        labels: The classes.
        asked: What the user wants; None takes what was better on validation images.
        calibration: Of the model, if it has one.

    Raises:
        SettingsError: A threshold outside 0..1, one number for several classes that exclude each other, argmax of
            classes that do not, or a model that was not calibrated.

    >>> labels = Labels("multiclass", ("background", "cell"), (0, 1), ((0, 0, 0),) * 2)
    >>> decide(labels, 0.25, None).thresholds
    (0.75, 0.25)
    """
    if asked is None:
        return _better(labels, calibration)
    if asked == "calibrated":
        if calibration is None:
            raise SettingsError(
                "the model has no calibration: it was trained without validation images.",
                fix="give a number as the threshold, or train it again with some.",
            )
        return Decision("calibrated", calibration.thresholds, "as asked for")
    if asked == "argmax":
        if labels.is_multilabel:
            raise SettingsError(
                "argmax takes one class per pixel, and these classes overlap.", fix="give a number such as 0.5."
            )
        return Decision("argmax", (), "as asked for")
    thresholds = _of_number(labels, asked)
    return Decision(f"{asked:g}", thresholds, "as asked for")


def thresholds_at(labels: Labels, thresholds: tuple[float, ...], temperature: float) -> tuple[float, ...]:
    """Thresholds that decide about `Labels.tempered` probabilities as these do about the probabilities themselves.

    Args:
        labels: The classes.
        thresholds: (K,) of the classes, or none.
        temperature: What logits are divided by.

    >>> labels = Labels("multiclass", ("background", "cell"), (0, 1), ((0, 0, 0),) * 2)
    >>> [round(each, 2) for each in thresholds_at(labels, (0.1, 0.9), 2.0)]
    [0.25, 0.75]
    """
    if not thresholds or temperature == 1:
        return thresholds
    if labels.is_multilabel or len(labels) == 2:
        tempered = labels.tempered(np.array(thresholds, np.float64), temperature)
        return tuple(map(float, tempered))
    powers = [max(threshold, LEAST_THRESHOLD) ** (1 / temperature) for threshold in thresholds]
    return tuple(power / max(powers) for power in powers)  # only their ratios count


def mean_calibration(calibrations: Sequence[Calibration | None]) -> Calibration | None:
    """The calibration of networks that are averaged: the mean of theirs; None where one has none."""
    known = [each for each in calibrations if each is not None]
    if len(known) < max(len(calibrations), 1):
        return None

    def mean(values: Sequence[float | None]) -> float | None:
        numbers = [value for value in values if value is not None]
        return sum(numbers) / len(numbers) if len(numbers) == len(values) else None

    return Calibration(
        math.exp(sum(math.log(each.temperature) for each in known) / len(known)),
        tuple(sum(column) / len(known) for column in zip(*(each.thresholds for each in known), strict=True)),
        sum(each.images for each in known),
        mean([each.plain_iou for each in known]),
        mean([each.calibrated_iou for each in known]),
    )


def _better(labels: Labels, calibration: Calibration | None) -> Decision:
    plain = "0.5" if labels.is_multilabel else "argmax"
    if calibration is None:
        return Decision(plain, (), "the model has no calibration")
    if calibration.plain_iou is None or calibration.calibrated_iou is None:
        return Decision(plain, (), "too few validation images to compare")
    pair = f"{calibration.calibrated_iou:.4f} mean IoU calibrated, {calibration.plain_iou:.4f} with {plain}"
    reason = f"better on {calibration.images} validation images: {pair}"
    if calibration.is_better:
        return Decision("calibrated", calibration.thresholds, reason)
    return Decision(plain, (), reason.replace("better on", "not worse on", 1))


def _of_number(labels: Labels, threshold: float) -> tuple[float, ...]:
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise SettingsError(
            f"the threshold {threshold!r} is not in 0..1.", fix="give calibrated, argmax or a number such as 0.5."
        )
    if labels.is_multilabel:
        return (float(threshold),) * len(labels)
    if len(labels) != 2:
        raise SettingsError(
            f"one threshold cannot choose among {len(labels)} classes that exclude each other.",
            fix="give calibrated or argmax.",
        )
    pair = (1 - threshold, float(threshold))
    return pair if labels.positive == 1 else pair[::-1]


def decoded(labels: Labels, probabilities: FloatArray, thresholds: tuple[float, ...]) -> NDArray[np.uint8]:
    """Decide about every pixel.

    Args:
        labels: The classes.
        probabilities: (K, …) in 0..1.
        thresholds: (K,) of the classes, or none. A class is taken from its threshold on; of more than two that
            exclude each other, the one whose probability is the largest multiple of its threshold.

    Returns:
        uint8: (…) class indices, or (K, …) in {0, 1} for multilabel labels.
    """
    rest = (1,) * (probabilities.ndim - 1)
    if labels.is_multilabel:
        limits = np.array(thresholds or (0.5,) * len(labels), probabilities.dtype)
        return (probabilities >= limits.reshape(-1, *rest)).view(np.uint8)
    if thresholds and len(labels) == 2:
        chosen = probabilities[labels.positive] >= np.asarray(thresholds[labels.positive], probabilities.dtype)
        return np.where(chosen, labels.positive, 1 - labels.positive).astype(np.uint8)
    scale = (
        [1.0] * len(labels) if not thresholds else [1 / max(threshold, LEAST_THRESHOLD) for threshold in thresholds]
    )
    target = np.zeros(probabilities.shape[1:], np.uint8)
    best = probabilities[0] * probabilities.dtype.type(scale[0])
    for k in range(1, len(labels)):  # argmax over the first axis would copy all classes
        here = probabilities[k] if not thresholds else probabilities[k] * probabilities.dtype.type(scale[k])
        np.putmask(target, here > best, k)
        np.maximum(best, here, out=best)
    return target
