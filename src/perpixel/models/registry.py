"""The table of networks by name, and the one door that builds them."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from perpixel.errors import Problem, SettingsError, did_you_mean
from perpixel.models.base import Encoder, SegmentationModel
from perpixel.models.blocks import ConvolutionStyle
from perpixel.models.encoders import ENCODERS
from perpixel.models.fcn import FCN
from perpixel.models.fcn_resnet import FCNResNet
from perpixel.models.fcn_tutorial import TutorialFCN
from perpixel.models.segnet import SegNet
from perpixel.models.torchvision_weights import NETWORK_FILES
from perpixel.models.unet import UNet
from perpixel.models.unet_encoder import EncoderUNet
from perpixel.models.unetplusplus import EncoderUNetPlusPlus, UNetPlusPlus
from perpixel.models.weights import load_encoder_weights, packaged_path
from perpixel.runtime.json_values import JsonMapping, JsonObject

DEFAULT_MODEL: Final = "unet"
DEFAULT_ENCODER: Final = "efficientnet_lite0"
LARGEST_OPTION: Final = 4096
"""No option of a network, such as its width, is larger."""


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """How a network is built and what it is for.

    Args:
        summary: What it is for, in one line.
        on_encoder: Builds it on an encoder; None if it takes none.
        plain: Builds it without an encoder; None if it needs one.
        encoder: The encoder that it takes when none is named; None for the plain network.
        encoder_options: Options that its encoder gets.
    """

    summary: str
    on_encoder: Callable[..., SegmentationModel] | None = None
    plain: Callable[..., SegmentationModel] | None = None
    encoder: str | None = None
    encoder_options: JsonMapping = field(default_factory=dict)


MODELS: Final[dict[str, ModelEntry]] = {
    "unet": ModelEntry(
        summary="U-Net (2015), plain or on an encoder: the first choice for small data and fine structures",
        plain=UNet,
        on_encoder=EncoderUNet,
    ),
    "unetplusplus": ModelEntry(
        summary="U-Net++ (2018), plain or on an encoder: objects of many sizes; can be pruned after training",
        plain=UNetPlusPlus,
        on_encoder=EncoderUNetPlusPlus,
    ),
    "fcn32s": ModelEntry(
        summary="FCN-32s (2015): coarse regions, and the first stage of FCN-16s and FCN-8s",
        on_encoder=partial(FCN, skips=0),
        encoder="vgg16",
    ),
    "fcn16s": ModelEntry(
        summary="FCN-16s (2015): FCN-32s with the scores of pool4 added",
        on_encoder=partial(FCN, skips=1),
        encoder="vgg16",
    ),
    "fcn8s": ModelEntry(
        summary="FCN-8s (2015): the classic baseline for scenes, with the scores of pool4 and pool3 added",
        on_encoder=FCN,
        encoder="vgg16",
    ),
    "segnet": ModelEntry(
        summary="SegNet (2017): no skip connections, unpooling by max-pooling indices; sharp edges, little memory",
        on_encoder=SegNet,
        encoder="vgg16_bn",
    ),
    "fcn_tutorial": ModelEntry(
        summary="the FCN that tutorials build on VGG16, a sixth of the size of FCN-8s",
        on_encoder=TutorialFCN,
        encoder="vgg16",
    ),
    "fcn_resnet50": ModelEntry(
        summary="FCN on a dilated ResNet-50 with an auxiliary head: scenes; torchvision's weights fit",
        on_encoder=FCNResNet,
        encoder="resnet50",
        encoder_options={"output_stride": 8},
    ),
    "fcn_resnet101": ModelEntry(
        summary="FCN on a dilated ResNet-101 with an auxiliary head: scenes; torchvision's weights fit",
        on_encoder=FCNResNet,
        encoder="resnet101",
        encoder_options={"output_stride": 8},
    ),
}
"""Every network of perpixel by name."""


def build(
    name: str,
    *,
    in_channels: int,
    classes: int,
    encoder: str | Encoder | None = None,
    weights: str | Path = "none",
    **options: Any,
) -> SegmentationModel:
    """Build a network by name.

    Args:
        name: A name in `MODELS`, or "smp/NAME" for an architecture of segmentation_models.pytorch.
        in_channels: Channels C of the image, at least 1.
        classes: Classes K, at least 1.
        encoder: A name in `ENCODERS` or in timm, or an encoder already built; None for the model's own choice.
        weights: Of the encoder: "none", "auto" for public ImageNet weights, or a file. A network without
            encoder has none to fill, and "auto" leaves it as it is.
        options: Options of that network; those of `ConvolutionStyle` too where it takes a style.

    Raises:
        SettingsError: An unknown name or option, no channels or classes, or weights that cannot be had.
    """
    _check_counts(in_channels, classes)
    if name.startswith("smp/"):
        from perpixel.models.smp_adapter import build_smp

        if isinstance(encoder, Encoder):
            raise SettingsError(f"{name} builds its own encoder.", fix="give the encoder's name.")
        return build_smp(
            name.removeprefix("smp/"),
            encoder=encoder,
            weights=weights,
            options=options,
            in_channels=in_channels,
            classes=classes,
        )
    refuse_unknown_network(name)
    entry = MODELS[name]
    chosen = encoder or entry.encoder
    if chosen is None:
        return _without_encoder(
            name, entry, str(weights), {**options, "in_channels": in_channels, "classes": classes}
        )
    if entry.on_encoder is None:
        raise SettingsError(f"{name} takes no encoder.", fix="leave the encoder out.")
    arguments = _grouped(name, entry.on_encoder, options)
    if "in_channels" in inspect.signature(entry.on_encoder).parameters:
        arguments["in_channels"] = in_channels
    surplus: Mapping[str, Tensor] = {}
    if isinstance(chosen, str):
        network = name if name in NETWORK_FILES and chosen == entry.encoder else None
        chosen, surplus = _filled_encoder(chosen, in_channels, weights, entry.encoder_options, network)
    model = entry.on_encoder(encoder=chosen, classes=classes, **arguments)
    model.take_classifier(surplus)
    return model


def refuse_unknown_network(name: str) -> None:
    """Raise SettingsError for a name that is not in `MODELS`; those of another library are looked at when built."""
    if name not in MODELS and not name.startswith("smp/"):
        raise SettingsError(f"there is no model {name!r}.", fix=did_you_mean(name, [*MODELS, "smp/NAME"]))


def _without_encoder(name: str, entry: ModelEntry, weights: str, options: JsonObject) -> SegmentationModel:
    assert entry.plain is not None
    if weights not in ("none", "auto"):
        raise SettingsError(
            f"{name} without an encoder has no place for the weights {weights}.",
            fix="name an encoder, or leave the weights out.",
        )
    shape = {key: options.pop(key) for key in ("in_channels", "classes")}
    return entry.plain(**shape, **_grouped(name, entry.plain, options))


def build_encoder(name: str, *, in_channels: int, weights: str | Path = "none", **options: Any) -> Encoder:
    """Build an encoder by its name in `ENCODERS` or in timm, with public weights if wanted."""
    return _filled_encoder(name, in_channels, weights, options)[0]


def missing_weights(name: str, encoder: str) -> SettingsError | None:
    """Why the public weights that `weights="auto"` asks for cannot be had; None where they can.

    Args:
        name: See `build`.
        encoder: A name in `ENCODERS` or in timm.

    Raises:
        SettingsError: timm has no such encoder, or none that fits.
    """
    if name.startswith("smp/") or packaged_path(encoder):
        return None
    entry = MODELS[name]
    if encoder not in ENCODERS:
        _filled_encoder(encoder, 3, "none", entry.encoder_options, None)  # what does not fit is refused at once
    network = name if name in NETWORK_FILES and encoder == entry.encoder else None
    try:
        _filled_encoder(encoder, 3, "auto", entry.encoder_options, network)
    except SettingsError as error:
        return error
    return None


def encoder_statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per colour, on 0..1, that the public weights of an encoder expect.

    >>> encoder_statistics("efficientnet_lite0")
    ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    """
    if name in ENCODERS:
        factory = ENCODERS[name]
        kind: Any = factory.func if isinstance(factory, partial) else factory
        return kind.mean, kind.std
    from perpixel.models.encoders.timm_encoder import timm_statistics

    return timm_statistics(name, known=tuple(ENCODERS))


