"""Whatever encoding a mask is written in, the label array is the same."""

import json

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from folders import COLOURS, drawing, photograph, save, save_palette
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.files.read import turned
from perpixel.labels.codec import mask_of


def _indices(root, name, target):
    save(root / f"{name}.png", target)


def _gaps(root, name, target):
    save(root / f"{name}.png", np.array([0, 40, 90, 200], np.uint8)[target])


def _from_one(root, name, target):
    save(root / f"{name}.png", target + 1)


def _deep(root, name, target):
    save(root / f"{name}.tif", target.astype(np.uint16) * 1000)


def _palette(root, name, target):
    save_palette(root / f"{name}.png", target)


def _gray_as_colour(root, name, target):
    save(root / f"{name}.png", np.repeat(target[..., None] * 60, 3, axis=2))


def _floats(root, name, target):
    save(root / f"{name}.npy", target.astype(np.float64))


def _colours(root, name, target):
    save(root / f"{name}.png", np.array(COLOURS, np.uint8)[target])


def _bmp(root, name, target):
    save(root / f"{name}.bmp", target)


def _tiled(root, name, target):
    save(root / f"{name}.tif", target, tile=(16, 16), compression="deflate")


EXCLUSIVE = {f.__name__.strip("_"): f for f in (
    _indices, _gaps, _from_one, _deep, _palette, _gray_as_colour, _floats, _colours, _bmp, _tiled,
)}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(sorted(EXCLUSIVE)),
    seed=st.integers(0, 99),
    classes=st.integers(2, 4),
    height=st.integers(9, 40),
    width=st.integers(9, 40),
)
def test_every_encoding_of_a_mask_gives_the_same_labels(kind, seed, classes, height, width, tmp_path_factory):
    root = tmp_path_factory.mktemp(kind)
    targets = [drawing(seed + number, classes, height, width) for number in range(2)]
    for number, target in enumerate(targets):
        save(root / "images" / f"{number}.png", photograph(target))
        (root / "masks").mkdir(exist_ok=True)
        EXCLUSIVE[kind](root / "masks", str(number), target)
    dataset = scan(root)
    order = np.argsort(
        np.argsort([sum(c * 256 ** (2 - i) for i, c in enumerate(COLOURS[k])) for k in range(classes)])
    )
    for sample, target in zip(dataset.samples, targets, strict=True):
        expected = order[target] if kind == "colours" else target  # colours stand in the order of their values
        np.testing.assert_array_equal(dataset.target(sample), expected)
        again = mask_of(dataset.target(sample), dataset.labels)
        assert again.shape == (height, width, 3) if kind == "colours" else (height, width)


def _folder(root, masks, ending="png", **options):
    for number, mask in enumerate(masks):
        save(root / "images" / f"{number}.png", photograph(mask if mask.ndim == 2 else mask[..., 0]))
        save(root / "masks" / f"{number}.{ending}", mask, **options)
    return root


BINARY = [(drawing(seed, 2) * 255).astype(np.uint8) for seed in range(3)]


def test_0_and_255_are_two_classes(tmp_path):
    dataset = scan(_folder(tmp_path, BINARY))
    assert (dataset.labels.names, dataset.labels.values) == (("background", "foreground"), (0, 255))
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), BINARY[0] // 255)


def test_one_bit_masks_are_two_classes(tmp_path):
    dataset = scan(_folder(tmp_path, [mask > 0 for mask in BINARY]))
    assert dataset.labels.values == (0, 255)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), BINARY[0] // 255)


@pytest.mark.parametrize(("void", "dtype", "ending"), [(255, "uint8", "png"), (-1, "int16", "tif")])
def test_values_that_stand_for_no_label_are_ignored_and_told(tmp_path, void, dtype, ending):
    masks = [drawing(seed).astype(dtype) for seed in range(3)]
    for mask in masks:
        mask[5:7] = void
    dataset = scan(_folder(tmp_path, masks, ending))
    assert dataset.labels.ignored == (void,)
    assert (dataset.target(dataset.samples[0])[5:7] == 255).all()
    assert f"{void}: " in dataset.findings[0].problem.examples[0]


