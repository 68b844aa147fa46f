"""Ground control points: the straight grid that fits them."""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np

Transform: TypeAlias = tuple[float, float, float, float, float, float]
SPREAD_PX: Final = 1e-6
"""Points that are less far from one line fix no grid."""


def grid_through(tie_points: Sequence[float]) -> tuple[Transform, float] | None:
    """Fit an affine transform to ground control points, by least squares.

    Args:
        tie_points: Groups of six, as the TIFF tag ModelTiepoint has them: column, row, 0, x, y, z.

    Returns:
        (a, b, c, d, e, f) as in `GeoReference`, and the greatest distance of a point from it in pixels; None where
        fewer than three points, or points on a line, fix none.

    >>> grid_through([0, 0, 0, 500, 90, 0, 10, 0, 0, 520, 90, 0, 0, 10, 0, 500, 70, 0])
    ((2.0, 0.0, 500.0, 0.0, -2.0, 90.0), 0.0)
    """
    if len(tie_points) < 18:
        return None
    points = np.array(tie_points[: len(tie_points) // 6 * 6], float).reshape(-1, 6)
    if not np.isfinite(points).all():
        return None
    pixels, places = points[:, :2], points[:, 3:5]
    origin, centre = pixels.mean(axis=0), places.mean(axis=0)  # large coordinates would cost digits
    matrix, _, rank, singular = np.linalg.lstsq(pixels - origin, places - centre, rcond=None)
    if rank < 2 or singular.min() < SPREAD_PX or abs(np.linalg.det(matrix)) == 0:
        return None
    off = (places - centre) - (pixels - origin) @ matrix
    error_px = float(np.linalg.norm(off @ np.linalg.inv(matrix), axis=1).max())
    (a, d), (b, e) = matrix.round(12).tolist()
    c, f = (centre - origin @ matrix).round(9).tolist()
    return (a, b, c, d, e, f), round(error_px, 6)
