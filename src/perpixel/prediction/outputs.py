"""What a prediction writes, and under which names."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

from perpixel.errors import SettingsError, did_you_mean
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.read import Header
from perpixel.labels.labels import Colour, Labels, Value
from perpixel.runtime.choices import Existing, InstanceMethod, PolygonFormat, ProbabilityDtype

POLYGON_ENDINGS: Final = {"geojson": ".geojson", "geopackage": ".gpkg"}
CHOICES: Final[dict[str, Any]] = {
    "probabilities": ProbabilityDtype,
    "polygons": PolygonFormat,
    "instances": InstanceMethod,
    "existing": Existing,
}


@dataclass(frozen=True)
class Outputs:
    """What is written for each image; several at once in one pass.

    Args:
        mask: The mask: OUT/STEM.png, or .tif for GeoTIFF, stacks and images too large for PNG.
        index: Whether the mask holds class indices instead of the values of the training masks.
        cloud: Whether the mask of a GeoTIFF is a cloud-optimised one, with overviews; needs rasterio.
        probabilities: OUT/probabilities/STEM.tif, one band a class: "uint8" (times 255), "uint16" (times 65535) or
            "float32"; None writes none.
        overlay: OUT/overlays/STEM.png or .tif: the image with the classes' colours over it.
        triptych: A labelled data set: OUT/triptychs/STEM.png has image, truth and prediction side by side.
        areas: OUT/areas/STEM.csv: pixels, share and, where the CRS tells them, square metres of each class.
        polygons: OUT/polygons/STEM.geojson or .gpkg: the outline of each object, exactly along the pixels, in the CRS
            of a GeoTIFF, else in pixels. An object is what `instances` says, without it "connected".
        instances: OUT/instances/STEM.tif: the number of each object as uint32, 0 where there is none. An object is
            the "connected" pixels of a class that is not the background; "watershed" also cuts it at its necks, see
            `perpixel.prediction.separation`.
        zarr: OUT/zarr/STEM.zarr: class indices as OME-Zarr, (z, y, x) for stacks, (c, y, x) for multilabel classes.
        simplify_px: How far a polygon may leave the pixels' edges to have fewer corners; 0 for exact ones. Neighbours
            share their borders as before.
        least_px: Objects of fewer pixels are left out of polygons and instances.
        objects: OUT/objects/STEM.csv: class, area, centroid, box, diameter and mean intensity of each object; the
            tables of all images together are OUT/objects.csv.
        count: Count the objects of images that are seen whole, for the summary; nothing is written.
        also: Further outputs, by their names in `perpixel.prediction.output_table.OUTPUTS`.
        existing: What to do where an output is there already: "refuse", "skip" the image, or "replace" it.
    """

    mask: bool = True
    index: bool = False
    cloud: bool = False
    probabilities: ProbabilityDtype | None = None
    overlay: bool = False
    triptych: Path | None = None
    areas: bool = False
    polygons: PolygonFormat | None = None
    instances: InstanceMethod | None = None
    zarr: bool = False
    simplify_px: float = 0
    least_px: int = 0
    objects: bool = False
    count: bool = False
    also: tuple[str, ...] = ()
    existing: Existing = "refuse"

    def __post_init__(self) -> None:
        """Raise SettingsError where a choice is none of its set."""
        for option, choices in CHOICES.items():
            value = getattr(self, option)
            if value is not None and value not in get_args(choices):
                fix = did_you_mean(str(value), get_args(choices))
                raise SettingsError(f"{option} {value!r} is unknown.", fix=fix)

    def written_labels(self, labels: Labels) -> Labels:
        """The labels as the mask is written: with a value of its own for pixels outside the image."""
        if labels.is_multilabel:
            return labels
        if self.index:
            values: tuple[Value, ...] = tuple(range(len(labels)))
            return replace(labels, values=values, encoding="index", ignored=())
        return labels if labels.ignored else replace(labels, ignored=(_free_value(labels),))


def needs_tiff(header: Header) -> bool:
    """Whether the outputs of such an image are TIFF: it has a place on the earth, several pages, or is very large."""
    return header.georeference is not None or header.pages > 1 or header.height * header.width > MAX_PIXELS


def _free_value(labels: Labels) -> Value:
    """255 or white, unless a class has it; then the greatest value that none has."""
    greys = range(255, -1, -1)
    free: list[Value] = (
        [grey for grey in map(_grey, greys) if grey not in labels.values]
        if labels.encoding == "colour"
        else [value for value in greys if value not in labels.values]
    )
    assert free, "at most 255 classes leave one value free"
    return free[0]


def _grey(value: int) -> Colour:
    return value, value, value
