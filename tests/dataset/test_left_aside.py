"""Nothing that is found is dropped without a word: second masks, other labels, names in lists, files of no role."""

import numpy as np
import pytest

from annotation_kinds import CLASSES, coco, drawn, dump
from folder_kinds import binary, lines, numbers, photo, save, shapes
from folders import drawing, photograph
from perpixel.dataset import scan
from perpixel.dataset.layout.folder_tree import walk
from perpixel.errors import DataError

NAMES = numbers(3)


def masks(root, *patterns, image="images/{}.jpg"):
    """Images, and of each a mask after every pattern: the first true, the others moved by a pixel each."""
    targets = {}
    for name in NAMES:
        target = shapes(int(name) + 7, 2)
        save(root / image.format(name), photo(target))
        for shift, pattern in enumerate(patterns):
            save(root / pattern.format(name), np.roll(binary(target), shift))
        targets[name] = target
    return targets


def said(dataset):
    return "\n".join(str(finding.problem) for finding in dataset.findings)


@pytest.mark.parametrize(
    ("first", "second"),
    [("{}_v1", "{}_v2"), ("{}_annot1", "{}_annot2"), ("{}_mask", "{}_mask_b"), ("{}_left_rater", "{}_right_rater")],
)
def test_two_masks_of_an_image_are_asked_about(tmp_path, first, second):
    masks(tmp_path, f"masks/{first}.png", f"masks/{second}.png")
    with pytest.raises(DataError, match=r"3 images have several masks in .*masks") as raised:
        scan(tmp_path)
    assert f"{first.format(NAMES[0])}.png or {second.format(NAMES[0])}.png" in str(raised.value)
    assert "pairs: FILE" in str(raised.value)


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        ("{}_semantic", "{}"),
        ("{}_consensus", "{}_rater1"),
        ("{}_mask", "{}_mask_old"),
        ("{}_labelTrainIds", "{}_color"),
    ],
)
def test_of_two_masks_the_name_tells_which_counts_and_the_other_is_told(tmp_path, taken, left):
    targets = masks(tmp_path, f"masks/{taken}.png", f"masks/{left}.png")
    dataset = scan(tmp_path)
    for sample in dataset.samples:
        np.testing.assert_array_equal(dataset.target(sample), targets[sample.name])
    assert f"{left.format(NAMES[0])}.png" in said(dataset)


def test_every_image_file_has_a_role_or_is_told(tmp_path):
    masks(tmp_path, "training/1st_manual/{}_manual1.png", "training/mask/{}_mask.png", image="training/images/{}.png")
    save(tmp_path / "figures" / "overview.png", photograph(drawing(0)))
    dataset = scan(tmp_path)
    used = {path for sample in dataset.samples for path in (sample.image, *sample.masks)}
    told = {e for finding in dataset.findings for e in finding.problem.examples}
    every = {image for folder in walk(tmp_path).folders for image in folder.images}
    parents = {str(path.parent) for path in every - used}
    assert {
        str(p.parent) for p in every - used if str(p) in told or p.name in told or str(p.parent) in told
    } == parents
    assert len(parents) == 2


@pytest.mark.parametrize("head", ["image,mask", ""])
def test_an_image_in_two_rows_of_a_list_is_refused(tmp_path, head):
    masks(tmp_path, "a/{}.png", "b/{}.png", image="im/{}.jpg")
    rows = [f"im/{name}.jpg,{folder}/{name}.png" for folder in "ab" for name in NAMES]
    lines(tmp_path / ("pairs.csv" if head else "train.txt"), *([head] if head else []), *rows)
    with pytest.raises(DataError, match=r"3 images stand in several rows of"):
        scan(tmp_path)


def test_lists_that_disagree_or_name_what_is_not_here_are_told(tmp_path):
    masks(tmp_path, "masks/{}.png")
    lines(tmp_path / "train.txt", NAMES[0], "gone")
    lines(tmp_path / "val.txt", NAMES[1])
    dataset = scan(tmp_path)
    assert "1 names in val.txt, train.txt are of no image" in said(dataset)
    assert "1 labelled images are in none of val.txt, train.txt" in said(dataset)
    for folder, part in (("a", 1), ("b", 2)):
        lines(tmp_path / folder / "train.txt", *NAMES[:part])
        lines(tmp_path / folder / "val.txt", *NAMES[part:])
    assert "3 folders hold lists of the subsets, and they disagree" in said(scan(tmp_path))


