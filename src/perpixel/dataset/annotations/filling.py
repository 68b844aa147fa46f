"""Fill outlines and run lengths into masks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.sample import Ring, Shape
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED, TargetArray


def fill(shapes: Sequence[Shape], height: int, width: int, labels: Labels, *, rest: int = 0) -> TargetArray:
    """Draw the shapes; for multiclass labels a later one covers an earlier one.

    Args:
        shapes: Their values are class indices.
        height: In pixels.
        width: In pixels.
        labels: Multiclass: (H, W), `rest` where nothing is drawn. Overlapping: (K, H, W) of 0, 1 and IGNORED.
        rest: The class where nothing is drawn, 0, or IGNORED.
    """
    target = labels.empty_target(height, width, rest)
    for shape in shapes:
        area = inside(shape, height, width)
        if labels.is_multilabel and shape.value != IGNORED:
            target[:, area & (target[shape.value] == IGNORED)] = 0
            target[shape.value, area] = 1
        else:
            target[..., area] = shape.value
    return target


def numbered_shapes(shapes: Sequence[Shape], height: int, width: int) -> NDArray[np.int32]:
    """(H, W) int32 with 1, 2, … for each shape, 0 outside; a later one covers an earlier one."""
    objects = np.zeros((height, width), np.int32)
    for index, shape in enumerate(shapes, start=1):
        objects[inside(shape, height, width)] = index
    return objects


def inside(shape: Shape, height: int, width: int) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels whose centre the shape holds.

    >>> inside(Shape(1, ((((1, 0), (3, 0), (3, 2), (1, 2)),),)), 3, 4).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    if shape.runs:
        ends = np.cumsum(shape.runs)
        flat = np.zeros(shape.height * shape.width, bool)
        for start, end in zip(ends[::2], ends[1::2], strict=False):
            flat[start:end] = True
        area = np.zeros((height, width), bool)
        drawn = flat.reshape(shape.width, shape.height).T[:height, :width]
        area[: drawn.shape[0], : drawn.shape[1]] = (
            drawn  # an area of another size than the image's covers what it can
        )
        return area
    united = np.zeros((height, width), bool)
    for rings in shape.polygons:
        united |= even_odd(rings, height, width)
    return united


def even_odd(rings: Sequence[Ring], height: int, width: int) -> NDArray[np.bool_]:
    """Scan-line filling: from left to right a row's pixels change sides at each crossing of an outline."""
    points = [np.asarray(ring, np.float64) for ring in rings if len(ring) >= 3]
    if not points:
        return np.zeros((height, width), bool)
    x0, y0 = np.concatenate(points).T
    x1, y1 = np.concatenate([np.roll(ring, -1, axis=0) for ring in points]).T
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(int)
    last = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(int)
    edge = np.repeat(np.arange(len(x0)), last - first)  # one entry for each row that an edge crosses
    row = np.arange(len(edge)) - np.repeat(np.cumsum(last - first) - (last - first), last - first) + first[edge]
    x = x0[edge] + (row + 0.5 - y0[edge]) * (x1 - x0)[edge] / (y1 - y0)[edge]
    column = np.clip(np.ceil(x - 0.5), 0, width).astype(int)
    crossings = np.bincount(row * (width + 1) + column, minlength=height * (width + 1)).reshape(height, width + 1)
    odd: NDArray[np.bool_] = (np.cumsum(crossings, axis=1) & 1).astype(bool)[:, :width]
    return odd
