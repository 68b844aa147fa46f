"""The plan: what the user left open is decided from the data, by rules that a person can read."""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import numpy as np

from perpixel.audit import Audit
from perpixel.codec import Codec
from perpixel.config import ModelSettings, Part, Settings
from perpixel.dataset import Dataset
from perpixel.model_file import ModelCard
from perpixel.shapes import LabelKind

LOSS: Final[dict[LabelKind, dict[str, float]]] = {
    "exclusive": {"cross_entropy": 1.0, "dice": 1.0},
    "overlapping": {"bce": 1.0, "dice": 1.0},
}
LARGEST_CROP: Final = 256
CROP_MULTIPLE: Final = 32

PartType = TypeVar("PartType", bound=Part)


def planned(settings: Settings, dataset: Dataset, audit: Audit) -> Settings:
    """Fill in what was not set: the loss by the kind of labels, the crop by the size of the images, the encoder.

    Args:
        settings: What was set is kept.
        dataset: Its labels decide the loss.
        audit: Its sizes decide the crop.

    Returns:
        Settings in which everything but the number of steps is decided.
    """
    sides = [max(audit.heights), max(audit.widths)]
    crop = tuple(min(LARGEST_CROP, CROP_MULTIPLE * math.ceil(side / CROP_MULTIPLE)) for side in sides)
    train = _unless_set(settings.train, {"loss": LOSS[dataset.labels.kind], "crop_hw": crop})
    model = settings.model
    if model.encoder == "auto":
        model = model.model_copy(update={"encoder": _encoder_for(model.name)})
    return settings.model_copy(update={"train": train, "model": model})


def card_of(settings: Settings, dataset: Dataset, audit: Audit) -> ModelCard:
    """What the network will be, and how its images are normalised."""
    model = settings.model
    mean, std = _normalisation(model, dataset, audit)
    codec = Codec(dataset.labels, dataset.dtype, mean, std)
    return ModelCard(model.name, model.encoder, codec, settings.train.scale, dict(model.options))


def _encoder_for(name: str) -> str | None:
    """The encoder whose weights are at hand, where a network can be plain as well; else the network's own choice."""
    from perpixel.models import DEFAULT_ENCODER, MODELS

    has_choice = name in MODELS and MODELS[name].plain is not None and MODELS[name].on_encoder is not None
    return DEFAULT_ENCODER if has_choice else None


def _normalisation(
    model: ModelSettings, dataset: Dataset, audit: Audit
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The encoder's own statistics for 8-bit images with pretrained weights, else those of the data."""
    if (
        model.encoder is not None
        and model.weights != "none"
        and dataset.dtype == "uint8"
        and dataset.channels in (1, 3)
    ):
        from perpixel.models import encoder_statistics

        mean, std = (np.array(values) * 255 for values in encoder_statistics(model.encoder))
        if dataset.channels == 1:
            mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
        return tuple(mean.tolist()), tuple(std.tolist())
    return audit.mean, tuple(spread if spread > 0 else 1.0 for spread in audit.std)


def _unless_set(part: PartType, values: Mapping[str, Any]) -> PartType:
    """Put values where the user has set none."""
    return part.model_copy(update={key: value for key, value in values.items() if key not in part.model_fields_set})