def _filled_encoder(
    name: str, in_channels: int, weights: str | Path, options: JsonMapping, network: str | None = None
) -> tuple[Encoder, Mapping[str, Tensor]]:
    """An encoder, and what its weights hold beside it."""
    if name in ENCODERS:
        encoder = _with_options(name, options)(in_channels=in_channels)
        if str(weights) == "none":
            return encoder, {}
        return encoder, load_encoder_weights(encoder, name, weights, network=network)
    from perpixel.models.encoders.timm_encoder import timm_encoder  # an optional extra

    known = tuple(ENCODERS)
    return timm_encoder(name, in_channels=in_channels, weights=weights, known=known, **options), {}


def _with_options(name: str, options: JsonMapping) -> Callable[..., Encoder]:
    factory = ENCODERS[name]
    unknown = options.keys() - inspect.signature(factory).parameters.keys()
    if unknown:
        raise SettingsError(
            f"the encoder {name} has no {', '.join(sorted(unknown))}, which this model needs.",
            fix="choose one of resnet18, resnet34, resnet50, resnet101 and resnet152.",
        )
    return partial(factory, **options)


def _check_counts(in_channels: int, classes: int) -> None:
    for what, count in (("channels", in_channels), ("classes", classes)):
        if count < 1:
            raise SettingsError(f"a network with {count} {what} is none.", fix=f"give at least 1 of the {what}.")


