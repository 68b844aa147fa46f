"""What an evaluation found: a value that is told as metrics.json, images.csv and a short table."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Final, SupportsFloat

import numpy as np

from perpixel.dataset.held_out_strokes import OPTIMISTIC, PARTLY
from perpixel.errors import did_you_mean
from perpixel.evaluation import details
from perpixel.evaluation.details import few_units, number_or_none
from perpixel.evaluation.gallery import Gallery
from perpixel.evaluation.image_score import ImageScore
from perpixel.files.atomic import write_text
from perpixel.files.write import overlay, picture
from perpixel.labels.decision import Calibration, Decision
from perpixel.labels.labels import Labels
from perpixel.language import counted, say, subset
from perpixel.metrics import Counts, Interval, ThresholdCurves, baselines, bootstrap_interval
from perpixel.metrics.counts import Float64s
from perpixel.metrics.metric_table import METRICS, compute, metrics_of
from perpixel.results import Picture, Result, Row, Score, how_many
from perpixel.runtime.json_values import JsonObject
from perpixel.store.run_folder import csv_table

SCHEMA: Final = 1
DATASET_SCORES: Final = metrics_of("dataset")
CLASS_SCORES: Final = metrics_of("class")
IMAGE_SCORES: Final = metrics_of("image")
DEFINITIONS: Final[JsonObject] = {
    "metrics": {key: each.about[0] + (f" In {each.unit}." if each.unit else "") for key, each in METRICS.items()},
    "dataset": "ratios of pixel counts pooled over all images at native resolution; means are over the classes "
    "that occur in the truth or in the prediction; kappa is Cohen's, null for multilabel labels",
    "classes": "iou, dice, precision and recall are ratios of pixel counts pooled over all images; image_iou is the "
    "mean of the IoU of single images over those in which it is defined; pixels are those of the truth",
    "undefined": "null: a ratio whose denominator is zero, such as the IoU of a class that is nowhere",
    "ignored": "pixels without a label are not counted",
    "labelled_share": "pixels with a label over all pixels of the scored images; where it is below one half, "
    "the scores are of labelled pixels only: optimistic, since strokes avoid borders",
    "intervals": "95 % bootstrap intervals [low, high] over images, or over groups of images that belong together; "
    "null with fewer than two",
    "image_means": "every figure computed for each image, then averaged over those in which it is defined",
    "baselines": "what predictors get that never look at the image: all background, the most frequent class, classes "
    "drawn with their shares",
    "threshold": "chosen on validation images for the highest IoU; null at_threshold where it was chosen on images "
    "that are scored here",
    "temperature": "fitted on validation images; it changes no mask, only the confidence of the probabilities",
    "decision": "how probabilities became the classes that are scored, as predict does: calibrated (each class from "
    "a threshold that validation images chose), argmax (the most probable class) or a number; what validation "
    "says is measured on the half of its images that did not choose",
    "boundary": "boundary_iou is pooled; the others are means over measured images; distances in pixels, where both "
    "contours exist, and one_missing counts the images where just one does",
    "instances": "connected are the pixels of a class that are connected by their sides (four neighbours), watershed "
    "these cut at their necks: as predict writes them; pixels without a label do not count, nor whether the class is "
    "right",
    "membranes": "the best over thresholds of the mean over images, thresholds chosen on the images that are scored, "
    "as in the ISBI 2012 challenge",
}


class Scores(Mapping[str, Score]):
    """Scores by name, also as attributes: `scores.iou` is `scores["iou"]`, a float that knows its `interval`.

    >>> scores = Scores({"iou": Score(0.8, (0.7, 0.9))})
    >>> scores.iou.interval, dict(scores)
    ((0.7, 0.9), {'iou': 0.8000 [0.7000, 0.9000]})
    """

    def __init__(self, scores: Mapping[str, Score]) -> None:
        self._scores = dict(scores)

    def __getitem__(self, name: str) -> Score:
        return self._scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._scores)

    def __len__(self) -> int:
        return len(self._scores)

    def __getattr__(self, name: str) -> Score:
        if name.startswith("_") or name not in self._scores:
            raise AttributeError(f"there is no score {name}: {did_you_mean(name, self.__dict__.get('_scores', ()))}")
        return self._scores[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._scores]

    def __repr__(self) -> str:
        return f"<Scores: {', '.join(f'{name} {score!r}' for name, score in self._scores.items())}>"


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Result):
    """The scores of a model on the images of one part.

    Args:
        part: "test", "val", "train", "all", or "data" for another folder.
        labels: The classes.
        images: One score an image, at least one.
        curves: Every threshold, over all images.
        softened: The same after temperature scaling.
        calibration: What was fitted on validation images; None where there were none.
        decision: How probabilities became classes; None where only counts are known.
        groups: The group of each image where images belong together.
        grouped_by: What tells the groups, such as "name".
        gallery: Images that a report shows, with what was predicted of them.
        page: The report, where it is written.

    Attributes:
        mean_iou, mean_dice, pixel_accuracy, mean_accuracy, kappa: Scores of all classes; floats with an `interval`.
    """

    part: str
    labels: Labels
    images: tuple[ImageScore, ...]
    curves: ThresholdCurves | None = None
    softened: ThresholdCurves | None = None
    calibration: Calibration | None = None
    decision: Decision | None = None
    groups: tuple[str, ...] | None = None
    grouped_by: str | None = None
    gallery: Gallery | None = None
    page: Path | None = None

    bar: ClassVar[str] = "iou"

    def __getattr__(self, name: str) -> Score:
        if name not in DATASET_SCORES:
            raise AttributeError(f"an Evaluation has no {name}.")
        return self.scores[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *DATASET_SCORES]

    @cached_property
    def scores(self) -> Scores:
        """`DATASET_SCORES` by name."""
        found = self.dataset_intervals
        return Scores({name: _score(found, i) for i, name in enumerate(DATASET_SCORES)})

    @cached_property
    def classes(self) -> Mapping[str, Scores]:
        """`CLASS_SCORES` and `IMAGE_SCORES` of each class, by the class's name."""
        found = self.class_intervals
        return {
            name: Scores(
                {score: _score(found, (i, k)) for i, score in enumerate(CLASS_SCORES)}
                | {score: _score(each, k) for score, each in self.image_scores.items()}
            )
            for k, name in enumerate(self.labels.names)
        }

    @property
    def headline(self) -> str:
        """Mean IoU, its interval, and over how many images."""
        low_high = self.mean_iou.interval
        span = f" [{low_high[0]:.3f}, {low_high[1]:.3f}]" if low_high else ""
        score, images = f"{_spelled(self.mean_iou)}{span}", counted(len(self.images), "image")
        return say("mean IoU {score} on {images} ({part})", score=score, images=images, part=subset(self.part))

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a class, a row a score of all classes, a row an image."""
        pixels = self.stacked.pooled.true_positive + self.stacked.pooled.false_negative
        return {
            "classes": [
                {"class": name, **scores, "pixels": int(pixels[k])}
                for k, (name, scores) in enumerate(self.classes.items())
            ],
            "dataset": [
                {"score": name, "value": score, "interval": score.interval} for name, score in self.scores.items()
            ],
            "images": self.rows(),
        }

    @cached_property
    def stacked(self) -> Counts:
        """The counts of every image, (images, K)."""
        return Counts.stack(image.counts for image in self.images)

    @cached_property
    def dataset_intervals(self) -> Interval:
        """Of `DATASET_SCORES`, in their order."""
        return self.interval(lambda counts: np.stack([compute(name, counts) for name in DATASET_SCORES], -1))

    @cached_property
    def class_intervals(self) -> Interval:
        """Of `CLASS_SCORES` and each class, (scores, K)."""
        return self.interval(lambda counts: np.stack([compute(name, counts) for name in CLASS_SCORES], -2))

    @cached_property
    def image_scores(self) -> dict[str, Interval]:
        """The mean over images of each of `IMAGE_SCORES`, (K,)."""
        return {name: bootstrap_interval(compute(name, self.stacked), groups=self.groups) for name in IMAGE_SCORES}

    @cached_property
    def blind(self) -> dict[str, Counts]:
        """Pooled counts of predictors that never look at the image."""
        return {name: counts.pooled for name, counts in baselines(self.stacked, self.labels.background).items()}

    @property
    def units(self) -> int:
        """How many independent images there are: images, or groups of images that belong together."""
        return len(set(self.groups)) if self.groups else len(self.images)

    @property
    def warning(self) -> str | None:
        """Why the figures carry no verdict; None where they do."""
        return few_units(self.units)

    @property
    def verdict(self) -> str:
        """What the figures say, in one sentence."""
        if (warning := self.warning) is not None:
            return warning
        blind = max((float(np.nan_to_num(counts.mean_iou)) for counts in self.blind.values()), default=0.0)
        score = self.mean_iou
        if score.interval is None or score.interval[0] <= blind:
            return (
                "The model is not clearly better than a baseline that ignores the image: "
                f"mean IoU {score:.3f} against {blind:.3f}."
            )
        defined = {name: scores.iou for name, scores in self.classes.items() if not math.isnan(scores.iou)}
        weakest = min(defined, key=lambda name: defined[name])
        return (
            f"The model is clearly better than a baseline that ignores the image, mean IoU {score:.3f} against "
            f"{blind:.3f}; its weakest class is {weakest} (IoU {defined[weakest]:.3f})."
        )

    def worst(self, number: int = 3) -> list[tuple[str, float]]:
        """Name and mean IoU of the images with the lowest, the lowest first."""
        scored = [(image.sample.name, float(image.counts.mean_iou)) for image in self.images]
        return sorted((each for each in scored if not math.isnan(each[1])), key=lambda each: each[1])[:number]

    def pictures(self) -> Sequence[Picture]:
        """The images with the lowest mean IoU, with what was predicted of them."""
        if self.gallery is None:
            return ()
        data, labels = self.gallery.dataset, self.labels
        return [
            Picture(
                f"{each.sample.name} {each.score:.3f}",
                overlay(picture(data.image(each.sample)), each.prediction, labels),
            )
            for each in self.gallery.headings.get("lowest", ())
        ]

    def interval(self, statistic: Callable[[Counts], Float64s]) -> Interval:
        """A pooled figure with its interval over images, or groups."""
        return bootstrap_interval(self.stacked, statistic, groups=self.groups)

    @cached_property
    def labelled_share(self) -> float:
        """Of all pixels of the images, those with a label (of the first class, where several can share a pixel)."""
        counts = self.stacked.pooled
        parts = (counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative)
        sizes = {(s.image, s.page, s.corner): s.height * s.width for s in (each.sample for each in self.images)}
        every = sum(sizes.values())  # an image whose strokes are divided counts once
        return sum(int(part[0]) for part in parts) / every if every else float("nan")

    @property
    def caveat(self) -> str:
        """What is to be said beside every score of partly labelled images; empty for others."""
        if not self.labelled_share < PARTLY:
            return ""
        return f"{self.labelled_share:.1%} of the pixels have a label. {OPTIMISTIC}"

    def to_dict(self) -> JsonObject:
        """The content of metrics.json; undefined figures are None."""
        pooled, names = self.stacked.pooled, self.labels.names
        classes = {}
        for k, name in enumerate(names):
            scores = {score: compute(score, pooled)[k] for score in CLASS_SCORES}
            scores |= {score: each.value[k] for score, each in self.image_scores.items()}
            pixels = int(pooled.true_positive[k] + pooled.false_negative[k])
            classes[name] = {key: number_or_none(value) for key, value in scores.items()} | {"pixels": pixels}
        return {
            "schema": SCHEMA,
            "split": self.part,
            "images": len(self.images),
            "independent_images": self.units,
            "verdict": self.verdict,
            "warning": self.warning,
            "dataset": {score: number_or_none(compute(score, pooled)) for score in DATASET_SCORES},
            "classes": classes,
            "intervals": self._intervals(),
            "image_means": details.image_means(self.stacked, names),
            "baselines": {name: details.pooled_scores(counts, names) for name, counts in self.blind.items()},
            "confusion": None if pooled.confusion is None else pooled.confusion.tolist(),
            "curves": self.curves and details.curve_scores(self.curves, self.calibration, self.part, names),
            "calibration": self.curves and details.calibration(self.curves, self.softened, self.calibration, names),
            "decision": self.decision and details.decision(self.decision, self.calibration, names),
            "boundary": details.boundary_scores(self.images, names),
            "instances": details.instance_scores(self.images, self.groups),
            "membranes": details.membranes(self.images, self.groups),
            "labelled_share": number_or_none(self.labelled_share),
            "caveat": self.caveat or None,
            "definitions": DEFINITIONS,
        }

    def rows(self) -> list[JsonObject]:
        """A row an image, as in images.csv; undefined figures are empty."""
        return [details.image_row(image, self.labels.names) for image in self.images]

    def save(self, folder: Path) -> None:
        """Write metrics.json and images.csv. Raises OutputError."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(folder / "metrics.json", text + "\n")
        write_text(folder / "images.csv", csv_table(self.rows()))

    def text(self) -> str:
        """The table for the terminal."""
        pooled, between = self.stacked.pooled, self.class_intervals
        width = max(len("class"), *map(len, self.labels.names))
        first, *more = metrics_of("class", listed=True)
        heads = [METRICS[key].label[0] for key in (*more, *metrics_of("image", listed=True))]
        lines = [
            f"{'class':<{width}}  {METRICS[first].label[0]:>6}  {'95 %':^15}" + "".join(f"  {h:>9}" for h in heads)
        ]
        for k, name in enumerate(self.labels.names):
            scores = [compute(key, pooled)[k] for key in more]
            scores += [self.image_scores[key].value[k] for key in metrics_of("image", listed=True)]
            low_high = _span(between.low[0, k], between.high[0, k])
            lines.append(
                f"{name:<{width}}  {_spelled(compute(first, pooled)[k]):>6}  {low_high:^15}"
                + "".join(f"  {_spelled(score):>9}" for score in scores)
            )
        blind = max((float(np.nan_to_num(counts.mean_iou)) for counts in self.blind.values()), default=0.0)
        lines.append(f"{how_many(len(self.images), 'image')} ({self.part}), pooled over pixels{self._said_units()}:")
        whole = self.dataset_intervals
        for score in metrics_of("dataset", listed=True):
            name, place, value = METRICS[score].label[0], DATASET_SCORES.index(score), compute(score, pooled)
            note = f"  (a baseline that ignores the image: {blind:.4f})" if score == "mean_iou" else ""
            lines.append(f"  {name:<15} {_spelled(value)}  {_span(whole.low[place], whole.high[place])}{note}")
        if self.caveat:
            lines.append(f"  {self.caveat}")
        if self.decision is not None:
            lines.append(f"  {'decided by':<15} {self.decision.name} ({self.decision.reason})")
        for score, (found, _) in details.best_membranes(self.images, self.groups).items():
            name = score.replace("v", "V")
            lines.append(f"  {name:<15} {_spelled(found.value)}  {_span(found.low, found.high)}")
        return "\n".join([*lines, *self._conclusion()])

    def _conclusion(self) -> list[str]:
        worst = [f"  {score:.3f}  {name}" for name, score in self.worst()]
        page = [f"report: {self.page}"] if self.page else []
        return ["", self.verdict, *(["lowest mean IoU:", *worst] if worst else []), *page]

    def _said_units(self) -> str:
        """What the intervals are drawn over, or why there are none."""
        units, kind = (len(set(self.groups)), "group") if self.groups else (len(self.images), "image")
        if units == 1:
            return f"; intervals need more than one {kind}"
        return f", intervals over {how_many(units, kind)}" if self.groups else ""

    def _intervals(self) -> JsonObject:
        whole, of_class = self.dataset_intervals, self.class_intervals
        classes = {}
        for k, name in enumerate(self.labels.names):
            scores = {s: details.span(of_class.low[i, k], of_class.high[i, k]) for i, s in enumerate(CLASS_SCORES)}
            images = {s: details.span(each.low[k], each.high[k]) for s, each in self.image_scores.items()}
            classes[name] = scores | images
        return {
            "level": whole.level,
            "over": "groups" if self.groups else "images",
            "grouped_by": self.grouped_by,
            "units": len(set(self.groups)) if self.groups else len(self.images),
            "dataset": {s: details.span(whole.low[i], whole.high[i]) for i, s in enumerate(DATASET_SCORES)},
            "classes": classes,
        }


def _score(found: Interval, place: int | tuple[int, int]) -> Score:
    low, high = float(found.low[place]), float(found.high[place])
    return Score(float(found.value[place]), None if np.isnan(low) else (low, high))


def _spelled(value: SupportsFloat) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _span(low: SupportsFloat, high: SupportsFloat) -> str:
    return "–" if math.isnan(low) else f"{low:.4f}–{high:.4f}"
