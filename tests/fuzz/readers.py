"""Damaged images and labels, and what reads them."""

import io
import json
from contextlib import suppress
from functools import cache

import numpy as np
import shapefile
import tifffile
import yaml
from PIL import Image

import annotation_kinds
import stroke_tools
from folders import drawing, photograph, save, save_palette
from fuzz.mutations import damaged, damaged_json, damaged_npy, damaged_png, damaged_text, damaged_tiff, pick, replaced
from perpixel.dataset import scan
from perpixel.dataset.description import load_description
from perpixel.files.parse import parse_xml
from perpixel.files.read import open_image, read_header, read_image, read_mask
from perpixel.prediction.inputs import expanded
from perpixel.web.painting import Painting

PHOTOGRAPH = photograph(drawing(0))
DEEP = PHOTOGRAPH.astype(np.uint16) * 200
GEO = [
    (33550, "d", 3, (1.0, 1.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 500000.0, 100000.0, 0.0), True),
    (34735, "H", 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32632), True),
    (42113, "s", 4, "255", True),
]


def _encoded(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _with_exif(buffer):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PHOTOGRAPH).save(buffer, "JPEG", exif=exif)


def _tiff(pixels=PHOTOGRAPH, **options):
    return _encoded(lambda buffer: tifffile.imwrite(buffer, pixels, **options))


def _pillow(picture, kind, **options):
    return _encoded(lambda buffer: picture.save(buffer, kind, **options))


PICTURE = Image.fromarray(PHOTOGRAPH)
IMAGES = {
    "png": (_pillow(PICTURE, "PNG"), damaged_png),
    "png palette": (_pillow(PICTURE.quantize(8), "PNG"), damaged_png),
    "png 16 bit": (_pillow(Image.fromarray(DEEP[..., 0]), "PNG"), damaged_png),
    "png alpha": (_pillow(PICTURE.convert("RGBA"), "PNG"), damaged_png),
    "jpeg": (_encoded(_with_exif), damaged),
    "gif": (_pillow(PICTURE.quantize(8), "GIF"), damaged),
    "bmp": (_pillow(PICTURE, "BMP"), damaged),
    "webp": (_pillow(PICTURE, "WEBP"), damaged),
    "jp2": (_pillow(PICTURE, "JPEG2000"), damaged),
    "ppm": (_pillow(PICTURE, "PPM"), damaged_text),
    "npy": (_encoded(lambda buffer: np.save(buffer, PHOTOGRAPH)), damaged_npy),
    "tiff": (_tiff(photometric="rgb"), damaged_tiff),
    "tiff tiled": (_tiff(photometric="rgb", tile=(16, 16), compression="zlib"), damaged_tiff),
    "tiff lzw": (_pillow(PICTURE, "TIFF", compression="tiff_lzw"), damaged_tiff),
    "tiff jpeg": (_pillow(PICTURE, "TIFF", compression="jpeg"), damaged_tiff),
    "tiff packbits": (_pillow(PICTURE, "TIFF", compression="packbits"), damaged_tiff),
    "tiff pages": (_tiff(PHOTOGRAPH.transpose(2, 0, 1), photometric="minisblack"), damaged_tiff),
    "tiff float": (_tiff(PHOTOGRAPH[..., 0].astype(np.float32), compression="zlib"), damaged_tiff),
    "tiff big": (_tiff(DEEP, photometric="rgb", bigtiff=True), damaged_tiff),
    "tiff palette": (_pillow(PICTURE.quantize(8), "TIFF"), damaged_tiff),
    "geotiff": (_tiff(PHOTOGRAPH[..., 0], extratags=GEO, tile=(16, 16)), damaged_tiff),
}


def images(folder, draw):
    """An image of any format, read whole, as a mask, as a header and as a window."""
    content, damage = IMAGES[pick(draw, sorted(IMAGES))]
    path = folder / "a.png"
    path.write_bytes(damage(content, draw))
    return [lambda read=read: read(path) for read in (read_image, read_mask, read_header, _corner)]


def _corner(path):
    with open_image(path) as image:
        image.read(0, 0, min(image.height, 3), min(image.width, 3))


