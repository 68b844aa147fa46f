"""A mask belongs to one image, an image is never a mask, and what is said in dataset.yaml is done."""

import numpy as np
import pytest

from folders import drawing, pairs, photograph, save
from perpixel.dataset import scan
from perpixel.errors import DataError


def _images(folder, numbers, seed=100):
    for number in numbers:
        save(folder / f"{number}.png", photograph(drawing(number + seed)))


def _masks(folder, numbers):
    for number in numbers:
        save(folder / f"{number}.png", drawing(number))


@pytest.mark.parametrize("test", ["test", "testing", "测试", "test/images"])
@pytest.mark.parametrize("numbers", [range(4), range(2), range(1, 7)])
def test_test_images_with_the_names_of_training_images_are_unlabelled(tmp_path, test, numbers):
    _images(tmp_path / "train", range(4))
    _masks(tmp_path / "label", range(4))
    _images(tmp_path / test, numbers, 50)
    dataset = scan(tmp_path)
    assert [(s.image.parent.name, s.split) for s in dataset.samples] == [("train", "train")] * 4
    assert [s.split for s in dataset.unlabelled] == ["test"] * len(numbers)
    assert any("unlabelled" in finding.problem.what for finding in dataset.findings)


def test_shared_masks_of_other_names_serve_every_split(tmp_path):
    for part, numbers in (("train", range(3)), ("val", range(3, 5)), ("test", range(5, 7))):
        _images(tmp_path / part, numbers)
    _masks(tmp_path / "label", range(7))
    splits = {int(s.image.stem): s.split for s in scan(tmp_path).samples}
    assert splits == dict(enumerate(["train"] * 3 + ["val"] * 2 + ["test"] * 2))


def test_two_splits_that_share_masks_are_refused(tmp_path):
    _images(tmp_path / "train", range(4))
    _images(tmp_path / "val", range(2), 50)
    _masks(tmp_path / "label", range(4))
    with pytest.raises(DataError, match=r"2 masks would serve two images each"):
        scan(tmp_path)


def test_a_smaller_copy_of_the_images_is_not_used(tmp_path):
    pairs(tmp_path, 3)
    for number in range(3):
        save(tmp_path / "images_small" / f"a{number}.png", photograph(drawing(number)))
    dataset = scan(tmp_path)
    assert {s.image.parent.name for s in dataset.samples} == {"images"}
    assert any("images_small is not used" in f.problem.what for f in dataset.findings)


def test_bands_in_folders_of_their_own_are_a_question(tmp_path):
    for band in ("red", "nir"):
        _images(tmp_path / band, range(3))
    _masks(tmp_path / "gt", range(3))
    with pytest.raises(DataError, match="may both hold the images"):
        scan(tmp_path)


def test_the_folders_named_in_dataset_yaml_are_used(tmp_path):
    _images(tmp_path / "A", range(3))
    _masks(tmp_path / "B", range(3))
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\nimages: A\nmasks: B\n")
    dataset = scan(tmp_path)
    for number, sample in enumerate(dataset.samples):
        assert sample.image.parent.name == "A"
        np.testing.assert_array_equal(dataset.target(sample), drawing(number))


def test_masks_named_alone_are_never_their_own_images(tmp_path):
    _images(tmp_path / "A", range(3))
    _masks(tmp_path / "B", range(3))
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\nmasks: B\n")
    assert [s.image.parent.name for s in scan(tmp_path).samples] == ["A"] * 3
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\nimages: B\nmasks: B\n")
    with pytest.raises(DataError, match="for images and for masks"):
        scan(tmp_path)


