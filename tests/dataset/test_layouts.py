import json
from collections import Counter

import numpy as np
import pytest
import tifffile

from folder_kinds import numbers, write
from folders import drawing, pairs, photograph, save
from perpixel.dataset import scan
from perpixel.errors import DataError


def _read(dataset):
    return {sample.name: dataset.target(sample) for sample in dataset.samples}


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images", "masks"),
        ("image", "label"),
        ("img", "gt"),
        ("train", "trainannot"),
        ("imgs", "annotations/trimaps"),
        ("JPEGImages", "SegmentationClass"),
        ("train_images", "train_masks"),
        ("raw", "ground_truth"),
        ("photos", "labels"),
        (".", "masks"),
    ],
)
def test_folders_of_images_and_masks_are_paired(tmp_path, images, masks):
    targets = pairs(tmp_path, images=images, masks=masks)
    dataset = scan(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["a0", "a1", "a2", "a3"]
    assert (dataset.channels, dataset.dtype, dataset.labels.values) == (3, "uint8", (0, 1, 2))
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)
        assert dataset.image(sample).shape == (sample.height, sample.width, 3)


@pytest.mark.parametrize("order", ["{part}/{kind}", "{kind}/{part}", "{part}_{kind}"])
def test_split_folders_are_honoured(tmp_path, order):
    for part, kind in (("train", "images"), ("valid", "images"), ("testing", "images")):
        pairs(tmp_path, 2, order.format(part=part, kind=kind), order.format(part=part, kind="masks"))
    dataset = scan(tmp_path)
    assert Counter(sample.split for sample in dataset.samples) == {"train": 2, "val": 2, "test": 2}
    assert len({sample.name for sample in dataset.samples}) == 6


def test_an_unlabelled_test_folder_is_unlabelled(tmp_path):
    pairs(tmp_path, 3, "train/image", "train/label")
    for number in range(2):
        save(tmp_path / "test" / f"a{number}.png", photograph(drawing(number)))
    dataset = scan(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["train_a0", "train_a1", "train_a2"]
    assert [(sample.name, sample.split) for sample in dataset.unlabelled] == [
        ("test_a0", "test"),
        ("test_a1", "test"),
    ]


def test_masks_are_told_by_their_names(tmp_path):
    targets = [drawing(seed) for seed in range(3)]
    for number, target in enumerate(targets):
        save(tmp_path / f"cell.{number}.v1.png", photograph(target))
        save(tmp_path / f"cell.{number}.v1_mask.png", target)
    dataset = scan(tmp_path)
    assert [sample.name for sample in dataset.samples] == ["cell.0.v1", "cell.1.v1", "cell.2.v1"]
    np.testing.assert_array_equal(dataset.target(dataset.samples[1]), targets[1])


def test_masks_told_by_their_names_may_lie_in_another_folder(tmp_path):
    for number in range(3):
        save(tmp_path / "one" / f"{number}.png", photograph(drawing(number)))
        save(tmp_path / "two" / f"{number}_mask.png", drawing(number))
    assert len(scan(tmp_path).samples) == 3


def test_stems_may_hold_many_dots(tmp_path):
    for name in ("40.055827--92.273265", "40.055827--92.3"):
        save(tmp_path / "images" / f"{name}.jpg", photograph(drawing(0)))
        save(tmp_path / "masks" / f"{name}.png", drawing(0))
    assert [sample.name for sample in scan(tmp_path).samples] == ["40.055827--92.3", "40.055827--92.273265"]


def test_one_file_an_object_is_merged_and_kept_as_instances(tmp_path):
    for name in ("x1", "x2", "x3"):
        target = drawing(len(name), 4)
        target[0, :4] = 0
        save(tmp_path / name / "images" / f"{name}.png", photograph(target))
        for k in (1, 2, 3):
            save(tmp_path / name / "masks" / f"object{k}.png", ((target == k) * 255).astype(np.uint8))
    dataset = scan(tmp_path)
    assert (dataset.reading, dataset.labels.names) == ("objects", ("background", "object"))
    sample = dataset.samples[0]
    np.testing.assert_array_equal(dataset.target(sample), target > 0)
    np.testing.assert_array_equal(dataset.instances(sample), target)


def test_a_folder_a_class_means_overlapping_labels(tmp_path):
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (3, 2, 24, 32)).astype(np.uint8)
    for number, target in enumerate(targets):
        save(tmp_path / "images" / f"{number}.png", photograph(target[0]))
        for name, plane in zip(("disc", "ring"), target, strict=True):
            save(tmp_path / "masks" / name / f"{number}.png", plane * 255)
    dataset = scan(tmp_path)
    assert (dataset.labels.kind, dataset.labels.names, dataset.labels.encoding) == (
        "multilabel", ("disc", "ring"), "files",
    )  # fmt: skip
    np.testing.assert_array_equal([dataset.target(sample) for sample in dataset.samples], targets)


