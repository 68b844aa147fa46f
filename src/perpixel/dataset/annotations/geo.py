"""Outlines on the earth, GeoJSON and Shapefile, brought to the pixels of georeferenced images."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from perpixel.dataset.annotations.coco import parse
from perpixel.dataset.annotations.placing import NO_LABEL, NamedImages, nearest
from perpixel.dataset.layout.names import natural, stem
from perpixel.dataset.sample import Drawn, Ring, Shape, ring
from perpixel.errors import DataError, Problem
from perpixel.files.read import GeoReference, Header, read_header
from perpixel.files.whole_file import content_of
from perpixel.runtime.json_values import JsonMapping
from perpixel.shapes import IGNORED

PLAIN_FIELDS: Final = (
    *("class", "class_name", "classname", "classification", "label", "label_name", "category", "category_name"),
)
CLASS_FIELDS: Final = (
    *PLAIN_FIELDS,
    *("type", "kind", "landcover", "land_cover", "landuse", "land_use", "lulc", "crop", "species", "class_id"),
)
"""Fields that name a class, the plainest first."""
QUPATH_REGION: Final = "Region*"
QUPATH_IGNORE: Final = "Ignore*"
"""Classes of QuPath: what was annotated wholly, background where nothing else lies; and what has no label."""
WGS84: Final = "EPSG:4326"
CRS_TEXT: Final = re.compile(r"\s*([A-Za-z]+:\d+$|urn:ogc:def:crs:|[A-Za-z_0-9]+\s*\[)")
"""How a coordinate system is named: by an authority's number, by its URN, or as WKT."""


@dataclass(frozen=True)
class Feature:
    """One outlined thing: its class, its polygons in the coordinates of its file."""

    name: str
    polygons: tuple[tuple[Ring, ...], ...]


@dataclass(frozen=True)
class VectorLayer:
    """The features of one file and their coordinate reference system (None: pixels, or unknown)."""

    path: Path
    features: tuple[Feature, ...]
    crs: str | None
    is_qupath: bool = False


def read_geo(files: Sequence[Path], images: Sequence[Path]) -> Drawn | None:
    """Bring the outlines of GeoJSON and Shapefile layers to the images that they overlap.

    A layer goes with the image of its name, else with every georeferenced image. Without a georeference on the
    image the coordinates are pixels.

    Returns:
        None where no file is a layer of polygons.
    """
    problems: list[Problem] = []
    layers = []
    for path in files:
        try:
            layer = _shapefile(path) if path.suffix.lower() == ".shp" else _geojson(path)
        except DataError as error:
            problems += error.problems
            continue
        if layer is not None:
            layers.append(layer)
    if not layers:
        return Drawn((), {}, tuple(problems)) if problems else None
    by_name = NamedImages(images)
    homes = {layer.path: by_name.named(layer.path.stem) for layer in layers}
    headers = {image: header for image in images if (header := _header(image)) is not None}
    if all(homes.values()) or _is_file_an_image([layer for layer in layers if not homes[layer.path]], headers):
        layers = [_of_one_image(layer) for layer in layers]
    names = {feature.name for layer in layers for feature in layer.features}
    classes = sorted(names - {NO_LABEL, QUPATH_REGION, QUPATH_IGNORE}, key=natural)
    shapes: dict[Path, list[Shape]] = {}
    for layer in layers:
        same = homes[layer.path]
        named = nearest(layer.path, same)
        try:
            if same and named is None:
                raise DataError(
                    f"{layer.path} may belong to several images of its name.",
                    fix="put it into the folder of its image.",
                    examples=[str(image) for image in same],
                )
            near = headers if named is None else {named: headers[named]} if named in headers else {}
            _place(layer, near, classes, shapes, is_named=bool(named))
        except DataError as error:
            problems += error.problems
    is_partial = True if QUPATH_REGION in names else None if any(layer.is_qupath for layer in layers) else False
    drawn = {image: tuple(found) for image, found in shapes.items()}
    return Drawn(tuple(classes), drawn, tuple(problems), is_partial=is_partial)


def _value(name: str, classes: Sequence[str]) -> int:
    if name in (NO_LABEL, QUPATH_IGNORE):
        return IGNORED
    return 0 if name == QUPATH_REGION else classes.index(name) + 1


