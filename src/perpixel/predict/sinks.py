"""Where finished rows go: one function for each kind of output, each run in a thread of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.codec import Labels, mask_of
from perpixel.files.areas import AreaTable
from perpixel.files.read import Header, OpenImage, open_image
from perpixel.files.tiff_writer import TiffLayout, georeference_tags, write_tiff
from perpixel.files.write import contrast, mask_paths, overlay, palette, picture, write_mask, write_png
from perpixel.predict.outputs import Outputs
from perpixel.predict.rows import Rows
from perpixel.shapes import IGNORED, MaskArray, TargetArray

Sink: TypeAlias = Callable[[Iterator[Rows]], None]

SAMPLE_PX = 1024
"""Side of the middle of an image, from which the contrast of its overlay is taken."""


@dataclass(frozen=True)
class Job:
    """One image and what is to be written of it.

    Args:
        source: The image file.
        header: Its size, pages and georeference.
        nodata: The image's own value for no measurement, if it names one.
        folder: Where the outputs go.
        is_tiff: Whether pictures are written as TIFF.
        labels: As the mask is written.
        outputs: What is wanted.
    """

    source: Path
    header: Header
    nodata: float | None
    folder: Path
    is_tiff: bool
    labels: Labels
    outputs: Outputs

    @property
    def picture_name(self) -> str:
        """The name of the mask and of the overlay."""
        return self.source.stem + (".tif" if self.is_tiff else ".png")

    def layout(self, bands: int, dtype: np.dtype[Any], **more: Any) -> TiffLayout:
        """A TIFF of the image's size, pages and place on the earth."""
        (height, width), tags = self.header.size, georeference_tags(self.source)
        return TiffLayout(height, width, bands, dtype, self.header.pages, georeference=tags, **more)


def sinks(job: Job) -> list[Sink]:
    """One function for each thing that is wanted; they run side by side."""
    wanted: list[Sink] = []
    if job.outputs.mask and not job.is_tiff:
        wanted.append(partial(_png_mask, job))
    elif job.outputs.mask and job.labels.kind == "exclusive":
        wanted.append(partial(_tiff_mask, job))
    elif job.outputs.mask:
        paths = mask_paths(job.folder / job.picture_name, job.labels)
        wanted += [partial(_tiff_class, job, k, path) for k, path in enumerate(paths)]
    if job.outputs.probabilities:
        wanted.append(partial(_probabilities, job))
    if job.outputs.overlay:
        wanted.append(partial(_overlay, job))
    if job.outputs.areas:
        wanted.append(partial(_areas, job))
    return wanted


def _png_mask(job: Job, rows: Iterator[Rows]) -> None:
    target = np.concatenate([part.target for part in rows], axis=-2)
    write_mask(job.folder / job.picture_name, _mask(target, job.labels), job.labels)


def _tiff_mask(job: Job, rows: Iterator[Rows]) -> None:
    sample = _mask(np.full((1, 1), IGNORED, np.uint8), job.labels)
    has_palette = sample.ndim == 2 and sample.dtype == np.uint8
    layout = job.layout(
        bands=sample[0, 0].size,
        dtype=sample.dtype,
        colours=palette(job.labels) if has_palette else None,
        nodata=None if job.nodata is None or sample.ndim == 3 else int(sample[0, 0]),
    )
    write_tiff(job.folder / job.picture_name, (_mask(part.target, job.labels) for part in rows), layout)


def _tiff_class(job: Job, k: int, path: Path, rows: Iterator[Rows]) -> None:
    masks = (_mask(part.target, job.labels)[k] for part in rows)
    write_tiff(path, masks, job.layout(1, np.dtype(np.uint8)))


def _mask(target: TargetArray, labels: Labels) -> MaskArray:
    """`mask_of`, where a pixel outside the image has none of the overlapping classes."""
    return mask_of(np.where(target == IGNORED, 0, target) if labels.kind == "overlapping" else target, labels)


def _probabilities(job: Job, rows: Iterator[Rows]) -> None:
    assert job.outputs.probabilities is not None
    layout = job.layout(len(job.labels), np.dtype(job.outputs.probabilities))
    path = job.folder / "probabilities" / f"{job.source.stem}.tif"
    write_tiff(path, (_bands_last(part.probabilities) for part in rows), layout)


def _bands_last(bands: NDArray[Any] | None) -> NDArray[Any]:
    assert bands is not None
    return bands[0] if len(bands) == 1 else np.moveaxis(bands, 0, -1)


def _overlay(job: Job, rows: Iterator[Rows]) -> None:
    pictures = _overlaid(job, rows)
    path = job.folder / "overlays" / job.picture_name
    if job.is_tiff:
        write_tiff(path, pictures, job.layout(3, np.dtype(np.uint8)))
    else:
        write_png(path, np.concatenate(list(pictures)))


def _overlaid(job: Job, rows: Iterator[Rows]) -> Iterator[NDArray[np.uint8]]:
    page, image, limits = -1, None, (0.0, 1.0)
    try:
        for part in rows:
            if part.page != page or image is None:
                if image is not None:
                    image.closing()
                page, image = part.page, open_image(job.source, part.page)
                limits = contrast(_middle(image))
            height = part.target.shape[-2]
            under = picture(image.read(part.top, 0, height, image.width), limits)
            yield overlay(under, part.target, job.labels)
    finally:
        if image is not None:
            image.closing()


def _middle(image: OpenImage) -> NDArray[Any]:
    height, width = min(SAMPLE_PX, image.height), min(SAMPLE_PX, image.width)
    return image.read((image.height - height) // 2, (image.width - width) // 2, height, width)


def _areas(job: Job, rows: Iterator[Rows]) -> None:
    table = AreaTable(job.labels, job.header.georeference)
    for part in rows:
        table.add(part.target, part.page, part.top)
    table.write(job.folder / "areas" / f"{job.source.stem}.csv")