def test_labels_of_another_kind_and_loose_annotations_are_told(tmp_path):
    items, _ = drawn(tmp_path)
    content = coco(items)
    content["annotations"].append({**content["annotations"][0], "id": 99, "image_id": 777})
    dump(tmp_path / "labels.json", content)
    for name, _, outlines in items:
        shape = {"label": CLASSES[0], "points": outlines[0][1], "shape_type": "polygon"}
        dump(tmp_path / "images" / f"{name}.json", {"shapes": [shape], "imagePath": f"{name}.png"})
    found = said(scan(tmp_path))
    assert "COCO are used, and those of LabelMe are not" in found
    assert "1 of 9 annotations" in found


def test_a_class_that_an_image_lacks_is_asked_about_with_the_way_out(tmp_path):
    masks(tmp_path, "masks/tree/{}.png", "masks/road/{}.png")
    (tmp_path / "masks" / "road" / f"{NAMES[1]}.png").unlink()
    with pytest.raises(DataError, match=r"road.* has no mask for 1 of 3 images in ") as raised:
        scan(tmp_path)
    assert "add an empty mask (0 everywhere)" in str(raised.value)


def test_a_copy_is_asked_about_and_numbered_masks_are_merged_with_a_word(tmp_path):
    masks(tmp_path, "masks/{}_mask.png")
    save(tmp_path / "masks" / f"{NAMES[0]}_mask_1.png", np.eye(40, 56, dtype=np.uint8) * 255)
    dataset = scan(tmp_path)
    assert "1 image has several numbered masks: each is an object, and they are merged" in said(dataset)
    assert dataset.target(dataset.samples[0])[:40, :40].diagonal().all()
    (tmp_path / "masks" / f"{NAMES[0]}_mask_1.png").rename(tmp_path / "masks" / f"{NAMES[0]}_mask (1).png")
    with pytest.raises(DataError, match=r"1 image has several masks in"):
        scan(tmp_path)


def plain(root, names, *more):
    """Images and masks of these names, and the masks named besides."""
    for number, name in enumerate([*names, *more]):
        target = shapes(number + 7, 2)
        save(root / "masks" / f"{name}.png", binary(target))
        if name in names:
            save(root / "images" / f"{name}.png", photo(target))


@pytest.mark.parametrize(
    ("names", "stray"),
    [
        (("field", "field_north", "lake"), "field_south"),
        (("2023-01-01", "2023-01-02", "2023-01-03"), "2023-01-01-pm"),
        (("site1", "site2", "site3"), "site1b"),
        (("cat", "dog", "bird"), "catfish"),
        (("Image", "Image (2)", "Image (3)"), "Image (5)"),
        (("1", "2", "3"), "10"),
        (("scan", "scan_1", "lake"), "scan_2"),
        (("Image", "Image2", "Image3"), "Image5"),
        (("img_1", "img_2", "img_3"), "img_1_1"),
    ],
)
def test_the_mask_of_a_missing_image_is_no_second_mask_of_another(tmp_path, names, stray):
    plain(tmp_path, names, stray)
    dataset = scan(tmp_path)
    assert "1 of 4 masks in" in said(dataset)
    assert f"belong to no image.\n  - {stray}.png" in said(dataset)
    assert [len(sample.masks) for sample in dataset.samples] == [1, 1, 1]


def test_a_picture_among_the_masks_is_named(tmp_path):
    plain(tmp_path, "abcd")
    save(tmp_path / "masks" / "d.png", photo(shapes(10, 2)))
    with pytest.raises(DataError, match=r"1 of 4 masks look like pictures: each holds more than 64") as raised:
        scan(tmp_path)
    assert str(tmp_path / "masks" / "d.png") in str(raised.value)


def test_a_legend_next_to_masks_is_told(tmp_path):
    plain(tmp_path, "ABCD", "LEGEND")
    dataset = scan(tmp_path)
    assert "1 image file is neither an image nor a mask" in said(dataset)
    assert "belong to no image" not in said(dataset)


@pytest.mark.parametrize(("names", "more"), [(["a_0", "a_1", "a_2"], "a"), (["a", "b", "c"], "a (1)")])
def test_one_image_more_is_no_band(tmp_path, names, more):
    plain(tmp_path, names)
    save(tmp_path / "images" / f"{more}.png", photo(shapes(30, 2)))
    with pytest.raises(DataError, match="has no mask for 1 of 4 images in ") as raised:
        scan(tmp_path)
    assert "several images" not in str(raised.value)


def test_a_picture_among_the_masks_of_the_only_image_is_refused(tmp_path):
    target = shapes(1, 2)
    save(tmp_path / "images" / "a.png", photo(target))
    save(tmp_path / "masks" / "a.png", binary(target))
    save(tmp_path / "masks" / "legend.png", photo(target, 5))
    with pytest.raises(DataError, match="of which several belong to one image, hold several classes"):
        scan(tmp_path)
