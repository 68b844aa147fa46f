"""Copies are found, and images that merely have a background in common are none."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from folders import save
from perpixel.audit import audit
from perpixel.audit.copies import confirmed
from perpixel.audit.same_picture import fine_picture, show_the_same
from perpixel.dataset import scan
from perpixel.dataset.duplicates import gray_thumbnail, near_duplicates
from perpixel.dataset.overrides import Overrides
from perpixel.errors import DataError
from perpixel.split import split

SIZE = 160
DOWN, ACROSS = np.mgrid[:SIZE, :SIZE]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))


def bytes_of(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def clouds(random, size=SIZE, sigma=6):
    smooth = ndimage.gaussian_filter(random.normal(size=(size, size)), sigma)
    return (smooth - smooth.min()) / np.ptp(smooth)


def disc(row, column, radius):
    return (DOWN - row) ** 2 + (ACROSS - column) ** 2 < radius**2


def fixed_camera(random, count):
    """One scene, its noise, and a defect somewhere."""
    scene = 40 + 160 * clouds(random, sigma=12)
    for _ in range(count):
        defect = disc(*random.uniform(20, SIZE - 20, 2), random.uniform(4, 7))
        yield bytes_of(scene - 60 * defect + random.normal(0, 2, scene.shape))


def dishes(random, count):
    """A bright dish on black, not quite at the same place, and colonies in it."""
    for _ in range(count):
        row, column = SIZE / 2 + random.uniform(-1, 1, 2)
        dish = 15 + 170.0 * disc(row, column, 70)
        for _ in range(random.integers(4, 20)):
            angle, reach = random.uniform(0, 2 * np.pi), random.uniform(0, 58)
            dish[disc(row + reach * np.sin(angle), column + reach * np.cos(angle), random.uniform(3, 6))] = 110
        yield bytes_of(ndimage.gaussian_filter(dish, 0.7) + random.normal(0, 2, dish.shape))


def padded(random, count):
    """A crop in the middle of white."""
    for _ in range(count):
        crop = np.full((SIZE, SIZE), 255.0)
        crop[50:110, 50:110] = 60 + 60 * clouds(random, 60, 4)
        yield bytes_of(crop)


def without_data(random, count, value=-9999.0):
    """Float rasters with a corner that holds no data."""
    for _ in range(count):
        image = 140 + 20 * clouds(random)
        yield np.where(DOWN + ACROSS < 140, value, image).astype(np.float32)


def hot_pixel(random, count):
    """Sixteen bits, dark, with the same burnt pixels."""
    for _ in range(count):
        image = 500 + 150 * clouds(random)
        image[40:44, 77:81] = 65535
        yield image.astype(np.uint16)


ALIKE = {f.__name__: f for f in (fixed_camera, dishes, padded, without_data, hot_pixel)}


def jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def resampled(image, share):
    return np.asarray(Image.fromarray(image).resize([round(SIZE * share)] * 2, Image.Resampling.BICUBIC))


COPIES = {
    "recompressed": lambda image, random: jpeg(image, 50),
    "halved": lambda image, random: resampled(image, 0.5),
    "enlarged": lambda image, random: resampled(image, 1.3),
    "brighter": lambda image, random: bytes_of(image * 0.85 + 12),
    "gamma": lambda image, random: bytes_of(255 * (image / 255.0) ** 0.9),
    "turned": lambda image, random: np.rot90(image),
    "mirrored": lambda image, random: image[:, ::-1],
    "noisy": lambda image, random: bytes_of(image + random.normal(0, 3, image.shape)),
    "cropped": lambda image, random: image[2:-2, 2:-2],
    "halved, turned, darker": lambda image, random: np.rot90(resampled(bytes_of(image * 0.9 + 5), 0.5), 2),
}


def found(images):
    """Pairs of copies, and how many are alike without being copies."""
    images = [image[..., None] for image in images]
    thumbnails = np.stack([gray_thumbnail(image) for image in images])

    def read(indices, side):
        return [fine_picture(images[index], side) for index in indices]

    return confirmed(near_duplicates(thumbnails), thumbnails, read)


def groups(copies, count):
    group = list(range(count))
    for i, j in copies.pairs:
        group = [group[i] if each == group[j] else each for each in group]
    return group


@pytest.mark.parametrize("count", [2, 6])
@pytest.mark.parametrize("name", ALIKE)
def test_a_common_background_makes_no_copies(name, count):
    images = list(ALIKE[name](np.random.default_rng(count), count))
    assert found(images).pairs == ()


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_a_photograph_is_found_among_few_and_many(kind):
    random = np.random.default_rng(3)
    images = [bytes_of(30 + 200 * clouds(random, sigma=9) + 15 * clouds(random, sigma=1)) for _ in range(3)]
    copy = COPIES[kind](images[1], random)
    assert groups(found([*images, copy]), 4) == [0, 1, 2, 1]
    family = [change(images[1], random) for change in COPIES.values()]
    assert len(set(groups(found([*family, copy]), len(family) + 1))) == 1


@pytest.mark.parametrize("name", ["fixed_camera", "dishes", "padded"])
def test_a_copy_before_a_common_background_is_found(name):
    random = np.random.default_rng(8)
    images = list(ALIKE[name](random, 8))
    copies = [COPIES[kind](images[3], random) for kind in ("recompressed", "halved", "brighter", "turned")]
    group = groups(found([*images, *copies]), 12)
    assert group[8:] == [3] * 4
    assert len(set(group)) == 8


def test_a_small_difference_is_a_difference_and_noise_is_none():
    random = np.random.default_rng(1)
    scene = 40 + 160 * clouds(random, sigma=12)
    noisy = [fine_picture((scene + random.normal(0, 4, scene.shape))[..., None]) for _ in range(2)]
    spotted = fine_picture((scene - 40 * disc(70, 90, 4))[..., None])
    assert show_the_same(*noisy)
    assert not show_the_same(noisy[0], spotted)


def folder_of(path, images, parts=("",)):
    for number, image in enumerate(images):
        part = parts[number % len(parts)]
        save(path / part / "images" / f"i{number}.png", image)
        target = np.zeros(image.shape, np.uint8)
        target[number : number + 20, 5:30] = 255
        save(path / part / "masks" / f"i{number}.png", target)
    return path


def test_a_set_of_a_fixed_camera_is_divided_and_said_to_be_one(tmp_path):
    data = folder_of(tmp_path / "data", fixed_camera(np.random.default_rng(0), 10))
    dataset = scan(data)
    figures = audit(dataset)
    assert set(split(dataset.samples, figures).counts) == {"train", "val", "test"}
    assert not any("the same (copies" in f.problem.what for f in figures.findings)


def test_dishes_are_said_to_have_a_background_in_common(tmp_path):
    figures = audit(scan(folder_of(tmp_path / "data", dishes(np.random.default_rng(0), 6))))
    said = [f.problem for f in figures.findings if "have their background in common" in f.problem.what]
    assert len(said) == 1
    assert "not taken for copies" in said[0].what
    assert "data.group_by" in said[0].fix


def test_a_given_split_of_a_common_background_is_no_leak(tmp_path):
    dataset = scan(folder_of(tmp_path / "data", dishes(np.random.default_rng(2), 8), ("train", "val")))
    assert not [f for f in split(dataset.samples, audit(dataset)).findings if "a leak" in f.problem.what]


def test_copies_block_a_split_until_the_user_overrules(tmp_path):
    image = next(dishes(np.random.default_rng(2), 1))
    data = folder_of(tmp_path / "data", [jpeg(image, quality) for quality in range(50, 100, 9)])
    dataset = scan(data)
    with pytest.raises(DataError, match="belong to one group") as raised:
        split(dataset.samples, audit(dataset))
    assert "write duplicates: ignore into dataset.yaml" in str(raised.value)
    (data / "dataset.yaml").write_text("perpixel: 1\nduplicates: ignore\n", encoding="utf-8")
    for overruled in (scan(data), scan(data, overrides=Overrides(duplicates="ignore"))):
        assert split(overruled.samples, audit(overruled)).counts["train"] == 4
    stated = Overrides(duplicates="group")
    assert audit(scan(data, overrides=stated)).duplicates
    scan(data).save_description(tmp_path / "again" / "dataset.yaml")
    assert "duplicates: ignore" in (tmp_path / "again" / "dataset.yaml").read_text(encoding="utf-8")