@pytest.mark.parametrize("key", ["images", "masks"])
def test_a_folder_that_is_not_there_is_told(tmp_path, key):
    pairs(tmp_path, 2)
    (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\n{key}: imasks\n")
    with pytest.raises(DataError, match="has no folder 'imasks'"):
        scan(tmp_path)


def test_one_of_two_candidates_is_named_by_its_path(tmp_path):
    _images(tmp_path / "training" / "images", range(3))
    for version in ("v1.2", "v2.0"):
        _masks(tmp_path / "training" / version / "labels", range(3))
    with pytest.raises(DataError, match="2 folders may hold the masks"):
        scan(tmp_path)
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\nmasks: v2.0/labels\n")
    assert {s.masks[0].parent.parent.name for s in scan(tmp_path).samples} == {"v2.0"}


@pytest.mark.parametrize("rows", ["a0.png,a0.png", "a0.png,m.png\na1.png,m.png"])
def test_a_list_that_shares_masks_is_refused(tmp_path, rows):
    for name in ("a0", "a1"):
        save(tmp_path / f"{name}.png", photograph(drawing(0)))
    save(tmp_path / "m.png", drawing(0))
    (tmp_path / "list.csv").write_text(f"image,mask\n{rows}\n")
    with pytest.raises(DataError, match=r"would serve two images|for an image and for a mask"):
        scan(tmp_path)


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("images/10k/train", "labels/sem_seg/masks/train"),
        ("training/images", "training/v1.2/labels"),
        ("Train/Rural/images_png", "Train/Rural/masks_png"),
        ("leftImg8bit/train/bern", "gtFine/train/bern"),
        ("img_dir/train", "ann_dir/train"),
        ("ds/img", "ds/masks_machine"),
        ("JPEGImages/480p/bear", "Annotations/480p/bear"),
        ("photos of day 1", "masks"),
        ("images", "masks/train"),
        ("TrainDataset/image", "TrainDataset/masks"),
        ("PNG/Original", "PNG/Ground Truth"),
    ],
)
def test_layouts_of_data_sets_are_understood(tmp_path, images, masks):
    _images(tmp_path / images, range(3))
    _masks(tmp_path / masks, range(3))
    dataset = scan(tmp_path)
    assert [s.image.stem for s in dataset.samples] == ["0", "1", "2"]
    for number, sample in enumerate(dataset.samples):
        np.testing.assert_array_equal(dataset.target(sample), drawing(number))


def test_masks_of_another_patient_are_not_taken(tmp_path):
    _images(tmp_path / "patient1" / "images", range(3))
    _masks(tmp_path / "patient2" / "masks", range(3))
    with pytest.raises(DataError):
        scan(tmp_path)


def test_masks_in_split_folders_divide_images_that_are_not(tmp_path):
    _images(tmp_path / "images", range(5))
    _masks(tmp_path / "masks" / "train", range(3))
    _masks(tmp_path / "masks" / "val", range(3, 5))
    assert [s.split for s in scan(tmp_path).samples] == ["train"] * 3 + ["val"] * 2


def test_what_is_made_from_the_images_is_passed_over(tmp_path):
    pairs(tmp_path, 3, "ISIC_Data", "ISIC_GroundTruth")
    for number in range(3):
        save(tmp_path / "ISIC_Data" / f"a{number}_superpixels.png", photograph(drawing(number)))
    dataset = scan(tmp_path)
    assert (len(dataset.samples), len(dataset.unlabelled)) == (3, 0)
    assert any("named like them" in f.problem.what for f in dataset.findings)


@pytest.mark.parametrize("manual", ["1st_manual", "manual1"])
def test_the_field_of_view_is_not_the_labels(tmp_path, manual):
    for number in range(3):
        save(tmp_path / "images" / f"2{number}_training.png", photograph(drawing(number)))
        save(tmp_path / "mask" / f"2{number}_training_mask.png", np.full((24, 32), 255, np.uint8))
        save(tmp_path / manual / f"2{number}_manual1.png", drawing(number))
    assert {s.masks[0].parent.name for s in scan(tmp_path).samples} == {manual}


@pytest.mark.parametrize("name", ["{}_mask", "{}_Simple Segmentation", "{}-labelled", "{}.png", "{}_cp_masks"])
@pytest.mark.parametrize("image", ["seg_{}", "slide [x={},y=0]", "{}"])
def test_masks_next_to_their_images_pair_by_any_of_their_names(tmp_path, name, image):
    for number in range(3):
        save(tmp_path / f"{image.format(number)}.png", photograph(drawing(number)))
        save(tmp_path / f"{name.format(image.format(number))}.png", drawing(number) + 1)
    dataset = scan(tmp_path)
    assert [s.name for s in dataset.samples] == [image.format(number) for number in range(3)]
