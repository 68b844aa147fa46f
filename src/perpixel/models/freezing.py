"""What of an encoder keeps what it has learnt: the weights of its first stages, the statistics of its batch norm."""

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from perpixel.errors import SettingsError
from perpixel.models.base import Encoder, SegmentationModel


def freeze_stages(network: SegmentationModel, stages: int, in_channels: int) -> None:
    """Let the first stages of an encoder keep their weights: all that its first feature maps are computed by.

    Which weights these are is asked of autograd, so it holds for any encoder. A step need not go back through them.

    Args:
        network: Placed already or not.
        stages: Number of feature maps, finest first; 0 freezes nothing.
        in_channels: Channels of the image.

    Raises:
        SettingsError: The encoder has fewer, or there is none.
    """
    encoder = network.encoder
    if stages == 0:
        return
    if encoder is None:
        raise SettingsError(
            f"train.frozen_stages = {stages} freezes stages of an encoder, and there is none.",
            fix="leave train.frozen_stages out, or give the network an encoder.",
        )
    parameters = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    side = 2 * network.stride
    image = torch.zeros(1, in_channels, side, side, device=parameters[0].device)
    was_training = encoder.training
    maps = [each for each in encoder.eval()(image) if each.requires_grad]  # some encoders answer the image, too
    encoder.train(was_training)
    if stages > len(maps):
        raise SettingsError(
            f"train.frozen_stages = {stages} is more than this encoder has: {len(maps)}.",
            fix=f"give at most {len(maps)}, or freeze all of it by train.encoder_lr_factor = 0.",
        )
    gradients = torch.autograd.grad(maps[stages - 1].sum(), parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.requires_grad_(gradient is None)


def freeze_statistics(encoder: Encoder, *, of_all: bool) -> None:
    """Let batch norm keep its statistics: where its weights are frozen, or all over the encoder.

    Factors and offsets that are not frozen go on learning.
    """
    for module in encoder.modules():
        if isinstance(module, _BatchNorm) and (of_all or (module.affine and not module.weight.requires_grad)):
            module.eval()
