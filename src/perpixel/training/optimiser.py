"""The optimiser, and which weights it moves how."""

import torch
from torch import nn

from perpixel.models import SegmentationModel
from perpixel.settings.tree import TrainSettings


def optimiser_for(network: SegmentationModel, train: TrainSettings) -> torch.optim.Optimizer:
    """Weights decay, biases and norms do not; the encoder has its own rate.

    Args:
        network: What it moves, but for what needs no gradients.
        train: Rates, decay, and the optimiser's name.
    """
    encoder = {id(parameter) for parameter in network.encoder.parameters()} if network.encoder is not None else set()
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for parameter in network.parameters():
        if parameter.requires_grad:
            groups.setdefault((id(parameter) in encoder, parameter.ndim > 1), []).append(parameter)
    described = [
        {
            "params": parameters,
            "factor": train.encoder_lr_factor if in_encoder else 1.0,
            "weight_decay": train.weight_decay if decays else 0.0,
        }
        for (in_encoder, decays), parameters in groups.items()
    ]
    if train.optimiser == "sgd":
        nesterov = train.nesterov and train.momentum > 0
        return torch.optim.SGD(described, lr=train.learning_rate, momentum=train.momentum, nesterov=nesterov)
    kind = torch.optim.AdamW if train.optimiser == "adamw" else torch.optim.Adam
    return kind(described, lr=train.learning_rate)
