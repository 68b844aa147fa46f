"""Files of instances: their polygons and their numbers, the same whatever the tiles."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress

import numpy as np

from perpixel.errors import DataError
from perpixel.files.areas import pixel_areas
from perpixel.files.atomic import write_text
from perpixel.files.geojson import GeoJsonWriter, writing_geojson
from perpixel.files.geopackage import GeoPackageWriter, writing_geopackage
from perpixel.files.object_table import MeasuredObject, ObjectSums, rows_as_csv
from perpixel.files.places import WorldPlace, world_place
from perpixel.files.read import open_image
from perpixel.files.tiff_writer import TiffWriter, georeference_tags, writing_tiff
from perpixel.files.write import mask_paths
from perpixel.geometry.components import RegionFinder, Regions
from perpixel.instances import Instances, class_layers, find_instances
from perpixel.prediction.job import Job
from perpixel.prediction.outputs import POLYGON_ENDINGS
from perpixel.prediction.pieces import Piece
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import TargetArray

ROWS_AT_ONCE = 256


def write_instances(job: Job, pieces: Iterator[Piece]) -> None:
    """Find the instances of each class and page; write their polygons, their numbers, their measures, or all three.

    The background has none. Multilabel labels have instances of their own for each class. Polygons are those of
    `Outputs.instances`, without it those of "connected".
    """
    skip = () if job.labels.background is None else (job.labels.background,)
    how = job.outputs.instances or "connected"
    with ExitStack() as stack:
        polygons, files = _open_polygons(job, stack), _open_instances(job, stack)
        rows: list[JsonObject] = []
        for page, layer, regions in _regions(job, pieces):
            instances = find_instances(regions, how, skip=skip, least_px=job.outputs.least_px)
            paging = {"page": page} if job.header.pages > 1 else {}
            if job.outputs.objects or job.outputs.count:
                measured = _measured(job, instances, page)
                job.objects.extend(measured)
                rows += [{"image": job.source.name, **paging, **each.row()} for each in measured]
            if files:
                for top in range(0, job.height, ROWS_AT_ONCE):
                    painted = instances.painted(top, min(ROWS_AT_ONCE, job.height - top))
                    files[layer].put(page, top, 0, painted.astype(np.uint32))
            if polygons is not None:
                for k, region in instances.outlined(job.outputs.simplify_px):
                    properties = {"class": job.labels.names[k], "number": region.number, "pixels": region.pixels}
                    polygons.add(region.rings, properties | paging)
        if job.outputs.objects:
            write_text(job.folder / "objects" / f"{job.source.stem}.csv", rows_as_csv(rows))


def _measured(job: Job, instances: Instances, page: int) -> list[MeasuredObject]:
    """Every object of a map, with the intensities of the image under it where the image is not damaged."""
    sums, georeference = ObjectSums(len(instances)), job.header.georeference
    with open_image(job.source, page) as image:
        for top in range(0, job.height, ROWS_AT_ONCE):
            height = min(ROWS_AT_ONCE, job.height - top)
            under = None
            if job.outputs.objects:
                with suppress(DataError):
                    under = image.read(top, 0, height, job.width)
            sums.add(instances.painted(top, height), top, pixel_areas(georeference, top, height), under)
    return sums.objects([job.labels.names[k] for k in instances.class_indices()])


def _open_polygons(job: Job, stack: ExitStack) -> GeoJsonWriter | GeoPackageWriter | None:
    if job.outputs.polygons is None:
        return None
    place, georeference = WorldPlace(), job.header.georeference
    if georeference is not None:
        georeference.refuse_inexact(str(job.source))
        place = world_place(georeference, georeference_tags(job.source), str(job.source))
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
    """Page, layer and regions; see `perpixel.instances.class_layers`."""
    finders: list[RegionFinder] = []
    band: list[TargetArray] = []
    for piece in pieces:
        if piece.top == piece.left == 0:
            outlines = job.outputs.polygons is not None
            finders = [RegionFinder(job.width, outlines=outlines) for _ in class_layers(piece.target)]
        band.append(piece.target)
        if piece.right < job.width:
            continue
        rows = np.concatenate(band, axis=-1)
        band = []
        for finder, layer in zip(finders, class_layers(rows), strict=True):
            finder.add(layer)
        if piece.bottom == job.height:
            yield from ((piece.page, number, finder.finish()) for number, finder in enumerate(finders))
