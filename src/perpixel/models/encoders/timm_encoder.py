"""Any encoder of timm, by its name there; timm is imported only here, and only when asked for."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from perpixel.errors import SettingsError, did_you_mean
from perpixel.models.base import Encoder
from perpixel.models.weights import fetch, import_timm, load_public, read_state


class TimmEncoder(Encoder):
    """A timm network as a feature pyramid.

    Args:
        network: What timm builds with `features_only`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        pyramid: Any = network.feature_info
        self.out_channels = tuple(pyramid.channels())
        self.strides = tuple(pyramid.reduction())

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to the feature maps of timm's pyramid, channels second."""
        return [
            x if x.shape[1] == channels else x.permute(0, 3, 1, 2)
            for x, channels in zip(self.network(image), self.out_channels, strict=True)
        ]


def timm_encoder(
    name: str, *, in_channels: int, weights: str | Path, known: Collection[str] = (), **options: Any
) -> TimmEncoder:
    """Build an encoder by its name in timm.

    Args:
        name: Its name in timm, "convnext_tiny" for example.
        in_channels: Channels of the image.
        weights: "none", "auto" for those that timm fetches, or a file of its state dict.
        known: Other names to suggest when timm does not know this one.
        options: What timm's `create_model` takes beside, `output_stride` for example.

    Raises:
        SettingsError: timm is not installed, does not know the name, has no feature pyramid for it, or cannot
            fetch the weights.
    """
    timm = import_timm()
    check_timm_name(timm, name, known)
    build = partial(timm.create_model, name, features_only=True, in_chans=in_channels, **options)
    try:
        network = build(pretrained=False)
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise SettingsError(
            f"timm gives no feature maps for {name!r}: {error}",
            fix="choose a convolutional or hierarchical network, resnet34d or convnext_tiny for example.",
        ) from error
    if str(weights) == "auto":
        network = fetch(name, partial(build, pretrained=True))
    elif str(weights) != "none":
        load_public(network, read_state(Path(weights)), origin=str(weights))
    encoder = TimmEncoder(network)
    _refuse_other_sizes(name, encoder, in_channels)
    return encoder


@torch.inference_mode()
def _refuse_other_sizes(name: str, encoder: TimmEncoder, in_channels: int) -> None:
    """Raise SettingsError unless each feature map has the size of the image divided by its stride."""
    side = 4 * encoder.strides[-1]
    wanted = [side // stride for stride in encoder.strides]
    try:
        sides = [max(each.shape[-2:]) for each in encoder.eval()(torch.zeros(1, in_channels, side, side))]
    except (RuntimeError, AssertionError, ValueError) as error:
        found = f"it does not take an image of {side} × {side} pixels ({error})"
    else:
        encoder.train()
        if sides == wanted:
            return
        found = f"an image of {side} × {side} pixels gives maps of {sides} instead of {wanted} pixels"
    raise SettingsError(
        f"the feature maps of {name} do not fit the image: {found}.",
        fix="choose an encoder whose convolutions keep their size, resnet34d or convnext_tiny for example.",
    )


def timm_statistics(name: str, *, known: Collection[str] = ()) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per colour that the public weights of a timm network expect."""
    timm = import_timm()
    check_timm_name(timm, name, known)
    settings = timm.get_pretrained_cfg(name)
    return tuple(settings.mean), tuple(settings.std)


def check_timm_name(timm: ModuleType, name: str, known: Collection[str] = ()) -> None:
    """Raise SettingsError unless timm lists the network.

    timm would take `hf-hub:owner/name` and `local-dir:folder` for places to load from; a name is never a place here.
    """
    if ":" in name or "/" in name or not timm.is_model(name):
        raise SettingsError(
            f"there is no encoder {name!r}, neither among perpixel's own nor in timm.",
            fix=did_you_mean(name, {*known, *timm.list_models()}),
        )
