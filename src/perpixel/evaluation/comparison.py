"""Two runs or more on the same images: who is better, and could it be chance?"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, SupportsFloat

import numpy as np

from perpixel.dataset import Dataset, Sample, scan
from perpixel.dataset.overrides import Overrides, stated_by
from perpixel.errors import DataError, SettingsError
from perpixel.evaluation.details import few_units, number_or_none, span
from perpixel.evaluation.gallery import ComparedSample, FurthestApart
from perpixel.evaluation.image_score import pixel_score
from perpixel.evaluation.scoring import answer_of, groups_of_samples, samples_of_part
from perpixel.files.atomic import write_text
from perpixel.labels.labels import Value
from perpixel.language import counted, say, subset
from perpixel.metrics import Counts, Interval, bootstrap_interval, paired_difference
from perpixel.metrics.counts import Float64s
from perpixel.metrics.metric_table import METRICS, compute, metrics_of
from perpixel.prediction import Predictor
from perpixel.results import Result, Row, Score, how_many
from perpixel.runtime.choices import PartName
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.progress import Progress, silent
from perpixel.shapes import TargetArray
from perpixel.store.run_folder import Run

COMPARED: Final = metrics_of("dataset", listed=True)


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Result):
    """Runs on the same images; the others are compared with the first.

    Args:
        names: Of the runs, all different.
        dataset: Where the images are from.
        samples: The images, in the order of the counts.
        counts: Of each run, (images, K).
        groups: The group of each image where images belong together.
        part: Which images these are.
        furthest_apart: The images on which the runs differ most, with what was predicted of them.
        page: compare.html, where it is written.
    """

    names: tuple[str, ...]
    dataset: Dataset
    samples: tuple[Sample, ...]
    counts: tuple[Counts, ...]
    groups: tuple[str, ...] | None
    part: str
    furthest_apart: tuple[ComparedSample, ...] = ()
    page: Path | None = None

    @property
    def units(self) -> int:
        """How many independent images there are: images, or groups of images that belong together."""
        return len(set(self.groups)) if self.groups else len(self.counts[0].true_positive)

    @property
    def warning(self) -> str | None:
        """Why nothing is decided; None where there are images enough."""
        return few_units(self.units)

    @property
    def headline(self) -> str:
        """Who is compared on what, and who has the highest mean IoU."""
        best = int(np.argmax([np.nan_to_num(found.value[0], nan=-1.0) for found in self.scores]))
        return say(
            "{runs} on {images} ({part}): {best} has mean IoU {score}",
            runs=counted(len(self.names), "run"),
            images=counted(len(self.counts[0].true_positive), "image"),
            part=subset(self.part),
            best=self.names[best],
            score=_spelled(self.scores[best].value[0]),
        )

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a score, with a column a run and what it has more than the first."""
        rows = []
        for i, score in enumerate(self.score_names):
            row: JsonObject = {"score": score}
            for place, name in enumerate(self.names):
                row[name] = _score(self.scores[place], i)
                if place:
                    row[f"{name} − {self.names[0]}"] = _score(self.differences[place], i)
                    row[f"verdict on {name}"] = self.verdict(place, i)
            rows.append(row)
        return {"scores": rows}

    @cached_property
    def scores(self) -> tuple[Interval, ...]:
        """`COMPARED` and the IoU of every class, (scores,), pooled, of every run."""
        return tuple(bootstrap_interval(counts, _scores, groups=self.groups) for counts in self.counts)

    @cached_property
    def differences(self) -> tuple[Interval, ...]:
        """What every run has more than the first, (scores,), pooled; both drawn together."""
        first = self.counts[0]
        return tuple(paired_difference(first, counts, _scores, groups=self.groups) for counts in self.counts)

    def verdict(self, run: int, place: int) -> str:
        """What the interval of a difference says: "better" or "worse" than the first, or "undecided".

        From fewer than 6 independent images nothing is decided; see `warning`.
        """
        if self.warning is not None:
            return "undecided"
        found, name = self.differences[run], self.score_names[place]
        more, less = (
            ("worse", "better") if name in COMPARED and METRICS[name].lower_is_better else ("better", "worse")
        )
        if found.low[place] > 0:
            return more
        return less if found.high[place] < 0 else "undecided"

    @property
    def score_names(self) -> tuple[str, ...]:
        """What `scores` and `differences` hold."""
        return (*COMPARED, *(f"iou_{name}" for name in self.dataset.labels.names))

    def to_dict(self) -> JsonObject:
        """Plain numbers, ready for JSON; undefined ones are None."""
        answer: JsonObject = {"schema": 1, "split": self.part, "images": len(self.samples), "runs": {}}
        answer |= {"independent_images": self.units, "warning": self.warning}
        for place, name in enumerate(self.names):
            found, more = self.scores[place], self.differences[place]
            answer["runs"][name] = {
                score: {
                    "value": number_or_none(found.value[i]),
                    "interval": span(found.low[i], found.high[i]),
                    "more_than_first": number_or_none(more.value[i]) if place else None,
                    "interval_of_difference": span(more.low[i], more.high[i]) if place else None,
                    "verdict": self.verdict(place, i) if place else None,
                }
                for i, score in enumerate(self.score_names)
            }
        return answer

    def save(self, folder: Path) -> None:
        """Write compare.json. Raises OutputError."""
        text = json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(folder / "compare.json", text + "\n")

    def text(self) -> str:
        """The table for the terminal."""
        names = [
            *(METRICS[name].label[0] for name in COMPARED),
            *(f"IoU {name}" for name in self.dataset.labels.names),
        ]
        width = max(map(len, names))
        lines = [f"{how_many(len(self.samples), 'image')} ({self.part}); differences from {self.names[0]}:"]
        for i, name in enumerate(names):
            lines.append(f"{name:<{width}}  {self.names[0]}: {_spelled(self.scores[0].value[i])}")
            for place in range(1, len(self.names)):
                gap, verdict = self.differences[place], self.verdict(place, i)
                lines.append(
                    f"{'':<{width}}  {self.names[place]}: {_spelled(self.scores[place].value[i])}  "
                    f"{_signed(gap.value[i])} [{_signed(gap.low[i])}, {_signed(gap.high[i])}] {verdict}"
                )
        return "\n".join([*lines, *([self.warning] if self.warning else [])])


