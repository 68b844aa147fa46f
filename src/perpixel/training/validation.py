"""Scores on whole images at native resolution, the way they will be predicted."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample
from perpixel.errors import Problem, SettingsError, did_you_mean
from perpixel.labels.codec import Codec
from perpixel.labels.labels import Labels
from perpixel.losses import WeightedLoss
from perpixel.metrics import Counts, count
from perpixel.metrics.counts import mean_defined
from perpixel.metrics.metric_table import METRICS, compute, metrics_of
from perpixel.prediction import Predictor
from perpixel.runtime.function_options import option_problems
from perpixel.runtime.json_values import Json, JsonMapping
from perpixel.shapes import IGNORED, TargetArray

LOSS: Final = "loss"


@dataclass(frozen=True)
class Validation:
    """Sums over all pixels of all validation images; those of several processes add.

    Args:
        losses: "loss" of the images and "loss_NAME" of its terms, each times the image's counted pixels.
        pixels: The counted pixels.
        counts: Right and wrong pixels.
    """

    losses: Mapping[str, float]
    pixels: int
    counts: Counts

    @property
    def scores(self) -> dict[str, float]:
        """Columns of the history; losses are means over images, weighted by their counted pixels, NaN without any."""
        losses = {name: total / self.pixels if self.pixels else math.nan for name, total in self.losses.items()}
        return losses | {name: float(compute(name, self.counts)) for name in metrics_of("dataset")}


def monitored(name: str, options: JsonMapping, labels: Labels) -> Callable[[Validation], float]:
    """What tells how good a validation is: more is better, NaN where it is undefined.

    Args:
        name: "loss", or a metric of all classes or of each class, whose mean is taken.
        options: Keywords of the metric; and "class", the name of the one that counts.
        labels: The classes.

    Raises:
        SettingsError: A metric has no such option or class, or is undefined for these labels.
    """
    if name == LOSS:
        if options:
            raise SettingsError(f"{LOSS!r} has no option {next(iter(options))!r}.", fix="leave the options out.")
        return lambda validation: -validation.scores[LOSS]
    metric, own = METRICS[name], dict(options)
    of_class = own.pop("class", None)
    problems = [*_class_problems(name, of_class, labels), *option_problems(name, own, metric.compute, ("class",))]
    if problems:
        raise SettingsError.of(problems)
    place = None if of_class is None else labels.names.index(str(of_class))
    sign = -1.0 if metric.lower_is_better else 1.0

    def score(counts: Counts) -> float:
        values = metric.compute(counts, **own)  # () or (K,)
        return float(values[place] if place is not None else mean_defined(np.atleast_1d(values)))

    if math.isnan(score(Counts.flawless(len(labels), labels.kind))):
        raise SettingsError(f"The metric {name!r} is undefined for these labels.", fix="monitor another one.")
    return lambda validation: sign * score(validation.counts)


def _class_problems(name: str, of_class: Json, labels: Labels) -> Iterator[Problem]:
    if of_class is None:
        return
    if METRICS[name].level != "class":
        each = ", ".join(metrics_of("class"))
        yield Problem(f"The metric {name!r} is not of single classes.", fix=f"monitor one of {each}.")
    elif str(of_class) not in labels.names:
        yield Problem(f"There is no class {of_class!r} to watch.", fix=did_you_mean(str(of_class), labels.names))


def validate(predictor: Predictor, dataset: Dataset, samples: Iterable[Sample], loss: WeightedLoss) -> Validation:
    """Predict and score the samples one by one."""
    codec = predictor.codec
    total = Counts.zero(len(codec.labels), codec.labels.kind)
    losses, pixels = dict.fromkeys(["loss", *(f"loss_{name}" for name in loss.names)], 0.0), 0
    for sample in samples:
        image, target = dataset.labelled_image(sample)
        probabilities = predictor.probabilities(image, str(sample.image))
        prediction = codec.decode_array(probabilities)
        total = total + count(prediction, target, classes=len(codec.labels), kind=codec.labels.kind)
        counted = int((target != IGNORED).sum())
        for name, value in _losses_of(loss, probabilities, target, codec).items():
            losses[name] += counted * value
        pixels += counted
    return Validation(losses, pixels, total)


def _losses_of(
    loss: WeightedLoss, probabilities: NDArray[np.float32], target: TargetArray, codec: Codec
) -> dict[str, float]:
    """The loss of one image and its terms, from the logits that give its probabilities."""
    logits = torch.from_numpy(codec.labels.logits(probabilities))[None]
    terms = loss.terms(logits, codec.loss_target(torch.from_numpy(target)[None]))
    return {"loss": float(loss.total(terms)), **{f"loss_{name}": float(value) for name, value in terms.items()}}
