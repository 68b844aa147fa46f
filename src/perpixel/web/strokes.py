"""Strokes: what a hand does to the labels of an image, as data that can be sent, kept and drawn again."""

from dataclasses import asdict, dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import label

from perpixel.errors import DataError
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import IGNORED

Tool: TypeAlias = Literal["brush", "eraser", "polygon", "fill"]
Slices: TypeAlias = tuple[slice, slice]

MOST_POINTS: Final = 20_000
LARGEST_RADIUS: Final = 500.0
FARTHEST: Final = 1e6


@dataclass(frozen=True)
class Stroke:
    """One movement of a tool.

    Args:
        tool: "brush" and "eraser" draw along the points with a round tip, "polygon" fills inside them, "fill" changes
            the connected pixels of equal label around its first point.
        class_index: What is painted; without meaning for the eraser.
        points: (x, y) in pixels of the image; pixel (0, 0) covers 0..1.
        radius: Of the tip, in pixels.
    """

    tool: Tool
    class_index: int
    points: tuple[tuple[float, float], ...]
    radius: float = 1.0

    @classmethod
    def of(cls, sent: Json, classes: int) -> "Stroke":
        """Read what a client sent. Raises DataError for anything but a stroke."""
        try:
            points = tuple((float(x), float(y)) for x, y in sent["points"])
            stroke = cls(str(sent["tool"]), int(sent["class_index"]), points, float(sent.get("radius", 1)))  # type: ignore[arg-type]
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
            raise _no_stroke("it lacks tool, class_index or points, or they are no numbers") from None
        if stroke.tool not in get_args(Tool):
            raise _no_stroke(f"its tool is none of {', '.join(get_args(Tool))}")
        if not 1 <= len(points) <= MOST_POINTS:
            raise _no_stroke(f"it has {len(points):,} points, not 1 to {MOST_POINTS:,}")
        if not all(abs(x) < FARTHEST and abs(y) < FARTHEST for x, y in points):
            raise _no_stroke("a point is out of bounds")
        if not 0 <= stroke.class_index < classes:
            raise _no_stroke(f"there is no class {stroke.class_index}")
        if not 0 < stroke.radius <= LARGEST_RADIUS:
            raise _no_stroke(f"its radius is not in 0..{LARGEST_RADIUS:g}")
        return stroke

    def to_dict(self) -> JsonObject:
        """Plain numbers and lists, ready for JSON; `of` reads them."""
        return asdict(self)

    def pixels(self, labels: NDArray[np.uint8]) -> tuple[Slices, NDArray[np.bool_]] | None:
        """Which pixels it touches: a box of the labels (H, W), and a mask of the box; None where there are none."""
        if self.tool == "fill":
            return _connected(labels, self.points[0])
        box = self._box(labels.shape)
        if box is None:
            return None
        top, left = box[0].start, box[1].start
        canvas = Image.new("1", (box[1].stop - left, box[0].stop - top))
        draw = ImageDraw.Draw(canvas)
        points = [(x - left - 0.5, y - top - 0.5) for x, y in self.points]
        if self.tool == "polygon":
            if len(points) < 3:
                return None
            draw.polygon(points, fill=1, outline=1)
        else:
            _draw_line(draw, points, self.radius)
        return box, np.asarray(canvas)

    @property
    def value(self) -> int:
        """What the touched pixels become."""
        return IGNORED if self.tool == "eraser" else self.class_index

    def _box(self, shape: tuple[int, ...]) -> Slices | None:
        margin = 2 + (0 if self.tool == "polygon" else self.radius)
        x, y = np.array(self.points).T
        top, bottom = max(0, int(y.min() - margin)), min(shape[0], int(y.max() + margin) + 1)
        left, right = max(0, int(x.min() - margin)), min(shape[1], int(x.max() + margin) + 1)
        return (slice(top, bottom), slice(left, right)) if top < bottom and left < right else None


def _draw_line(draw: ImageDraw.ImageDraw, points: list[tuple[float, float]], radius: float) -> None:
    reach = max(0.0, radius - 0.5)
    if len(points) > 1:
        draw.line(points, fill=1, width=max(1, round(2 * radius)))
    for x, y in points:
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=1)


def _connected(labels: NDArray[np.uint8], point: tuple[float, float]) -> tuple[Slices, NDArray[np.bool_]] | None:
    x, y = int(np.floor(point[0])), int(np.floor(point[1]))
    if not (0 <= y < labels.shape[0] and 0 <= x < labels.shape[1]):
        return None
    regions, _ = label(labels == labels[y, x])
    inside = regions == regions[y, x]
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return box, inside[box]


def _no_stroke(why: str) -> DataError:
    return DataError(f"the stroke cannot be drawn: {why}.", fix="reload the page.")
