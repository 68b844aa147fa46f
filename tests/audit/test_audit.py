import json
import math

import numpy as np
import pytest
import rasterio
from PIL import Image
from scipy import ndimage

import perpixel
from folders import drawing, pairs, photograph, save
from perpixel.audit import audit, cache_folder, from_dict, run
from perpixel.audit.measure import measure
from perpixel.dataset import scan
from perpixel.dataset.duplicates import ALIKE, gray_thumbnail, near_duplicates, neighbours_alike, oriented
from perpixel.errors import DataError


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(("dtype", "ending"), [("uint8", "png"), ("uint16", "tif"), ("float32", "npy")])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_figures_are_those_of_numpy_over_all_pixels(tmp_path, dtype, ending, channels):
    ending = "tif" if channels == 5 and ending == "png" else ending
    options = {"photometric": "minisblack", "planarconfig": "contig"} if channels == 5 and ending == "tif" else {}
    images = []
    for number in range(3):
        target = drawing(number, height=20 + number, width=33)
        images.append(photograph(target, number, channels, dtype))
        save(tmp_path / "data" / "images" / f"{number}.{ending}", images[-1], **options)
        save(tmp_path / "data" / "masks" / f"{number}.png", target)
    result = audit(scan(tmp_path / "data"))
    pixels = np.concatenate([image.reshape(-1, channels) for image in images]).astype(np.float64)
    np.testing.assert_allclose(result.mean, pixels.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(result.std, pixels.std(axis=0), rtol=1e-9)
    np.testing.assert_array_equal(result.least, pixels.min(axis=0))
    np.testing.assert_array_equal(result.greatest, pixels.max(axis=0))
    assert result.heights == (20, 21, 22)
    assert all(math.isclose(sum(shares), 1) and len(shares) == 64 for shares in result.histogram)


def test_of_many_images_the_intensities_are_those_of_some_drawn_at_random(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "IMAGES_ENOUGH", 3)
    targets = pairs(tmp_path / "data", 7)
    result = audit(scan(tmp_path / "data"))
    drawn = np.random.default_rng(0).permutation(7)[:3]
    read = [np.asarray(Image.open(tmp_path / "data" / "images" / f"a{k}.png")) for k in drawn]
    pixels = np.stack(read).reshape(-1, read[0].shape[-1] if read[0].ndim == 3 else 1).astype(np.float64)
    np.testing.assert_allclose(result.mean, pixels.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(result.std, pixels.std(axis=0), rtol=1e-9)
    assert result.measured == 3
    assert result.classes[1].pixels == sum((target == 1).sum() for target in targets)
    perpixel.check(tmp_path / "data", tmp_path / "out")
    page = (tmp_path / "out" / "check.html").read_text(encoding="utf-8")
    assert "Intensities of 3 images, drawn at random of 7" in page


def test_thumbnails_of_many_jpegs_are_decoded_small_and_nothing_is_lost_by_it(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "IMAGES_ENOUGH", 1)
    random = np.random.default_rng(0)
    for k in range(3):
        scene = ndimage.zoom(random.uniform(0, 255, (9, 12, 3)), (40, 40, 1), order=1).astype(np.uint8)
        save(tmp_path / "data" / "images" / f"{k}.jpg", scene, quality=90)
        save(tmp_path / "data" / "masks" / f"{k}.png", (scene[..., 0] > 128).astype(np.uint8))
    turned = Image.open(tmp_path / "data" / "images" / "2.jpg").transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "data" / "images" / "3.png")
    save(tmp_path / "data" / "masks" / "3.png", (np.asarray(turned)[..., 0] > 128).astype(np.uint8))
    dataset = scan(tmp_path / "data")
    for sample in dataset.samples[:3]:
        whole, small = (measure(dataset, sample, None, least_side=side)[1] for side in (None, 128))
        assert not np.array_equal(whole, small)
        assert np.corrcoef(whole.ravel(), small.ravel())[0, 1] > 0.996
    result = audit(dataset)
    assert result.duplicates == (("2", "3"),)
    drawn = np.random.default_rng(0).permutation(4)[0]
    pixels = np.asarray(Image.open(dataset.samples[drawn].image)).reshape(-1, 3)
    np.testing.assert_allclose(result.mean, pixels.mean(axis=0), rtol=1e-9)
    broken = tmp_path / "data" / "images" / "0.jpg"
    broken.write_bytes(broken.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"0\.jpg"):
        audit(dataset)


def test_classes_are_counted_and_objects_measured(tmp_path):
    targets = pairs(tmp_path / "data", 5)
    result = audit(scan(tmp_path / "data"))
    for k, figures in enumerate(result.classes):
        assert figures.pixels == sum((target == k).sum() for target in targets)
        assert figures.images == 5
        sizes = [n for t in targets for n in np.bincount(ndimage.label(t == k)[0].ravel())[1:]]
        if k:
            assert figures.objects == len(sizes)
            assert figures.median_area == np.median(np.repeat(sizes, sizes))
            assert math.isclose(math.pi * figures.median_diameter**2 / 4, figures.median_area)
    assert math.isnan(result.classes[0].median_area)
    assert result.present["a0"] == (0, 1, 2)


def test_nodata_and_nan_do_not_count(tmp_path):
    image = photograph(drawing(0), 0, 2, "float32")
    image[3, 4, 0], image[5] = np.nan, -9999
    path = tmp_path / "data" / "images" / "a.tif"
    path.parent.mkdir(parents=True)
    place = {"crs": "EPSG:32616", "transform": rasterio.Affine(1, 0, 7, 0, -1, 9), "nodata": -9999}
    shape = {"height": 24, "width": 32, "count": 2, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", **shape, **place) as file:
        file.write(np.moveaxis(image, -1, 0))
    save(tmp_path / "data" / "masks" / "a.png", drawing(0))
    result = audit(scan(tmp_path / "data"))
    valid = np.where(image == -9999, np.nan, image)
    np.testing.assert_allclose(result.mean, np.nanmean(valid, axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(result.std, np.nanstd(valid, axis=(0, 1)), rtol=1e-6)


def test_overlapping_classes_and_ignored_pixels_are_counted(tmp_path):
    for number in range(2):
        target = drawing(number)
        save(tmp_path / "data" / "images" / f"{number}.png", photograph(target))
        for k in (1, 2):
            save(tmp_path / "data" / "masks" / f"class{k}" / f"{number}.png", (target >= k) * np.uint8(255))
    result = audit(scan(tmp_path / "data"))
    assert [figures.pixels for figures in result.classes] == [
        sum(int((drawing(number) >= k).sum()) for number in range(2)) for k in (1, 2)
    ]


def test_the_second_run_reads_no_image(tmp_path, monkeypatch):
    pairs(tmp_path / "data")
    first = audit(scan(tmp_path / "data"))
    monkeypatch.setattr(run, "measure", None)
    assert repr(audit(scan(tmp_path / "data"))) == repr(first)
    assert not any("cache" in str(path) for path in (tmp_path / "data").rglob("*"))


def test_a_changed_file_is_measured_again_and_a_damaged_cache_is_none(tmp_path):
    pairs(tmp_path / "data")
    first = audit(scan(tmp_path / "data"))
    for file in cache_folder().iterdir():
        file.write_text("{")
    assert repr(audit(scan(tmp_path / "data"))) == repr(first)
    save(tmp_path / "data" / "images" / "a0.png", np.full((24, 32, 3), 255, np.uint8))
    assert audit(scan(tmp_path / "data")).mean != first.mean


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, monkeypatch):
    pairs(tmp_path / "data")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "file"))
    assert audit(scan(tmp_path / "data")).heights == (24,) * 4


def test_the_cache_lies_where_the_user_says(monkeypatch):
    monkeypatch.delenv("PERPIXEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert str(cache_folder()) == "/x/perpixel"


def test_progress_is_told_for_each_image(tmp_path):
    pairs(tmp_path / "data")
    seen = []
    audit(scan(tmp_path / "data"), lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_audit_survives_json(tmp_path):
    pairs(tmp_path / "data")
    result = audit(scan(tmp_path / "data"))
    assert repr(from_dict(json.loads(json.dumps(result.to_dict(), allow_nan=False)))) == repr(result)


def test_images_that_cannot_be_decoded_are_told_at_once(tmp_path):
    pairs(tmp_path / "data")
    for number in (1, 3):
        path = tmp_path / "data" / "images" / f"a{number}.png"
        path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="2 files cannot be used as they are") as raised:
        audit(scan(tmp_path / "data"))
    assert "a1.png" in str(raised.value)
    assert "a3.png" in str(raised.value)


def test_what_the_figures_say_is_found(tmp_path):
    pairs(tmp_path / "data", 4, classes=2, scale=255)
    flat = np.zeros((24, 32, 3), np.uint8)
    flat[..., 0] = photograph(drawing(9), 9)[..., 0]
    for number in range(4):
        save(tmp_path / "data" / "images" / f"a{number}.png", flat + number * np.uint8([1, 0, 0]))
    save(tmp_path / "data" / "masks" / "a0.png", np.zeros((24, 32), np.uint8))
    said = " ".join(finding.problem.what for finding in audit(scan(tmp_path / "data")).findings)
    assert "the background alone fills 1 of 4 masks" in said
    assert "2 channels have one value everywhere" in said
    assert "3 pairs of images show the same" in said


def test_a_class_that_never_occurs_is_found(tmp_path):
    pairs(tmp_path / "data", classes=2)
    classes = "[{name: a, value: 0}, {name: b, value: 1}, {name: c, value: 2}]"
    (tmp_path / "data" / "dataset.yaml").write_text(f"perpixel: 1\nclasses: {classes}\n")
    findings = audit(scan(tmp_path / "data")).findings
    assert any("1 class never occurs" in f.problem.what and f.problem.examples == ("c",) for f in findings)


RANDOM = np.random.default_rng(0)
SCENES = [ndimage.gaussian_filter(RANDOM.normal(size=(90, 90)), 4)[..., None] for _ in range(6)]
SCENES = [((s - s.min()) / np.ptp(s) * 255).astype(np.uint8) for s in SCENES]


@pytest.mark.parametrize("orientation", range(8))
def test_turned_and_flipped_copies_are_found(orientation):
    copy = oriented(SCENES[2][None, ..., 0].astype(np.float32), orientation)[0, ..., None]
    noisy = np.clip(copy[..., 0] * 0.9 + 5 + RANDOM.normal(0, 2, (90, 90)), 0, 255).astype(np.uint8)
    half = np.asarray(Image.fromarray(noisy).resize((45, 45), Image.Resampling.BICUBIC))[..., None]
    thumbnails = np.stack([gray_thumbnail(image) for image in (*SCENES, half)])
    assert near_duplicates(thumbnails) == [(2, 6)]


def test_exact_copies_of_flat_images_are_found_and_flat_images_are_no_copies_of_others():
    flat = np.full((40, 40, 1), 7, np.uint8)
    thumbnails = np.stack([gray_thumbnail(image) for image in (*SCENES, flat, flat, flat + 1)])
    assert near_duplicates(thumbnails) == [(6, 7)]


def test_different_pictures_are_no_duplicates():
    thumbnails = np.stack([gray_thumbnail(scene) for scene in SCENES])
    assert near_duplicates(thumbnails) == []
    correlations = np.corrcoef(thumbnails.reshape(6, -1))
    assert correlations[~np.eye(6, dtype=bool)].max() < ALIKE


def test_slices_are_told_from_separate_pictures():
    volume = ndimage.gaussian_filter(RANDOM.normal(size=(30, 32, 32)), 2).astype(np.float32)
    assert neighbours_alike(volume)
    assert not neighbours_alike(volume[RANDOM.permutation(30)])
    assert not neighbours_alike(volume[:5])
