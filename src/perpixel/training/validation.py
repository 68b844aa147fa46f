"""Scores on whole images at native resolution, the way they will be predicted."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from perpixel.codec import Codec
from perpixel.dataset import Dataset, Sample
from perpixel.losses import Loss
from perpixel.metrics import Counts, count
from perpixel.prediction import Predictor
from perpixel.shapes import IGNORED, TargetArray

LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Validation:
    """Pooled over all pixels of all validation images.

    Args:
        loss: Mean over images, weighted by their counted pixels; NaN where none is counted.
        counts: Right and wrong pixels.
    """

    loss: float
    counts: Counts

    @property
    def scores(self) -> dict[str, float]:
        """What a run can be judged by, as `train.best_by` names it."""
        names = ("mean_iou", "mean_dice", "pixel_accuracy")
        return {"loss": self.loss} | {name: float(getattr(self.counts, name)) for name in names}


def validate(predictor: Predictor, dataset: Dataset, samples: Iterable[Sample], loss: Loss) -> Validation:
    """Predict and score the samples one by one."""
    codec = predictor.codec
    total = Counts.zero(len(codec.labels), codec.labels.kind)
    losses, pixels = [], []
    for sample in samples:
        target = dataset.target(sample)
        probabilities = torch.from_numpy(predictor.probabilities(dataset.image(sample), str(sample.image)))[None]
        prediction = codec.decode(probabilities)[0].numpy()
        total = total + count(prediction, target, classes=len(codec.labels), kind=codec.labels.kind)
        losses.append(float(loss(logits_of(probabilities, codec), as_batch(target, codec))))
        pixels.append(int((target != IGNORED).sum()))
    mean = float(np.average(losses, weights=pixels)) if sum(pixels) else float("nan")
    return Validation(mean, total)


def logits_of(probabilities: Tensor, codec: Codec) -> Tensor:
    """Logits (N, K, H, W) that give these probabilities, which are kept off 0 and 1."""
    if codec.labels.kind == "exclusive":
        return probabilities.clamp_min(LEAST_PROBABILITY).log()
    return probabilities.logit(LEAST_PROBABILITY)


def as_batch(target: TargetArray, codec: Codec) -> Tensor:
    """One target as a batch for a loss: (1, H, W) int64, or (1, K, H, W) uint8."""
    batch = torch.from_numpy(target)[None]
    return batch.long() if codec.labels.kind == "exclusive" else batch
