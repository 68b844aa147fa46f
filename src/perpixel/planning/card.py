"""What the network will be, and how its images are normalised."""

import numpy as np

from perpixel.audit import Audit
from perpixel.dataset import Dataset
from perpixel.labels.codec import Codec
from perpixel.planning.facts import is_like_photographs
from perpixel.settings.tree import ModelSettings, Request
from perpixel.store.model_file import ModelCard


def card_of(request: Request, dataset: Dataset, audit: Audit) -> ModelCard:
    """What the network will be, and how its images are normalised."""
    model = request.model
    mean, std = _normalisation(model, dataset, audit)
    codec = Codec(dataset.labels, dataset.dtype, mean, std)
    options = dict(model.options)
    return ModelCard(model.name, model.encoder, codec, request.train.scale, options, request.predict.tta)


def _normalisation(
    model: ModelSettings, dataset: Dataset, audit: Audit
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The encoder's own statistics for 8-bit images with pretrained weights, else those of the data."""
    if model.encoder is not None and model.weights != "none" and is_like_photographs(dataset):
        from perpixel.models import encoder_statistics

        mean, std = (np.array(values) * 255 for values in encoder_statistics(model.encoder))
        if dataset.channels == 1:
            mean, std = mean.mean(keepdims=True), std.mean(keepdims=True)
        return tuple(mean.tolist()), tuple(std.tolist())
    return audit.mean, tuple(spread if spread > 0 else 1.0 for spread in audit.std)