def _of_one_image(layer: VectorLayer) -> VectorLayer:
    """What has no class in a file of one image is an object: the file's name is no class."""
    own = stem(layer.path.name)
    return replace(layer, features=tuple(replace(f, name="object") if f.name == own else f for f in layer.features))


def _header(image: Path) -> Header | None:
    try:
        return read_header(image)
    except DataError:  # told with the images
        return None


def _is_file_an_image(layers: Sequence[VectorLayer], images: Mapping[Path, Header]) -> bool:
    """Whether of several files without classes each lies on one image, and each image has one: no file is a class."""
    bare = [layer for layer in layers if {f.name for f in layer.features} <= {stem(layer.path.name)}]
    if len(bare) < len(layers) or len(layers) < 2:
        return False
    homes: list[Path] = []
    for layer in layers:
        try:
            hit = [image for image, header in images.items() if header.georeference and _touched(layer, header)]
        except DataError:  # told where it is placed
            return False
        if len(hit) != bool(layer.features):
            return False
        homes += hit
    return len(homes) > 1 and len(set(homes)) == len(homes)


def _touched(layer: VectorLayer, header: Header) -> bool:
    """Whether a layer has an outline on an image."""
    return any(touches(polygons, *header.size) for polygons in _in_pixels(layer, header.georeference))


def _place(
    layer: VectorLayer,
    images: Mapping[Path, Header],
    classes: Sequence[str],
    shapes: dict[Path, list[Shape]],
    *,
    is_named: bool,
) -> None:
    hit = False
    for image, header in images.items():
        if header.georeference is None and not is_named and len(images) > 1:
            continue
        height, width = header.size
        if header.georeference is not None:
            header.georeference.refuse_inexact(str(image))
        found = [
            Shape(_value(feature.name, classes), polygons)
            for feature, polygons in zip(layer.features, _in_pixels(layer, header.georeference), strict=True)
            if touches(polygons, height, width)
        ]
        if found or is_named:
            # a region lies under what was drawn in it
            shapes.setdefault(image, []).extend(sorted(found, key=lambda shape: shape.value != 0))
        hit |= bool(found)
    if layer.features and not hit:
        raise DataError(
            f"none of the {len(layer.features)} outlines in {layer.path} lies on an image.",
            fix="check that image and outlines show the same place, and that both name their coordinate system.",
            examples=[str(image) for image in images],
        )


def touches(polygons: Iterable[tuple[Ring, ...]], height: int, width: int) -> bool:
    """Whether outlines reach into an image; one box around all of them is looked at."""
    points = [point for rings in polygons for outline in rings for point in outline]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return bool(points) and min(xs) < width and max(xs) > 0 and min(ys) < height and max(ys) > 0


def _in_pixels(layer: VectorLayer, reference: GeoReference | None) -> list[tuple[tuple[Ring, ...], ...]]:
    if reference is None:
        return [feature.polygons for feature in layer.features]
    a, b, c, d, e, f = reference.transform
    det = a * e - b * d
    project = _projection(layer, reference)

    def pixels(outline: Ring) -> Ring:
        xs, ys = project([x for x, _ in outline], [y for _, y in outline])
        return tuple(
            ((e * (x - c) - b * (y - f)) / det, (a * (y - f) - d * (x - c)) / det)
            for x, y in zip(xs, ys, strict=True)
        )

    return [tuple(tuple(map(pixels, rings)) for rings in feature.polygons) for feature in layer.features]


def _projection(layer: VectorLayer, reference: GeoReference) -> Any:
    """A function of (xs, ys) from the layer's coordinates to the image's."""
    if layer.crs is None or not reference.crs_wkt:
        return lambda xs, ys: (xs, ys)
    from rasterio.crs import CRS
    from rasterio.errors import CRSError
    from rasterio.warp import transform

    try:
        if not CRS_TEXT.match(layer.crs):  # GDAL would take a path or an address for a place to read one from
            raise CRSError
        source, target = CRS.from_user_input(layer.crs), CRS.from_wkt(reference.crs_wkt)
    except CRSError as error:
        raise DataError(
            f"{layer.path} names an unknown coordinate system: {layer.crs[:80]}.",
            fix="write it again with an EPSG code.",
        ) from error
    if source == target:
        return lambda xs, ys: (xs, ys)

    def project(xs: list[float], ys: list[float]) -> tuple[list[float], list[float]]:
        try:
            return transform(source, target, xs, ys)[:2]  # type: ignore[no-any-return]
        except Exception:  # GDAL's own error classes are private; points beyond the projection are on no image
            return [math.inf] * len(xs), [math.inf] * len(ys)

    return project