COCO = {
    "images": [{"id": 1, "file_name": "a.png", "height": 24, "width": 32}],
    "categories": [{"id": 1, "name": "disc"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9.5]]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": [3, 5, 760]}},
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": "35hg0"}},
    ],
}
LABELME = {
    "imagePath": "a.png", "imageHeight": 24, "imageWidth": 32,
    "shapes": [
        {"label": "disc", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon"},
        {"label": "disc", "points": [[1, 1], [9, 9]], "shape_type": "circle"},
        {"label": "bar", "points": [[1, 1], [9, 9]], "shape_type": "rectangle"},
    ],
}  # fmt: skip
RING = [[1, 1], [9, 1], [9, 9], [1, 1]]
GEOJSON = {
    "type": "FeatureCollection",
    "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}},
    "features": [
        {"type": "Feature", "properties": {"class": "disc"}, "geometry": {"type": "Polygon", "coordinates": [RING]}},
        {"type": "Feature", "properties": {"class": "bar"},
         "geometry": {"type": "MultiPolygon", "coordinates": [[RING]]}},
    ],
}  # fmt: skip
DESCRIPTION = {
    "perpixel": 1, "root": ".", "masks": "masks", "kind": "multiclass", "encoding": "index", "reading": "values",
    "classes": [{"name": "a", "value": 0, "colour": "#000000"}, {"name": "b", "value": 1}, {"name": "c", "value": 2}],
    "ignored": [255],
}  # fmt: skip
YOLO = "0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.5 0.2 0.3\n"
TEXTS = {
    "coco.json": json.dumps(COCO),
    "a.json": json.dumps(LABELME),
    "a.geojson": json.dumps(GEOJSON),
    "a.txt": YOLO,
    "data.yaml": yaml.safe_dump({"names": {0: "a", 1: "b"}, "nc": 2, "train": "images"}),
    "pairs.csv": "image,mask,split,group\nimages/a.png,other/a.png,train,x\n",
    "classes.json": json.dumps({"0": "a", "1": "b", "2": "c"}),
    "classes.csv": "name,r,g,b\na,0,0,0\nb,1,1,1\nc,2,2,2\n",
    "dataset.yaml": yaml.safe_dump(DESCRIPTION),
}
MASKS = {"pairs.csv": "other", "classes.json": "masks", "classes.csv": "masks", "dataset.yaml": "masks"}


def make_label_folders(folder):
    """A folder of one image for each kind of label file."""
    for name in TEXTS:
        place = folder / name.replace(".", "-")
        save(place / "images" / "a.png", PHOTOGRAPH)
        if name in MASKS:
            save_palette(place / MASKS[name] / "a.png", drawing(0))
        if name == "data.yaml":
            (place / "a.txt").write_text(YOLO, encoding="utf-8")


def labels(folder, draw):
    """A label file of any kind, and all targets that follow from it."""
    name = pick(draw, sorted(TEXTS))
    place, content = folder / name.replace(".", "-"), TEXTS[name].encode()
    if name == "dataset.yaml" and draw.random() < 0.5:
        content = json.dumps(replaced(DESCRIPTION, draw)).encode()
    else:
        content = (damaged_json if "json" in name else damaged_text)(content, draw)
    (place / name).write_bytes(content)
    calls = [lambda: _all_targets(place)]
    if name == "dataset.yaml":
        calls += [lambda: load_description(place / name), lambda: _all_targets(place / name)]
    return calls


def _all_targets(path):
    dataset = scan(path)
    for sample in dataset.samples:
        dataset.image(sample)
        dataset.target(sample)
        dataset.instances(sample)


def make_mask_folders(folder):
    """A folder of one image and one mask."""
    save(folder / "images" / "a.png", PHOTOGRAPH)
    save(folder / "masks" / "b.png", drawing(1))


def masks(folder, draw):
    """A damaged mask or image within a folder of both."""
    content, damage = IMAGES[pick(draw, sorted(IMAGES))]
    (folder / "masks" / "a.png").write_bytes(damage(content, draw))
    return [lambda: _all_targets(folder)]


def make_tool_folders(folder):
    """A folder of every annotation tool."""
    for name, write in {**annotation_kinds.KINDS, **stroke_tools.SURE, **stroke_tools.ASKED}.items():
        write(folder / name.replace(" ", "-"))


@cache
def _label_files(folder):
    """What tools wrote, but for the images."""
    endings = {
        ".json",
        ".xml",
        ".csv",
        ".txt",
        ".yaml",
        ".names",
        ".geojson",
        ".ndjson",
        ".data",
        ".zip",
        ".ilp",
        ".labeling",
    }
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in endings)


