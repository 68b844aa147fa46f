"""A folder that has been understood: its labels, its samples, and how to read them."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.annotations.filling import fill, numbered_shapes
from perpixel.dataset.description import save_description
from perpixel.dataset.layout.inventory import OPAQUE_FROM, Page, painted_values
from perpixel.dataset.layout.names import folder_place
from perpixel.dataset.masks.class_layers import is_set, layer_count, one_class_a_pixel, with_absent
from perpixel.dataset.masks.classes import Reading
from perpixel.dataset.overrides import NOTHING_STATED, Overrides
from perpixel.dataset.sample import Finding, Sample
from perpixel.dataset.stroke_pieces import pieces_held_out
from perpixel.errors import DataError
from perpixel.files.open_image import without_data
from perpixel.files.read import RawMask, is_tiff, open_image, read_image, read_mask, turned
from perpixel.labels.codec import as_channels, encode
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED, AnyArray, ImageArray, MaskArray, TargetArray


@dataclass(frozen=True)
class Dataset:
    """Images with their labels, as understood by `scan`.

    Args:
        root: The folder.
        labels: The classes and how the masks are written.
        reading: How a mask file becomes a target.
        channels: Of every image as `image` gives it; gray images among colour ones are repeated three times.
        dtype: NumPy name of the images' dtype.
        samples: The labelled ones.
        unlabelled: Those without a mask.
        findings: What was seen and decided.
        overrides: What the user states.
    """

    root: Path
    labels: Labels
    reading: Reading
    channels: int
    dtype: str
    samples: tuple[Sample, ...]
    unlabelled: tuple[Sample, ...] = ()
    findings: tuple[Finding, ...] = ()
    overrides: Overrides = NOTHING_STATED

    def image(self, sample: Sample) -> ImageArray:
        """Read the image as (H, W, C) of `dtype`. Raises DataError."""
        image = as_channels(read_image(sample.image, sample.page, sample.box), self.channels)
        if image.shape[2] != self.channels or image.dtype.name != self.dtype:
            raise DataError(
                f"{sample.image} has {image.shape[2]} channels of {image.dtype}; the data set has {self.channels} "
                f"of {self.dtype}.",
                fix="the file has changed since it was scanned; scan the folder again.",
            )
        return image

    def measured(self, sample: Sample) -> AnyArray:
        """The image with NaN where no channel holds data. Raises DataError."""
        image = self.image(sample)
        empty = without_data(image, nodata_of(sample))
        return image if empty is None else np.where(empty[..., None], np.float32(np.nan), image)

    def labelled_image(self, sample: Sample) -> tuple[ImageArray, TargetArray]:
        """The image and its target for training and scores: pixels without data are the mean, and have no label.

        Returns:
            `image`, where whole numbers that stand for no data are the mean of the others; and `target`, IGNORED
            where no channel of the image holds data.

        Raises:
            DataError: As `image` and `target` do.
        """
        image, target = self.image(sample), self.target(sample)
        empty = without_data(image, nodata_of(sample))
        if empty is None:
            return image, target
        target[..., empty] = IGNORED
        if image.dtype.kind != "f" and not empty.all():
            mean = image[~empty].mean(axis=0).round().astype(image.dtype)
            image = np.where(empty[..., None], mean, image)
        return image, target

    def target(self, sample: Sample) -> TargetArray:
        """Read the mask as uint8 (H, W) class indices, or (K, H, W) for multilabel labels. Raises DataError."""
        if sample.shapes is not None:
            rest = IGNORED if sample.is_partial else 0
            return self._of_strokes(sample, fill(sample.shapes, sample.height, sample.width, self.labels, rest=rest))
        raw = [read_mask(path, page, sample.box) for path, page in mask_pages(sample, self.labels, self.reading)]
        if self.reading in ("objects", "instances"):
            target = np.any([is_set(mask.values) for mask in raw], axis=0).astype(np.uint8)
        elif self.reading in ("classes", "pages", "channels"):
            bands = range(layer_count(self.labels))
            layers = [raw[0].values[..., k] for k in bands] if self.reading == "channels" else [m.values for m in raw]
            layers = with_absent(layers, sample)
            target = self._of_layers([_presence(layer, self.labels, k, sample) for k, layer in enumerate(layers)])
        else:
            target = encode(as_written(raw[0], self.labels, self.reading), self.labels, str(sample.masks[0]))
        target = turned(target, sample.mask_turn)
        if target.shape[:2] != (sample.height, sample.width):
            raise DataError(
                f"{sample.masks[0]} is {target.shape[0]} × {target.shape[1]}; its image is {sample.height} × "
                f"{sample.width}.",
                fix="the file has changed since it was scanned; scan the folder again.",
            )
        target = self._of_strokes(sample, target)
        return np.ascontiguousarray(np.moveaxis(target, -1, 0) if target.ndim == 3 else target)

    def _of_strokes(self, sample: Sample, target: TargetArray) -> TargetArray:
        """The target with the strokes that count alone, where they are divided."""
        if sample.strokes is None:
            return target
        held = pieces_held_out(target, len(self.labels))
        return np.where(held if sample.strokes == "val" else ~held, target, np.uint8(IGNORED))

    def _of_layers(self, layers: list[TargetArray]) -> TargetArray:
        """(H, W) class indices of layers that exclude each other, else (H, W, K)."""
        return np.stack(layers, axis=-1) if self.labels.is_multilabel else one_class_a_pixel(layers, self.labels)

    def instances(self, sample: Sample, of_class: int | None = None) -> NDArray[np.int32] | None:
        """Read the objects one by one: (H, W) int32, 0 outside, 1 and up for each; None where there are none.

        Args:
            sample: Whose.
            of_class: Only those of this class, where they are drawn; None where they are not.
        """
        if sample.is_partial:  # strokes are no objects
            return None
        if sample.shapes is not None:
            shapes = [shape for shape in sample.shapes if of_class in (None, shape.value)]
            return numbered_shapes(shapes, sample.height, sample.width)
        files = sample.instances or (sample.masks if self.reading in ("objects", "instances") else ())
        if not files or of_class is not None:
            return None
        maps = [read_mask(path, sample.mask_page, sample.box).values for path in files]
        if len(maps) == 1 and self.reading != "objects":
            objects = maps[0].astype(np.int32)
        else:
            objects = np.zeros(maps[0].shape[:2], np.int32)
            for index, values in enumerate(maps, start=1):
                inside = (values != 0) if values.ndim == 2 else (values != 0).any(axis=-1)
                objects[inside & (objects == 0)] = index
        return np.ascontiguousarray(turned(objects, sample.mask_turn))

    def save_description(self, path: Path) -> None:
        """Write a dataset.yaml that states what was understood. Raises OutputError."""
        apart = {p.parent for s in self.samples for p in s.masks if p.parent != s.image.parent}
        names = {folder.name for folder in apart}
        masks = self.overrides.masks
        if masks is None and self.overrides.pairs is None and self.reading not in ("classes", "objects", "pages"):
            if len(names) == 1 and folder_place((min(names),)).role == "mask":
                masks = min(names)
            elif len(apart) == 1 and min(apart).is_relative_to(self.root):
                masks = min(apart).relative_to(self.root).as_posix()
        save_description(path, self.root, self.labels, self.reading, replace(self.overrides, masks=masks))


def nodata_of(sample: Sample) -> float | None:
    """The value by which a sample's image marks pixels without data; TIFF alone has one. Raises DataError."""
    if not is_tiff(sample.image):
        return None
    with open_image(sample.image, sample.page) as file:
        return file.nodata