def test_one_channel_a_class_means_overlapping_labels(tmp_path):
    random = np.random.default_rng(0)
    targets = random.integers(0, 2, (3, 5, 24, 32)).astype(np.uint8)
    for number, target in enumerate(targets):
        save(tmp_path / "images" / f"{number}.png", photograph(target[0]))
        save(tmp_path / "masks" / f"{number}.npy", np.moveaxis(target, 0, -1))
    dataset = scan(tmp_path)
    assert (dataset.labels.kind, dataset.reading, len(dataset.labels)) == ("multilabel", "channels", 5)
    np.testing.assert_array_equal([dataset.target(sample) for sample in dataset.samples], targets)


def test_a_stack_and_its_labels_are_read_slice_by_slice(tmp_path):
    targets = np.stack([drawing(seed) for seed in range(12)])
    tifffile.imwrite(tmp_path / "train-volume.tif", photograph(targets[..., None], channels=1)[..., 0, 0])
    tifffile.imwrite(tmp_path / "train-labels.tif", targets)
    dataset = scan(tmp_path)
    assert [sample.name for sample in dataset.samples][:2] == ["train-volume_00", "train-volume_01"]
    np.testing.assert_array_equal([dataset.target(sample) for sample in dataset.samples], targets)
    assert {sample.group for sample in dataset.samples} == {"train-volume"}


def test_a_stack_with_fewer_labels_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "train-volume.tif", np.zeros((5, 9, 9), np.uint8), photometric="minisblack")
    tifffile.imwrite(tmp_path / "train-labels.tif", np.zeros((4, 9, 9), np.uint8), photometric="minisblack")
    with pytest.raises(DataError, match=r"has 5 pages; its mask train-labels\.tif has 4"):
        scan(tmp_path)


def test_a_list_of_pairs_gives_parts_and_groups(tmp_path):
    pairs(tmp_path, 4, "x", "z")
    save(tmp_path / "y" / "a0.png", photograph(drawing(9)))
    rows = [f"x/a{k}.png,z/a{k}.png,{part},p{k}" for k, part in enumerate(["train", "train", "val", ""])]
    (tmp_path / "list.csv").write_text("\n".join(["Image,Mask,Split,Patient", *rows, "y/a0.png,,test,p9"]))
    dataset = scan(tmp_path)
    expected = [("train_p0_a0", "train"), ("train_p1_a1", "train"), ("val_p2_a2", "val"), ("p3_a3", None)]
    assert [(sample.name, sample.split) for sample in dataset.samples] == expected
    assert [sample.group for sample in dataset.samples] == ["p0", "p1", "p2", "p3"]
    assert [sample.name for sample in dataset.unlabelled] == ["test_p9_a0"]


def test_a_list_with_wrong_rows_says_which(tmp_path):
    pairs(tmp_path, 2)
    (tmp_path / "list.csv").write_text(
        "image,mask,split\nimages/a0.png,masks/b0.png,train\nimages/a1.png,masks/a1.png,trian"
    )
    with pytest.raises(DataError, match=r"1 file that .*list.csv lists does not exist") as raised:
        scan(tmp_path)
    assert "line 2: " in str(raised.value)
    assert "'trian', did you mean train?" in str(raised.value)


def test_of_two_observers_the_first_is_taken_and_told(tmp_path):
    targets = pairs(tmp_path, masks="masks_1st")
    pairs(tmp_path, masks="masks_2nd", scale=3)
    dataset = scan(tmp_path)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), targets[0])
    finding = dataset.findings[0]
    assert finding.severity == "warning"
    assert "2 folders hold masks" in finding.problem.what
    assert finding.problem.examples == ("masks_1st", "masks_2nd")


def test_plain_masks_are_preferred_to_pictured_ones_and_instances_are_offered(tmp_path):
    pairs(tmp_path, masks="masks")
    pairs(tmp_path, masks="color_masks", scale=9)
    pairs(tmp_path, masks="instances")
    dataset = scan(tmp_path)
    assert dataset.labels.values == (0, 1, 2)
    assert dataset.instances(dataset.samples[0]) is not None


@pytest.mark.parametrize(("folder", "reading"), [("instances", "instances"), ("masks", "values")])
def test_a_few_numbers_are_objects_where_the_folder_is_named_so(tmp_path, folder, reading):
    for name in ("a", "b"):
        numbers = np.zeros((24, 24), np.uint8)
        numbers[2:8, 2:8], numbers[2:8, 10:20], numbers[12:20, 4:20] = 1, 2, 3
        save(tmp_path / "images" / f"{name}.png", photograph(numbers))
        save(tmp_path / folder / f"{name}.png", numbers)
    dataset = scan(tmp_path)
    assert dataset.reading == reading
    assert len(dataset.labels) == (2 if reading == "instances" else 4)


def test_other_folders_of_images_are_told_not_taken(tmp_path):
    pairs(tmp_path)
    save(tmp_path / "figures" / "logo.png", photograph(drawing(0)))
    findings = [finding.problem.what for finding in scan(tmp_path).findings]
    assert findings == ["1 folder with images is not used: it has no masks."]


