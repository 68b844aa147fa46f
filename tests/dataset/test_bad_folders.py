import os

import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from folders import drawing, pairs, photograph, save
from perpixel.dataset import scan
from perpixel.errors import EXAMPLES_SHOWN, DataError
from perpixel.labels.labels import Labels
from perpixel.language import speaking


def _said(root, labels=None):
    with pytest.raises(DataError) as raised:
        scan(root, labels)
    text = str(raised.value)
    assert text.count("Fix: ") == len(raised.value.problems)
    for problem in raised.value.problems:
        assert str(problem).count("\n  - ") <= EXAMPLES_SHOWN
    return text


def test_all_problems_come_in_one_answer_grouped(tmp_path):
    pairs(tmp_path, 20)
    for number in range(8):
        save(tmp_path / "masks" / f"a{number}.png", drawing(0, height=30, width=31))
    (tmp_path / "images" / "a9.png").write_bytes(b"\x89PNG no")
    (tmp_path / "masks" / "a10.png").unlink()
    (tmp_path / "images" / "link.png").symlink_to(tmp_path / "nowhere.png")
    text = _said(tmp_path)
    assert "8 of 18 images and their masks differ in size" in text
    assert "… and 3 more" in text
    assert "a9.png cannot be read: it is truncated or damaged" in text
    assert "1 of 20 images in" in text
    assert "has no mask for" in text
    assert "1 link leads nowhere" in text


def test_the_closest_name_is_shown_for_a_missing_mask(tmp_path):
    pairs(tmp_path)
    (tmp_path / "masks" / "a3.png").rename(tmp_path / "masks" / "a_3.png")
    text = _said(tmp_path)
    assert "1 of 4 images" in text
    assert "a3.png: closest mask is a_3.png" in text


def test_a_mask_without_an_image_is_named_where_images_lack_masks(tmp_path):
    pairs(tmp_path, 12)
    for number in range(4, 12):
        (tmp_path / "masks" / f"a{number}.png").rename(tmp_path / "masks" / f"{'qrstuvwx'[number - 4] * 9}.png")
    text = _said(tmp_path)
    assert "8 of 12 images" in text
    assert "qqqqqqqqq.png: a mask without an image" in text
    assert text.count("a mask without an image") == 2
    assert "… and 5 more" in text


def test_masks_without_image_are_told(tmp_path):
    pairs(tmp_path)
    (tmp_path / "images" / "a3.png").unlink()
    finding = scan(tmp_path).findings[0]
    assert finding.severity == "warning"
    assert "1 of 4 masks in" in finding.problem.what


def test_names_that_collide_without_their_ending_are_refused(tmp_path):
    pairs(tmp_path)
    save(tmp_path / "images" / "a3.jpg", photograph(drawing(3)))
    text = _said(tmp_path)
    assert "1 name in" in text
    assert "collides when the ending is dropped" in text
    assert "a3.jpg and a3.png" in text


def test_names_that_are_not_utf8_are_refused(tmp_path):
    pairs(tmp_path)
    os.link(tmp_path / "images" / "a0.png", os.fsencode(tmp_path) + b"/images/\xe9t\xe9.png")
    assert "1 file name is not UTF-8" in _said(tmp_path)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_told(tmp_path):
    pairs(tmp_path)
    (tmp_path / "masks").chmod(0)
    assert "1 folder may not be read: permission denied" in _said(tmp_path)
    (tmp_path / "masks").chmod(0o700)


def test_a_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch):
    pairs(tmp_path)
    walk = os.walk

    def closed(root, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "closed")))
        return walk(root)

    monkeypatch.setattr(os, "walk", closed)
    assert "1 folder may not be read: permission denied" in _said(tmp_path)


def test_zero_size_images_and_bombs_are_told(tmp_path):
    pairs(tmp_path)
    np.save(tmp_path / "images" / "b.npy", np.zeros((0, 4, 3), np.uint8))
    save(tmp_path / "masks" / "b.png", drawing(0))
    assert "it holds no pixel" in _said(tmp_path)


def test_unequal_channels_and_depths_are_told(tmp_path):
    pairs(tmp_path)
    save(tmp_path / "images" / "b.png", photograph(drawing(0), channels=1, dtype="uint16"))
    save(tmp_path / "masks" / "b.png", drawing(0))
    text = _said(tmp_path)
    assert "1 of 5 images differ in kind: most have 3 channels of uint8" in text
    assert "b.png: 1 channel of uint16" in text


def test_gray_images_among_colour_ones_are_repeated_and_told(tmp_path):
    pairs(tmp_path)
    save(tmp_path / "images" / "b.png", photograph(drawing(0), channels=1))
    save(tmp_path / "masks" / "b.png", drawing(0))
    dataset = scan(tmp_path)
    assert {dataset.image(sample).shape[2] for sample in dataset.samples} == {3}
    assert "1 of 5 images are gray among colour images" in dataset.findings[0].problem.what


@pytest.mark.parametrize("value", [0, 255])
def test_masks_that_are_all_empty_are_refused(tmp_path, value):
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", photograph(drawing(0)))
        save(tmp_path / "masks" / f"{number}.png", np.full((24, 32), value, np.uint8))
    assert "all 3 masks are empty: every pixel has the same value" in _said(tmp_path)


