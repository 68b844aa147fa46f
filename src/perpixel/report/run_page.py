"""The report of a run: scores, curves, and pictures of what it gets right and wrong, in one file."""

import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from perpixel.audit import audit
from perpixel.dataset import Dataset, scan
from perpixel.dataset.overrides import stated_by
from perpixel.evaluation import Evaluation
from perpixel.evaluation.gallery import MAX_GALLERY_IMAGES, Gallery, PredictedSample, preview
from perpixel.files.atomic import write_text
from perpixel.files.whole_file import text_of
from perpixel.labels.labels import Labels
from perpixel.language import translated
from perpixel.language.choice import Language
from perpixel.prediction import Predictor
from perpixel.report import sections
from perpixel.report.image_gallery import ImageGallery, confused_pairs
from perpixel.report.image_layers import ERROR_COLOURS, Painter, Shown, page_colours
from perpixel.report.page import rendered
from perpixel.report.svg_curves import class_curves, image_curves, roc_curves, threshold_figure, training_curves
from perpixel.report.texts import texts
from perpixel.runtime.json_values import JsonObject
from perpixel.split import Split, groups_of
from perpixel.store.run_folder import Run

MAX_CLASS_CURVES: Final = 6
"""Classes whose IoU is drawn over the images."""


def write_report(  # noqa: PLR0913, PLR0917 # a page tells much
    run: Run,
    predictor: Predictor,
    evaluation: Evaluation | None = None,
    data: Path | None = None,
    folder: Path | None = None,
    language: Language = "en",
    pictures: ImageGallery | None = None,
) -> Path:
    """Write report.html.

    Args:
        run: Its history and settings are told.
        predictor: Its model; predicts the images that are shown where nothing was evaluated.
        evaluation: Scores to tell; without them validation images are shown.
        data: The folder that was evaluated, where it is not the run's own.
        folder: Where to write, instead of the run folder.
        language: "en" or "zh".
        pictures: Taken during the evaluation.

    Returns:
        The page.

    Raises:
        SettingsError: There are no texts in the language.
        OutputError: It cannot be written.
    """
    labels = predictor.codec.labels
    words = texts(language) | _rankings(labels, language)
    kept = (evaluation.gallery if evaluation else None) or preview(run, predictor)
    own = kept.dataset if data is None else None
    if data is not None and run.data.exists():
        own = scan(run.data, labels, overrides=stated_by(run.settings.data))
    history = run.history()
    page = rendered(
        "run.html",
        words,
        language,
        title=(data or run.data).resolve().stem,
        facts=run_facts(run, history, words),
        legend=[(name, sections.css(c)) for name, c in zip(labels.names, page_colours(labels), strict=True)],
        curves=training_curves(history, run.epochs(), words) if history else "",
        verdict=translated(evaluation.verdict, language) if evaluation else "",
        **_pictures(kept, evaluation, pictures),
        **_scores(evaluation, words),
        **_about_data(run, own, language),
        settings="" if run.is_exported else settings_text(run, language),
    )
    path = (folder or (run.evaluation_folder if run.folder.is_file() else run.folder)) / "report.html"
    write_text(path, page)
    return path


def settings_text(run: Run, language: Language) -> str:
    """The text of settings.yaml, its reasons in the language of the page."""
    text = text_of(run.folder / "settings.yaml")
    if language == "en":
        return text
    notes = "".join(f"- {_note_told(note, language)}\n" for note in run.notes)
    return re.sub(r"^notes:\n(?:[- ].*\n)+", lambda _: f"notes:\n{notes}", text, count=1, flags=re.MULTILINE)


def _note_told(note: str, language: Language) -> str:
    """A setting, its value and the reason, which is what stands behind a colon and is known in the language."""
    for colon in re.finditer(": ", note):
        reason = note[colon.end() :].removesuffix(".")
        if (told := translated(reason, language)) != reason:
            return f"{note[: colon.start()]}：{told}"
    return note


def run_facts(run: Run, history: Sequence[dict[str, float]], words: dict[str, str]) -> list[str]:
    """The run in a few words."""
    model = run.settings.model
    stamp = run.model_path if run.model_path.exists() else run.folder
    date = datetime.fromtimestamp(stamp.stat().st_mtime).astimezone().strftime("%Y-%m-%d %H:%M")
    facts = [
        f"{words['run']} {run.folder.resolve().name}",
        date,
        model.name,
        *([model.encoder] if model.encoder else []),
    ]
    if history:
        last = history[-1]
        facts += [f"{last['step']:,.0f} {words['steps']}", f"{last['seconds'] / 60:.1f} {words['minutes']}"]
    return facts


