"""Fill outlines and run lengths into masks."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perpixel.codec import Labels
from perpixel.dataset.sample import Shape
from perpixel.shapes import TargetArray


def fill(shapes: Sequence[Shape], height: int, width: int, labels: Labels) -> TargetArray:
    """Draw the shapes; for exclusive labels a later one covers an earlier one.

    Args:
        shapes: Their values are class indices.
        height: In pixels.
        width: In pixels.
        labels: Exclusive: (H, W), the class 0 where nothing is drawn. Overlapping: (K, H, W) of 0 and 1.
    """
    if labels.kind == "overlapping":
        target = np.zeros((len(labels), height, width), np.uint8)
        for shape in shapes:
            target[shape.value] |= inside(shape, height, width)
        return target
    target = np.zeros((height, width), np.uint8)
    for shape in shapes:
        target[inside(shape, height, width)] = shape.value
    return target


def number(shapes: Sequence[Shape], height: int, width: int) -> NDArray[np.int32]:
    """(H, W) int32 with 1, 2, … for each shape, 0 outside; a later one covers an earlier one."""
    objects = np.zeros((height, width), np.int32)
    for index, shape in enumerate(shapes, start=1):
        objects[inside(shape, height, width)] = index
    return objects


def inside(shape: Shape, height: int, width: int) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels whose centre the shape holds, by the even-odd rule over all its rings.

    >>> inside(Shape(1, rings=(((1, 0), (3, 0), (3, 2), (1, 2)),)), 3, 4).astype(int)
    array([[0, 1, 1, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]])
    """
    if shape.runs:
        ends = np.cumsum(shape.runs)
        flat = np.zeros(shape.height * shape.width, bool)
        for start, end in zip(ends[::2], ends[1::2], strict=False):
            flat[start:end] = True
        return flat.reshape(shape.width, shape.height).T[:height, :width]
    crossings = np.zeros((height, width), bool)
    for ring in shape.rings:
        crossings ^= _ring(np.asarray(ring, np.float64), height, width)
    return crossings


def _ring(ring: NDArray[np.float64], height: int, width: int) -> NDArray[np.bool_]:
    """Scan-line filling: a row's pixel centres between an odd and an even crossing of the outline are inside."""
    result = np.zeros((height, width), bool)
    if len(ring) < 3:
        return result
    x0, y0 = ring.T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    first = max(int(np.floor(y0.min())), 0)
    for row in range(first, min(int(np.ceil(y0.max())) + 1, height)):
        y = row + 0.5
        crossing = (y0 <= y) != (y1 <= y)
        if crossing.any():
            a, b, c, d = x0[crossing], x1[crossing], y0[crossing], y1[crossing]
            xs = np.sort(a + (y - c) * (b - a) / (d - c))
            starts = np.clip(np.ceil(xs[::2] - 0.5), 0, width).astype(int)
            ends = np.clip(np.ceil(xs[1::2] - 0.5), 0, width).astype(int)
            for start, end in zip(starts, ends, strict=True):
                result[row, start:end] ^= True
    return result
