"""Architectures of segmentation_models.pytorch by name; imported only when asked for."""

import inspect
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

from torch import Tensor, nn

from perpixel.errors import Problem, SettingsError, did_you_mean
from perpixel.models.base import SegmentationModel
from perpixel.models.encoders.timm_encoder import check_timm_name
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.weights import HUB_NAMES, fetch, import_timm, load_public, read_state
from perpixel.runtime.json_values import JsonMapping

DEFAULT_SMP_ENCODER = "resnet34"
SET_BY_PERPIXEL = ("encoder_name", "encoder_weights", "in_channels", "classes", "activation", "aux_params")
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
    options: JsonMapping,
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
    architectures = {kind.__name__.lower(): kind for kind in kinds}
    if architecture.lower() not in architectures:
        raise SettingsError(
            f"there is no architecture {architecture!r} in segmentation_models.pytorch.",
            fix=did_you_mean(architecture.lower(), architectures),
        )
    _check_options(architecture, architectures[architecture.lower()], options)
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


def _encoder_name(smp: ModuleType, name: str) -> str:
    """Its own name for an encoder; it takes those of timm with the prefix "tu-"."""
    if name in smp.encoders.encoders:
        return name
    timm_name = HUB_NAMES.get(name, name).removeprefix("tu-")
    check_timm_name(import_timm(), timm_name, known=tuple(smp.encoders.encoders))
    return f"tu-{timm_name}"


def _check_options(name: str, architecture: type[nn.Module], options: JsonMapping) -> None:
    """Raise SettingsError for options that the architecture does not name itself.

    What it does not name it hands on to timm, which takes paths and places to fetch weights from.
    """
    known = inspect.signature(architecture).parameters.keys() - {*SET_BY_PERPIXEL, "kwargs"}
    if unknown := sorted(options.keys() - known):
        raise SettingsError.of(
            Problem(f"smp/{name} has no option {option!r}.", fix=did_you_mean(option, known)) for option in unknown
        )


def _import_smp() -> ModuleType:
    prepare_torchvision()
    try:
        smp: ModuleType = import_module("segmentation_models_pytorch")
    except ModuleNotFoundError as error:
        raise SettingsError(
            "models named smp/… come from segmentation_models.pytorch, which is not installed.",
            fix="pip install huggingface_hub, then pip install --no-deps timm segmentation-models-pytorch, which "
            "keeps your PyTorch; or choose one of perpixel's own models.",
        ) from error
    return smp
