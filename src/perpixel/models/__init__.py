"""Networks that map an image (N, C, H, W) to logits (N, K, H, W), for any H and W."""

from perpixel.models.base import Encoder, SegmentationModel
from perpixel.models.blocks import ConvolutionStyle
from perpixel.models.describe import NetworkDescription, describe_model, describe_network, parameters_of
from perpixel.models.encoders import ENCODERS
from perpixel.models.pruning import PrunedLevel, measure_levels
from perpixel.models.registry import (
    DEFAULT_ENCODER,
    DEFAULT_MODEL,
    MODELS,
    ModelEntry,
    build,
    build_encoder,
    encoder_statistics,
    missing_weights,
)

__all__ = [
    "DEFAULT_ENCODER",
    "DEFAULT_MODEL",
    "ENCODERS",
    "MODELS",
    "ConvolutionStyle",
    "Encoder",
    "ModelEntry",
    "NetworkDescription",
    "PrunedLevel",
    "SegmentationModel",
    "build",
    "build_encoder",
    "describe_model",
    "describe_network",
    "encoder_statistics",
    "measure_levels",
    "missing_weights",
    "parameters_of",
]
