"""Architectures of segmentation_models.pytorch by name; imported only when asked for."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from perpixel.errors import SettingsError, did_you_mean
from perpixel.models.base import SegmentationModel
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.weights import HUB_NAMES, fetch, load_public, read_state

DEFAULT_SMP_ENCODER = "resnet34"
_STRIDE = 32


class SMPModel(SegmentationModel):
    """A network of segmentation_models.pytorch that takes any size.

    Args:
        network: What `segmentation_models_pytorch.create_model` builds.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__(stride=_STRIDE)
        self.network = network
        object.__setattr__(self, "encoder", network.encoder)  # a name for it, not a second copy of its weights

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        return {"logits": self.network(image)}


def build_smp(
    architecture: str,
    *,
    encoder: str | None = None,
    weights: str | Path = "none",
    options: Mapping[str, Any],
    in_channels: int,
    classes: int,
) -> SMPModel:
    """Build one of its architectures.

    Args:
        architecture: Its name there, "deeplabv3plus" for example.
        encoder: A name of one of its encoders or of timm; None for resnet34.
        weights: Of the encoder: "none", "auto" for those that it fetches, or a file.
        options: What the architecture takes beside.
        in_channels: Channels C of the image.
        classes: Classes K.

    Raises:
        SettingsError: The library is not installed, knows no such architecture, encoder or option, or cannot
            fetch the weights.
    """
    smp = _import_smp()
    kinds = [kind for kind in vars(smp).values() if isinstance(kind, type) and issubclass(kind, nn.Module)]
    architectures = sorted(kind.__name__.lower() for kind in kinds)
    if architecture.lower() not in architectures:
        raise SettingsError(
            f"there is no architecture {architecture!r} in segmentation_models.pytorch.",
            fix=did_you_mean(architecture.lower(), architectures),
        )
    name = _encoder_name(smp, encoder or DEFAULT_SMP_ENCODER)
    build = partial(smp.create_model, architecture, name, in_channels=in_channels, classes=classes, **options)
    try:
        network = build(encoder_weights=None)
    except (TypeError, ValueError, KeyError, RuntimeError) as error:
        raise SettingsError(
            f"segmentation_models.pytorch cannot build {architecture} on {name}: {error}",
            fix="choose another encoder, or options that this architecture has.",
        ) from error
    if str(weights) == "auto":
        network = fetch(name, partial(build, encoder_weights="imagenet"))
    elif str(weights) != "none":
        load_public(network.encoder, read_state(Path(weights)), origin=str(weights))
    return SMPModel(network)


def _encoder_name(smp: Any, name: str) -> str:
    """Its own name for an encoder; it takes those of timm with the prefix "tu-"."""
    if name in smp.encoders.encoders:
        return name
    return f"tu-{HUB_NAMES.get(name, name).removeprefix('tu-')}"


def _import_smp() -> Any:
    prepare_torchvision()
    try:
        import segmentation_models_pytorch
    except ModuleNotFoundError as error:
        raise SettingsError(
            "models named smp/… come from segmentation_models.pytorch, which is not installed.",
            fix="pip install 'perpixel[smp]', or choose one of perpixel's own models.",
        ) from error
    return segmentation_models_pytorch
