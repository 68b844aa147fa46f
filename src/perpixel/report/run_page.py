"""The report of a run: curves, scores, and pictures of what it gets right and wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from perpixel.dataset import Dataset, Sample, scan
from perpixel.evaluation import Evaluation
from perpixel.files.atomic import write_text
from perpixel.predict import Predictor
from perpixel.report.figures import training_curves
from perpixel.report.pictures import overlaid, thumbnail
from perpixel.run import Run
from perpixel.split import Split

SHOWN: Final = 6


@dataclass(frozen=True)
class Row:
    """One image as it is shown: URIs of the pictures, the truth only where there is one."""

    name: str
    score: str
    image: str
    truth: str | None
    prediction: str


def write_report(
    run: Run,
    predictor: Predictor,
    evaluation: Evaluation | None = None,
    data: Path | None = None,
    folder: Path | None = None,
) -> Path:
    """Write report.html.

    Args:
        run: Its history and settings are told.
        predictor: Its model; predicts the images that are shown.
        evaluation: Scores to tell; without them validation images are shown.
        data: The folder that was evaluated, where it is not the run's own.
        folder: Where to write, instead of the run folder.

    Returns:
        The page.

    Raises:
        OutputError: It cannot be written.
    """
    dataset = scan(data or run.data, predictor.codec.labels)
    galleries = _galleries(run, predictor, dataset, evaluation)
    figures = evaluation.to_dict() if evaluation else None
    page = _environment().get_template("run.html")
    text = page.render(
        title=run.data.name,
        figures=figures,
        curves=training_curves(run.history()),
        galleries=[(title, rows) for title, rows in galleries if rows],
        classes=list(zip(dataset.labels.names, map(_css, dataset.labels.colours), strict=True)),
        settings=yaml.safe_dump(run.settings.model_dump(mode="json"), sort_keys=False),
    )
    path = (folder or run.folder) / "report.html"
    write_text(path, text)
    return path


def _galleries(
    run: Run, predictor: Predictor, dataset: Dataset, evaluation: Evaluation | None
) -> list[tuple[str, list[Row]]]:
    unlabelled = [_row(predictor, dataset, sample, "") for sample in dataset.unlabelled[:SHOWN]]
    if evaluation is None:
        samples = Split.load(run.split_path, dataset.samples).part("val")[:SHOWN]
        rows = [_row(predictor, dataset, sample, "") for sample in samples]
        return [("Validation images", rows), ("Unlabelled images", unlabelled)]
    scored = [(float(image.counts.mean_iou), image.sample) for image in evaluation.images]
    ranked = sorted((pair for pair in scored if not math.isnan(pair[0])), key=lambda pair: pair[0])
    low = ranked[: min(SHOWN, math.ceil(len(ranked) / 2))]
    high = ranked[len(low) :][-SHOWN:][::-1]
    return [
        ("Lowest mean IoU", _rows(predictor, dataset, low)),
        ("Highest mean IoU", _rows(predictor, dataset, high)),
        ("Unlabelled images", unlabelled),
    ]


def _rows(predictor: Predictor, dataset: Dataset, scored: Sequence[tuple[float, Sample]]) -> list[Row]:
    return [_row(predictor, dataset, sample, f"{score:.3f}") for score, sample in scored]


def _row(predictor: Predictor, dataset: Dataset, sample: Sample, score: str) -> Row:
    image, labels = dataset.image(sample), dataset.labels
    truth = overlaid(image, dataset.target(sample), labels) if sample.is_labelled else None
    prediction = overlaid(image, predictor.predict(image, str(sample.image)), labels)
    return Row(sample.name, score, thumbnail(image), truth, prediction)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("perpixel.report"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["score"] = lambda value: "–" if value is None else f"{value:.3f}"
    return environment


def _css(colour: tuple[int, int, int]) -> str:
    return "rgb({}, {}, {})".format(*colour)
