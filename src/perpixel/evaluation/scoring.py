"""One pass over the images of a part: predict each whole, score it, add up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample, scan
from perpixel.dataset.overrides import Overrides, stated_by
from perpixel.errors import DataError, SettingsError, did_you_mean
from perpixel.evaluation.gallery import Gallery, Lowest, ranking_score, unlabelled_of
from perpixel.evaluation.image_score import ImageAnswer, ImageScore, full_score, with_curves
from perpixel.evaluation.result import Evaluation
from perpixel.files.atomic import refuse_unwritable
from perpixel.labels.decision import Calibration
from perpixel.labels.labels import Labels, Value
from perpixel.language.notices import LOGGER
from perpixel.metrics import ThresholdCurves, threshold_curves
from perpixel.prediction import Predictor
from perpixel.runtime.allocator import keep_freed_memory
from perpixel.runtime.choices import PartName
from perpixel.runtime.evenly import evenly
from perpixel.runtime.progress import Progress, silent
from perpixel.split import Split, groups_of
from perpixel.store.run_folder import Run

Watch: TypeAlias = Callable[[Dataset, ImageAnswer, int], None]

CONTOUR_IMAGES: Final = 64
"""Distances between contours are measured, and ROC curves kept, of at most so many, evenly taken."""


def evaluate_run(  # noqa: PLR0913 # each is one thing to ask for
    run: Run,
    predictor: Predictor,
    data: Path | None = None,
    *,
    part: PartName = "test",
    out: Path | None = None,
    inside: str | None = None,
    unlabelled: tuple[Value, ...] = (),
    progress: Progress = silent,
    watch: Watch | None = None,
) -> Evaluation:
    """Score a run and write the scores to its evaluation folder.

    Args:
        run: Its split says which images belong to the part.
        predictor: Its model.
        data: Another labelled folder, which is then scored whole.
        part: Which images of the run's own data.
        out: Where to write, instead of the run's evaluation folder.
        inside: The class between membranes, for V_rand and V_info; without it they are computed where one of two
            classes is called membrane.
        unlabelled: Values in the masks that nobody has labelled, beside those of the run's settings for its own data.
        progress: Called after each image.
        watch: Called with the data set, what was predicted, and the number of images, for each image.

    Raises:
        DataError: The part has no images, or the data are not like the training data.
        SettingsError: `inside` is no class, or there are not two multiclass ones.
        OutputError: The scores cannot be written.
    """
    folder = out or run.evaluation_folder
    refuse_unwritable(folder)
    keep_freed_memory()
    labels = predictor.codec.labels
    stated = Overrides(unlabelled=unlabelled)
    stated = stated if data is not None else stated.over(stated_by(run.settings.data))
    dataset = scan(data or run.data, labels, whole=data is not None, overrides=stated)
    predictor.is_on_own_data = data is None
    task = _Task(predictor, dataset, _inside(labels, inside), watch)
    samples = task.dataset.samples if data is not None else samples_of_part(run, task.dataset, part)
    if not samples:
        raise DataError(f"{data} has no labelled image.", fix="add masks next to the images.")
    calibration = predictor.calibration
    lowest = Lowest()
    images, curves, softened = _passed(task, samples, calibration, lowest, partial(progress, "evaluating"))
    groups, grouped_by = groups_of_samples(task.dataset, samples, None if data else run.settings.data.group_by)
    evaluation = Evaluation(
        "data" if data is not None else part,
        labels,
        images,
        curves=curves,
        softened=softened,
        calibration=calibration,
        decision=predictor.decision,
        groups=groups,
        grouped_by=grouped_by,
        gallery=Gallery(task.dataset, {"lowest": lowest.kept} | unlabelled_of(task.dataset, predictor)),
    )
    evaluation.save(folder)
    return evaluation


def samples_of_part(run: Run, dataset: Dataset, part: PartName) -> tuple[Sample, ...]:
    """The samples of one part of a run's split. Raises DataError where it has none."""
    if part == "all":
        return dataset.samples
    divided = Split.load(run.split_path, dataset.samples)
    samples = divided.part(part)
    for finding in divided.changed(samples):
        LOGGER.warning("%s", finding.problem)
    if not samples:
        raise DataError(
            f"no image of {run.data} is in the {part} part of {run.folder}.",
            fix="choose another part, or name a labelled folder to score.",
        )
    return samples


