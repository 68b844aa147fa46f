"""What a value of a mask means is decided by all evidence together; where two readings remain, the user is asked."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from folders import COLOURS, drawing, photograph, save, save_palette
from perpixel.dataset import scan
from perpixel.dataset.annotations.tables import ClassEntry, ClassTable
from perpixel.dataset.masks.void import is_even
from perpixel.errors import DataError
from perpixel.files.deep_png import read_deep_png
from perpixel.files.open_image import without_sentinels


def _folder(root, masks, images=None, **options):
    for number, mask in enumerate(masks):
        image = photograph(drawing(number)) if images is None else images[number]
        save(root / "images" / f"{number}.png", image)
        save(root / "masks" / f"{number}.png", mask, **options)
    return root


@pytest.mark.parametrize("steps", [2, 3, 4, 5])
def test_even_levels_are_classes_up_to_white(steps, tmp_path):
    levels = np.round(np.linspace(0, 255, steps + 1)).astype(np.uint8)
    assert is_even(levels.tolist())
    masks = [levels[np.arange(48 * 64).reshape(48, 64) // 8 % (steps + 1)] for _ in range(3)]
    dataset = scan(_folder(tmp_path, masks, [np.zeros((48, 64, 3), np.uint8)] * 3))
    assert dataset.labels.values == tuple(levels.tolist())
    assert dataset.labels.ignored == ()


@pytest.mark.parametrize(("stated", "ignored"), [("[255]", (255,)), ("[]", ())])
def test_white_beside_codes_is_asked_about_and_the_answer_taken(stated, ignored, tmp_path):
    masks = [np.array([0, 100, 180, 255], np.uint8)[np.arange(48 * 64).reshape(48, 64) // 8 % 4] for _ in range(3)]
    _folder(tmp_path, masks, [np.zeros((48, 64, 3), np.uint8)] * 3)
    with pytest.raises(DataError, match="not clear whether the value 255 in the masks is a class"):
        scan(tmp_path)
    (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\nignored: {stated}\n", encoding="utf-8")
    assert scan(tmp_path).labels.ignored == ignored


def test_masks_of_0_and_1_among_masks_of_0_and_255_are_one_class(tmp_path):
    masks = [drawing(number, 2) * (1 if number % 2 else 255) for number in range(6)]
    dataset = scan(_folder(tmp_path, [mask.astype(np.uint8) for mask in masks]))
    assert dataset.reading == "nonzero"
    for sample, mask in zip(dataset.samples, masks, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), mask > 0)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 0, 0), (255, 255, 255)])
def test_what_is_transparent_is_background(colour, tmp_path):
    targets = [drawing(number, 2) for number in range(3)]
    masks = [np.dstack([np.full((*t.shape, 3), colour, np.uint8), (t * 255).astype(np.uint8)]) for t in targets]
    dataset = scan(_folder(tmp_path, masks))
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)


@pytest.mark.parametrize("value", [1, 7, 255])
def test_masks_of_one_value_are_refused(value, tmp_path):
    with pytest.raises(DataError, match="every pixel has the same value"):
        scan(_folder(tmp_path, [np.full((48, 64), value, np.uint8)] * 3, [np.zeros((48, 64, 3), np.uint8)] * 3))


def test_strokes_on_0_are_asked_about_and_objects_are_not(tmp_path):
    random = np.random.default_rng(0)
    fields = np.repeat(np.repeat(random.integers(0, 255, (2, 2, 2, 3)), 48, 1), 48, 2).astype(np.uint8)
    strokes = np.zeros((2, 96, 96), np.uint8)
    for number, row in enumerate((10, 24, 60, 80)):
        strokes[:, row : row + 3, 10:40] = 1 + number % 2
    noise = random.integers(0, 3, fields.shape).astype(np.uint8)
    with pytest.raises(DataError, match="they look like strokes"):
        scan(_folder(tmp_path / "strokes", strokes, fields // 2 + noise))
    objects = (fields // 8 + noise + (strokes * 60)[..., None]).astype(np.uint8)
    assert scan(_folder(tmp_path / "objects", strokes, objects)).labels.values == (0, 1, 2)
    (tmp_path / "strokes" / "dataset.yaml").write_text("perpixel: 1\nignored: [0]\n", encoding="utf-8")
    assert scan(tmp_path / "strokes").labels.values == (1, 2)


def test_numbers_that_run_on_are_objects_and_classes_that_recur_are_not(tmp_path):
    random = np.random.default_rng(0)

    def cells(numbers):
        mask, places = np.zeros((48, 64), np.uint8), random.permutation(48)
        for number, place in zip(numbers, places, strict=False):
            row, column = divmod(int(place), 8)
            mask[row * 8 + 1 : row * 8 + 6, column * 8 + 1 : column * 8 + 6] = number
        return mask

    images = [np.zeros((48, 64, 3), np.uint8)] * 5
    numbered = _folder(tmp_path / "a", [cells(range(1, n)) for n in (9, 12, 15, 11, 8)], images)
    assert scan(numbered).reading == "instances"
    recurring = _folder(tmp_path / "b", [cells(range(11, 49, 3)) for _ in range(5)], images)
    assert len(scan(recurring).labels) == 14


def test_pages_of_masks_for_one_page_are_asked_about(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", photograph(drawing(number)))
        (tmp_path / "masks").mkdir(exist_ok=True)
        pages = np.stack([drawing(number, 3) >= k for k in (1, 2)]).astype(np.uint8)
        tifffile.imwrite(tmp_path / "masks" / f"{number}.tif", pages, photometric="minisblack")
    with pytest.raises(DataError, match="masks have several pages, and their images one"):
        scan(tmp_path)


def test_white_that_counts_from_0_is_inverted(tmp_path):
    target = (drawing(0, 2) * 255).astype(np.uint8)
    for number in range(4):
        save(tmp_path / "images" / f"{number}.png", photograph(drawing(0)))
        (tmp_path / "masks").mkdir(exist_ok=True)
        is_white = number % 2
        tifffile.imwrite(
            tmp_path / "masks" / f"{number}.tif",
            255 - target if is_white else target,
            photometric="miniswhite" if is_white else "minisblack",
        )
    dataset = scan(tmp_path)
    for sample in dataset.samples:
        np.testing.assert_array_equal(dataset.target(sample), target > 0)


@pytest.mark.parametrize("channels", [3, 4])
def test_pngs_of_16_bits_agree_with_an_independent_reader(channels, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    random = np.random.default_rng(channels)
    pixels = random.integers(0, 4096, (19, 23, channels)).astype(np.uint16)
    path = tmp_path / "a.png"
    _write_png(path, pixels, random.integers(0, 5, len(pixels)))
    np.testing.assert_array_equal(read_deep_png(path), pixels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it lies nowhere on the earth
        with rasterio.open(path) as source:
            np.testing.assert_array_equal(read_deep_png(path), source.read().transpose(1, 2, 0))


def _write_png(path, pixels, filters):
    """Each row with its own filter, after ISO/IEC 15948, section 9."""
    import struct
    import zlib

    height, width, channels = pixels.shape
    depth = 2 * channels
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1).astype(int)
    above, lines = np.zeros(rows.shape[1], int), []
    for row, kind in zip(rows, filters, strict=True):
        left, corner = np.zeros_like(row), np.zeros_like(row)
        left[depth:], corner[depth:] = row[:-depth], above[:-depth]
        guess = left + above - corner
        near = np.abs(np.stack([left, above, corner]) - guess).argmin(axis=0)
        paeth = np.choose(near, [left, above, corner])
        predicted = [0 * row, left, above, (left + above) // 2, paeth][kind]
        lines.append(bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    head = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"".join(lines))), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    )


@pytest.mark.parametrize("empty", [np.nan, np.inf, -np.inf, -3.4e38, -9999.0, -7.0])
def test_pixels_without_data_are_nan(empty):
    pixels = np.array([[1.0, empty]], np.float32)
    assert np.isnan(without_sentinels(pixels, -7.0)).tolist() == [[False, True]]


def test_a_picture_with_a_transparent_palette_colour_has_three_channels(tmp_path):
    for number in range(3):
        save(tmp_path / "masks" / f"{number}.png", (drawing(number, 2) * 255).astype(np.uint8))
        (tmp_path / "images").mkdir(exist_ok=True)
        picture = Image.fromarray(photograph(drawing(number))).quantize(16)
        picture.save(tmp_path / "images" / f"{number}.png", transparency=number)
    assert scan(tmp_path).channels == 3


def masks_of(root, levels, count=6):
    """Images with masks that hold the levels of their number, of three classes, in turn."""
    targets = [drawing(number) for number in range(count)]
    for number, target in enumerate(targets):
        values = np.array(levels[number % len(levels)])
        save(root / "images" / f"{number}.png", photograph(target))
        save(root / "masks" / f"{number}.png", values[target].astype(np.uint16 if values.max() > 255 else np.uint8))
    return targets


@pytest.mark.parametrize("scale", [127, 100, 64])
def test_masks_at_two_scales_are_refused(tmp_path, scale):
    masks_of(tmp_path, [(0, 1, 2), (0, scale, 2 * scale)])
    with pytest.raises(DataError, match=f"values that are {scale} times those of the others"):
        scan(tmp_path)


def test_classes_that_differ_from_file_to_file_are_no_scales(tmp_path):
    masks_of(tmp_path, [(0, 1, 2), (0, 3, 4), (0, 5, 11)])
    assert len(scan(tmp_path).labels) == 7


def test_steps_between_levels_below_white_are_refused(tmp_path):
    for number in range(4):
        target = drawing(number, 3, 96, 128)
        level = np.kron(np.array([0, 40, 80], np.uint8)[target], np.ones((8, 8), np.uint8))
        save(tmp_path / "images" / f"{number}.png", photograph(np.kron(target, np.ones((4, 4), np.uint8))))
        small = Image.fromarray(level).resize((128 * 4, 96 * 4), Image.Resampling.BICUBIC)
        save(tmp_path / "masks" / f"{number}.png", np.array(small.rotate(0.4, Image.Resampling.BILINEAR)))
    with pytest.raises(DataError, match="most of which occur along borders only"):
        scan(tmp_path)


def test_65535_beside_class_indices_is_no_label(tmp_path):
    masks_of(tmp_path, [(0, 1, 65535)])
    labels = scan(tmp_path).labels
    assert (labels.values, labels.ignored) == ((0, 1), (65535,))


def test_a_palette_gives_the_names_of_its_colours(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", photograph(drawing(number)))
        save_palette(tmp_path / "masks" / f"{number}.png", drawing(number))
    rows = [f"{name}:{','.join(map(str, colour))}::" for name, colour in zip("xyz", COLOURS, strict=False)]
    (tmp_path / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "\n".join(rows))
    assert scan(tmp_path).labels.names == ("x", "y", "z")


def test_white_around_objects_that_end_there_is_asked_about(tmp_path):
    for number in range(4):
        target = drawing(number)
        save(tmp_path / "images" / f"{number}.png", photograph(target))
        save(tmp_path / "masks" / f"{number}.png", np.where(target == 0, 255, target - 1).astype(np.uint8))
    with pytest.raises(DataError, match=r"255 covers \d+% of the pixels, beside class indices"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("count", "named"), [(3, ("background", "sky", "road")), (4, ("background", "sky", "road", "car"))]
)
def test_a_table_from_1_leaves_0_to_the_background(count, named):
    entries = tuple(ClassEntry(name, k) for k, name in enumerate(named[1:], start=1))
    assert ClassTable(Path("classes.csv"), entries).for_values(range(count)) == dict(enumerate(named))


def test_a_table_from_1_names_nothing_where_the_masks_may_count_from_0():
    entries = tuple(ClassEntry(name, k) for k, name in enumerate(("sky", "road", "car"), start=1))
    assert ClassTable(Path("classes.csv"), entries).for_values(range(3)) is None
