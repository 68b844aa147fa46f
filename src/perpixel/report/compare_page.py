"""The page that lays runs beside each other: scores, differences with their intervals, and where they part."""

from pathlib import Path

import numpy as np

from perpixel.evaluation import COMPARED, Comparison
from perpixel.files.atomic import write_text
from perpixel.language import translated
from perpixel.report import sections
from perpixel.report.image_layers import Painter, Shown
from perpixel.report.page import rendered
from perpixel.report.svg_curves import RUN_COLOURS, image_curves
from perpixel.report.texts import texts
from perpixel.runtime.json_values import Json, JsonObject


def write_comparison(comparison: Comparison, path: Path, language: str = "en") -> Path:
    """Write the page of a comparison.

    Args:
        comparison: What was found.
        path: The page.
        language: "en" or "zh".

    Raises:
        SettingsError: There are no texts in the language.
        OutputError: It cannot be written.
    """
    words = texts(language)
    each = {name: counts.mean_iou for name, counts in zip(comparison.names, comparison.counts, strict=True)}
    labels = comparison.dataset.labels
    page = rendered(
        "compare.html",
        words,
        language,
        title=" · ".join(comparison.names),
        comparison=comparison,
        runs=list(zip(comparison.names, RUN_COLOURS * len(comparison.names), strict=False)),
        warning=translated(comparison.warning, "zh" if language == "zh" else "en") if comparison.warning else None,
        rows=_rows(comparison),
        image_curves=image_curves(each, words),
        legend=[(name, sections.css(colour)) for name, colour in zip(labels.names, labels.colours, strict=True)],
        shots=_furthest_apart(comparison),
    )
    write_text(path, page)
    return path


def _rows(comparison: Comparison) -> list[JsonObject]:
    """For each score the figure of every run, and its difference from the first as a place on a gauge of −1..1."""
    found, gaps = comparison.scores, comparison.differences
    reach = max(0.01, *(float(np.abs(np.nan_to_num(part)).max()) for gap in gaps for part in (gap.low, gap.high)))
    rows = []
    for i, score in enumerate(comparison.score_names):
        cells = []
        for place, (scores, gap) in enumerate(zip(found, gaps, strict=True)):
            ends = [_defined(part[i]) for part in (gap.value, gap.low, gap.high)]
            cells.append({
                "score": sections.Cell(*(_defined(part[i]) for part in (scores.value, scores.low, scores.high))),
                "gap": ends,
                "gauge": sections.Cell(*(None if end is None else 0.5 + end / reach / 2 for end in ends)),
                "verdict": comparison.verdict(place, i),
            })  # fmt: skip
        of_class = score.removeprefix("iou_") if i >= len(COMPARED) else ""
        rows.append({"key": "iou" if of_class else score, "of": of_class, "cells": cells})
    return rows


def _furthest_apart(comparison: Comparison) -> list[Shown]:
    painter = Painter(comparison.dataset.labels, len(comparison.furthest_apart))
    shots = []
    for each in comparison.furthest_apart:
        masks = {"truth": comparison.dataset.target(each.sample)}
        masks |= dict(zip(comparison.names, each.predictions, strict=True))
        note = " · ".join(f"{name} {score:.3f}" for name, score in zip(comparison.names, each.scores, strict=True))
        shots.append(painter.shown(each.sample.name, note, comparison.dataset.image(each.sample), masks))
    return shots


def _defined(value: Json) -> float | None:
    return None if np.isnan(value) else float(value)
