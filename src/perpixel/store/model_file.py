"""The model file: weights, classes, normalisation and architecture in one safetensors file, enough to predict."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch import Tensor

from perpixel.errors import OutputError, PerpixelError, RunError
from perpixel.files.atomic import replacing
from perpixel.labels.codec import Codec

if TYPE_CHECKING:
    from perpixel.models import SegmentationModel

KEY: Final = "perpixel"
SCHEMA: Final = 1


@dataclass(frozen=True)
class ModelCard:
    """Everything about a trained network but its weights.

    Args:
        name: The architecture, a key of `perpixel.models.MODELS`.
        encoder: Its encoder, None where it has none to choose.
        codec: Classes, normalisation, thresholds.
        scale: Working resolution over native resolution, in (0, 1].
        options: Further keywords of the architecture.
        views: Over which flips and turns of an image predictions are averaged, see `perpixel.prediction`.
    """

    name: str
    encoder: str | None
    codec: Codec
    scale: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)
    tta: Literal["none", "hflip", "flips", "d4"] = "none"

    def build(self, weights: str = "none") -> "SegmentationModel":
        """Make the network; `weights` says what its encoder starts from."""
        from perpixel.models import build

        codec = self.codec
        sizes = {"in_channels": codec.channels, "classes": len(codec.labels)}
        return build(self.name, **sizes, encoder=self.encoder, weights=weights, **self.options)


def save_model(path: Path, card: ModelCard, weights: Mapping[str, Tensor]) -> None:
    """Write the file, whole or not at all.

    Args:
        path: Ends in `.safetensors`.
        card: What the weights belong to.
        weights: The network's state dict.

    Raises:
        OutputError: It cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    described = json.loads(json.dumps(asdict(card)))
    stored = {"schema": SCHEMA, "card": described, "checksum": _checksum(described, tensors)}
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={KEY: json.dumps(stored)})
        except SafetensorError as error:
            raise OutputError(
                f"cannot write {path}: {error}.", fix="free some space, or choose another --out."
            ) from None


def load_model(path: Path) -> "tuple[SegmentationModel, ModelCard]":
    """Read a network in eval mode, and its card.

    Raises:
        RunError: The file is missing, not a model of perpixel's, of a later schema, or altered.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RunError(f"there is no model file {path}.", fix="give a run folder or a model.safetensors file.")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path} is not a safetensors file: {error}.", fix="give a model that perpixel wrote."
        ) from None
    if KEY not in metadata:
        raise RunError(f"{path} was not written by perpixel.", fix="give a model that perpixel wrote.")
    card = _card(path, metadata[KEY], tensors)
    network = card.build()
    network.load_state_dict(tensors)
    return network.eval(), card


def _card(path: Path, text: str, tensors: Mapping[str, Tensor]) -> ModelCard:
    altered = RunError(f"{path} has been altered or damaged.", fix="copy it again from where it was trained.")
    try:
        stored = json.loads(text)
        if stored["schema"] > SCHEMA:
            raise RunError(f"{path} is of a later version of perpixel.", fix="pip install --upgrade perpixel.")
        if stored["checksum"] != _checksum(stored["card"], tensors):
            raise altered
        return ModelCard(**{**stored["card"], "codec": Codec.from_dict(stored["card"]["codec"])})
    except PerpixelError:
        raise
    except (ValueError, KeyError, TypeError, AssertionError):
        raise altered from None


def _checksum(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """BLAKE2b over the card as JSON, and over names and bytes of the tensors in the order of the names."""
    digest = hashlib.blake2b(json.dumps(card, sort_keys=True).encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
