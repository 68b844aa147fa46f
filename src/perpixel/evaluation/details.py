"""The parts of metrics.json beyond schema 1's first keys: plain numbers, None where undefined."""

import math
from collections.abc import Sequence
from typing import Final, SupportsFloat

import numpy as np

from perpixel.evaluation.image_score import CONTOUR_SCORES, ImageScore
from perpixel.instances import METHODS
from perpixel.labels.decision import Calibration, Decision
from perpixel.metrics import Counts, InstanceCounts, Interval, ThresholdCurves, bootstrap_interval
from perpixel.metrics.metric_table import compute, metrics_of
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import AnyArray

WHOLE: Final = metrics_of("dataset")
EACH: Final = metrics_of("class")
OF_IMAGE: Final = metrics_of("class", listed=True)
MEMBRANE_SCORES: Final = metrics_of("membrane")
Groups = Sequence[str] | None


LEAST_UNITS: Final = 6
"""Independent images, or groups of images, from which figures carry a verdict."""


def few_units(units: int) -> str | None:
    """Why so few independent images carry no verdict; None where they are enough.

    >>> few_units(2)
    'Only 2 independent images were scored, too few for a verdict: at least 6 are needed.'
    """
    if units >= LEAST_UNITS:
        return None
    scored = "1 independent image was" if units == 1 else f"{units} independent images were"
    return f"Only {scored} scored, too few for a verdict: at least {LEAST_UNITS} are needed."


def number_or_none(value: SupportsFloat) -> float | None:
    """A float, or None where it is undefined."""
    number = float(value)
    return number if math.isfinite(number) else None


def numbers(values: AnyArray) -> list[float | None]:
    """Floats, None where undefined."""
    return [number_or_none(value) for value in values]


def span(low: SupportsFloat, high: SupportsFloat) -> list[float | None] | None:
    """Both ends of an interval; None where there is none."""
    return None if math.isnan(low) else [number_or_none(low), number_or_none(high)]


def pooled_scores(counts: Counts, names: Sequence[str]) -> JsonObject:
    """What counts of no leading axis say, of all classes and of each."""
    classes = {name: {s: number_or_none(compute(s, counts)[k]) for s in EACH} for k, name in enumerate(names)}
    return {"dataset": {s: number_or_none(compute(s, counts)) for s in WHOLE}, "classes": classes}


def image_means(stacked: Counts, names: Sequence[str]) -> JsonObject:
    """Every figure of each image (images, K), averaged over those in which it is defined."""
    classes = {s: numbers(mean_of(compute(s, stacked))) for s in EACH}
    return {
        "dataset": {s: number_or_none(mean_of(compute(s, stacked))) for s in WHOLE},
        "classes": {name: {s: classes[s][k] for s in EACH} for k, name in enumerate(names)},
    }


def image_row(image: ImageScore, names: Sequence[str]) -> JsonObject:
    """The row of one image in images.csv; undefined figures are empty."""
    areas = numbers(np.empty(0) if image.auc is None else image.auc)
    return {
        "name": image.sample.name,
        "image": image.sample.image,
        "group": image.sample.group,
        "mean_iou": _cell(image.counts.mean_iou),
        "pixel_accuracy": _cell(image.counts.pixel_accuracy),
        **{f"{s}_{name}": _cell(compute(s, image.counts)[k]) for s in OF_IMAGE for k, name in enumerate(names)},
        **{f"auc_{name}": "" if area is None else area for name, area in zip(names, areas, strict=False)},
    }


def curve_scores(
    curves: ThresholdCurves, calibrated: Calibration | None, part: str, names: Sequence[str]
) -> JsonObject:
    """Areas under the curves, with their error, and what the threshold chosen on validation gives."""
    low, high = curves.average_precision_bounds
    counts = curves.counts
    scores = {}
    for k, name in enumerate(names):
        threshold = calibrated.thresholds[k] if calibrated else np.nan
        at = None
        if np.isfinite(threshold) and part not in ("val", "all"):
            there = counts[round(threshold * curves.bins)]
            at = {score: number_or_none(compute(score, there)[k]) for score in OF_IMAGE}
        scores[name] = {
            **{score: number_or_none(compute(score, curves)[k]) for score in metrics_of("curve")},
            "auc_error": number_or_none(curves.auc_error[k]),
            "average_precision_bounds": span(low[k], high[k]),
            "threshold": number_or_none(threshold),
            "at_threshold": at,
        }
    return scores


