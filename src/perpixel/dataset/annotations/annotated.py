"""What the files of annotation tools are read into."""

from dataclasses import dataclass

from perpixel.dataset.sample import Ring

Polygons = tuple[tuple[Ring, ...], ...]


@dataclass(frozen=True)
class Outline:
    """One labelled area: polygons, or run lengths of the whole image. Neither: no area (a box, a point, a line).

    The page is told where the image is a stack and the file says it.
    """

    label: str
    polygons: Polygons = ()
    runs: tuple[int, ...] = ()
    page: int | None = None


@dataclass(frozen=True)
class Annotated:
    """The areas of one image, as a file names it; empty names mean the file's own. Height and width where it says.

    `order` are the labels as the tool numbers them from 1 on, in the masks that it exports.
    """

    image: str
    areas: tuple[Outline, ...]
    height: int | None = None
    width: int | None = None
    order: tuple[str, ...] = ()
