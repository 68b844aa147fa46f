"""Masks, probabilities and overlays come back from their files as they were."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from perpixel.errors import OutputError
from perpixel.files.read import read_mask
from perpixel.files.write import mask_paths, overlay, picture, quantised, write_mask
from perpixel.labels.codec import encode, mask_of
from perpixel.labels.labels import Labels

COLOURS = ((0, 0, 0), (200, 10, 30), (1, 2, 3))
NAMES = ("ground", "house", "tree")


def labels_for(encoding):
    if encoding == "files":
        return Labels("multilabel", NAMES, (255,) * 3, COLOURS, encoding="files")
    values = {"index": (0, 300, 7), "palette": (0, 1, 4), "colour": COLOURS}[encoding]
    return Labels("multiclass", NAMES, values, COLOURS, encoding=encoding)


def target_of(height=37, width=300, classes=3):
    return np.random.default_rng(0).integers(0, classes, (height, width), np.uint8)


@pytest.mark.parametrize("encoding", ["index", "palette", "colour"])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_masks_come_back_exactly(tmp_path, encoding, ending):
    labels, target = labels_for(encoding), target_of()
    path = tmp_path / "new" / f"a{ending}"
    assert write_mask(path, mask_of(target, labels), labels) == [path]
    mask = read_mask(path)
    np.testing.assert_array_equal(encode(mask.values, labels, "a"), target)
    assert (mask.palette is not None) == (encoding == "palette")
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_palette_mask_keeps_its_colours(tmp_path):
    labels = labels_for("palette")
    write_mask(tmp_path / "a.png", mask_of(target_of(), labels), labels)
    image = Image.open(tmp_path / "a.png")
    assert image.mode == "P"
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), np.array(COLOURS, np.uint8)[target_of()])


def test_overlapping_masks_are_one_file_a_class(tmp_path):
    labels = labels_for("files")
    target = np.stack([target_of() == k for k in range(3)]).astype(np.uint8)
    written = write_mask(tmp_path / "a.png", mask_of(target, labels), labels)
    assert written == mask_paths(tmp_path / "a.png", labels) == [tmp_path / name / "a.png" for name in NAMES]
    for path, part in zip(written, target, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)), part * 255)


def test_values_that_no_png_holds_are_refused(tmp_path):
    labels = Labels("multiclass", NAMES, (0, 70_000, -1), COLOURS)
    mask = mask_of(target_of(), labels)
    with pytest.raises(OutputError, match=r"a\.png cannot hold the values -1 to 70000: PNG has 8 and 16 bits\.\nFix"):
        write_mask(tmp_path / "a.png", mask, labels)
    assert not list(tmp_path.iterdir())
    write_mask(tmp_path / "a.tif", mask, labels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), mask)


def test_an_overlay_colours_the_objects_and_leaves_the_background():
    labels, image = labels_for("palette"), np.full((2, 2, 3), 100, np.uint8)
    target = np.array([[0, 1], [2, 255]], np.uint8)
    expected = [[[100] * 3, [150, 55, 65]], [[50, 51, 52], [100] * 3]]
    np.testing.assert_array_equal(overlay(image, target, labels), expected)


@pytest.mark.parametrize(("dtype", "step"), [("uint8", 1 / 255), ("uint16", 1 / 65535), ("float32", 0)])
def test_probabilities_are_kept_within_half_a_step(dtype, step):
    probabilities = np.random.default_rng(0).random((4, 30, 41), np.float32)
    kept = quantised(probabilities, dtype)
    assert kept.dtype == dtype
    scale = np.iinfo(dtype).max if step else 1
    np.testing.assert_allclose(kept / scale, probabilities, rtol=0, atol=step / 2 + 1e-7)


def test_any_image_becomes_a_picture():
    ramp = np.linspace(-3, 5, 600).reshape(20, 30, 1).astype(np.float32)
    ramp[0, 0] = np.nan
    shown = picture(ramp)
    assert shown.shape == (20, 30, 3)
    assert (shown.min(), shown.max()) == (0, 255)
    assert picture(np.zeros((2, 3, 8), np.uint8)).shape == (2, 3, 3)
