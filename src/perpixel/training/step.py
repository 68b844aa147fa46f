"""One training step, whoever takes it: the training, the timing of the plan, the learning-rate finder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from perpixel.labels.labels import Labels
from perpixel.losses import LossTerm, WeightedLoss, supervised, weighted, weights_by_class
from perpixel.losses.sums import Reduce, here
from perpixel.metrics import Counts
from perpixel.models import SegmentationModel
from perpixel.models.freezing import freeze_stages, freeze_statistics
from perpixel.runtime.hardware import Hardware, resolved_hardware
from perpixel.settings.tree import TrainSettings


@dataclass(frozen=True)
class StepResult:
    """What one training step gave, over all processes.

    Args:
        loss: Mean over the batch; not finite where the step was skipped.
        terms: Of the loss of the main output, each before its weight; mean over the batch.
        images: Number of crops in the batch.
        counts: Right and wrong pixels of the crops.
        tally: (2, images) int64, `tally_of` the crops; (2, 0) where no crop is drawn by it.
        learning_rate: The highest of the groups of weights.
    """

    loss: float
    terms: Mapping[str, float]
    images: int
    counts: Counts
    tally: NDArray[np.int64]
    learning_rate: float


def hardware_for(train: TrainSettings) -> Hardware:
    """What the settings of a training compute on. Raises SettingsError where the device is not there."""
    memory_format = None if train.memory_format == "auto" else train.memory_format
    return resolved_hardware(train.device, train.precision, memory_format)


def freeze(network: SegmentationModel, train: TrainSettings, in_channels: int) -> None:
    """Before the first step: tell the weights of the encoder that no step moves that they need no gradients.

    Raises SettingsError: the encoder has fewer stages than `frozen_stages`, or there is none.
    """
    if network.encoder is not None and train.encoder_lr_factor == 0:
        network.encoder.requires_grad_(False)
    else:
        freeze_stages(network, train.frozen_stages, in_channels)


def set_training_mode(network: SegmentationModel, train: TrainSettings) -> None:
    """Let a network learn; the batch norm of its encoder as `encoder_norm` says, and of what is frozen nothing."""
    network.train()
    if network.encoder is None:
        return
    if train.encoder_lr_factor == 0:
        network.encoder.eval()
    else:
        freeze_statistics(network.encoder, of_all=train.encoder_norm == "frozen")


def loss_for(train: TrainSettings, labels: Labels, *, reduce: Reduce = here) -> WeightedLoss:
    """What the settings of a training minimise. Raises SettingsError, as `weighted`; the plan may fill in the loss.

    Args:
        train: Its loss is named.
        labels: Of the data.
        reduce: Differentiable sum over ranks.
    """
    weights = train.class_weights
    by_index = None if isinstance(weights, str) else weights_by_class(weights, labels.names)
    terms = [LossTerm(each.name, each.weight, each.options) for each in train.loss]
    return weighted(terms, labels.kind, class_weights=by_index, reduce=reduce)


def loss_of(
    outputs_of: Callable[[Tensor], Mapping[str, Tensor]],
    image: Tensor,
    target: Tensor,
    loss: WeightedLoss,
    weights: Mapping[str, float],
    hardware: Hardware,
) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """The loss of a micro-batch, ready for backward, its terms, and the logits (N, K, H, W) float32.

    Args:
        outputs_of: The network's `training_outputs`.
        image: (N, C, H, W) float32, on the device.
        target: (N, H, W) int64 or (N, K, H, W) uint8, on the device.
        loss: Its terms are told of the output "logits".
        weights: Of each output of the network, by its name.
        hardware: Decides the precision.
    """
    with hardware.autocast():
        outputs = outputs_of(image)
    outputs = {name: logits.float() for name, logits in outputs.items()}
    main: dict[str, Tensor] = {}

    def watched(logits: Tensor, target: Tensor) -> Tensor:
        terms = loss.terms(logits, target)
        if logits is outputs["logits"]:
            main.update(terms)
        return loss.total(terms)

    return supervised(outputs, target, watched, weights), main, outputs["logits"]
