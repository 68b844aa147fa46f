"""Figures of an evaluation as the rows and tiles of a page; nothing is computed here, and nothing is drawn."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from perpixel.evaluation import Evaluation, ImageScore
from perpixel.evaluation.image_score import FALSE_POSITIVE_RATES
from perpixel.labels.labels import Labels
from perpixel.language import say
from perpixel.language.choice import Language
from perpixel.metrics import Counts
from perpixel.metrics.metric_table import metrics_of
from perpixel.report.check_card import reason_told
from perpixel.report.image_gallery import OTHER, PAIR_COLOURS
from perpixel.report.image_layers import ERROR_COLOURS, UNCOUNTED
from perpixel.report.svg_curves import line_colour
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import AnyArray
from perpixel.split import Split

CLASSES_IN_TABLE: Final = 12
PARTS: Final = ("train", "val", "test", "gap")
COLUMNS: Final = (*metrics_of("class", listed=True), *metrics_of("image", listed=True))
MORE_COLUMNS: Final = (
    *metrics_of("curve", listed=True),
    "threshold",
    *metrics_of("boundary", listed=True),
    *metrics_of("contour", listed=True),
    *metrics_of("calibration", listed=True),
)
IMAGE_COLUMNS: Final = ("dice", "precision", "recall", "auc")
"""Of the foreground of each image, where there are two classes."""
MAX_ROC_CLASSES: Final = 3
"""Classes whose ROC curves of single images are drawn."""
INSTANCE_COLUMNS: Final = (
    *metrics_of("instance_image", listed=True),
    *metrics_of("instance", listed=True),
    "predicted",
    "true",
)


@dataclass(frozen=True)
class Cell:
    """A figure, where it may lie, and what a blind predictor gets; None where undefined."""

    value: float | None
    low: float | None = None
    high: float | None = None
    blind: float | None = None


def tiles(evaluation: Evaluation, figures: JsonObject) -> list[tuple[str, str, Cell]]:
    """(text of the name, class or nothing, figure): one foreground class first, then the means."""
    blind = figures["baselines"]
    found = []
    k = evaluation.labels.lone_foreground
    if k is not None:
        name = evaluation.labels.names[k]
        low, high = figures["intervals"]["classes"][name]["iou"] or (None, None)
        best = _best(each["classes"][name]["iou"] for each in blind.values())
        found.append(("iou", name, Cell(figures["classes"][name]["iou"], low, high, best)))
    for score in metrics_of("dataset", listed=True):
        low, high = figures["intervals"]["dataset"][score] or (None, None)
        best = _best(each["dataset"][score] for each in blind.values())
        found.append((score, "", Cell(figures["dataset"][score], low, high, best)))
    return found


def score_rows(evaluation: Evaluation, figures: JsonObject) -> list[JsonObject]:
    """Name, colour, pixels and a cell for each of COLUMNS."""
    rows = []
    for name, colour in zip(evaluation.labels.names, evaluation.labels.colours, strict=True):
        scores, spans = figures["classes"][name], figures["intervals"]["classes"][name]
        cells = {score: Cell(scores[score], *(spans[score] or (None, None))) for score in COLUMNS}
        rows.append({"name": name, "colour": css(colour), "cells": cells, "pixels": scores["pixels"]})
    return rows


def more_rows(evaluation: Evaluation, figures: JsonObject) -> list[JsonObject]:
    """Name, colour of the line and a figure for each of MORE_COLUMNS, of the classes that are drawn as curves."""
    if figures["curves"] is None:
        return []
    rows = []
    for k in drawn_classes(evaluation):
        name = evaluation.labels.names[k]
        scores: JsonObject = dict(figures["curves"][name])
        scores |= figures["calibration"]["classes"][name]
        if figures["boundary"]:
            scores |= figures["boundary"]["classes"][name]
        after = figures["calibration"]["after_temperature"]
        rows.append({
            "name": name,
            "line": line_colour(evaluation.labels.colours[k]),
            "scores": {score: scores.get(score) for score in MORE_COLUMNS},
            "after": after and after[name]["expected_calibration_error"],
        })  # fmt: skip
    return rows


def confusion_rows(pooled: Counts, labels: Labels) -> list[tuple[str, list[tuple[float | None, int]]]]:
    """(name of the truth, (share of the row, pixels) of each prediction); empty for multilabel labels."""
    if pooled.confusion is None:
        return []
    table = pooled.confusion
    totals = table.sum(1)
    return [
        (name, [(float(n / totals[k]) if totals[k] else None, int(n)) for n in table[k]])
        for k, name in enumerate(labels.names)
    ]


def drawn_classes(evaluation: Evaluation, most: int = 12) -> list[int]:
    """The classes whose curves tell something new: the foreground of two, else the largest."""
    k = evaluation.labels.lone_foreground
    if k is not None:
        return [k]
    pooled = evaluation.stacked.pooled
    pixels = pooled.true_positive + pooled.false_negative
    return sorted(int(place) for place in np.argsort(-pixels, kind="stable")[:most])


def split_rows(
    divided: Split, groups: Sequence[str] | None, language: Language
) -> list[tuple[str, int, str, list[str]]]:
    """(part, images, reasons, groups) of the parts that have images."""
    rows = []
    for part in PARTS:
        places = [place for place, sample in enumerate(divided.samples) if divided.parts[sample.name][0] == part]
        if places:
            reasons = Counter(divided.parts[divided.samples[place].name][1] for place in places).most_common(6)
            of_part = Counter(groups[place] for place in places) if groups else Counter()
            said = [f"{reason_told(reason, language)} ({count})" for reason, count in reasons]
            told = say("; ", language=language).join(said)
            rows.append((part, len(places), told, [f"{group} ({count})" for group, count in of_part.items()]))
    return rows


def image_rows(evaluation: Evaluation, pictured: set[str]) -> list[JsonObject]:
    """Every image: name, mean IoU, IoU of each class, share of wrong pixels, picture or not; lowest first.

    Of two classes also IMAGE_COLUMNS of the foreground.
    """
    rows, k = [], evaluation.labels.lone_foreground
    for image in evaluation.images:
        counts, name = image.counts, image.sample.name
        mean, each = float(counts.mean_iou), [_defined(value) for value in np.asarray(counts.iou, float)]
        accuracy = _defined(float(counts.pixel_accuracy))
        rows.append({
            "name": name, "mean_iou": _defined(mean), "iou": each[:CLASSES_IN_TABLE],
            "wrong": None if accuracy is None else 1 - accuracy, "pictured": name in pictured,
            "more": [] if k is None else _of_one_image(image, k),
        })  # fmt: skip
    return sorted(rows, key=lambda row: 2 if row["mean_iou"] is None else row["mean_iou"])


def image_columns(labels: Labels) -> tuple[str, ...]:
    """Further columns of the table of images, where there is one class beside background."""
    return () if labels.lone_foreground is None else IMAGE_COLUMNS


def _of_one_image(image: ImageScore, k: int) -> list[float | None]:
    area = math.nan if image.auc is None else image.auc[k]
    counts = image.counts
    return [_defined(float(score[k])) for score in (counts.dice, counts.precision, counts.recall)] + [_defined(area)]


def drawn_rocs(evaluation: Evaluation) -> dict[str, tuple[AnyArray, AnyArray, tuple[int, int, int]]]:
    """By class: true positive rates of single images (images, points), those of all pixels (points,), the colour."""
    each = [image.roc for image in evaluation.images if image.roc is not None]
    if evaluation.curves is None or not each:
        return {}
    labels, pooled = evaluation.labels, evaluation.curves.true_positive_rates(FALSE_POSITIVE_RATES)
    drawn = drawn_classes(evaluation, MAX_ROC_CLASSES)
    return {labels.names[k]: (np.stack([roc[k] for roc in each]), pooled[k], labels.colours[k]) for k in drawn}


def pair_rows(evaluation: Evaluation, pairs: Sequence[tuple[int, int]]) -> list[JsonObject]:
    """The most confused pairs: names, share of the true class, pixels, colour."""
    table, names = evaluation.stacked.pooled.confusion, evaluation.labels.names
    if table is None:
        return []
    return [
        {
            "true": names[true], "predicted": names[predicted], "pixels": int(table[true, predicted]),
            "share": float(table[true, predicted] / table[true].sum()), "colour": css(colour),
        }
        for (true, predicted), colour in zip(pairs, PAIR_COLOURS, strict=False)
    ]  # fmt: skip


def error_legend(labels: Labels, pairs: Sequence[tuple[int, int]]) -> dict[str, str]:
    """The colour of each kind of error: of the pairs of classes, or, of multilabel classes, by what is wrong."""
    if not pairs:
        return {kind: css(colour) for kind, colour in ERROR_COLOURS.items()}
    named = {
        f"{labels.names[true]} → {labels.names[predicted]}": css(c)
        for (true, predicted), c in zip(pairs, PAIR_COLOURS, strict=False)
    }
    return named | {"other_errors": css(OTHER), "ignored": css(UNCOUNTED)}


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def css(colour: tuple[int, int, int]) -> str:
    """A colour as a page writes it."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _best(values: Json) -> float | None:
    return max((value for value in values if value is not None), default=None)