def answer_of(predictor: Predictor, dataset: Dataset, sample: Sample) -> ImageAnswer:
    """Predict an image and read its truth. Raises DataError."""
    image, target = dataset.labelled_image(sample)
    probabilities = predictor.probabilities(image, str(sample.image))
    prediction = predictor.codec.decode_array(probabilities)
    return ImageAnswer(sample, predictor.codec.labels, probabilities, prediction, target)


def groups_of_samples(
    dataset: Dataset, samples: Sequence[Sample], pattern: str | None
) -> tuple[tuple[str, ...] | None, str | None]:
    """The group of each sample and what tells it, as in the split; None, None where nothing does."""
    found = groups_of(dataset.samples, pattern)
    if found is None:
        return None, None
    group_of = dict(zip((sample.name for sample in dataset.samples), found[0], strict=True))
    return tuple(group_of[sample.name] for sample in samples), found[1]


@dataclass(frozen=True)
class _Task:
    """What scores, and what is scored."""

    predictor: Predictor
    dataset: Dataset
    inside: int | None
    watch: Watch | None = None

    def answers(self, samples: Sequence[Sample]) -> Iterator[ImageAnswer]:
        return (answer_of(self.predictor, self.dataset, sample) for sample in samples)


def _passed(
    task: _Task,
    samples: Sequence[Sample],
    calibration: Calibration | None,
    lowest: Lowest,
    show: Callable[[float, float], None],
) -> tuple[tuple[ImageScore, ...], ThresholdCurves, ThresholdCurves | None]:
    """The scores of every image, the curves of all, and the curves after temperature scaling."""
    labels = task.predictor.codec.labels
    curves = ThresholdCurves.zero(len(labels))
    softened = curves if calibration is not None else None
    measured = set(evenly(range(len(samples)), CONTOUR_IMAGES))
    images = []
    for number, answer in enumerate(task.answers(samples)):
        instances = _true_instances(task.dataset, answer.sample)
        score = full_score(answer, instances, inside=task.inside, contours=number in measured)
        of_image = threshold_curves(answer.probabilities, answer.target)
        images.append(with_curves(score, of_image, roc=number in measured))
        lowest.add(answer, ranking_score(score.counts, labels))
        if task.watch is not None:
            task.watch(task.dataset, answer, len(samples))
        curves += of_image
        if softened is not None and calibration is not None:
            soft = labels.tempered(answer.probabilities, calibration.temperature)
            softened += threshold_curves(soft, answer.target)
        show(number + 1, len(samples))
    return tuple(images), curves, softened


def _true_instances(dataset: Dataset, sample: Sample) -> list[NDArray[np.int32]] | None:
    """The true instances for each layer of the target; None where they are not known."""
    layers = dataset.labels.layers
    each = [dataset.instances(sample, k if layers > 1 else None) for k in range(layers)]
    known = [instances for instances in each if instances is not None]
    return known if len(known) == layers else None


def _inside(labels: Labels, name: str | None) -> int | None:
    """The class between membranes: as named, or the one that is not called membrane."""
    membranes = {k for k, each in enumerate(labels.names) if each.lower() in ("membrane", "membranes")}
    two = not labels.is_multilabel and len(labels) == 2
    if name is None:
        return 1 - membranes.pop() if two and len(membranes) == 1 else None
    if name not in labels.names:
        raise SettingsError(f"there is no class {name} to be inside.", fix=did_you_mean(name, labels.names))
    if not two:
        raise SettingsError(
            f"V_rand and V_info need two multiclass classes; there are {len(labels)} {labels.kind} ones.",
            fix="name no class as `inside`.",
        )
    return labels.names.index(name)
