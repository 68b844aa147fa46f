"""A prediction in memory: the mask of one image, and what can be asked of it."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias, Union, cast

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.files import write
from perpixel.files.areas import Area, AreaTable, pixel_areas
from perpixel.files.object_table import MeasuredObject, ObjectSums, rows_as_csv
from perpixel.files.open_image import GeoReference
from perpixel.files.pillow_images import gray_or_colour
from perpixel.files.read import is_image, read_header, read_image
from perpixel.labels.codec import mask_of
from perpixel.labels.labels import Labels
from perpixel.language import counted, say
from perpixel.results import Picture, Result, ResultList, Row, plain
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import IGNORED, AnyArray, TargetArray

if TYPE_CHECKING:
    from PIL import Image

ImageLike: TypeAlias = Union[str, Path, "Image.Image", AnyArray]
"""An image file, a PIL image, or an array (H, W) or (H, W, C)."""


@dataclass(frozen=True, eq=False, repr=False)
class Prediction(Result):
    """What a model says of one image.

    Args:
        name: Of the image.
        image: (H, W, C) as the model was given it.
        mask: (H, W) uint8 class indices; for multilabel classes (K, H, W) in {0, 1}. 255 where the image has no
            measurement.
        probabilities: (K, H, W) float32 in 0..1.
        labels: The classes.
        georeference: Where the image lies on the earth, if it says so.
    """

    bar: ClassVar[str] = "share"

    name: str
    image: AnyArray
    mask: TargetArray
    probabilities: NDArray[np.float32]
    labels: Labels
    georeference: GeoReference | None = None

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> AnyArray:
        """The mask, for functions of numpy."""
        return np.array(self.mask, dtype, copy=copy is not False)

    @cached_property
    def areas(self) -> Mapping[str, Area]:
        """What each class covers, by its name: `areas["nuclei"].share`."""
        table = AreaTable(self.labels, self.georeference)
        table.add(self.mask, 0, 0)
        return {name: area for _, name, area in table.areas()}

    @cached_property
    def objects(self) -> tuple[MeasuredObject, ...]:
        """Every connected object of the classes but the background, as `predict` with `objects` writes them."""
        from perpixel.instances import class_layers, label_layers  # with SciPy, half a second to load

        found: list[MeasuredObject] = []
        metres = pixel_areas(self.georeference, 0, self.mask.shape[-2])
        numbered = label_layers(self.mask, background=self.labels.background)
        for numbers, layer in zip(numbered, class_layers(self.mask), strict=True):
            sums = ObjectSums(int(numbers.max(initial=0)))
            sums.add(numbers, 0, metres, self.image)
            present, first = np.unique(numbers, return_index=True)
            classes = layer.ravel()[first[present > 0]]
            found += sums.objects([self.labels.names[k] for k in classes])
        return tuple(found)

    @property
    def headline(self) -> str:
        """Size and what was found."""
        height, width = self.mask.shape[-2:]
        found = ", ".join(
            f"{area.share:.1%} {name}"
            for k, (name, area) in enumerate(self.areas.items())
            if k in self.labels.foreground_classes and not math.isnan(area.share)
        )
        size = say("{height} × {width} pixels", height=f"{height:,}", width=f"{width:,}")
        return f"{self.name}{say(': ')}{size}{say(', ')}{found or say('nothing')}"

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a class, and a row an object."""
        areas = [{"class": name, **vars(area)} for name, area in self.areas.items()]
        if all(math.isnan(row["square_metres"]) for row in areas):
            areas = [{key: value for key, value in row.items() if key != "square_metres"} for row in areas]
        return {"areas": areas, "objects": [each.row() for each in self.objects]}

    def to_dict(self) -> JsonObject:
        """Name, size, areas and objects."""
        tables = {
            name: [{key: plain(value) for key, value in row.items()} for row in rows]
            for name, rows in self.tables().items()
        }
        return {"schema": 1, "name": self.name, "size": list(self.mask.shape[-2:]), **tables}

    def pictures(self) -> Sequence[Picture]:
        """The image, and the overlay."""
        return [Picture(say("image"), write.picture(self.image)), Picture(say("prediction"), self.overlay())]

    def overlay(self, opacity: float = 0.5) -> NDArray[np.uint8]:
        """The image with the classes' colours over it, (H, W, 3) uint8."""
        return write.overlay(write.picture(self.image), self.mask, self.labels, opacity)

    def plot(self) -> "Image.Image":
        """Image and overlay next to each other, as a PIL image, which a notebook shows; `.show()` elsewhere."""
        from PIL import Image

        gap = np.full((self.mask.shape[-2], 4, 3), 255, np.uint8)
        return Image.fromarray(np.concatenate([write.picture(self.image), gap, self.overlay()], axis=1))

    def save(self, path: str | Path) -> list[Path]:
        """Write the mask in the encoding of the training masks, as `predict` does.

        Args:
            path: Ends in .png or .tif; multilabel classes get a file each, in a folder of the class's name. A name
                that ends in .csv gets the table of objects instead.

        Returns:
            What was written.

        Raises:
            OutputError: It cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() == ".csv":
            from perpixel.files.atomic import write_text

            write_text(path, rows_as_csv([{"image": self.name, **each.row()} for each in self.objects]))
            return [path]
        target = np.where(self.mask == IGNORED, 0, self.mask) if self.labels.is_multilabel else self.mask
        return write.write_mask(path, mask_of(target, self.labels), self.labels)


@dataclass(frozen=True, repr=False)
class Predictions(ResultList[Prediction]):
    """Predictions of several images, in their order."""

    @property
    def headline(self) -> str:
        """How many."""
        return say("{images} predicted", images=counted(len(self), "image"))

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a class of an image, and a row an object."""
        return {
            name: [{"image": each.name, **row} for each in self for row in each.tables()[name]]
            for name in ("areas", "objects")
        }

    def pictures(self) -> Sequence[Picture]:
        """The first overlays."""
        return [Picture(each.name, each.overlay()) for each in self[:4]]

    def text(self) -> str:
        """A line an image."""
        return "\n".join(each.headline for each in self)


