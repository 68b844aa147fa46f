"""Objects of a prediction: polygons and numbered instances, the same whatever the tiles."""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from perpixel.files.geojson import GeoJsonWriter, writing_geojson
from perpixel.files.geopackage import GeoPackageWriter, writing_geopackage
from perpixel.files.places import Place, place_of
from perpixel.files.tiff_writer import TiffWriter, georeference_tags, writing_tiff
from perpixel.files.write import mask_paths
from perpixel.geometry.components import RegionFinder, Regions
from perpixel.prediction.job import Job
from perpixel.prediction.outputs import POLYGON_ENDINGS
from perpixel.prediction.pieces import Piece
from perpixel.prediction.separation import separated
from perpixel.shapes import IGNORED, TargetArray

ROWS_AT_ONCE = 256


def write_objects(job: Job, pieces: Iterator[Piece]) -> None:
    """Find the regions of each class and page; write their polygons, their numbers, or both.

    The background is no object. Multilabel labels have regions of their own for each class.
    """
    with ExitStack() as stack:
        polygons, instances = _open_polygons(job, stack), _open_instances(job, stack)
        for page, layer, every in _regions(job, pieces):
            regions, numbers, classes = _objects(job, every)
            if instances:
                for top in range(0, job.height, ROWS_AT_ONCE):
                    rows = regions.painted(numbers, top, min(ROWS_AT_ONCE, job.height - top))
                    instances[layer].put(page, top, 0, rows.astype(np.uint32))
            if polygons is not None:
                paging = {"page": page} if job.header.pages > 1 else {}
                for region in regions.outlined(numbers, job.outputs.simplify_px):
                    name = job.labels.names[classes[region.value]]
                    properties = {"class": name, "number": region.number, "pixels": region.pixels, **paging}
                    polygons.add(region.rings, properties)


def _objects(job: Job, regions: Regions) -> tuple[Regions, NDArray[np.int64], NDArray[np.int64]]:
    """The regions that objects are made of, the object's number of each run, and the class by a region's value."""
    skip = () if job.labels.background is None else (job.labels.background,)
    if job.outputs.instances != "watershed":
        return regions, regions.numbers(skip, job.outputs.least_px), np.arange(len(job.labels))
    parts, classes = separated(regions, regions.numbers(skip))
    return parts, parts.numbers(least_px=job.outputs.least_px), classes


def _open_polygons(job: Job, stack: ExitStack) -> GeoJsonWriter | GeoPackageWriter | None:
    if job.outputs.polygons is None:
        return None
    place, georeference = Place(), job.header.georeference
    if georeference is not None:
        place = place_of(georeference, georeference_tags(job.source), str(job.source))
    path = job.folder / "polygons" / (job.source.stem + POLYGON_ENDINGS[job.outputs.polygons])
    if job.outputs.polygons == "geojson":
        return stack.enter_context(writing_geojson(path, place))
    return stack.enter_context(writing_geopackage(path, place))


def _open_instances(job: Job, stack: ExitStack) -> list[TiffWriter]:
    """A file for each layer."""
    if job.outputs.instances is None:
        return []
    layout = job.layout(1, np.dtype(np.uint32))
    paths = mask_paths(job.folder / "instances" / f"{job.source.stem}.tif", job.labels)
    return [stack.enter_context(writing_tiff(path, layout)) for path in paths]


def _regions(job: Job, pieces: Iterator[Piece]) -> Iterator[tuple[int, int, Regions]]:
    """Page, layer and regions: one layer for multiclass labels, one for each overlapping class."""
    count = 1 if job.labels.kind == "multiclass" else len(job.labels)
    finders: list[RegionFinder] = []
    band: list[TargetArray] = []
    for piece in pieces:
        if piece.top == piece.left == 0:
            finders = [RegionFinder(job.width) for _ in range(count)]
        band.append(piece.target)
        if piece.right < job.width:
            continue
        rows = np.concatenate(band, axis=-1)
        band = []
        for layer, finder in enumerate(finders):
            finder.add(rows if rows.ndim == 2 else np.where(rows[layer] == 1, layer, IGNORED).astype(np.uint8))
        if piece.bottom == job.height:
            yield from ((piece.page, layer, finder.finish()) for layer, finder in enumerate(finders))