def _rankings(labels: Labels, language: Language) -> dict[str, str]:
    """The headings of the lowest and the highest images, where these are ranked by one class."""
    if labels.lone_foreground is None:
        return {}
    words, name = texts(language), labels.names[labels.lone_foreground]
    return {place: words[f"{place}_of"].format(name=name) for place in ("lowest", "highest")}


def _scores(evaluation: Evaluation | None, words: dict[str, str]) -> JsonObject:
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
        "class_rows": sections.score_rows(evaluation, figures),
        "columns": sections.COLUMNS,
        "image_columns": sections.image_columns(labels),
        "more_rows": sections.more_rows(evaluation, figures),
        "more_columns": sections.MORE_COLUMNS,
        "instance_columns": sections.INSTANCE_COLUMNS,
        "confusion_rows": sections.confusion_rows(evaluation.stacked.pooled, labels),
        "thresholds": evaluation.curves
        and threshold_figure(
            evaluation.curves, np.array(calibrated.thresholds) if calibrated else None, drawn, words
        ),
        "image_curves": image_curves({evaluation.part: each}, words) + _curves_by_class(evaluation, words),
        "roc_curves": roc_curves(sections.drawn_rocs(evaluation), words),
    }


def _curves_by_class(evaluation: Evaluation, words: dict[str, str]) -> str:
    """IoU of each class over the images."""
    names, iou = evaluation.labels.names, np.asarray(evaluation.stacked.iou)
    drawn = range(2) if len(names) == 2 else sections.drawn_classes(evaluation, MAX_CLASS_CURVES)
    return class_curves({names[k]: (iou[:, k], evaluation.labels.colours[k]) for k in drawn}, words)


def _pictures(kept: Gallery, evaluation: Evaluation | None, pictures: ImageGallery | None) -> JsonObject:
    """All that the page shows of images: galleries, worst crops, the row of each image, colours of errors."""
    labels = kept.dataset.labels
    painter = Painter(labels, 4 * MAX_GALLERY_IMAGES)
    shown = {
        title: [_shown(painter, kept.dataset, each) for each in predicted]
        for title, predicted in kept.headings.items()
        if predicted and not (evaluation and title == "lowest")
    }
    if evaluation is None:
        colours = {kind: sections.css(colour) for kind, colour in ERROR_COLOURS.items()}
        return {"galleries": list(shown.items()), "more_shots": [], "crops": [], "error_colours": colours}
    taken = pictures or ImageGallery()
    pairs = confused_pairs(evaluation.stacked.pooled.confusion)
    shots = taken.shots(labels, pairs)
    ranked = [shot for shot in shots if shot.note]
    low = ranked[: min(MAX_GALLERY_IMAGES, math.ceil(len(ranked) / 2))]
    high = ranked[len(low) :][-MAX_GALLERY_IMAGES:][::-1]
    galleries = [("lowest", low), ("highest", high), *shown.items()]
    return {
        "galleries": [(title, each) for title, each in galleries if each],
        "more_shots": [shot for shot in shots if shot not in low and shot not in high],
        "crops": taken.crops(labels, pairs),
        "class_names": labels.names[: sections.CLASSES_IN_TABLE],
        "image_rows": sections.image_rows(evaluation, {shot.name for shot in shots}),
        "pairs": sections.pair_rows(evaluation, pairs),
        "error_colours": sections.error_legend(labels, pairs),
    }


def _shown(painter: Painter, dataset: Dataset, predicted: PredictedSample) -> Shown:
    sample = predicted.sample
    masks = {"truth": dataset.target(sample)} if sample.is_labelled else {}
    masks["prediction"] = predicted.prediction
    return painter.shown(sample.name, "", dataset.image(sample), masks, errors=sample.is_labelled)


def _about_data(run: Run, dataset: Dataset | None, language: Language) -> JsonObject:
    """Split and findings, where the training data are still there."""
    if dataset is None or not run.split_path.is_file():
        return {"split_rows": [], "findings": None}
    divided = Split.load(run.split_path, dataset.samples)
    groups = groups_of(dataset.samples, run.settings.data.group_by)
    found = audit(dataset).findings
    return {
        "split_rows": sections.split_rows(divided, groups[0] if groups else None, language),
        "findings": [{"severity": each.severity, **asdict(each.problem)} for each in found],
    }
