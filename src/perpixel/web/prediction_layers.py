"""Predictions of the library's images, kept as files to show tile by tile."""

import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.files.read import Header
from perpixel.files.write import mask_paths
from perpixel.labels.labels import Labels
from perpixel.prediction import Outputs, Predictor
from perpixel.shapes import AnyArray
from perpixel.web.library import LibraryImage, called
from perpixel.web.tiles import OpenPyramids

MOST_PREDICTIONS: Final = 20
MOST_VALUES: Final = 2**28
"""Probabilities of more pixels times classes are not kept; the mask always is."""

BITS: Final = 24
"""Multilabel classes that one colour of three bytes can tell apart."""


@dataclass(frozen=True)
class PredictedLayers:
    """What is kept of the prediction of one image.

    Args:
        version: Tells it from other predictions of the image.
        masks: The mask file; for multilabel labels one a class.
        probabilities: A TIFF with a band a class, times 255; None for images too large.
    """

    version: int
    masks: tuple[Path, ...]
    probabilities: Path | None


class LayerStore:
    """The predictions that were made last.

    Args:
        folder: Of the server's own.
        pyramids: What opens the files.
    """

    def __init__(self, folder: Path, pyramids: OpenPyramids) -> None:
        self._folder, self._pyramids = folder, pyramids
        self._kept: OrderedDict[str, PredictedLayers] = OrderedDict()
        self._count, self._lock = 0, Lock()
        self._forgotten = 0

    def predict(self, predictor: Predictor, image: LibraryImage, header: Header) -> PredictedLayers:
        """Predict an image, or find its prediction. Raises DataError."""
        with self._lock:
            if (found := self._kept.get(image.id)) is not None:
                self._kept.move_to_end(image.id)
                return found
            self._count += 1
            version, forgotten = self._count, self._forgotten
        labels = predictor.codec.labels
        values = header.height * header.width * header.pages * len(labels)
        outputs = Outputs(index=True, probabilities="uint8" if values <= MOST_VALUES else None)
        folder = self._folder / f"layers-{version}"
        with called(image.path, image.name):
            written = predictor.predict_file(image.path, folder, outputs)
        count = len(mask_paths(Path("any"), labels))
        layers = PredictedLayers(version, written.paths[:count], next(iter(written.paths[count:]), None))
        with self._lock:
            if forgotten == self._forgotten:  # else another model answers by now
                self._kept[image.id] = layers
            old = self._kept.popitem(last=False)[1] if len(self._kept) > MOST_PREDICTIONS else None
        if old is not None:
            self._remove(old)
        return layers

    def find(self, image_id: str) -> PredictedLayers:
        """The prediction of an image. Raises KeyError where there is none."""
        return self._kept[image_id]

    def forget_all(self) -> None:
        """Drop all predictions, as another model answers from here on."""
        with self._lock:
            old, self._kept = list(self._kept.values()), OrderedDict()
            self._forgotten += 1
        for layers in old:
            self._remove(layers)

    def tile(self, layers: PredictedLayers, labels: Labels, layer: str, place: "TilePlace") -> NDArray[np.uint8]:
        """A tile of a layer.

        Args:
            layers: Of the image.
            labels: Of the model.
            layer: "mask" (class indices, 255 for none; for multilabel labels class k is bit k of (R, G, B)),
                "uncertainty" (0..255), or "probability-K" (of class K, 0..255).
            place: Which tile.

        Raises:
            KeyError: There is no such layer.
        """
        if layer == "mask":
            return self._mask_tile(layers, labels, place)
        if layers.probabilities is None:
            raise KeyError(layer)
        bands = self._pyramids.get(layers.probabilities, place.page).tile(place.level, place.column, place.row)
        if layer == "uncertainty":
            return uncertainty(bands, is_multiclass=not labels.is_multilabel)
        kind, _, number = layer.partition("-")
        if kind != "probability" or not number.isdecimal() or int(number) >= len(labels):
            raise KeyError(layer)
        return np.ascontiguousarray(bands[..., int(number)])

    def _mask_tile(self, layers: PredictedLayers, labels: Labels, place: "TilePlace") -> NDArray[np.uint8]:
        tiles = [
            self._pyramids.get(path, place.page, is_mask=True).tile(place.level, place.column, place.row)[..., 0]
            for path in layers.masks[:BITS]
        ]
        if not labels.is_multilabel:
            return np.asarray(tiles[0], np.uint8)
        colour = np.zeros((*tiles[0].shape, 3), np.uint8)
        for k, tile in enumerate(tiles):
            colour[..., k // 8] |= (tile > 0).astype(np.uint8) << (k % 8)
        return colour

    def _remove(self, layers: PredictedLayers) -> None:
        folder = self._folder / f"layers-{layers.version}"
        self._pyramids.forget(lambda path: path.is_relative_to(folder))
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class TilePlace:
    """Which tile: the page, the level (each halves the resolution), the column and the row, all from 0."""

    page: int
    level: int
    column: int
    row: int


def uncertainty(bands: AnyArray, *, is_multiclass: bool) -> NDArray[np.uint8]:
    """The entropy of a pixel as a share of the largest possible one, times 255.

    Args:
        bands: Probabilities times 255, (h, w, K).
        is_multiclass: Whether they add up to one; else the most uncertain class counts.

    >>> uncertainty(np.array([[[255, 0], [128, 128]]]), is_multiclass=True).tolist()
    [[0, 255]]
    """
    shares = bands.astype(np.float32) / 255
    if is_multiclass and bands.shape[-1] > 1:
        entropy = -(shares * np.log(np.maximum(shares, 1e-6))).sum(-1) / np.log(bands.shape[-1])
    else:
        rest = 1 - shares
        each = -(shares * np.log2(np.maximum(shares, 1e-6)) + rest * np.log2(np.maximum(rest, 1e-6)))
        entropy = each.max(-1)
    return np.asarray(np.rint(np.clip(entropy, 0, 1) * 255), np.uint8)
