"""One image and what is to be written of it: what all outputs share."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perpixel.files.object_table import MeasuredObject
from perpixel.files.read import Header
from perpixel.files.tiff_writer import TiffLayout, georeference_tags
from perpixel.labels.labels import Labels
from perpixel.prediction.outputs import Outputs
from perpixel.shapes import AnyDtype


@dataclass(frozen=True)
class Job:
    """One image and what is to be written of it.

    Args:
        source: The image file.
        header: Its size, pages and georeference.
        nodata: The image's own value for no measurement, if it names one.
        folder: Where the outputs go.
        is_tiff: Whether pictures are written as TIFF.
        labels: As the mask is written.
        outputs: What is wanted.
        objects: Those that were found, once they are counted.
    """

    source: Path
    header: Header
    nodata: float | None
    folder: Path
    is_tiff: bool
    labels: Labels
    outputs: Outputs
    objects: list[MeasuredObject] = field(default_factory=list)

    @property
    def height(self) -> int:
        """Pixels of a page."""
        return self.header.size[0]

    @property
    def width(self) -> int:
        """Pixels of a page."""
        return self.header.size[1]

    def layout(self, bands: int, dtype: AnyDtype, **more: Any) -> TiffLayout:
        """A TIFF of the image's size, pages and place on the earth."""
        tags = georeference_tags(self.source)
        return TiffLayout(self.height, self.width, bands, dtype, self.header.pages, georeference=tags, **more)
