"""Where polygons lie: from corners of pixels to coordinates of a map."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import OutputError
from perpixel.files.open_image import GeoReference
from perpixel.files.tiff_writer import Tag

GEOKEYS_TAG: Final = 34735
PROJECTED_KEY, GEOGRAPHIC_KEY, USER_DEFINED = 3072, 2048, 32767

PIXELS: Final = GeoReference("", (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
"""For an image without a place on the earth: x to the right and y downwards."""


@dataclass(frozen=True)
class WorldPlace:
    """How pixels become coordinates.

    Args:
        georeference: Its transform, and its coordinate reference system as WKT.
        epsg: Number of the coordinate reference system; None for pixels.
    """

    georeference: GeoReference = PIXELS
    epsg: int | None = None

    def ring(self, corners: NDArray[np.int64]) -> list[list[float]]:
        """A closed ring of coordinates from corners (n, 2) in pixels; outer rings run counter-clockwise on a map."""
        a, b, c, d, e, f = self.georeference.transform
        x, y = corners.T
        if self.epsg is None:
            points = corners.tolist()
        else:
            points = np.stack([a * x + b * y + c, d * x + e * y + f], axis=1).tolist()
            if a * e - b * d < 0:
                points.reverse()
        return [*points, points[0]]


def world_place(georeference: GeoReference, tags: tuple[Tag, ...], name: str) -> WorldPlace:
    """The place of a GeoTIFF, its EPSG number from its GeoKeys.

    Args:
        georeference: Of its pixels.
        tags: As `perpixel.files.tiff_writer.georeference_tags` gives them.
        name: What to call it in a message.

    Raises:
        OutputError: Its coordinate reference system has no EPSG number.
    """
    keys = next((values for code, _, values in tags if code == GEOKEYS_TAG), ())
    entries = {keys[i]: keys[i + 3] for i in range(4, len(keys) - 3, 4)}
    epsg = entries.get(PROJECTED_KEY) or entries.get(GEOGRAPHIC_KEY)
    if epsg is None or epsg == USER_DEFINED:
        raise OutputError(
            f"the coordinate reference system of {name} has no EPSG number, which polygons are told by.",
            fix="reproject the image to a system with a number, or leave polygons out.",
        )
    return WorldPlace(georeference, int(epsg))