def test_jpeg_masks_of_0_and_255_are_cut_at_128_and_told(tmp_path):
    dataset = scan(_folder(tmp_path, BINARY, "jpg", quality=95))
    assert dataset.reading == "halves"
    np.testing.assert_array_equal(dataset.target(dataset.samples[1]), BINARY[1] // 255)
    assert "the masks are JPEG files" in dataset.findings[0].problem.what


def test_jpeg_masks_of_classes_are_refused(tmp_path):
    with pytest.raises(DataError, match="JPEG files, whose compression has altered the class values"):
        scan(_folder(tmp_path, [drawing(seed) * 60 for seed in range(3)], "jpg"))


@pytest.mark.parametrize("way", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS])
def test_a_smoothed_mask_is_cut_at_128_and_told(way, tmp_path):
    smooth = [np.asarray(Image.fromarray(mask).resize((160, 120), way)) for mask in BINARY]
    dataset = scan(_folder(tmp_path, smooth))
    assert dataset.reading == "halves"
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), smooth[0] >= 128)
    assert "the masks are smoothed" in dataset.findings[0].problem.what


def test_palettes_that_differ_count_by_their_colours(tmp_path):
    target = drawing(0)
    for name, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        save(tmp_path / "images" / f"{name}.png", photograph(target))
        places = np.argsort(order).astype(np.uint8)
        save_palette(tmp_path / "masks" / f"{name}.png", places[target], tuple(COLOURS[k] for k in order))
    dataset = scan(tmp_path)
    assert dataset.labels.encoding == "colour"
    np.testing.assert_array_equal(*(dataset.target(sample) for sample in dataset.samples))


def test_colours_are_named_by_a_table(tmp_path):
    masks = [np.array(COLOURS, np.uint8)[drawing(seed, 4)] for seed in range(2)]
    names = ["ground", "roof", "tree", "water"]
    classes = [{"title": n, "color": "#{:02X}{:02X}{:02X}".format(*c)} for n, c in zip(names, COLOURS, strict=True)]
    (tmp_path / "classes.json").write_text(json.dumps({"classes": classes}))
    dataset = scan(_folder(tmp_path, masks))
    assert dataset.labels.names == tuple(names)
    np.testing.assert_array_equal(dataset.target(dataset.samples[1]), drawing(1, 4))


def test_a_colour_table_that_disagrees_is_told(tmp_path):
    masks = [np.array(COLOURS, np.uint8)[drawing(seed, 4)] for seed in range(2)]
    (tmp_path / "classes.csv").write_text("name,r,g,b\nground,0,0,0\nroof,1,2,3\n")
    findings = [finding.problem for finding in scan(_folder(tmp_path, masks)).findings]
    assert "classes.csv disagrees with the masks: 3 of their 4 colours are not in it" in findings[0].what
    assert findings[0].examples[0].startswith("#")


def test_instance_maps_are_merged_and_kept(tmp_path):
    rows, columns = np.mgrid[:64, :64]
    numbers = (1 + rows // 8 * 8 + columns // 8).astype(np.uint16)
    numbers[(rows % 8 == 0) | (columns % 8 == 0)] = 0
    dataset = scan(_folder(tmp_path, [numbers, numbers]))
    assert (dataset.reading, dataset.labels.names) == ("instances", ("background", "object"))
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), numbers > 0)
    np.testing.assert_array_equal(dataset.instances(dataset.samples[0]), numbers)


def test_the_mask_is_turned_as_its_image(tmp_path):
    target = drawing(3)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        save(tmp_path / "images" / f"{name}.jpg", photograph(target), exif=exif, quality=95)
    save(tmp_path / "masks" / "a.png", target)
    save(tmp_path / "masks" / "b.png", np.rot90(target, -1))
    dataset = scan(tmp_path)
    for sample in dataset.samples:
        assert dataset.image(sample).shape[:2] == (32, 24)
        np.testing.assert_array_equal(dataset.target(sample), np.rot90(target, -1))