def test_values_unknown_to_given_labels_are_told_with_their_pixels(tmp_path):
    pairs(tmp_path)
    labels = Labels("multiclass", ("a", "b"), (0, 1), ((0, 0, 0), (9, 9, 9)))
    text = _said(tmp_path, labels)
    assert "4 of 4 masks hold values that belong to no class" in text
    assert "a0.png: 2 (" in text
    assert "the classes are a = 0, b = 1" in text


def test_unknown_colours_are_told_with_their_pixels(tmp_path):
    for number in range(2):
        mask = np.zeros((24, 32, 3), np.uint8)
        mask[:2, :3] = 255, 0, number
        save(tmp_path / "images" / f"{number}.png", photograph(drawing(0)))
        save(tmp_path / "masks" / f"{number}.png", mask)
    colours = ((0, 0, 0), (255, 0, 0))
    text = _said(tmp_path, Labels("multiclass", ("a", "b"), colours, colours, (), "colour"))
    assert "1.png: #FF0001 (6 pixels)" in text


def _raster(path, pixels, left, crs="EPSG:32616", size=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = pixels if pixels.ndim == 3 else pixels[..., None]
    shape = dict(zip(("height", "width", "count"), pixels.shape, strict=True))
    transform = Affine(size, 0, left, 0, -size, 3_700_000)
    with rasterio.open(path, "w", driver="GTiff", **shape, dtype="uint8", crs=crs, transform=transform) as file:
        file.write(np.moveaxis(pixels, -1, 0))


@pytest.mark.parametrize(
    ("left", "crs", "size", "message"),
    [
        (800_000, "EPSG:32616", 0.5, "does not overlap its image"),
        (700_000, "EPSG:32617", 0.5, "is in another coordinate system than its image"),
        (700_004, "EPSG:32616", 0.5, "is on another grid than its image"),
    ],
)
def test_a_label_raster_elsewhere_is_refused(tmp_path, left, crs, size, message):
    _raster(tmp_path / "images" / "a.tif", photograph(drawing(0)), 700_000)
    _raster(tmp_path / "masks" / "a.tif", drawing(0), left, crs, size)
    text = _said(tmp_path)
    assert "1 of 1 label rasters do not lie on their images" in text
    assert message in text


def test_a_raster_and_its_labels_need_no_names(tmp_path):
    _raster(tmp_path / "scene.tif", photograph(drawing(0)), 700_000)
    _raster(tmp_path / "training.tif", drawing(0), 700_000)
    dataset = scan(tmp_path)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), drawing(0))
    assert "training.tif lies on the grid of scene.tif" in dataset.findings[0].problem.what


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: None, "holds no images"),
        (
            lambda root: save(root / "a.png", photograph(drawing(0))),
            r"1 image under .*no masks were found",
        ),
    ],
)
def test_folders_without_images_or_masks(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(DataError, match=message):
        scan(tmp_path)


@pytest.mark.parametrize(("given", "other"), [("images", "masks"), ("masks", "images")])
def test_of_a_folder_of_images_and_one_of_masks_the_folder_above_is_asked_for(tmp_path, given, other):
    pairs(tmp_path)
    with pytest.raises(DataError) as raised:
        scan(tmp_path / given)
    assert raised.value.problems[0].fix == f"give the folder above, {tmp_path}, which holds {other} too."
    with speaking("zh"):
        assert f"请给出上一级文件夹 {tmp_path}" in str(raised.value)


def test_paths_that_are_no_folders(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        scan(tmp_path / "nowhere")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(DataError, match="is not a folder"):
        scan(tmp_path / "a.txt")


def test_overlapping_masks_with_other_values_are_refused(tmp_path):
    for number in range(2):
        save(tmp_path / "images" / f"{number}.png", photograph(drawing(number)))
        for more, name in enumerate(("disc", "ring")):
            save(tmp_path / "masks" / name / f"{number}.png", drawing(number + more, 2) * 120)
    dataset = scan(tmp_path)
    save(tmp_path / "masks" / "ring" / "0.png", drawing(0) * 60)
    assert "1 mask of one class holds several values beside 0" in _said(tmp_path)
    with pytest.raises(DataError, match="pixels that are neither 0 nor 120"):
        dataset.target(dataset.samples[0])


def test_a_file_that_changes_after_the_scan_is_told(tmp_path):
    pairs(tmp_path)
    dataset = scan(tmp_path)
    save(tmp_path / "images" / "a0.png", photograph(drawing(0), channels=1))
    save(tmp_path / "images" / "a1.png", photograph(drawing(0), channels=4))
    save(tmp_path / "masks" / "a0.png", drawing(0, height=9, width=9))
    with pytest.raises(DataError, match="has 4 channels of uint8; the data set has 3"):
        dataset.image(dataset.samples[1])
    with pytest.raises(DataError, match=r"a0\.png is 9 × 9; its image is 24 × 32"):
        dataset.target(dataset.samples[0])
