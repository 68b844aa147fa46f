"""A few values, each in one piece: objects or classes; codes for no label; colours that number objects."""

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from folder_kinds import binary, lines, numbers, photo, save, shapes, write
from folders import save_palette
from perpixel.dataset import scan
from perpixel.errors import DataError

NAMES = numbers(4)
HEIGHT, WIDTH = 40, 56


def spots(seed, count):
    """Spots 1..count in random cells of a grid of 3 × 4."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    target = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, cell in enumerate(np.random.default_rng(seed).permutation(12)[:count], 1):
        row, column = 6 + 13 * (cell // 4), 7 + 14 * (cell % 4)
        target[((rows - row) / 4.5) ** 2 + ((columns - column) / 5) ** 2 < 1] = number
    return target


def spotted(root, counts, look):
    """Images and masks of spots; `look` says what the image shows of a target."""
    for k, count in enumerate(counts):
        target = spots(k, count)
        save(root / "images" / f"{k}.png", photo(look(target), k))
        save(root / "masks" / f"{k}.png", target)


@pytest.mark.parametrize(
    "counts", [(3, 3, 3, 3), (1, 3, 2, 3, 2), (1, 2, 1, 2, 2, 1), (4, 3, 4, 2), (5, 5, 5, 5), (4, 3), (6, 8)]
)
def test_few_numbers_that_look_alike_are_asked_about_and_the_answer_is_believed(tmp_path, counts):
    spotted(tmp_path, counts, lambda target: target > 0)
    with pytest.raises(DataError, match="they may number objects one by one, or be classes"):
        scan(tmp_path)
    lines(tmp_path / "dataset.yaml", "perpixel: 1", "reading: instances")
    assert scan(tmp_path).labels.names == ("background", "object")
    lines(tmp_path / "dataset.yaml", "perpixel: 1", "reading: values")
    assert len(scan(tmp_path).labels) == max(counts) + 1


@pytest.mark.parametrize("counts", [(3, 3, 3, 3), (1, 3, 2, 3, 2, 3), (3, 3)])
def test_few_numbers_that_look_different_are_classes(tmp_path, counts):
    spotted(tmp_path, counts, lambda target: target)
    assert len(scan(tmp_path).labels) == 4


@pytest.mark.parametrize("code", [99, 128, 200, 250, 254])
def test_a_value_far_from_counted_classes_is_asked_about_unless_it_is_named(tmp_path, code):
    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES, as_mask=lambda t: np.array([0, 1, code], np.uint8)[t])
    with pytest.raises(
        DataError, match=f"whether the value {code} in the masks is a class: {code} stands beside 0, 1"
    ):
        scan(tmp_path)
    lines(tmp_path / "classes.csv", "value,name", "0,soil", "1,crop", f"{code},weed")
    assert scan(tmp_path).labels.names == ("soil", "crop", "weed")


@pytest.mark.parametrize("codes", [(98, 99), (254, 255), (99, 100, 200)])
def test_several_codes_are_asked_about_together_unless_one_is_named(tmp_path, codes):
    values = np.array([0, 1, *codes], np.uint8)
    count = len(values)
    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES, classes=count, as_mask=lambda t: values[t])
    listed = ", ".join(map(str, codes))
    with pytest.raises(
        DataError, match=f"whether the values {listed} in the masks are classes: they stand beside 0, 1"
    ):
        scan(tmp_path)
    lines(tmp_path / "dataset.yaml", "perpixel: 1", f"ignored: [{codes[-1]}]")
    assert scan(tmp_path).labels.values == (0, 1, *codes[:-1])


def test_colours_of_which_blue_numbers_the_objects_are_no_classes(tmp_path):
    def ade20k(target):
        code = np.array([0, 300, 1200, 40])[target]
        return np.dstack([code // 256 * 10, code % 256, (target > 0) * (1 + np.arange(WIDTH) // 9)]).astype(np.uint8)

    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES, classes=4, as_mask=ade20k)
    with pytest.raises(DataError, match="differ from others by blue alone"):
        scan(tmp_path)


@pytest.mark.parametrize("rounded", [lambda v: v * 255 + 0.5, lambda v: v * 255])  # to the nearest, and down
def test_colours_as_shares_of_one_name_the_classes(tmp_path, rounded):
    shares = np.array([[0.267, 0.004, 0.329], [0.1276, 0.5669, 0.5505], [0.993, 0.906, 0.143]])
    colours = rounded(shares).astype(np.uint8)
    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES, as_mask=lambda t: colours[t])
    rows = [f"{name},{','.join(map(str, rgb))}" for name, rgb in zip(("soil", "crop", "weed"), shares, strict=True)]
    lines(tmp_path / "colours.csv", "name,r,g,b", *rows)
    labels = scan(tmp_path).labels
    assert dict(zip(labels.names, labels.values, strict=True))["weed"] == tuple(colours[2])


def test_class_lists_that_disagree_are_told(tmp_path):
    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES)
    lines(tmp_path / "classes.txt", "bg", "crop", "weed")
    lines(tmp_path / "labels.txt", "bg", "weed", "crop")
    assert any("2 class lists name the values differently" in f.problem.what for f in scan(tmp_path).findings)


@pytest.mark.parametrize(
    "bands", [("{}_B02", "{}_B03"), ("{}_B02", "{}_B03", "{}_B04"), ("red_{}", "nir_{}", "x_{}")]
)
def test_bands_in_files_of_their_own_are_asked_about(tmp_path, bands):
    for band in bands:
        write(tmp_path, f"S2/{band}.tif", "labels/{}.tif", NAMES)
    with pytest.raises(DataError, match=r"4 masks have several images") as raised:
        scan(tmp_path)
    assert "bands of one image into one file" in str(raised.value)


def test_a_map_next_to_its_training_indices_is_no_image(tmp_path):
    for name in NAMES:
        target = shapes(int(name), 3)
        save(tmp_path / "images" / f"{name}.jpg", photo(target))
        save(tmp_path / "maps" / f"{name}.png", target * 10)
        save(tmp_path / "maps" / f"{name}_labelTrainIds.png", target)
    dataset = scan(tmp_path)
    assert {sample.image.parent.name for sample in dataset.samples} == {"images"}
    assert dataset.labels.values == (0, 1, 2)


@pytest.mark.parametrize(
    ("folders", "subsets"),
    [
        (("Trainingsdaten/Bilder", "Trainingsdaten/Masken"), {"train"}),
        (("entraînement/images", "entraînement/masques"), {"train"}),
        (("prueba/imágenes", "prueba/máscaras"), {"test"}),
        (("検証/画像", "検証/ラベル"), {"val"}),
    ],
)
def test_subsets_are_known_by_their_words_in_other_languages(tmp_path, folders, subsets):
    write(tmp_path, f"{folders[0]}/{{}}.png", f"{folders[1]}/{{}}.png", NAMES)
    assert {sample.split for sample in scan(tmp_path).samples} == subsets


@pytest.mark.parametrize(("kind", "way_out"), [("slices", "labels single slices"), ("runs", "holds run lengths")])
def test_what_is_not_read_names_the_way_out(tmp_path, kind, way_out):
    if kind == "slices":
        (tmp_path / "01").mkdir()
        for name in ("t000", "t001"):
            tifffile.imwrite(tmp_path / "01" / f"{name}.tif", np.zeros((3, 9, 9), np.uint8), photometric="minisblack")
        save(tmp_path / "01_GT" / "SEG" / "man_seg_000_001.tif", spots(0, 2).astype(np.uint16))
    else:
        save(tmp_path / "train" / "a.png", photo(binary(spots(0, 2))))
        lines(tmp_path / "train.csv", "id,annotation,width,height", "a,1 2 57 3 113 4,56,40")
    with pytest.raises(DataError, match=way_out):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("export.json", '{"assets": {"x": {"regions": [{"type": "POLYGON", "points": [{"x": 1, "y": 2}]}]}}}'),
        (
            "data.json",
            '[{"jsonResponse": {"JOB": {"annotations": [{"boundingPoly": [{"normalizedVertices": []}]}]}}}]',
        ),
        ("polygons.jsonl", '{"id": "a", "annotations": [{"type": "vessel", "coordinates": [[[1, 2], [3, 4]]]}]}'),
        ("a_shapes.csv", "index,shape-type,vertex-index,axis-0,axis-1\n0,polygon,0,1.5,2.5\n"),
    ],
)
def test_outlines_of_no_format_that_is_read_name_the_way_out(tmp_path, name, text):
    save(tmp_path / "a.png", photo(binary(spots(0, 2))))
    lines(tmp_path / name, text)
    with pytest.raises(DataError, match=f"{name} and its like are of no format that is read"):
        scan(tmp_path)


@pytest.mark.parametrize("count", [4, 7])
def test_numbers_that_occur_in_one_mask_each_are_asked_about(tmp_path, count):
    for k in range(count):
        target = shapes(k, 2).astype(np.uint16)
        save(tmp_path / "images" / f"{k}.png", photo(target))
        save(tmp_path / "masks" / f"{k}.png", target * (1000 + 37 * k))
    with pytest.raises(DataError, match="they may number objects one by one, or be classes"):
        scan(tmp_path)


def test_a_class_named_like_no_label_is_told(tmp_path):
    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES)
    lines(tmp_path / "classes.csv", "value,name", "0,unlabeled", "1,road", "2,grass")
    assert any("is named like pixels without a label" in f.problem.what for f in scan(tmp_path).findings)


@pytest.mark.parametrize(("same", "is_told"), [(range(5), True), ((0, 1), False), ((), False)])
def test_one_mask_under_the_names_of_many_images_is_told(tmp_path, same, is_told):
    write(tmp_path, "images/{}.png", "masks/{}.png", numbers(6))
    lines(tmp_path / "classes.txt", "soil", "crop", "weed")
    for k in same:
        save(tmp_path / "masks" / f"{k:04}.png", shapes(99))
    assert any("masks are the same as others" in f.problem.what for f in scan(tmp_path).findings) == is_told


@pytest.mark.parametrize("in_colour", [False, True])
def test_a_line_between_all_others_is_asked_about_and_the_answer_is_believed(tmp_path, in_colour):
    """PASCAL VOC's border, where the palette is lost."""
    colours = np.array([[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [224, 224, 192]], np.uint8)

    def as_mask(target):
        borders = ndimage.maximum_filter(target, 3) != ndimage.minimum_filter(target, 3)
        return colours[np.where(borders, 4, target)] if in_colour else np.where(borders, 4, target).astype(np.uint8)

    write(tmp_path, "images/{}.png", "masks/{}.png", NAMES, classes=4, as_mask=as_mask)
    value = "#E0E0C0" if in_colour else "4"
    with pytest.raises(DataError, match=f"{value} in the masks is a class: it lies between all others"):
        scan(tmp_path)
    lines(tmp_path / "dataset.yaml", "perpixel: 1", f'ignored: ["{value}"]' if in_colour else f"ignored: [{value}]")
    assert len(scan(tmp_path).labels) == 4
    lines(tmp_path / "dataset.yaml", "perpixel: 1", "ignored: []")
    assert len(scan(tmp_path).labels) == 5


@pytest.mark.parametrize("told", ["folder", "list", ""])
def test_few_values_of_a_palette_are_classes_where_a_folder_or_a_list_says_so(tmp_path, told):
    folder = "SegmentationClass" if told == "folder" else "masks"
    for k in range(4):
        target = spots(k, 3)
        save(tmp_path / "images" / f"{k}.png", photo(target > 0, k))
        save_palette(tmp_path / folder / f"{k}.png", target, ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)))
    if told == "list":
        lines(tmp_path / "labelmap.txt", "bg:0,0,0::", "a:128,0,0::", "b:0,128,0::", "c:128,128,0::")
    if told:
        assert len(scan(tmp_path).labels) == 4
    else:
        with pytest.raises(DataError, match="they may number objects one by one, or be classes"):
            scan(tmp_path)