def turned_pairs(folder, orientation, way, *, side=(48, 48), blank=False, count=3):
    """Photographs with an orientation tag, and masks that lie as they are stored or as they are shown."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    targets = []
    for index in range(count):
        target = drawing(index + 3, 3, *side)
        pixels = np.full((*side, 3), 90 + index, np.uint8) if blank else photograph(target)
        save(folder / "images" / f"{index}.jpg", pixels, exif=exif, quality=95)
        shown = turned(target, orientation)
        save(folder / "masks" / f"{index}.png", target if way == "stored" else shown)
        targets.append(shown)
    return targets


@pytest.mark.parametrize("way", ["stored", "shown"])
@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_borders_tell_how_the_masks_of_turned_images_lie(tmp_path, orientation, way):
    targets = turned_pairs(tmp_path, orientation, way)
    dataset = scan(tmp_path)
    for sample, shown in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), shown)
    assert f"the masks are taken as {way}: so their borders lie where the images change" in told(dataset)


@pytest.mark.parametrize("way", ["stored", "shown"])
def test_masks_whose_size_tells_it_speak_for_the_others(tmp_path, way):
    half_turned = turned_pairs(tmp_path, 3, way, side=(24, 32), blank=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = drawing(9, 3, 24, 32)
    save(tmp_path / "images" / "plain.jpg", np.full((24, 32, 3), 90, np.uint8), exif=exif)
    save(tmp_path / "masks" / "plain.png", plain if way == "stored" else turned(plain, 6))
    dataset = scan(tmp_path)
    for sample, shown in zip(dataset.samples[:3], half_turned, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), shown)
    assert f"taken as {way}: as those of this folder whose size tells it" in told(dataset)


def test_where_nothing_tells_how_masks_lie_it_is_asked(tmp_path):
    targets = turned_pairs(tmp_path, 6, "shown", blank=True)
    with pytest.raises(
        DataError, match=r"nothing tells whether the masks lie[\s\S]*Fix: say mask_orientation: stored"
    ):
        scan(tmp_path)
    for way, expected in (("shown", targets), ("stored", [turned(target, 6) for target in targets])):
        (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\nmask_orientation: {way}\n", encoding="utf-8")
        dataset = scan(tmp_path)
        for sample, target in zip(dataset.samples, expected, strict=True):
            np.testing.assert_array_equal(dataset.target(sample), target)


@pytest.mark.parametrize("ending", ["tif", "png"])
@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_mask_with_a_tag_of_its_own_is_turned_by_it(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    targets = [drawing(seed, 3, 24, 24) for seed in (3, 4)]
    for index, target in enumerate(targets):
        save(tmp_path / "images" / f"{index}.jpg", np.full((24, 24, 3), 90, np.uint8), exif=exif)
        mask = tmp_path / "masks" / f"{index}.{ending}"
        if ending == "tif":
            mask.parent.mkdir(exist_ok=True)
            tifffile.imwrite(mask, target, extratags=[(274, 3, 1, orientation, True)])
        else:
            save(mask, target, exif=exif)
    dataset = scan(tmp_path)
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), turned(target, orientation))


@pytest.mark.parametrize(("across", "down"), [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_rasters_of_one_place_whose_rows_run_the_other_way_are_mirrored(tmp_path, across, down):
    targets = [drawing(seed, 3, 24, 32) for seed in (3, 4)]
    for index, target in enumerate(targets):
        origin = (100.0 if across > 0 else 132.0, 224.0 if down > 0 else 200.0)
        for folder, pixels, (x, y), signs in (
            ("images", photograph(target), origin, (across, down)),
            ("masks", target[::down, ::across], (100.0, 224.0), (1, 1)),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            matrix = (signs[0], 0, 0, x, 0, -signs[1], 0, y, 0, 0, 0, 0, 0, 0, 0, 1)
            tags = [(34264, 12, 16, tuple(map(float, matrix)), True)]
            tifffile.imwrite(tmp_path / folder / f"{index}.tif", pixels, extratags=tags)
    dataset = scan(tmp_path, whole=True)
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)


def told(dataset):
    return " ".join(finding.problem.what for finding in dataset.findings)


def test_one_hot_channels_of_other_values_are_refused(tmp_path):
    masks = [np.random.default_rng(0).integers(0, 5, (24, 32, 5)).astype(np.uint8)] * 2
    with pytest.raises(DataError, match="masks with several channels must hold one class in each"):
        scan(_folder(tmp_path, masks, "npy"))