def compared(
    runs: Sequence[tuple[Run, Predictor]],
    data: Path | None = None,
    *,
    part: PartName = "test",
    unlabelled: tuple[Value, ...] = (),
    progress: Progress = silent,
) -> Comparison:
    """Score runs on the same images.

    Args:
        runs: Two or more, with their models.
        data: A labelled folder, scored whole; without it, the images that are in this part of every run.
        part: Which.
        unlabelled: Values in the masks that nobody has labelled.
        progress: Called after each image.

    Raises:
        SettingsError: Fewer than two runs, or runs of other classes.
        DataError: No image is in this part of every run, or they have different data and none is named.
    """
    if len(runs) < 2:
        raise SettingsError(f"{len(runs)} run(s) cannot be compared.", fix="name two run folders or more.")
    labels = runs[0][1].codec.labels
    for run, predictor in runs[1:]:
        theirs = predictor.codec.labels
        if (theirs.kind, theirs.names) != (labels.kind, labels.names):
            raise SettingsError(
                f"{run.folder} has other classes than {runs[0][0].folder}.",
                fix="compare runs that were trained on the same classes.",
                examples=[f"{', '.join(labels.names)} ({labels.kind})", f"{', '.join(theirs.names)} ({theirs.kind})"],
            )
    first = runs[0][0]
    stated = Overrides(unlabelled=unlabelled)
    stated = stated if data is not None else stated.over(stated_by(first.settings.data))
    dataset = scan(data or first.data, labels, whole=data is not None, overrides=stated)
    samples = dataset.samples if data is not None else _common([run for run, _ in runs], dataset, part)
    scored: list[tuple[Counts, ...]] = []
    apart = FurthestApart()
    for _, predictor in runs:
        predictor.is_on_own_data = data is None
    for sample in samples:
        answers = [_predicted(predictor, dataset, sample) for _, predictor in runs]
        scored.append(tuple(counts for counts, _ in answers))
        means = tuple(float(counts.mean_iou) for counts in scored[-1])
        apart.add(ComparedSample(sample, tuple(prediction for _, prediction in answers), means))
        progress("comparing", len(scored), len(samples))
    counts = tuple(Counts.stack(of_run) for of_run in zip(*scored, strict=True))
    groups, _ = groups_of_samples(dataset, samples, None if data else first.settings.data.group_by)
    names = _names([run.folder for run, _ in runs])
    of_part = "data" if data is not None else part
    return Comparison(names, dataset, tuple(samples), counts, groups, of_part, apart.kept)


def _predicted(predictor: Predictor, dataset: Dataset, sample: Sample) -> tuple[Counts, TargetArray]:
    answer = answer_of(predictor, dataset, sample)
    return pixel_score(answer).counts, answer.prediction


def _scores(counts: Counts) -> Float64s:
    whole = np.stack([compute(name, counts) for name in COMPARED], -1)
    return np.concatenate([whole, counts.iou], -1)


def _common(runs: Sequence[Run], dataset: Dataset, part: PartName) -> tuple[Sample, ...]:
    """The images that are in this part of every run; so none was trained on the test images."""
    if others := [str(run.folder) for run in runs if run.data != runs[0].data]:
        raise DataError(
            f"not all of the {len(runs)} runs were trained on the data of {runs[0].folder}.",
            fix="name a labelled folder behind the runs, which all of them are scored on.",
            examples=others,
        )
    parts = [{sample.name for sample in samples_of_part(run, dataset, part)} for run in runs]
    shared = set.intersection(*parts)
    if not shared:
        raise DataError(
            f"no image is in the {part} part of all {len(runs)} runs.",
            fix="train them with the same seed and shares, or name another labelled folder.",
        )
    return tuple(sample for sample in dataset.samples if sample.name in shared)


def _names(folders: Sequence[Path]) -> tuple[str, ...]:
    """The folders' last parts, or as much as tells them apart."""
    for parts in range(1, max(len(folder.resolve().parts) for folder in folders) + 1):
        names = tuple("/".join(folder.resolve().parts[-parts:]) for folder in folders)
        if len(set(names)) == len(names):
            return names
    return tuple(f"{number}: {folder.name}" for number, folder in enumerate(folders, start=1))


def _score(found: Interval, i: int) -> Score:
    low, high = float(found.low[i]), float(found.high[i])
    return Score(float(found.value[i]), None if np.isnan(low) else (low, high))


def _spelled(value: SupportsFloat) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _signed(value: SupportsFloat) -> str:
    return "–" if math.isnan(value) else f"{value:+.4f}"
