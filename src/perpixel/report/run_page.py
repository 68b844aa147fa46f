"""The report of a run: scores, curves, and pictures of what it gets right and wrong, in one file."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from perpixel.audit import audit
from perpixel.dataset import Dataset, Sample, scan
from perpixel.evaluation import Evaluation
from perpixel.files.atomic import write_text
from perpixel.prediction import Predictor
from perpixel.report import sections
from perpixel.report.curves import image_curves, threshold_figure, training_curves
from perpixel.report.image_layers import ERROR_COLOURS, Painter, Shown
from perpixel.report.page import rendered
from perpixel.report.texts import texts
from perpixel.split import Split, groups_of
from perpixel.store.run_folder import Run

SHOWN: Final = 6
"""Pictures of a gallery, at most."""


def write_report(
    run: Run,
    predictor: Predictor,
    evaluation: Evaluation | None = None,
    data: Path | None = None,
    folder: Path | None = None,
    language: str = "en",
) -> Path:
    """Write report.html.

    Args:
        run: Its history and settings are told.
        predictor: Its model; predicts the images that are shown.
        evaluation: Scores to tell; without them validation images are shown.
        data: The folder that was evaluated, where it is not the run's own.
        folder: Where to write, instead of the run folder.
        language: "en" or "zh".

    Returns:
        The page.

    Raises:
        SettingsError: There are no texts in the language.
        OutputError: It cannot be written.
    """
    words = texts(language)
    labels = predictor.codec.labels
    own = scan(run.data, labels) if run.data.exists() else None
    dataset = own if data is None and own is not None else scan(data or run.data, labels, whole=data is not None)
    history = run.history()
    page = rendered(
        "run.html",
        words,
        language,
        title=(data or run.data).resolve().stem,
        facts=_facts(run, history, words),
        legend=[(name, sections.css(colour)) for name, colour in zip(labels.names, labels.colours, strict=True)],
        error_colours={kind: sections.css(colour) for kind, colour in ERROR_COLOURS.items()},
        curves=training_curves(history, run.epochs(), words) if history else "",
        galleries=_galleries(run, predictor, dataset, evaluation),
        **_scores(evaluation, words),
        **_about_data(run, own),
        settings="" if run.is_exported else (run.folder / "settings.yaml").read_text(encoding="utf-8"),
    )
    path = (folder or run.folder) / "report.html"
    write_text(path, page)
    return path


def _facts(run: Run, history: Sequence[dict[str, float]], words: dict[str, str]) -> list[str]:
    """The run in a few words."""
    model = run.settings.model
    facts = [model.name, *([model.encoder] if model.encoder else [])]
    if history:
        last = history[-1]
        facts += [f"{last['step']:,.0f} {words['steps']}", f"{last['seconds'] / 60:.1f} {words['minutes']}"]
    return facts


def _scores(evaluation: Evaluation | None, words: dict[str, str]) -> dict[str, Any]:
    """Everything that the page tells of an evaluation."""
    if evaluation is None:
        return {"figures": None}
    figures = evaluation.to_dict()
    labels, calibrated = evaluation.labels, evaluation.calibration
    drawn = {k: labels.colours[k] for k in sections.drawn_classes(evaluation)}
    each = np.asarray(evaluation.stacked.mean_iou)
    return {
        "figures": figures,
        "tiles": sections.tiles(evaluation, figures),
        "class_rows": sections.class_rows(evaluation, figures),
        "columns": sections.COLUMNS,
        "more_rows": sections.more_rows(evaluation, figures),
        "more_columns": sections.MORE_COLUMNS,
        "instance_columns": sections.INSTANCE_COLUMNS,
        "confusion_rows": sections.confusion_rows(evaluation.stacked.pooled, labels),
        "thresholds": evaluation.curves
        and threshold_figure(
            evaluation.curves, np.array(calibrated.thresholds) if calibrated else None, drawn, words
        ),
        "image_curves": image_curves({evaluation.part: each}, words),
    }


def _galleries(
    run: Run, predictor: Predictor, dataset: Dataset, evaluation: Evaluation | None
) -> list[tuple[str, list[Shown]]]:
    """(text of the heading, pictures); what has none is left out."""
    if evaluation is None:
        validation = Split.load(run.split_path, dataset.samples).part("val")[:SHOWN]
        chosen: dict[str, list[tuple[Sample, str]]] = {"validation_images": [(each, "") for each in validation]}
    else:
        scored = [(float(image.counts.mean_iou), image.sample) for image in evaluation.images]
        ranked = sorted((pair for pair in scored if not math.isnan(pair[0])), key=lambda pair: pair[0])
        low = ranked[: min(SHOWN, math.ceil(len(ranked) / 2))]
        high = ranked[len(low) :][-SHOWN:][::-1]
        chosen = {"lowest": _noted(low), "highest": _noted(high)}
    chosen["unlabelled"] = [(sample, "") for sample in dataset.unlabelled[:SHOWN]]
    painter = Painter(dataset.labels, sum(map(len, chosen.values())))
    return [
        (title, [_shown(painter, predictor, dataset, sample, note) for sample, note in pairs])
        for title, pairs in chosen.items()
        if pairs
    ]


def _noted(ranked: Sequence[tuple[float, Sample]]) -> list[tuple[Sample, str]]:
    return [(sample, f"{score:.3f}") for score, sample in ranked]


def _shown(painter: Painter, predictor: Predictor, dataset: Dataset, sample: Sample, note: str) -> Shown:
    image = dataset.image(sample)
    masks = {"truth": dataset.target(sample)} if sample.is_labelled else {}
    masks["prediction"] = predictor.target(image, str(sample.image))
    return painter.shown(sample.name, note, image, masks, errors=sample.is_labelled)


def _about_data(run: Run, dataset: Dataset | None) -> dict[str, Any]:
    """Split and findings, where the training data are still there."""
    if dataset is None or not run.split_path.is_file():
        return {"split_rows": [], "findings": None}
    divided = Split.load(run.split_path, dataset.samples)
    groups = groups_of(dataset.samples, run.settings.data.group_by)
    found = audit(dataset).findings
    return {
        "split_rows": sections.split_rows(divided, groups[0] if groups else None),
        "findings": [{"severity": each.severity, **asdict(each.problem)} for each in found],
    }
