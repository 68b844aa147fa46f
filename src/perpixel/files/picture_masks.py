"""Pictures as masks: indices stay indices, colours colours, upright."""

from pathlib import Path

from perpixel.files.image_format import RawMask
from perpixel.files.open_image import Box
from perpixel.files.pillow_images import read_indices, turned


def picture_mask(path: Path, _page: int = 0, box: Box | None = None) -> RawMask:
    """The first frame, or a box of it, as it lies but for its orientation. Raises DataError."""
    found = read_indices(path)
    values = turned(found.values, found.orientation)
    top, left, height, width = box or (0, 0, *values.shape[:2])
    part = (slice(top, top + height), slice(left, left + width))
    alpha = None if found.alpha is None else turned(found.alpha, found.orientation)[part]
    return RawMask(values[part], found.palette, found.lossy, alpha=alpha, orientation=found.orientation)
