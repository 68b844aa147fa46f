"""Scores on whole images at native resolution, the way they will be predicted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample
from perpixel.labels.codec import Codec
from perpixel.losses import Loss
from perpixel.metrics import Counts, count
from perpixel.prediction import Predictor
from perpixel.shapes import IGNORED, TargetArray

MONITORED: Final = ("mean_iou", "mean_dice", "mean_accuracy", "pixel_accuracy", "frequency_weighted_iou")
"""The figures of `Counts` that `train.monitor` can name beside the loss; more is better."""


@dataclass(frozen=True)
class Validation:
    """Sums over all pixels of all validation images; those of several processes add.

    Args:
        losses: Losses of the images, each times its counted pixels.
        pixels: The counted pixels.
        counts: Right and wrong pixels.
    """

    losses: float
    pixels: int
    counts: Counts

    @property
    def loss(self) -> float:
        """Mean over images, weighted by their counted pixels; NaN where none is counted."""
        return self.losses / self.pixels if self.pixels else float("nan")

    @property
    def scores(self) -> dict[str, float]:
        """What `train.monitor` can name; each is a column of the history."""
        return {"loss": self.loss} | {name: float(getattr(self.counts, name)) for name in MONITORED}


def validate(predictor: Predictor, dataset: Dataset, samples: Iterable[Sample], loss: Loss) -> Validation:
    """Predict and score the samples one by one."""
    codec = predictor.codec
    total = Counts.zero(len(codec.labels), codec.labels.kind)
    losses, pixels = 0.0, 0
    for sample in samples:
        target = dataset.target(sample)
        probabilities = predictor.probabilities(dataset.image(sample), str(sample.image))
        prediction = codec.decode_array(probabilities)
        total = total + count(prediction, target, classes=len(codec.labels), kind=codec.labels.kind)
        counted = int((target != IGNORED).sum())
        losses += counted * _loss_of(loss, probabilities, target, codec)
        pixels += counted
    return Validation(losses, pixels, total)


def _loss_of(loss: Loss, probabilities: NDArray[np.float32], target: TargetArray, codec: Codec) -> float:
    """The loss of one image, from the logits that give its probabilities."""
    logits = torch.from_numpy(codec.labels.logits(probabilities))[None]
    return float(loss(logits, codec.loss_target(torch.from_numpy(target)[None])))
