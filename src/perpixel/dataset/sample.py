"""One image and what is known of its mask."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from perpixel.errors import Problem
from perpixel.files.open_image import Box
from perpixel.runtime.choices import Subset

Severity: TypeAlias = Literal["error", "warning", "info"]


Ring: TypeAlias = tuple[tuple[float, float], ...]
FARTHEST: Final = 1e9
"""Coordinates reach less far from 0, in pixels or in the units of a coordinate system."""


def ring(points: Iterable[Sequence[float]]) -> Ring:
    """An outline from (x, y, …) points.

    Raises:
        ValueError: A coordinate is not finite, or beyond FARTHEST.
    """
    result = tuple((float(point[0]), float(point[1])) for point in points)
    if not all(abs(x) < FARTHEST and abs(y) < FARTHEST for x, y in result):
        raise ValueError("a coordinate is out of bounds")
    return result


@dataclass(frozen=True)
class Finding:
    """Something the doctor saw: an error stops training, a warning may spoil it, an info says what was decided."""

    severity: Severity
    problem: Problem


def info(what: str, fix: str, examples: Sequence[str] = ()) -> Finding:
    """A finding that says what was decided."""
    return Finding("info", Problem(what, fix, tuple(examples)))


def warning(what: str, fix: str, examples: Sequence[str] = ()) -> Finding:
    """A finding that may spoil the result."""
    return Finding("warning", Problem(what, fix, tuple(examples)))


@dataclass(frozen=True)
class Shape:
    """One drawn object.

    Args:
        value: Its class, the index in `Labels.names`, or IGNORED.
        polygons: Each a tuple of rings of (x, y) in pixels from the upper left corner of the image. The rings of a
            polygon are filled by the even-odd rule (holes), and the polygons united.
        runs: Instead of polygons, COCO run lengths down the columns, alternately out and in.
        height: Of the image the runs count in.
        width: Likewise.
        page: Of the image, where it is a stack and the file says which.
    """

    value: int
    polygons: tuple[tuple[Ring, ...], ...] = ()
    runs: tuple[int, ...] = ()
    height: int = 0
    width: int = 0
    page: int | None = None


@dataclass(frozen=True)
class Sample:
    """One image, labelled or not.

    Args:
        name: Unique in the dataset, and fit for a file name.
        image: The image file.
        page: Its page in a multi-page TIFF.
        height: In pixels, after the EXIF orientation.
        width: In pixels, after the EXIF orientation.
        masks: The mask file; for multilabel labels one a class, in their order; for objects one each. Empty where
            unlabelled, or drawn by `shapes`.
        mask_page: The page of the mask file.
        mask_turn: The EXIF orientation (1..8) to apply to the mask.
        instances: An instance map, or one file an object, where the folder has them.
        shapes: The polygons where the labels are drawn; None where they are not.
        group: Images of one group (a scene, a patient, a stack) belong on one side of a split.
        split: Where the folder put it.
        bounds: Least x, least y, greatest x, greatest y on the earth, where the image is georeferenced.
        corner: Row and column of its upper left pixel, where it is a block of a larger raster; height and width are
            then the block's.
        pixels: How many the mask has of each class, and last of those ignored, where `scan` counted them.
        strokes: Which strokes count, those that train or those that validate, where one image has both.
        is_partial: Whether nobody has labelled what lies outside the shapes; else it is the class 0.
        absent: Where each class has a mask file, the numbers of those, from 0, that have none: they are not there.
    """

    name: str
    image: Path
    page: int = 0
    height: int = 0
    width: int = 0
    masks: tuple[Path, ...] = ()
    mask_page: int = 0
    mask_turn: int = 1
    instances: tuple[Path, ...] = ()
    shapes: tuple[Shape, ...] | None = None
    group: str = ""
    split: Subset | None = None
    bounds: tuple[float, float, float, float] | None = None
    corner: tuple[int, int] | None = None
    pixels: tuple[int, ...] | None = None
    strokes: Literal["train", "val"] | None = None
    is_partial: bool = False
    absent: tuple[int, ...] = ()

    @property
    def box(self) -> Box | None:
        """Top, left, height and width of a block in its raster; None for whole images."""
        return None if self.corner is None else (*self.corner, self.height, self.width)

    @property
    def is_labelled(self) -> bool:
        """Whether a mask was found."""
        return bool(self.masks) or self.shapes is not None


@dataclass(frozen=True)
class Drawn:
    """Labels drawn as outlines.

    Args:
        classes: Names; the value of the first is 1, and 0 is the background.
        shapes: Of each image that is labelled, in the order of drawing.
        problems: What could not be read.
        splits: Of images that a file named after a subset lists (instances_train.json), that subset.
        order: The labels as the tool numbers them from 1 on, where it does.
        findings: What was passed over.
        is_partial: Whether the tool labels parts of images, and what lies outside has no label; None where both are
            usual.
    """

    classes: tuple[str, ...]
    shapes: Mapping[Path, tuple[Shape, ...]]
    problems: tuple[Problem, ...] = ()
    splits: Mapping[Path, Subset] = field(default_factory=dict)
    is_partial: bool | None = False
    order: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