def mask_pages(sample: Sample, labels: Labels | None, reading: Reading | None) -> list[Page]:
    """The pages of mask files that hold the labels of a sample; where the reading is "pages", one a class."""
    if reading == "pages" and labels is not None:
        return [(path, page) for path in sample.masks for page in range(layer_count(labels))]
    return [(path, sample.mask_page) for path in sample.masks]


def as_written(mask: RawMask, labels: Labels, reading: Reading) -> MaskArray:
    """Bring a mask to what `codec.encode` wants: (H, W) values, or (H, W, 3) colours."""
    if reading == "alpha" and mask.alpha is not None:
        return np.where(mask.alpha >= OPAQUE_FROM, 255, 0).astype(np.uint8)
    values: MaskArray = painted_values(mask)
    if labels.encoding == "colour":
        if mask.palette is not None:
            coloured: MaskArray = mask.palette[values]
            return coloured
        return np.repeat(values[..., None], 3, axis=2) if values.ndim == 2 else values
    if reading == "nonzero":
        return np.where(values != 0, 255, 0).astype(np.uint8)
    return np.where(values >= 128, 255, 0).astype(np.uint8) if reading == "halves" else values


def _presence(values: MaskArray, labels: Labels, k: int, sample: Sample) -> TargetArray:
    """1 where class k is, IGNORED where the value is an ignored one, else 0."""
    if values.ndim == 3:
        values = values.max(axis=-1)
    present = values == labels.values[k] if labels.is_multilabel else values != 0
    ignored = np.isin(values, [v for v in labels.ignored if isinstance(v, int)])
    unknown = ~(present | ignored | (values == 0))
    if unknown.any():
        path = sample.masks[min(k - sum(absent < k for absent in sample.absent), len(sample.masks) - 1)]
        raise DataError(
            f"{path} holds {int(unknown.sum()):,} pixels that are neither 0 nor {labels.values[k]}.",
            fix="save each class's mask with 0 and one other value.",
            examples=[str(value) for value in np.unique(values[unknown])],
        )
    return np.where(ignored, IGNORED, present).astype(np.uint8)