def calibration(
    curves: ThresholdCurves, softened: ThresholdCurves | None, calibrated: Calibration | None, names: Sequence[str]
) -> JsonObject:
    """How honest the probabilities are, before and after temperature scaling."""

    def scores(of: ThresholdCurves, k: int) -> dict[str, float | None]:
        return {score: number_or_none(compute(score, of)[k]) for score in metrics_of("calibration")}

    return {
        "temperature": number_or_none(calibrated.temperature) if calibrated else None,
        "validation_images": calibrated.images if calibrated else 0,
        "classes": {name: scores(curves, k) for k, name in enumerate(names)},
        "after_temperature": softened and {name: scores(softened, k) for k, name in enumerate(names)},
    }


def decision(made: Decision, calibrated: Calibration | None, names: Sequence[str]) -> JsonObject:
    """How probabilities became classes, and what validation images say about it."""
    return {
        "threshold": made.name,
        "thresholds": dict(zip(names, made.thresholds, strict=True)) if made.thresholds else None,
        "reason": made.reason,
        "validation_mean_iou": calibrated
        and {"calibrated": calibrated.calibrated_iou, "without": calibrated.plain_iou},
    }


def boundary_scores(images: Sequence[ImageScore], names: Sequence[str]) -> JsonObject | None:
    """How well outlines agree; None where they were not measured."""
    counted = [image.boundary for image in images if image.boundary is not None]
    if not counted:
        return None
    pooled = Counts.stack(counted).pooled
    near = {score: compute(score, pooled) for score in metrics_of("boundary")}
    measured = [image.contours for image in images if image.contours is not None]
    contours = np.stack(measured) if measured else np.full((0, len(names), len(CONTOUR_SCORES)), np.nan)
    missing = np.isinf(contours[..., 1]).sum(0)
    means = mean_of(np.where(np.isinf(contours), np.nan, contours))
    classes = {
        name: {score: number_or_none(values[k]) for score, values in near.items()}
        | {score: number_or_none(means[k, i]) for i, score in enumerate(CONTOUR_SCORES)}
        | {"one_missing": int(missing[k])}
        for k, name in enumerate(names)
    }
    return {"images_with_distances": len(measured), "classes": classes}


def instance_scores(images: Sequence[ImageScore], groups: Groups) -> JsonObject | None:
    """Scores of instances by the method that finds them; None where no true ones are known."""
    found = [(place, image.instances) for place, image in enumerate(images) if image.instances is not None]
    if not found:
        return None
    inside = None if groups is None else [groups[place] for place, _ in found]
    return {"images": len(found)} | {
        how: _instance_scores([counts[how] for _, counts in found], inside) for how in METHODS
    }


def membranes(images: Sequence[ImageScore], groups: Groups) -> JsonObject | None:
    """V_rand and V_info, best over thresholds; None where they were not asked for."""
    told = {
        name: {
            "value": number_or_none(interval.value),
            "interval": span(interval.low, interval.high),
            "threshold": number_or_none(threshold),
        }
        for name, (interval, threshold) in best_membranes(images, groups).items()
    }
    return {"images": sum(image.membranes is not None for image in images)} | told if told else None


def best_membranes(images: Sequence[ImageScore], groups: Groups) -> dict[str, tuple[Interval, float]]:
    """V_rand and V_info at the threshold where each is best, and that; nothing where they were not asked for."""
    places = [place for place, image in enumerate(images) if image.membranes is not None]
    scores = [score for image in images if (score := image.membranes) is not None]
    inside = None if groups is None else [groups[place] for place in places]
    found = {}
    for name in MEMBRANE_SCORES if scores else ():
        each = np.stack([compute(name, score) for score in scores])  # (images, thresholds)
        best = int(np.nan_to_num(mean_of(each), nan=-1.0).argmax())
        found[name] = bootstrap_interval(each[:, best], groups=inside), float(scores[0].thresholds[best])
    return found


def mean_of(values: AnyArray) -> AnyArray:
    """The mean along the first axis of what is defined; NaN where nothing is."""
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: AnyArray = np.where(defined, values, 0).sum(0) / defined.sum(0)
    return mean


def _instance_scores(found: Sequence[InstanceCounts], groups: Groups) -> JsonObject:
    total = sum(found[1:], start=found[0])
    each = {
        score: bootstrap_interval(np.array([compute(score, one) for one in found]), groups=groups)
        for score in metrics_of("instance_image")
    }
    competition = each["image_mean_average_precision"]
    return {
        **{score: number_or_none(interval.value) for score, interval in each.items()},
        "interval": span(competition.low, competition.high),
        **{score: number_or_none(compute(score, total)) for score in metrics_of("instance")},
        "predicted": int(total.predicted),
        "true": int(total.true),
        "count_error": int(total.count_error),
    }


def _cell(value: SupportsFloat) -> float | str:
    return "" if math.isnan(value) else float(value)