def tools(folder, draw):
    """A folder as an annotation tool exports it, of which one file is damaged, and put back afterwards."""
    path = pick(draw, _label_files(folder))
    root = folder / path.relative_to(folder).parts[0]
    content = path.read_bytes()
    is_json = path.suffix in (".json", ".geojson")
    changed = (damaged_json if is_json else damaged_text)(content, draw)

    def read():
        path.write_bytes(changed)
        try:
            _all_targets(root)
        finally:
            path.write_bytes(content)

    return [read]


STROKE = {"do": "stroke", "tool": "brush", "class_index": 1, "points": [[3, 4], [9, 9]], "radius": 2}
STEPS = [STROKE, {**STROKE, "tool": "polygon", "points": [[1, 1], [9, 1], [9, 9]]}, {"do": "undo"}, {"do": "redo"},
         {**STROKE, "tool": "fill"}, {"do": "put", "file": "a-6.png", "source": 1}]  # fmt: skip


def make_painting(folder):
    """Labels that somebody painted in the browser."""
    save(folder / "log" / "a-6.png", drawing(0))


def painted(folder, draw):
    """The log of a painting with a damaged step, or a damaged picture."""
    log = b"".join(json.dumps(each).encode() + b"\n" for each in STEPS)
    if draw.random() < 0.5:
        changed = replaced(STEPS, draw)
        log = b"".join(
            json.dumps(each).encode() + b"\n" for each in (changed if isinstance(changed, list) else [changed])
        )
    else:
        log = damaged_text(log, draw)
    (folder / "log" / "a.jsonl").write_bytes(log)
    return [lambda: Painting(folder, "a", drawing(0).shape, 3)]


def make_shapefile(folder):
    """A layer of one polygon, and its image."""
    save(folder / "images" / "a.png", PHOTOGRAPH)
    with shapefile.Writer(folder / "a") as layer:
        layer.field("class", "C")
        layer.poly([RING])
        layer.record("disc")
    for ending in ("shp", "shx", "dbf"):
        (folder / f"a.{ending}").rename(folder / f"kept.{ending}")


def shapefiles(folder, draw):
    """A Shapefile of which one of its three files is damaged."""
    chosen = pick(draw, ["shp", "shx", "dbf"])
    for ending in ("shp", "shx", "dbf"):
        content = (folder / f"kept.{ending}").read_bytes()
        (folder / f"a.{ending}").write_bytes(damaged(content, draw) if ending == chosen else content)
    return [lambda: _all_targets(folder)]


def make_zarr(folder):
    """An OME-Zarr image."""
    import zarr

    root = zarr.open_group(str(folder / "a.zarr"), mode="w")
    array = root.create_array("0", shape=(3, 24, 32), chunks=(3, 16, 16), dtype="uint8")
    array[:] = PHOTOGRAPH.transpose(2, 0, 1)
    axes = [{"name": "c", "type": "channel"}, {"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
    scales = [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1]}]}]
    root.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": scales}]}


def zarrs(folder, draw):
    """A Zarr image of which one file is damaged, which is put back afterwards."""
    path = pick(draw, sorted(each for each in (folder / "a.zarr").rglob("*") if each.is_file()))
    content = path.read_bytes()

    def read(function):
        path.write_bytes(changed)
        try:
            function(folder / "a.zarr")
        finally:
            path.write_bytes(content)

    changed = damaged_json(content, draw) if path.suffix == ".json" else damaged(content, draw)
    return [lambda each=each: read(each) for each in (read_image, read_header, _corner)]


XML = "<View><Image name='image' value='$image'/><BrushLabels name='tag'><Label value='disc'/></BrushLabels></View>"


def words(folder, draw):
    """XML, and names of inputs to predict."""
    text = damaged_text(XML.encode(), draw).decode("utf-8", "replace")
    given = damaged_text(str(folder / "*.png").encode(), draw).decode("utf-8", "surrogateescape")

    def parsed():
        with suppress(ValueError):  # it is no XML
            parse_xml(text, "it")

    return [parsed, lambda: expanded([given])]