def _refuse_odd_values(name: str, builder: Callable[..., Any], options: JsonObject) -> None:
    """Raise SettingsError for options that are no numbers, or larger than any network needs."""
    kinds: dict[str, Any] = {item.name: item.type for item in fields(ConvolutionStyle)}
    kinds |= {each.name: each.annotation for each in inspect.signature(builder, eval_str=True).parameters.values()}
    problems = []
    for option, value in options.items():
        kind = kinds[option]
        fits = {
            int: type(value) is int and value <= LARGEST_OPTION,
            float: type(value) in (int, float) and math.isfinite(value),
            bool: type(value) is bool,
        }
        if not fits.get(kind, True):
            about = {int: f"a whole number up to {LARGEST_OPTION:,}", float: "a number", bool: "true or false"}[kind]
            problems.append(Problem(f"{name}: {option} = {value!r} is not {about}.", fix=f"correct {option}."))
    if problems:
        raise SettingsError.of(problems)


def _grouped(name: str, builder: Callable[..., Any], options: JsonObject) -> JsonObject:
    """Check options against a builder's parameters, and gather those of its style into one."""
    parameters = set(inspect.signature(builder).parameters) - {"encoder", "in_channels", "classes", "skips"}
    style_fields: set[str] = set()
    if "style" in parameters:
        style_fields = {item.name for item in fields(ConvolutionStyle)}
    known = (parameters - {"style"}) | style_fields
    unknown = sorted(options.keys() - known)
    if unknown:
        raise SettingsError.of(
            Problem(
                f"{name} has no option {option!r}.",
                fix=did_you_mean(option, known) if known else "leave it out; it has no options.",
            )
            for option in unknown
        )
    _refuse_odd_values(name, builder, options)
    style = {key: value for key, value in options.items() if key in style_fields}
    rest = {key: value for key, value in options.items() if key not in style_fields}
    return {**rest, "style": ConvolutionStyle(**style)} if style else rest
