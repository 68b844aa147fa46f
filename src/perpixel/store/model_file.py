"""The model file: weights, classes, normalisation and architecture in one safetensors file, enough to predict."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from pydantic import TypeAdapter
from torch import Tensor

from perpixel.errors import OutputError, PerpixelError, RunError
from perpixel.files.atomic import replacing
from perpixel.files.parse import parse_json
from perpixel.files.whole_file import refuse_irregular
from perpixel.labels.codec import Codec
from perpixel.labels.decision import Calibration
from perpixel.models.encoders import ENCODERS
from perpixel.models.registry import LARGEST_OPTION
from perpixel.runtime.choices import Tta
from perpixel.runtime.json_values import JsonMapping
from perpixel.shapes import LEAST_SCALE

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
        calibration: What was fitted on validation images at the end of the training.
        views: Over which flips and turns of an image predictions are averaged, see `perpixel.prediction`.
    """

    name: str
    encoder: str | None
    codec: Codec
    scale: float = 1.0
    options: JsonMapping = field(default_factory=dict)
    tta: Tta = "none"
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        assert LEAST_SCALE <= self.scale <= 1, "the working resolution is a share of the native one"

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
                f"cannot write {path}: {error}.", fix="free some space, or choose another `out`."
            ) from None


def is_model(path: Path) -> bool:
    """Whether a file is one that `save_model` wrote, by its metadata."""
    from safetensors import SafetensorError, safe_open

    try:
        refuse_irregular(path)
        with safe_open(path, "pt") as file:
            return KEY in (file.metadata() or {})
    except (SafetensorError, OSError):
        return False


def set_calibration(path: Path, calibration: Calibration) -> None:
    """Store a calibration in a model file, which keeps all else. Raises RunError or OutputError."""
    network, card = load_model(path)
    save_model(path, replace(card, calibration=calibration), network.state_dict())


def load_model(path: Path) -> "tuple[SegmentationModel, ModelCard]":
    """Read a network in eval mode, and its card.

    Nothing is fetched, executed or unpickled, whatever the file says.

    Raises:
        RunError: The file is missing, not a model of perpixel's, of a later schema, altered, or its weights do not
            fit its network or are not finite.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise RunError(f"there is no model file {path}.", fix="give a run folder or a model.safetensors file.")
    try:
        refuse_irregular(path)
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
    network = _built(path, card, tensors)
    network.load_state_dict(tensors)
    return network.eval(), card


def _built(path: Path, card: ModelCard, tensors: Mapping[str, Tensor]) -> "SegmentationModel":
    """The network of the card, once it is known that the tensors are those that it needs and are finite."""
    wild = sorted(name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all()))
    if wild:
        raise RunError(
            f"{len(wild)} of {len(tensors)} tensors of {path} hold values that are not finite.",
            fix="train it again: a network with such weights predicts nothing.",
            examples=wild,
        )
    if card.encoder is None or card.encoder in ENCODERS:
        _refuse_misfits(path, card, tensors, _outline_of(path, card))  # before the memory is taken
    network = card.build()
    _refuse_misfits(path, card, tensors, network)
    return network


def _outline_of(path: Path, card: ModelCard) -> "SegmentationModel":
    """The network without memory for its weights."""
    if any(isinstance(value, int) and value > LARGEST_OPTION for value in card.options.values()):
        raise _altered(path)
    try:
        with torch.device("meta"):
            return card.build()
    except (TypeError, ValueError, RuntimeError, AssertionError, ArithmeticError, LookupError):
        raise _altered(path) from None


def _refuse_misfits(path: Path, card: ModelCard, tensors: Mapping[str, Tensor], network: "SegmentationModel") -> None:
    needed = {name: _described(tensor) for name, tensor in network.state_dict().items()}
    given = {name: _described(tensor) for name, tensor in tensors.items()}
    odd = [
        f"{name}: {given.get(name, 'missing')} there, {needed.get(name, 'nothing')} needed"
        for name in sorted(needed.keys() | given.keys())
        if needed.get(name) != given.get(name)
    ]
    if odd:
        raise RunError(
            f"{len(odd)} tensors of {path} do not fit {card.name}.",
            fix="copy it again from where it was trained, or install the version of perpixel that wrote it.",
            examples=odd,
        )


def _described(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


def _card(path: Path, text: str, tensors: Mapping[str, Tensor]) -> ModelCard:
    try:
        stored = parse_json(text, str(path))
        if stored["schema"] > SCHEMA:
            raise RunError(f"{path} is of a later version of perpixel.", fix="pip install --upgrade perpixel.")
        if stored["checksum"] != _checksum(stored["card"], tensors):
            raise _altered(path)
        return TypeAdapter(ModelCard).validate_python(stored["card"])
    except PerpixelError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # pydantic's is a ValueError
        raise _altered(path) from None


def _altered(path: Path) -> RunError:
    return RunError(f"{path} has been altered or damaged.", fix="copy it again from where it was trained.")


def _checksum(card: JsonMapping, tensors: Mapping[str, Tensor]) -> str:
    """BLAKE2b over the card as JSON, and over names and bytes of the tensors in the order of the names."""
    digest = hashlib.blake2b(json.dumps(card, sort_keys=True).encode(), digest_size=16)
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
