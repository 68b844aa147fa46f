"""The card of an exported bundle: all that a prediction needs beside the network, read and checked without PyTorch.

card.json    what `BundleCard` holds, as JSON; docs/card.schema.json says what each field means
model.onnx   raw pixels (N, C, H, W) to probabilities (N, K, H, W), for any N, H, W
"""

import hashlib
import json
import lzma
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Self

from perpixel.errors import PerpixelError, RunError
from perpixel.files.limits import MAX_BYTES
from perpixel.files.parse import parse_json
from perpixel.files.whole_file import content_of, refuse_irregular
from perpixel.labels.codec import Codec
from perpixel.labels.decision import Calibration
from perpixel.runtime.choices import Tta
from perpixel.runtime.json_values import JsonMapping
from perpixel.shapes import LEAST_SCALE

SCHEMA: Final = 1
CARD: Final = "card.json"
MODEL: Final = "model.onnx"
UNTEMPERED: Final = "untempered_probabilities"
"""The second output of a graph with a temperature: views and tiles are averaged before the temperature is applied."""
PREDICTED: Final = ("onnx", "huggingface")
"""The targets whose bundles perpixel itself predicts with."""
LARGEST_TILE_PX: Final = 2**20
"""Side of a tile that a card may state, in pixels; larger ones fit no memory, and their areas no 64 bits."""
EXTERNAL: Final = b"\x0a\x08location\x12"
"""How protobuf writes that a tensor of an ONNX graph lies in another file, whose name follows."""
DAMAGED_ZIP: Final = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)
"""What unpacking raises where bytes were altered, a password is asked for, or the compression is not known."""


@dataclass(frozen=True)
class BundleCard:
    """Everything about an exported network but its weights.

    Args:
        target: What it was exported for, a key of `perpixel.exporting.TARGETS`.
        codec: Classes, values and colours of masks, thresholds; dtype, mean and standard deviation of images.
        scale: Working resolution over native resolution, in (0, 1]; the graph changes it and changes it back.
        tta: The flips and turns of an image over which predictions are averaged; the graph sees one of them.
        align_px: The graph reflects an image at its lower and right border up to a multiple of this.
        tile_px: Side of a tile for images too large to be seen whole, in pixels at working resolution.
        overlap_px: Pixels that neighbouring tiles share, at working resolution; they are blended linearly.
        margin_px: Of these, pixels at each end of a tile that are seen and thrown away.
        map_bytes_per_px: Bytes of feature maps for each pixel at working resolution.
        model: Architecture, encoder and options.
        networks: How many are averaged in the graph.
        precision: Of the weights.
        weights: Where the weights that the training started from are from, and their licence.
        scores: From metrics.json of the run: dataset and class scores with their intervals; None where not evaluated.
        trained_on: Name of the data, and images of each part.
        resolution_cm: Centimetres per pixel at native resolution, where the images are georeferenced.
        calibration: What was fitted on the run's validation images, about its untempered probabilities.
        temperature: What logits are divided by in the graph, whose output are the probabilities that the run writes.
        thresholds: That decide about the graph's output as the run decides; see
            `perpixel.labels.decision.decoded`. Without any, 0.5 for multilabel labels, and the most probable class.
        versions: Of perpixel and what it exported with.
        checksums: BLAKE2b of each model file.
    """

    target: str
    codec: Codec
    scale: float = 1.0
    tta: Tta = "none"
    align_px: int = 1
    tile_px: int = 1504
    overlap_px: int = 224
    margin_px: int = 98
    map_bytes_per_px: float = 0.0
    model: JsonMapping = field(default_factory=dict)
    networks: int = 1
    precision: str = "float32"
    weights: Mapping[str, str] = field(default_factory=dict)
    scores: JsonMapping | None = None
    trained_on: JsonMapping = field(default_factory=dict)
    resolution_cm: float | None = None
    calibration: Calibration | None = None
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert LEAST_SCALE <= self.scale <= 1, "the working resolution is a share of the native one"
        assert 1 <= self.align_px <= self.tile_px <= LARGEST_TILE_PX
        assert 0 <= 2 * self.overlap_px <= self.tile_px
        assert 0 <= self.margin_px <= self.overlap_px
        assert 0 <= self.map_bytes_per_px < math.inf
        assert 0 < self.temperature < math.inf
        assert all(map(math.isfinite, self.thresholds))

    def to_json(self) -> str:
        """The content of card.json."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, place: str) -> Self:
        """Read a card.

        Args:
            text: The content of card.json.
            place: What to call it in a message.

        Raises:
            RunError: It is damaged, or of a later version of perpixel.
        """
        from pydantic import TypeAdapter

        damaged = RunError(f"{place} is damaged.", fix="export the run again, or copy the bundle again.")
        try:
            stored = parse_json(text, str(place))
            if stored.pop("schema") > SCHEMA:
                raise RunError(f"{place} is of a later version of perpixel.", fix="pip install --upgrade perpixel.")
            return TypeAdapter(cls).validate_python(stored)
        except PerpixelError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
            raise damaged from None


@dataclass(frozen=True)
class Bundle:
    """An exported bundle: a folder, or a .zip of one.

    Args:
        path: The folder or the file.
        card: What it says about itself.
    """

    path: Path
    card: BundleCard

    @classmethod
    def open(cls, path: Path) -> Self:
        """Read the card. Raises RunError where there is none, or it cannot be used."""
        text = _content(path, CARD).decode("utf-8", errors="replace")
        return cls(path, BundleCard.from_json(text, f"{CARD} of {path}"))

    def model(self, name: str = MODEL) -> bytes:
        """The graph that perpixel predicts with. Raises RunError where there is none, or it was altered."""
        if self.card.target not in PREDICTED or name not in self.card.checksums:
            raise RunError(
                f"{self.path} was exported for {self.card.target}, which perpixel does not predict with.",
                fix="export the run for onnx.",
            )
        content = _content(self.path, name)
        if checksum(content) != self.card.checksums[name]:
            raise RunError(f"{name} of {self.path} has been altered or damaged.", fix="copy the bundle again.")
        if EXTERNAL in content:
            raise RunError(
                f"{name} of {self.path} names another file for its weights.",
                fix="export the run again: perpixel keeps all weights within the graph.",
            )
        return content


def is_bundle(path: Path) -> bool:
    """Whether a path is an exported bundle: a folder with a card, or a .zip."""
    return (path / CARD).is_file() if path.is_dir() else path.suffix.lower() == ".zip"


def checksum(content: bytes) -> str:
    """BLAKE2b of a model file."""
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def _content(path: Path, name: str) -> bytes:
    """A file of a bundle. Raises RunError where it is missing or cannot be read."""
    try:
        if path.is_dir():
            return content_of(path / name)
        refuse_irregular(path)
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > MAX_BYTES:
                raise OSError(f"{name} holds more than {MAX_BYTES:,} bytes (PERPIXEL_MAX_BYTES allows more)")
            return archive.read(name)
    except (KeyError, FileNotFoundError):
        raise RunError(f"{path} has no {name}.", fix="give a folder or .zip that `perpixel export` wrote.") from None
    except DAMAGED_ZIP as error:
        raise RunError(f"{path} cannot be read: {error}.", fix="copy the bundle again.") from None