def _geojson(path: Path) -> VectorLayer | None:
    data = parse(path)
    if isinstance(data, list) and data and all(isinstance(f, dict) and f.get("type") == "Feature" for f in data):
        data = {"type": "FeatureCollection", "features": data}  # as older QuPath writes it
    if not isinstance(data, dict) or data.get("type") not in ("FeatureCollection", "Feature"):
        return None
    listed = data.get("features") if data["type"] == "FeatureCollection" else [data]
    try:
        found = [(dict(f.get("properties") or {}), _polygons(f.get("geometry") or {})) for f in listed or []]
    except (AttributeError, TypeError, ValueError, KeyError, IndexError) as error:
        raise DataError(f"{path} is not sound GeoJSON: {error!r}.", fix="export it again.") from error
    is_qupath = any("objectType" in properties for properties, _ in found)
    return VectorLayer(path, _named(path, found), _geojson_crs(data), is_qupath)


def _geojson_crs(data: JsonMapping) -> str:
    named = data.get("crs")
    properties = named.get("properties") if isinstance(named, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return (
        str(name).replace("urn:ogc:def:crs:EPSG::", "EPSG:").replace("urn:ogc:def:crs:OGC:1.3:CRS84", WGS84)
        if name
        else WGS84
    )


def _polygons(geometry: JsonMapping) -> tuple[tuple[Ring, ...], ...]:
    match geometry.get("type"):
        case "Polygon":
            return (tuple(ring(points) for points in geometry["coordinates"]),)
        case "MultiPolygon":
            return tuple(tuple(ring(points) for points in polygon) for polygon in geometry["coordinates"])
        case "GeometryCollection":
            return tuple(polygon for part in geometry["geometries"] for polygon in _polygons(part))
    return ()


def _shapefile(path: Path) -> VectorLayer:
    try:
        import shapefile
    except ImportError as error:
        raise DataError(f"{path} is a Shapefile, which needs pyshp.", fix="pip install 'perpixel[geo]'.") from error
    try:
        with shapefile.Reader(str(path)) as reader:
            records = [reader.shapeRecord(index) for index in range(len(reader))]  # by the index: gaps are allowed
            found = [(record.record.as_dict(), _polygons(record.shape.__geo_interface__)) for record in records]
    except Exception as error:  # pyshp raises what struct, os and itself raise on damaged bytes
        raise DataError(f"{path} cannot be read: {error}.", fix="restore it with its .shx and .dbf.") from error
    projection = path.with_suffix(".prj")
    crs = content_of(projection).decode("utf-8", "replace") if projection.exists() else None
    return VectorLayer(path, _named(path, found), crs)


def _named(path: Path, found: Sequence[tuple[JsonMapping, tuple[tuple[Ring, ...], ...]]]) -> tuple[Feature, ...]:
    """The features with polygons; their class by a field that all have, else the file's name.

    Raises:
        DataError: Some have a class, and others none.
    """
    areas = [
        ({str(k).lower(): v for k, v in properties.items()}, polygons) for properties, polygons in found if polygons
    ]
    told = {f: sum(properties.get(f) not in (None, "") for properties, _ in areas) for f in CLASS_FIELDS}
    field = next((f for f in CLASS_FIELDS if areas and told[f] == len(areas)), None)
    if field is None and (some := next((f for f in PLAIN_FIELDS if told[f]), None)):
        raise DataError(
            f"{len(areas) - told[some]} of {len(areas)} outlines in {path} have no {some}, and the others have one.",
            fix="give each its class, or remove those without.",
        )
    return tuple(
        Feature(_class_name(properties[field]) if field else stem(path.name), polygons)
        for properties, polygons in areas
    )


def _class_name(value: Any) -> str:
    """The name of a class; QuPath writes an object of its name, or of its names from the general to the special.

    >>> _class_name("roof"), _class_name({"name": "Tumor", "colorRGB": -1}), _class_name({"names": ["Cell", "CD3"]})
    ('roof', 'Tumor', 'Cell: CD3')
    """
    if isinstance(value, dict) and isinstance(value.get("names"), list):
        return ": ".join(map(str, value["names"]))
    return str(value.get("name", value)) if isinstance(value, dict) else str(value)
