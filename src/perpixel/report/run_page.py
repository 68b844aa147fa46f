"""The report of a run: scores, curves, and pictures of what it gets right and wrong, in one file."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from perpixel.audit import audit
from perpixel.dataset import Dataset, scan
from perpixel.evaluation import Evaluation
from perpixel.evaluation.gallery import Gallery, PredictedSample, preview
from perpixel.files.atomic import write_text
from perpixel.language import translated
from perpixel.prediction import Predictor
from perpixel.report import sections
from perpixel.report.curves import image_curves, threshold_figure, training_curves
from perpixel.report.image_layers import ERROR_COLOURS, Painter, Shown
from perpixel.report.page import rendered
from perpixel.report.texts import texts
from perpixel.split import Split, groups_of
from perpixel.store.run_folder import Run


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
        predictor: Its model; predicts the images that are shown where nothing was evaluated.
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
    gallery = (evaluation.gallery if evaluation else None) or preview(run, predictor)
    own = gallery.dataset if data is None else scan(run.data, labels) if run.data.exists() else None
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
        galleries=_galleries(gallery),
        verdict=translated(evaluation.verdict, "zh" if language == "zh" else "en") if evaluation else "",
        **_scores(evaluation, words),
        **_about_data(run, own),
        settings="" if run.is_exported else (run.folder / "settings.yaml").read_text(encoding="utf-8"),
    )
    path = (folder or (run.evaluation_folder if run.folder.is_file() else run.folder)) / "report.html"
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


def _galleries(gallery: Gallery) -> list[tuple[str, list[Shown]]]:
    """(text of the heading, pictures); what has none is left out."""
    painter = Painter(gallery.dataset.labels, sum(map(len, gallery.headings.values())))
    return [
        (title, [_shown(painter, gallery.dataset, each) for each in predicted])
        for title, predicted in gallery.headings.items()
        if predicted
    ]


def _shown(painter: Painter, dataset: Dataset, predicted: PredictedSample) -> Shown:
    sample = predicted.sample
    masks = {"truth": dataset.target(sample)} if sample.is_labelled else {}
    masks["prediction"] = predicted.prediction
    note = "" if predicted.score is None else f"{predicted.score:.3f}"
    return painter.shown(sample.name, note, dataset.image(sample), masks, errors=sample.is_labelled)


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
