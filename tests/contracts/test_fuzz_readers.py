"""Mutated bytes end in a result or in a perpixel error, every time; seeded, thousands of cases."""

import io
import json

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image

from folders import drawing, photograph, save, save_palette
from perpixel.dataset import scan
from perpixel.dataset.description import load_description
from perpixel.errors import PerpixelError
from perpixel.files import open_image as image_module
from perpixel.files.read import open_image, read_header, read_image, read_mask

CASES = [pytest.param(100, id="some"), pytest.param(1000, id="many", marks=pytest.mark.slow)]
PHOTOGRAPH = photograph(drawing(0))


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch):
    """A mutated size may be huge without being refused; a low limit spares the machine."""
    monkeypatch.setattr(image_module, "MAX_PIXELS", 2**20)


def _refusal(function, *arguments):
    """The message of the perpixel error that the call ends in, or nothing; any other error is a failure."""
    try:
        function(*arguments)
    except PerpixelError as error:
        return str(error)
    return ""


def _encoded(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _with_exif(buffer):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PHOTOGRAPH).save(buffer, "JPEG", exif=exif)


IMAGES = {
    "png": _encoded(lambda b: Image.fromarray(PHOTOGRAPH).save(b, "PNG")),
    "palette": _encoded(lambda b: Image.fromarray(PHOTOGRAPH).quantize(8).save(b, "PNG")),
    "jpeg": _encoded(_with_exif),
    "gif": _encoded(lambda b: Image.fromarray(PHOTOGRAPH).quantize(8).save(b, "GIF")),
    "bmp": _encoded(lambda b: Image.fromarray(PHOTOGRAPH).save(b, "BMP")),
    "webp": _encoded(lambda b: Image.fromarray(PHOTOGRAPH).save(b, "WEBP")),
    "tiff": _encoded(lambda b: tifffile.imwrite(b, PHOTOGRAPH, photometric="rgb")),
    "tiled": _encoded(
        lambda b: tifffile.imwrite(b, PHOTOGRAPH, photometric="rgb", tile=(16, 16), compression="zlib")
    ),
    "lzw": _encoded(lambda b: Image.fromarray(PHOTOGRAPH).save(b, "TIFF", compression="tiff_lzw")),
    "pages": _encoded(lambda b: tifffile.imwrite(b, PHOTOGRAPH.transpose(2, 0, 1), photometric="minisblack")),
    "npy": _encoded(lambda b: np.save(b, PHOTOGRAPH)),
}


def _mutated(content, random):
    """One to eight changes: a byte replaced, bits flipped, a piece cut out, doubled or filled, or the end lost."""
    content = bytearray(content)
    for _ in range(random.integers(1, 9)):
        if not content:
            break
        place = int(
            random.integers(len(content)) if random.random() < 0.5 else random.integers(min(len(content), 200))
        )
        length = int(random.integers(1, 17))
        match random.integers(6):
            case 0:
                content[place] = int(random.integers(256))
            case 1:
                content[place] ^= 1 << int(random.integers(8))
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = content[place : place + length]
            case 4:
                content[place : place + length] = bytes([int(random.choice([0, 255, 127, 1]))]) * length
            case _:
                del content[place:]
    return bytes(content)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("kind", sorted(IMAGES))
def test_mutated_images_are_read_or_refused(kind, cases, tmp_path):
    random = np.random.default_rng(sorted(IMAGES).index(kind))
    path = tmp_path / "a.png"
    refused = 0
    for _ in range(cases):
        path.write_bytes(_mutated(IMAGES[kind], random))
        for read in (read_image, read_mask, read_header, _corner):
            message = _refusal(read, path)
            refused += bool(message)
            assert not message or "Fix: " in message
    assert refused > 0


def _corner(path):
    with open_image(path) as image:
        image.read(0, 0, min(image.height, 3), min(image.width, 3))


COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "categories": [{"id": 1, "name": "disc"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 1, 9, 9.5]]},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": [3, 5, 760]}},
        {"id": 3, "image_id": 1, "category_id": 1, "segmentation": {"size": [24, 32], "counts": "35hg0"}},
    ],
}
LABELME = {"imagePath": "a.png", "shapes": [{"label": "disc", "points": [[1, 1], [9, 1], [9, 9]]}]}
GEOJSON = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {"class": "disc"},
         "geometry": {"type": "Polygon", "coordinates": [[[1, 1], [9, 1], [9, 9], [1, 1]]]}},
    ],
}  # fmt: skip
TEXTS = {
    "coco.json": json.dumps(COCO),
    "a.json": json.dumps(LABELME),
    "a.geojson": json.dumps(GEOJSON),
    "a.txt": "0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.5 0.2 0.3\n",
    "pairs.csv": "image,mask,split,group\nimages/a.png,other/a.png,train,x\n",
    "classes.json": json.dumps({"0": "a", "1": "b", "2": "c"}),
    "classes.csv": "name,r,g,b\na,0,0,0\nb,1,1,1\nc,2,2,2\n",
}


def _replaced(value, random):
    """A JSON value with one of its parts replaced by something of another kind."""
    odd = [None, -1, 1e308, "x", [], {}, [[]], True, 10**30, "\ud83d", [1, [2]], {"a": 1}]
    if random.random() < 0.25 or not isinstance(value, dict | list) or not value:
        return odd[int(random.integers(len(odd)))]
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = places[int(random.integers(len(places)))]
    copy = dict(value) if isinstance(value, dict) else list(value)
    if random.random() < 0.1:
        del copy[place]
    else:
        copy[place] = _replaced(value[place], random)
    return copy


@pytest.mark.parametrize("cases", CASES)
@pytest.mark.parametrize("name", sorted(TEXTS))
def test_mutated_descriptions_of_labels_are_understood_or_refused(name, cases, tmp_path):
    random = np.random.default_rng(sorted(TEXTS).index(name))
    save(tmp_path / "images" / "a.png", PHOTOGRAPH)
    if "classes" in name or "pairs" in name:
        save(tmp_path / ("masks" if "classes" in name else "other") / "a.png", drawing(0))
    is_json = "json" in name
    for case in range(cases):
        if is_json and case % 2:
            content = json.dumps(_replaced(json.loads(TEXTS[name]), random)).encode()
        else:
            content = _mutated(TEXTS[name].encode(), random)
        (tmp_path / name).write_bytes(content)
        message = _refusal(_everything, tmp_path)
        assert not message or "Fix: " in message


def _everything(folder):
    dataset = scan(folder)
    for sample in dataset.samples:
        dataset.target(sample)
        dataset.instances(sample)


DESCRIPTION = {
    "perpixel": 1, "root": ".", "masks": "masks", "kind": "multiclass", "encoding": "index", "reading": "values",
    "classes": [{"name": "a", "value": 0, "colour": "#000000"}, {"name": "b", "value": 1}, {"name": "c", "value": 2}],
    "ignored": [255],
}  # fmt: skip


@pytest.mark.parametrize("cases", CASES)
def test_mutated_dataset_yaml_is_read_or_refused(cases, tmp_path):
    random = np.random.default_rng(0)
    save(tmp_path / "images" / "a.png", PHOTOGRAPH)
    save_palette(tmp_path / "masks" / "a.png", drawing(0))
    path = tmp_path / "dataset.yaml"
    for case in range(cases):
        if case % 2:
            path.write_bytes(_mutated(yaml.safe_dump(DESCRIPTION).encode(), random))
        else:
            path.write_text(json.dumps(_replaced(DESCRIPTION, random)))
        for function in (load_description, scan):
            message = _refusal(function, path)
            assert not message or "Fix: " in message
