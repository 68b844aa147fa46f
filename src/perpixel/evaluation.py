"""Honest numbers: every image of a part predicted whole at native resolution, counted, and written down."""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from perpixel.codec import Labels
from perpixel.dataset import Dataset, Sample, scan
from perpixel.errors import DataError
from perpixel.files.atomic import write_text
from perpixel.metrics import Counts, count
from perpixel.predict import Predictor
from perpixel.progress import bar
from perpixel.run import Run, table
from perpixel.split import Split

PartName: TypeAlias = Literal["test", "val", "train", "all"]

SCHEMA: Final = 1
DATASET_SCORES: Final = ("mean_iou", "mean_dice", "pixel_accuracy", "mean_accuracy")
CLASS_SCORES: Final = ("iou", "dice", "precision", "recall")
DEFINITIONS: Final = {
    "dataset": "ratios of pixel counts pooled over all images at native resolution; means are over the classes "
    "that occur in the truth or in the prediction",
    "classes": "iou, dice, precision and recall are ratios of pixel counts pooled over all images; image_iou is the "
    "mean of the IoU of single images over those in which it is defined; pixels are those of the truth",
    "undefined": "null: a ratio whose denominator is zero, such as the IoU of a class that is nowhere",
    "ignored": "pixels without a label are not counted",
}


@dataclass(frozen=True)
class ImageScore:
    """One image and what was right and wrong in it."""

    sample: Sample
    counts: Counts


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on the images of one part.

    Args:
        part: "test", "val", "train", "all", or "data" for another folder.
        labels: The classes.
        images: One score an image, at least one.
    """

    part: str
    labels: Labels
    images: tuple[ImageScore, ...]

    @property
    def stacked(self) -> Counts:
        """The counts of every image, (images, K)."""
        return Counts.stack(image.counts for image in self.images)

    def to_dict(self) -> dict[str, Any]:
        """The content of metrics.json; undefined figures are None."""
        each, pooled = self.stacked, self.stacked.pooled
        defined = ~np.isnan(each.iou)
        image_iou = np.where(defined, each.iou, 0).sum(0) / np.where(defined.any(0), defined.sum(0), math.nan)
        classes = {}
        for k, name in enumerate(self.labels.names):
            scores = {score: getattr(pooled, score)[k] for score in CLASS_SCORES} | {"image_iou": image_iou[k]}
            pixels = int(pooled.true_positive[k] + pooled.false_negative[k])
            classes[name] = {key: _number(value) for key, value in scores.items()} | {"pixels": pixels}
        return {
            "schema": SCHEMA,
            "split": self.part,
            "images": len(self.images),
            "dataset": {score: _number(getattr(pooled, score)) for score in DATASET_SCORES},
            "classes": classes,
            "definitions": DEFINITIONS,
        }

    def rows(self) -> list[dict[str, Any]]:
        """A row an image, as in images.csv; undefined figures are empty."""
        return [
            {
                "name": image.sample.name,
                "image": image.sample.image,
                "group": image.sample.group,
                "mean_iou": _cell(image.counts.mean_iou),
                "pixel_accuracy": _cell(image.counts.pixel_accuracy),
                **{f"iou_{name}": _cell(image.counts.iou[k]) for k, name in enumerate(self.labels.names)},
            }
            for image in self.images
        ]

    def save(self, folder: Path) -> None:
        """Write metrics.json and images.csv. Raises OutputError."""
        write_text(folder / "metrics.json", json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n")
        write_text(folder / "images.csv", table(self.rows()))

    def __str__(self) -> str:
        """The table for the terminal."""
        figures = self.to_dict()
        width = max(len("class"), *map(len, self.labels.names))
        names = (*CLASS_SCORES, "image_iou")
        lines = [f"{'class':<{width}}  " + "  ".join(f"{name:>9}" for name in names)]
        for name, scores in figures["classes"].items():
            lines.append(f"{name:<{width}}  " + "  ".join(f"{_spelled(scores[score]):>9}" for score in names))
        pooled = "  ".join(f"{name} {_spelled(value)}" for name, value in figures["dataset"].items())
        return "\n".join([*lines, f"{len(self.images)} images ({self.part}), pooled over pixels: {pooled}"])


def evaluate(
    run: Run, predictor: Predictor, data: Path | None = None, *, part: PartName = "test", out: Path | None = None
) -> Evaluation:
    """Score a run and write the scores to its evaluation folder.

    Args:
        run: Its split says which images belong to the part.
        predictor: Its model.
        data: Another labelled folder, which is then scored whole.
        part: Which images of the run's own data.
        out: Where to write, instead of the run's evaluation folder.

    Raises:
        DataError: The part has no images, or the data are not like the training data.
        OutputError: The scores cannot be written.
    """
    dataset = scan(data or run.data, predictor.codec.labels)
    samples = dataset.samples if data is not None else part_of(run, dataset, part)
    evaluation = Evaluation(
        "data" if data is not None else part, dataset.labels, _scored(predictor, dataset, samples)
    )
    evaluation.save(out or run.evaluation_folder)
    return evaluation


def part_of(run: Run, dataset: Dataset, part: PartName) -> tuple[Sample, ...]:
    """The samples of one part of a run's split. Raises DataError where it has none."""
    if part == "all":
        return dataset.samples
    samples = Split.load(run.split_path, dataset.samples).part(part)
    if not samples:
        raise DataError(
            f"no image of {run.data} is in the {part} part of {run.folder}.",
            fix="choose another part with --split, or name a labelled folder to score.",
        )
    return samples


def _scored(predictor: Predictor, dataset: Dataset, samples: Iterable[Sample]) -> tuple[ImageScore, ...]:
    samples = tuple(samples)
    labels = predictor.codec.labels
    scores = []
    with bar("evaluating") as show:
        for sample in samples:
            prediction = predictor.predict(dataset.image(sample), str(sample.image))
            counts = count(prediction, dataset.target(sample), classes=len(labels), kind=labels.kind)
            scores.append(ImageScore(sample, counts))
            show(len(scores), len(samples))
    return tuple(scores)


def _number(value: Any) -> float | None:
    """A float, or None where it is undefined."""
    return None if math.isnan(value) else float(value)


def _cell(value: Any) -> float | str:
    return "" if math.isnan(value) else float(value)


def _spelled(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