def read_given(image: ImageLike, channels: int) -> tuple[str, AnyArray, GeoReference | None]:
    """Name, pixels (H, W, C) and place on the earth of what somebody wants to have predicted.

    Args:
        image: As somebody passed it.
        channels: That the model takes.

    Raises:
        DataError: It is no image, or a stack.
    """
    if isinstance(image, str | os.PathLike):
        _refuse_no_file(Path(image))
        header = read_header(Path(image))
        if header.pages > 1:
            raise DataError(
                f"{image} is a stack of {header.pages} pages.", fix="predict it to files: perpixel.predict."
            )
        return Path(image).name, read_image(Path(image)), header.georeference
    name = "the image"
    if hasattr(image, "convert") and hasattr(image, "mode"):  # PIL's
        name = Path(getattr(image, "filename", "") or name).name
        image = gray_or_colour(cast("Image.Image", image))
        image = image.convert("F") if image.mode == "I" else image
    if not hasattr(image, "__array__") and not hasattr(image, "__array_interface__"):
        raise DataError(
            f"{type(image).__name__} is no image.",
            fix="give a path, a PIL image, an array (H, W, C), or a list of them.",
        )
    pixels = np.asarray(image)
    if pixels.dtype == bool:
        raise DataError(
            "an array of bool is no image: its dtype has no grey values.", fix='give array.astype("uint8") * 255.'
        )
    if pixels.ndim not in (2, 3) or 0 in pixels.shape or pixels.dtype.kind not in "uif":
        raise DataError(
            f"an array of shape {pixels.shape} and {pixels.dtype} is no image.",
            fix="give numbers (H, W) or (H, W, C); several images as a list.",
        )
    if pixels.ndim == 3 and pixels.shape[2] != channels == pixels.shape[0]:
        raise DataError(
            f"an array of shape {pixels.shape} has its channels first; the model takes (H, W, {channels}).",
            fix="move them last: numpy.moveaxis(image, 0, -1).",
        )
    return name, pixels if pixels.ndim == 3 else pixels[..., None], None


def _refuse_no_file(path: Path) -> None:
    """Raise DataError where there is nothing, or a folder that is no image."""
    if path.is_dir() and not is_image(path):
        raise DataError(
            f"{path} is a folder.", fix="give the path of an image; for a folder perpixel.predict(run, folder, out)."
        )
    if not path.exists():
        raise DataError(f"there is no file {path}.", fix="give the path of an image.")
