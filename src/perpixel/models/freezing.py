"""What of an encoder keeps what it has learnt: the weights of its first stages, the statistics of its batch norm."""

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from perpixel.errors import SettingsError
from perpixel.models.base import Encoder


def freeze_stages(encoder: Encoder, stages: int, in_channels: int) -> None:
    """Let the first stages of an encoder keep their weights: all that its first feature maps are computed by.

    Which weights these are is asked of autograd, so it holds for any encoder. A step need not go back through them.

    Args:
        encoder: Still on the CPU or placed already.
        stages: Number of feature maps, finest first; 0 freezes nothing.
        in_channels: Channels of the image.

    Raises:
        SettingsError: The encoder has fewer.
    """
    if stages > len(encoder.strides):
        raise SettingsError(
            f"train.frozen_stages = {stages} is more than this encoder has: {len(encoder.strides)}.",
            fix=f"give at most {len(encoder.strides)}, or freeze all of it by train.encoder_lr_factor = 0.",
        )
    if stages == 0:
        return
    parameters = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    side = 2 * encoder.strides[-1]
    image = torch.zeros(1, in_channels, side, side, device=parameters[0].device)
    was_training = encoder.training
    last = encoder.eval()(image)[stages - 1]
    encoder.train(was_training)
    for parameter, gradient in zip(
        parameters, torch.autograd.grad(last.sum(), parameters, allow_unused=True), strict=True
    ):
        parameter.requires_grad_(gradient is None)


def freeze_statistics(encoder: Encoder, *, of_all: bool) -> None:
    """Let batch norm keep its statistics: where its weights are frozen, or all over the encoder.

    Factors and offsets that are not frozen go on learning.
    """
    for module in encoder.modules():
        if isinstance(module, _BatchNorm) and (of_all or not module.weight.requires_grad):
            module.eval()
