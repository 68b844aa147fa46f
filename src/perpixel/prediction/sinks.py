"""Where finished pieces go: one function for each kind of output, each run in a thread of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.files.areas import AreaTable
from perpixel.files.cog import to_cloud_optimised
from perpixel.files.ome_zarr import ZarrWriter
from perpixel.files.read import OpenImage, open_image
from perpixel.files.tiff_writer import TiffLayout, writing_tiff
from perpixel.files.write import contrast, overlay, palette, picture, write_png
from perpixel.labels.codec import mask_of
from perpixel.labels.labels import Labels
from perpixel.prediction.job import Job
from perpixel.prediction.pieces import Piece
from perpixel.shapes import IGNORED, AnyArray, MaskArray, TargetArray

Sink: TypeAlias = Callable[[Iterator[Piece]], None]
Drawing: TypeAlias = Callable[[Piece], AnyArray]
"""What a piece looks like in an output: (h, w) or (h, w, bands)."""

SAMPLE_PX = 1024
"""Side of the middle of an image, from which the contrast of its overlay is taken."""


def mask_sinks(job: Job, paths: Sequence[Path]) -> list[Sink]:
    """The mask; of multilabel classes one for each."""
    if job.labels.is_multilabel:
        return [partial(_class_mask, job, k, path) for k, path in enumerate(paths)]
    return [partial(_mask, job, paths[0])]


def _mask(job: Job, path: Path, pieces: Iterator[Piece]) -> None:
    nowhere = _written(np.full((1, 1), IGNORED, np.uint8), job.labels)
    is_colour = nowhere.ndim == 3
    is_indexed = job.labels.encoding == "palette" or (job.is_tiff and nowhere.dtype == np.uint8 and not is_colour)
    layout = job.layout(
        bands=3 if is_colour else 1,
        dtype=nowhere.dtype,
        colours=palette(job.labels) if is_indexed else None,
        nodata=None if job.nodata is None or is_colour else int(nowhere[0, 0]),
    )
    _draw(path, layout, pieces, lambda piece: _written(piece.target, job.labels))
    _optimise(job, path)


def _class_mask(job: Job, k: int, path: Path, pieces: Iterator[Piece]) -> None:
    layout = job.layout(1, np.dtype(np.uint8))
    _draw(path, layout, pieces, lambda piece: _written(piece.target, job.labels)[k])
    _optimise(job, path)


def _optimise(job: Job, path: Path) -> None:
    if job.outputs.cloud and job.header.georeference is not None and job.header.pages == 1:
        to_cloud_optimised(path)


def _written(target: TargetArray, labels: Labels) -> MaskArray:
    """`mask_of`, where a pixel outside the image has none of the multilabel classes."""
    return mask_of(np.where(target == IGNORED, 0, target) if labels.is_multilabel else target, labels)


def write_probability_pieces(job: Job, path: Path, pieces: Iterator[Piece]) -> None:
    """A TIFF with a band a class."""
    assert job.outputs.probabilities is not None
    layout = job.layout(len(job.labels), np.dtype(job.outputs.probabilities))
    _draw(path, layout, pieces, _bands_last)


def _bands_last(piece: Piece) -> AnyArray:
    assert piece.probabilities is not None
    return np.moveaxis(piece.probabilities, 0, -1)


def write_overlay_pieces(job: Job, path: Path, pieces: Iterator[Piece]) -> None:
    """The image with the classes' colours over it."""
    with closing(Background(job.source)) as background:

        def drawing(piece: Piece) -> AnyArray:
            return overlay(background.under(piece), piece.target, job.labels)

        layout = job.layout(3, np.dtype(np.uint8))
        _draw(path, layout, pieces, drawing)


def write_areas(job: Job, path: Path, pieces: Iterator[Piece]) -> None:
    """What each class covers, as CSV."""
    table = AreaTable(job.labels, job.header.georeference)
    for piece in pieces:
        table.add(piece.target, piece.page, piece.top)
    table.write(path)


def write_zarr(job: Job, path: Path, pieces: Iterator[Piece]) -> None:
    """The class indices as OME-Zarr."""
    has_classes, has_pages = job.labels.is_multilabel, job.header.pages > 1
    lengths = {"c": len(job.labels), "z": job.header.pages, "y": job.height, "x": job.width}
    axes = "c" * has_classes + "z" * has_pages + "yx"
    writer = ZarrWriter(path, [lengths[axis] for axis in axes], axes)
    for piece in pieces:
        page = (piece.page,) if has_pages else ()
        writer.put((..., *page, slice(piece.top, piece.bottom), slice(piece.left, piece.right)), piece.target)


def _draw(path: Path, layout: TiffLayout, pieces: Iterator[Piece], drawing: Drawing) -> None:
    """Draw all pieces into one picture: a TIFF as they come, a PNG when they are complete."""
    if path.suffix == ".tif":
        with writing_tiff(path, layout) as writer:
            for piece in pieces:
                writer.put(piece.page, piece.top, piece.left, drawing(piece))
        return
    canvas = np.empty((layout.height, layout.width, layout.bands), layout.dtype)
    for piece in pieces:
        drawn = drawing(piece)
        canvas[piece.top : piece.bottom, piece.left : piece.right] = drawn.reshape(*drawn.shape[:2], layout.bands)
    write_png(path, canvas[..., 0] if layout.bands == 1 else canvas, layout.colours)


@dataclass
class Background:
    """The image under a drawing, in one contrast for each page; what is damaged is told by who predicts it."""

    source: Path
    _image: OpenImage | None = field(default=None, init=False)
    _page: int = field(default=-1, init=False)
    _limits: tuple[float, float] | None = field(default=None, init=False)

    def under(self, piece: Piece) -> NDArray[np.uint8]:
        """The part of the image under a piece, (h, w, 3); black where it is damaged."""
        height, width = piece.bottom - piece.top, piece.right - piece.left
        try:
            return picture(self._of(piece.page).read(piece.top, piece.left, height, width), self._limits)
        except DataError:
            return np.zeros((height, width, 3), np.uint8)

    def close(self) -> None:
        """Let go of the page."""
        if self._image is not None:
            self._image.closing()
            self._image = None

    def _of(self, page: int) -> OpenImage:
        if self._image is None or self._page != page:
            self.close()
            self._image, self._page, self._limits = open_image(self.source, page), page, None
            with suppress(DataError):
                self._limits = contrast(_middle(self._image))
        return self._image


def _middle(image: OpenImage) -> AnyArray:
    height, width = min(SAMPLE_PX, image.height), min(SAMPLE_PX, image.width)
    return image.read((image.height - height) // 2, (image.width - width) // 2, height, width)
