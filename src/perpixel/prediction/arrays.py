"""Networks and a codec, from images in memory to probabilities, targets and masks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from perpixel.files.open_image import without_data
from perpixel.geometry.tiling import Blender, Block, Tile, Tiling
from perpixel.labels.codec import Codec, mask_of
from perpixel.labels.decision import Calibration, decide
from perpixel.language import counted, say
from perpixel.language.notices import LOGGER
from perpixel.language.plain_text import printable
from perpixel.prediction.memory import MAPS_KEPT, MemoryNeed, keeps_freed_memory
from perpixel.prediction.pipeline import ahead
from perpixel.prediction.predict_options import PredictOptions
from perpixel.prediction.sources import ArraySource, Source, window_at
from perpixel.prediction.unlike_training import unlike_training
from perpixel.prediction.window_engine import EngineShape, WindowEngine
from perpixel.shapes import IGNORED, AnyArray, ImageArray, MaskArray, TargetArray

if TYPE_CHECKING:
    from torch import nn


WINDOWS_HELD, ANSWERS_HELD = 3, 4
"""Windows read ahead, waiting and seen by the network; answers summed, blended, decoded and waiting to be written."""

TILES_WORTH_COMPILING = 8
"""An image of fewer tiles is predicted sooner than a network is compiled."""


@dataclass(frozen=True)
class WindowBatch:
    """Windows that go through the networks at once.

    Args:
        windows: (N, H, W, C) as they lie in the file.
        empties: For each, which pixels of its core are outside the image; None where none of them is.
    """

    windows: ImageArray
    empties: list[NDArray[np.bool_] | None]


@dataclass(frozen=True)
class WindowProbabilities:
    """What the networks say to a batch.

    Args:
        values: Probabilities of the whole windows, (N, K, H, W).
        empties: As in the batch.
    """

    values: NDArray[np.float32]
    empties: list[NDArray[np.bool_] | None]


def finished(
    tiling: Tiling, answers: Iterable[WindowProbabilities]
) -> Iterator[tuple[Block, NDArray[np.bool_] | None]]:
    """Join the answers to all batches of a tiling, in their order.

    Yields:
        Finished probabilities, and which of their pixels are outside the image (None: none of them).
    """
    blender, tiles = Blender(tiling), iter(tiling)
    for answer in answers:
        for values, empty in zip(answer.values, answer.empties, strict=True):
            yield blender.add(next(tiles), values), empty


class ArrayPredictor:
    """Predicts images of any size that lie in memory.

    Args:
        network: Maps (N, C, H, W) to logits (N, K, H, W); or several, whose answers are averaged. They are put in
            evaluation mode and on the device. Or a `WindowEngine`, which has options of its own.
        codec: The one that the network was trained with.
        options: Tiles, views, resolution, device.
        calibration: What was fitted on validation images.

    Attributes:
        decision: How probabilities become classes, and why so.
        backend: What runs the network and why, once that is decided: with the first image of many tiles, or of many
            images.
        images: How many are to be predicted, as far as that is known; most are taken to be of the first one's size.
        largest_px: Pixels of the largest image whose need of memory was told.
        is_on_own_data: Whether the images are those of the run's data: then none is said to look unlike them.
    """

    def __init__(
        self,
        network: "nn.Module | Sequence[nn.Module] | WindowEngine",
        codec: Codec,
        *,
        options: PredictOptions | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.codec = codec
        self.calibration = calibration
        self.backend = ""
        self.images = 1
        self._compiled_hw: tuple[int, int] | None = None
        self.largest_px = 0
        self.is_on_own_data = False
        self._said: set[str] = set()
        if isinstance(network, WindowEngine):
            self.inference = network
        else:
            from perpixel.prediction.inference import Inference

            self.inference = Inference.on_device(network, codec, options or PredictOptions())
        self.options = self.inference.options
        self.decision = decide(codec.labels, self.options.threshold, calibration)
        if self.decision.thresholds or self.options.threshold is not None:
            self.codec = replace(codec, thresholds=self.decision.thresholds)

    def __repr__(self) -> str:
        names = self.codec.labels.names
        told = say(
            "{classes} ({names}), images of {channels}; .predict(image) gives a Prediction",
            classes=counted(len(names), "class"),
            names=", ".join(names),
            channels=counted(self.codec.channels, "channel"),
        )
        return f"<{type(self).__name__}: {printable(told)}>"

    def probabilities(self, image: ImageArray, name: str = "the image") -> NDArray[np.float32]:
        """Predict an image in memory.

        Args:
            image: (H, W, C), or (H, W) for one channel, with the dtype of the training images.
            name: What to call it in a message.

        Returns:
            (K, H, W) in 0..1; for multiclass labels they add up to 1.

        Raises:
            DataError: Another number of channels, or another dtype.
        """
        source = self._source(image, name)
        result = np.empty((len(self.codec.labels), source.height, source.width), np.float32)
        for block, _ in self._blocks(source, name):
            result[:, *block.place] = block.values
        return result

    def calibrated(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (K, H, W) as they are written: at the fitted temperature where the decision is calibrated."""
        if self.calibration is None or self.decision.name != "calibrated":
            return probabilities
        return self.codec.labels.tempered(probabilities, self.calibration.temperature)

    def both(self, image: AnyArray, name: str = "the image") -> tuple[TargetArray, NDArray[np.float32]]:
        """Predict an image in memory once: its target and its probabilities, at the fitted temperature.

        Args and Raises as in `probabilities`.
        """
        source = self._source(image, name)
        target = self.codec.labels.empty_target(source.height, source.width)
        result = np.empty((len(self.codec.labels), source.height, source.width), np.float32)
        for block, empty in self._blocks(source, name):
            target[..., *block.place] = self.decode(block, empty)
            result[:, *block.place] = self.calibrated(block.values)
        return target, result

    def target(self, image: ImageArray, name: str = "the image") -> TargetArray:
        """Predict an image in memory as a target: (H, W) class indices, or (K, H, W) in {0, 1}; uint8.

        Args and Raises as in `probabilities`. IGNORED where no channel of a pixel is a number.
        """
        source = self._source(image, name)
        target = self.codec.labels.empty_target(source.height, source.width)
        for block, empty in self._blocks(source, name):
            target[..., *block.place] = self.decode(block, empty)
        return target

    def stream(self, images: Iterable[AnyArray]) -> Iterator[TargetArray]:
        """Predict images as they come, each as `target` does; the next one is fetched meanwhile."""
        yield from map(self.target, ahead(images, 1))

    def mask(self, image: ImageArray, name: str = "the image") -> MaskArray:
        """Predict an image in memory in the encoding of the training masks; see `perpixel.labels.codec.mask_of`."""
        return mask_of(self.target(image, name), self.codec.labels)

    def tiling(self, height: int, width: int) -> Tiling:
        """The tiles of an image of this size: one where it fits `options.whole_px`."""
        inference, options = self.inference, self.options
        if height * width * options.ratio**2 <= options.whole_px:
            whole = -(-max(height, width) // inference.align_px) * inference.align_px
            return Tiling(height, width, (whole, whole), 0, inference.align_px)
        tile_px = max(inference.native_px(options.tile_px), inference.align_px)
        overlap_px = min(
            inference.native_px(options.overlap_px), tile_px // 2 // inference.align_px * inference.align_px
        )
        return Tiling(height, width, (tile_px, tile_px), overlap_px, inference.align_px)

    def memory_need(self, height: int, width: int, pictures: int = 0) -> MemoryNeed:
        """How much memory a file of this size takes by PyTorch: between two thirds of it and half as much again.

        For TIFF it grows with the width alone, and slowly. Polygons and instances are not counted: they take memory
        with the length of the objects' borders.

        Args:
            height: In pixels.
            width: In pixels.
            pictures: Bytes of the pictures that are held whole, as PNG and JPEG are.
        """
        tiling = self.tiling(height, width)
        batch = self.batch_tiles(tiling)
        pixels = batch * tiling.window_hw[0] * tiling.window_hw[1]
        classes, ramp_px = len(self.codec.labels), tiling.rows.ramp_px if len(tiling) > 1 else 0
        device = self.inference.device_type
        kept = MAPS_KEPT if device == "cpu" and keeps_freed_memory(len(tiling)) else 1
        windows = WINDOWS_HELD * pixels * self.codec.channels * np.dtype(self.codec.dtype).itemsize
        return MemoryNeed(
            weights=self.inference.weight_bytes,
            feature_maps=kept * self.inference.feature_map_bytes(batch, tiling.window_hw),
            tiles=windows + ANSWERS_HELD * pixels * classes * 4,
            rows=classes * ramp_px * width * 4,
            pictures=pictures,
            device=device,
        )

    def answers(self, source: Source, name: str) -> Iterator[WindowProbabilities]:
        """What the networks say to the batches of a source, in their order."""
        tiling = self.tiling(source.height, source.width)
        batches = (self.batch(source, tiling, tiles, name) for tiles in self.batches(tiling))
        for batch in ahead(batches, 1) if len(tiling) > 1 else batches:
            self.decide_backend(tiling, batch)
            yield self.answer(batch)

    def batches(self, tiling: Tiling, batch_tiles: int | None = None) -> list[list[Tile]]:
        """The tiles that go through the networks at once, by default as many as fit the device."""
        tiles, size = list(tiling), batch_tiles or self.batch_tiles(tiling)
        return [tiles[first : first + size] for first in range(0, len(tiles), size)]

    def batch_tiles(self, tiling: Tiling) -> int:
        """How many tiles go through the networks at once."""
        return self.options.batch_tiles or self.inference.tiles_at_once(tiling)

    def batch(self, source: Source, tiling: Tiling, tiles: Sequence[Tile], name: str) -> WindowBatch:
        """Read the windows of some tiles. Raises DataError where they cannot be read, or are not as trained."""
        windows: list[AnyArray] = []
        empties: list[NDArray[np.bool_] | None] = []
        for tile in tiles:
            window = window_at(source, tiling, tile.rows.see, tile.columns.see)
            window = self.codec.as_trained(window, name)
            empty = without_data(window, source.nodata)
            windows.append(self._filled(window, empty))
            empties.append(None if empty is None else empty[_core(tile)])
        return WindowBatch(np.stack(windows), empties)

    def answer(self, batch: WindowBatch) -> WindowProbabilities:
        """Let the networks see a batch."""
        return WindowProbabilities(self.inference.probabilities(batch.windows), batch.empties)

    def decide_backend(self, tiling: Tiling, batch: WindowBatch) -> None:
        """Decide what runs the networks, on a real batch: once for whole images, once for tiles of larger ones."""
        is_tiled = len(tiling) >= TILES_WORTH_COMPILING
        is_adopted = bool(self.backend) and self._compiled_hw is None
        if is_adopted or tiling.window_hw == self._compiled_hw or (self.backend and not is_tiled):
            return
        tiles = len(tiling) * self.images
        if tiles < TILES_WORTH_COMPILING:
            self._say_few()
            return
        self._compiled_hw = tiling.window_hw
        self.backend = self.inference.choose_engines(batch.windows, -(-tiles // len(batch.windows)))
        if self.inference.may_compile or is_tiled:
            LOGGER.info(self.backend)

    def _say_few(self) -> None:
        """Say once that a backend was asked for in vain."""
        if self.inference.may_compile and "few" not in self._said:
            self._said.add("few")
            LOGGER.info("PyTorch: to compile a network pays from %d tiles on.", TILES_WORTH_COMPILING)

    def adopt_backend(self, backend: str, engine_shapes: Sequence[EngineShape]) -> None:
        """Run the networks as another process does; see `Inference.adopt_engines`."""
        self.inference.adopt_engines(engine_shapes)
        self.backend = backend

    def decode(self, block: Block, empty: NDArray[np.bool_] | None) -> TargetArray:
        """The target of a block: (h, w) or (K, h, w) uint8, IGNORED outside the image."""
        target = self.codec.decode_array(block.values)
        if empty is not None:
            target[..., empty] = IGNORED
        return target

    def look_at(self, image: AnyArray, name: str) -> None:
        """Refuse what is not like the training images, and say once what looks unlike them.

        Args:
            image: (H, W, C), or a part of it.
            name: What to call it in a message.

        Raises:
            DataError: Another number of channels, or another dtype.
        """
        for kind, sentence in unlike_training(image, self.codec, name).items():
            if kind not in self._said and not self.is_on_own_data:
                self._said.add(kind)
                LOGGER.warning("%s", sentence)

    def _source(self, image: AnyArray, name: str) -> ArraySource:
        image = _with_channels(image)
        self.look_at(image, name)
        return ArraySource(image)

    def _blocks(self, source: ArraySource, name: str) -> Iterator[tuple[Block, NDArray[np.bool_] | None]]:
        return finished(self.tiling(source.height, source.width), self.answers(source, name))

    def _filled(self, window: ImageArray, empty: NDArray[np.bool_] | None) -> AnyArray:
        """The mean of the training images stands in for what holds no data, which would spread in the network.

        Args:
            window: (h, w, C).
            empty: (h, w) where no channel holds data.
        """
        missing = np.isnan(window) if window.dtype.kind == "f" else None if empty is None else empty[..., None]
        if missing is None or not missing.any():
            return window
        mean = np.array(self.codec.mean)
        return np.where(missing, mean.astype(window.dtype), window)


def _core(tile: Tile) -> tuple[slice, slice]:
    """The tile's core, counted from the start of its window."""
    rows, columns = tile.rows, tile.columns
    return (
        slice(rows.begin - rows.see, rows.end - rows.see),
        slice(columns.begin - columns.see, columns.end - columns.see),
    )


def _with_channels(image: ImageArray) -> AnyArray:
    return image[..., None] if image.ndim == 2 else image
