"""Several mask files of one image: a class each, an object each, or one more; and COCO files by subset."""

import json

import numpy as np
import pytest

from folders import drawing, photograph, save
from perpixel.dataset import scan
from perpixel.errors import DataError


def scans(root, names, count=3, layers=None):
    """CASE/images/scan.png and CASE/masks/NAME.png with one 0/255 layer each; the layers by case."""
    found = []
    for case in range(count):
        save(root / f"case{case}" / "images" / "scan.png", photograph(drawing(case)))
        of_case = [drawing(seed, 2) for seed in range(10 * case, 10 * case + len(names))]
        for name, layer in zip(names, of_case, strict=True):
            file = root / f"case{case}" / "masks" / f"{name.format(case=case)}.png"
            save(file, (layer * 255).astype(np.uint8))
        found.append(np.stack(of_case))
    return found


@pytest.mark.parametrize(
    "names", [("liver", "tumor"), ("case{case}_liver", "case{case}_tumor"), ("tumor", "liver", "vein")]
)
def test_names_that_recur_from_image_to_image_are_classes(tmp_path, names):
    layers = scans(tmp_path, names)
    dataset = scan(tmp_path)
    words = [name.rpartition("_")[2] for name in names]
    assert (dataset.labels.kind, dataset.labels.names) == ("multilabel", tuple(sorted(words)))
    for sample, of_case in zip(dataset.samples, layers, strict=True):
        expected = of_case[[words.index(name) for name in sorted(words)]]
        np.testing.assert_array_equal(dataset.target(sample), expected)


@pytest.mark.parametrize("names", [("0", "1"), ("mask_1", "mask_2"), ("cell1", "cell2"), ("9f3c", "77ab")])
def test_files_by_number_are_objects(tmp_path, names):
    layers = scans(tmp_path, names)
    dataset = scan(tmp_path)
    assert dataset.reading == "objects"
    for sample, of_case in zip(dataset.samples, layers, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), of_case.any(0))


def test_an_image_without_one_of_the_classes_is_asked_about(tmp_path):
    scans(tmp_path, ("liver", "tumor"))
    (tmp_path / "case1" / "masks" / "tumor.png").unlink()
    save(tmp_path / "case1" / "masks" / "vein.png", np.zeros((24, 32), np.uint8))
    with pytest.raises(
        DataError, match=r"of 1 of 3 images are not one for each of liver, tumor[\s\S]*Fix: give each"
    ):
        scan(tmp_path)


@pytest.mark.parametrize("apart", [False, True])
def test_one_more_mask_under_a_number_is_merged(tmp_path, apart):
    first, more = (drawing(seed, 2) for seed in (1, 8))
    masks = tmp_path / "masks" if apart else tmp_path
    for name in ("a", "b"):
        save(tmp_path / ("images" if apart else "") / f"{name} (1).png", photograph(first))
        save(masks / f"{name} (1)_mask.png", (first * 255).astype(np.uint8))
    save(masks / "a (1)_mask_1.png", (more * 255).astype(np.uint8))
    dataset = scan(tmp_path)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), first | more)
    np.testing.assert_array_equal(dataset.target(dataset.samples[1]), first)


def test_masks_of_classes_are_not_merged_without_a_word(tmp_path):
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", photograph(drawing(1)))
        save(tmp_path / f"{name}_mask.png", drawing(1, 4))
    save(tmp_path / "a_mask_1.png", drawing(2, 4))
    with pytest.raises(DataError, match=r"mask files, of which several belong to one image, hold several classes"):
        scan(tmp_path)


def coco(path, images, size=(24, 32)):
    content = {
        "images": [
            {"id": k, "file_name": name, "height": size[0], "width": size[1]} for k, name in enumerate(images)
        ],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 1, "segmentation": [[2, 2, 20, 2, 20, 15, 2, 15]], "iscrowd": 0}
            for k in range(len(images))
        ],
        "categories": [{"id": 1, "name": "field"}],
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def coco_images(tmp_path):
    for k in range(4):
        save(tmp_path / "images" / f"{k}.png", photograph(drawing(k)))
    return [f"{k}.png" for k in range(4)]


@pytest.mark.parametrize("names", [("instances_train", "instances_val"), ("train2017", "val2017"), ("train", "test")])
def test_coco_files_named_after_subsets_split_their_images(tmp_path, coco_images, names):
    coco(tmp_path / "annotations" / f"{names[0]}.json", coco_images[:3])
    coco(tmp_path / "annotations" / f"{names[1]}.json", coco_images[3:])
    second = "test" if names[1] == "test" else "val"
    assert [sample.split for sample in scan(tmp_path).samples] == ["train"] * 3 + [second]


def test_one_coco_file_splits_nothing(tmp_path, coco_images):
    coco(tmp_path / "annotations" / "instances_train.json", coco_images)
    assert {sample.split for sample in scan(tmp_path).samples} == {None}


def test_an_image_in_two_subsets_is_refused(tmp_path, coco_images):
    coco(tmp_path / "annotations" / "train.json", coco_images[:3])
    coco(tmp_path / "annotations" / "val.json", coco_images[2:])
    with pytest.raises(DataError, match=r"1 images that .*val\.json lists for val are listed for another subset"):
        scan(tmp_path)