def test_class_names_are_those_of_a_list_that_fits(tmp_path):
    pairs(tmp_path)
    (tmp_path / "classes.txt").write_text("soil\nroot\nleaf\n")
    assert scan(tmp_path).labels.names == ("soil", "root", "leaf")
    (tmp_path / "classes.txt").unlink()
    (tmp_path / "label_names.json").write_text(json.dumps({"0": "soil", "1": "root", "2": "leaf", "9": "void"}))
    assert scan(tmp_path).labels.names == ("soil", "root", "leaf")


def test_a_class_list_that_does_not_fit_is_told_not_used(tmp_path):
    pairs(tmp_path)
    (tmp_path / "classes.txt").write_text("background\nroot\n")
    dataset = scan(tmp_path)
    assert dataset.labels.names == ("class 0", "class 1", "class 2")
    assert "classes.txt does not say which value is which class" in dataset.findings[0].problem.what


def test_cityscapes_folders_are_understood(tmp_path):
    for part, city in (("train", "aachen"), ("train", "bochum"), ("val", "munster")):
        for number in range(2):
            stem, target = f"{city}_{number:06}_000019", drawing(number)
            save(tmp_path / "leftImg8bit" / part / city / f"{stem}_leftImg8bit.png", photograph(target))
            for kind in ("labelIds", "instanceIds", "color"):
                save(tmp_path / "gtFine" / part / city / f"{stem}_gtFine_{kind}.png", target)
    dataset = scan(tmp_path)
    assert Counter((sample.split, sample.group) for sample in dataset.samples) == {
        ("train", "aachen"): 2, ("train", "bochum"): 2, ("val", "munster"): 2,
    }  # fmt: skip
    assert all("labelIds" in sample.masks[0].name for sample in dataset.samples)
    assert dataset.labels.names == ("unlabeled", "ego vehicle", "rectification border")


@pytest.mark.parametrize(
    ("image", "mask", "values", "names"),
    [
        ("a/{}.png", "gt/{}_gtFine_labelTrainIds.png", (0, 1, 255), ("road", "sidewalk")),
        ("image_2/{}_10.png", "semantic/{}_10.png", (7, 8, 26), ("road", "sidewalk", "car")),
        ("Rural/images_png/{}.png", "Rural/masks_png/{}.png", (1, 2, 0), ("background", "building")),
        ("image_2/{}_10.png", "seg/{}_10.png", (7, 8, 26), ("class 7", "class 8", "class 26")),
    ],
)
def test_known_sets_are_told_by_names_and_values(tmp_path, image, mask, values, names):
    write(tmp_path, image, mask, numbers(3), as_mask=lambda target: np.array(values, np.uint8)[target])
    if "Rural" in image:
        write(tmp_path, image.replace("Rural", "Urban"), mask.replace("Rural", "Urban"), numbers(3, 5))
    assert scan(tmp_path).labels.names[: len(names)] == names


def test_most_images_without_mask_are_unlabelled_and_told(tmp_path):
    pairs(tmp_path, 9, images="JPEGImages", masks="SegmentationClass")
    for number in range(6):
        (tmp_path / "SegmentationClass" / f"a{number}.png").unlink()
    dataset = scan(tmp_path)
    assert (len(dataset.samples), len(dataset.unlabelled)) == (3, 6)
    assert "6 of 9 images" in dataset.findings[0].problem.what


def test_masks_elsewhere_are_not_classes(tmp_path):
    pairs(tmp_path)
    pairs(tmp_path, images="old/images", masks="old/masks", scale=9)
    (tmp_path / "masks").rename(tmp_path / "labels")
    dataset = scan(tmp_path)
    assert dataset.labels.kind == "multiclass"
    assert len(dataset.samples) == 8


def test_parts_with_different_class_folders_are_refused(tmp_path):
    for part, names in (("train", ("disc", "ring")), ("val", ("disc", "cross"))):
        save(tmp_path / part / "images" / "a.png", photograph(drawing(0)))
        for name in names:
            save(tmp_path / part / "masks" / name / "a.png", drawing(0, 2) * 255)
    with pytest.raises(DataError, match="the folders of masks hold different classes"):
        scan(tmp_path)


@pytest.mark.parametrize(("folders", "names"), [((0,), ("foreground",)), ((1, 2), ("class 1", "class 2"))])
def test_folders_of_masks_named_by_numbers_are_classes_in_words(tmp_path, folders, names):
    for number in range(4):
        target = drawing(number, 1 + len(folders))
        save(tmp_path / "images" / f"{number}.png", photograph(target))
        for k, folder in enumerate(folders, start=1):
            save(tmp_path / "masks" / str(folder) / f"{number}.png", (target == k).astype(np.uint8) * 255)
    dataset = scan(tmp_path)
    assert dataset.labels.names == ("background", *names)
    assert (dataset.target(dataset.samples[0]) == drawing(0, 1 + len(folders))).all()
    assert any(names[0] in finding.problem.what for finding in dataset.findings)
