"""Several mask files of one image: a class each, an object each, or one more; and COCO files by subset."""

import json

import numpy as np
import pytest

from folder_kinds import binary, photo, shapes
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


def layered(root, how, names, layers):
    """Three images with a file, a folder, a channel or a page for each of the layers of 0 and 255."""
    for case, present in enumerate(layers):
        save(root / "images" / f"{case}.png", photograph(drawing(case)))
        of_case = (np.stack(present) * 255).astype(np.uint8)
        if how == "channels":
            save(root / "masks" / f"{case}.npy", np.moveaxis(of_case, 0, -1))
        elif how == "pages":
            save(root / "masks" / f"{case}.tif", of_case, photometric="minisblack")
        else:
            for name, layer in zip(names, of_case, strict=True):
                save(root / "masks" / name / f"{case}.png", layer)


@pytest.mark.parametrize(
    ("how", "rest"),  # three channels are a colour
    [*((how, rest) for how in ("folders", "pages") for rest in ("background", "clutter", "")), ("channels", "")],
)
def test_layers_that_never_meet_are_one_class_a_pixel(tmp_path, how, rest):
    targets = [drawing(seed, 3) for seed in range(3)]
    order = (1, 0, 2) if rest else (1, 2)
    names = ("cell", rest, "wall") if rest else ("cell", "wall")
    layered(tmp_path, how, names, [[target == k for k in order] for target in targets])
    if how != "folders":
        (tmp_path / "classes.txt").write_text("\n".join(names))
    dataset = scan(tmp_path)
    assert dataset.labels.kind == "multiclass"
    assert set(dataset.labels.names) == {"cell", rest or "background", "wall"}
    assert any("no pixel has two of" in finding.problem.what for finding in dataset.findings)
    ours = [dataset.labels.names.index(rest or "background"), *map(dataset.labels.names.index, ("cell", "wall"))]
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), np.array(ours)[target])
    dataset.save_description(tmp_path / "dataset.yaml")
    np.testing.assert_array_equal(scan(tmp_path).target(dataset.samples[0]), dataset.target(dataset.samples[0]))


@pytest.mark.parametrize("how", ["folders", "channels"])
def test_one_pixel_of_two_classes_makes_layers_multilabel(tmp_path, how):
    layers = [[drawing(seed, 3) == k for k in (1, 2)] for seed in range(3)]
    layers[2][0][5, 5] = layers[2][1][5, 5] = True
    layered(tmp_path, how, ("cell", "wall"), layers)
    dataset = scan(tmp_path)
    assert dataset.labels.kind == "multilabel"
    assert any("the classes overlap" in finding.problem.what for finding in dataset.findings)
    np.testing.assert_array_equal(dataset.target(dataset.samples[2]), np.stack(layers[2]))


def test_files_of_other_classes_than_those_given_are_refused(tmp_path):
    layered(tmp_path, "folders", ("cell", "wall"), [[drawing(s, 3) == k for k in (1, 2)] for s in range(3)])
    labels = scan(tmp_path).labels
    (tmp_path / "masks" / "wall").rename(tmp_path / "masks" / "air")
    with pytest.raises(DataError, match="the masks are of the classes air, cell, not of cell, wall"):
        scan(tmp_path, labels)


def test_as_many_layers_as_classes_are_asked_for(tmp_path):
    layered(tmp_path, "channels", (), [[drawing(s, 3) == k for k in (1, 2)] for s in range(3)])
    labels = scan(tmp_path).labels
    for case in range(3):
        save(tmp_path / "masks" / f"{case}.npy", np.zeros((24, 32, 4), np.uint8))
    with pytest.raises(DataError, match=r"the masks of 3 images do not have 2 channels"):
        scan(tmp_path, labels)


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


@pytest.mark.parametrize("folder", ["masks", "."])
def test_class_files_next_to_each_other_are_classes_and_a_missing_one_is_told(tmp_path, folder):
    targets = [drawing(seed, 3) for seed in range(4)]
    for case, target in enumerate(targets):
        save(tmp_path / ("images" if folder == "masks" else ".") / f"p_{case}.png", photograph(target))
        for name, value in (("liver", 1), ("tumor", 2)):
            save(tmp_path / folder / f"p_{case}_mask_{name}.png", (target == value) * np.uint8(255))
    dataset = scan(tmp_path)
    assert dataset.labels.names == ("background", "liver", "tumor")
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)
    (tmp_path / folder / "p_2_mask_tumor.png").unlink()
    with pytest.raises(DataError, match=r"of 1 of 4 images are not one for each of liver, tumor"):
        scan(tmp_path)


def test_masks_that_two_people_drew_are_asked_about(tmp_path):
    for case in range(4):
        target = drawing(case, 2)
        save(tmp_path / "images" / f"{case}.png", photograph(target))
        for name in ("anna", "berta"):
            save(tmp_path / "masks" / f"{case}_{name}.png", np.roll(target, len(name) - 4, 1) * np.uint8(255))
    with pytest.raises(DataError, match=r"the masks of anna and berta are nearly the same"):
        scan(tmp_path)


def test_numbered_files_that_are_nearly_the_same_are_versions_and_no_objects(tmp_path):
    for k in range(4):
        target = shapes(k, 2)
        save(tmp_path / "images" / f"{k}.png", photo(target))
        save(tmp_path / "masks" / f"{k}_mask.png", binary(target))
        save(tmp_path / "masks" / f"{k}_mask_2.png", binary(np.roll(target, 1)))
    with pytest.raises(DataError, match="mask files of one image cover much of the same in 4 of 4 images"):
        scan(tmp_path)


def _parts(root, lacking, *, folder="CelebAMask-HQ-mask-anno/{}/{:05}_{}.png", empty=()):
    """Part masks of six images in two numbered folders, some of which are left out or empty; the labels."""
    targets = []
    for k in range(6):
        target = shapes(k, 4)
        save(root / "CelebA-HQ-img" / f"{k}.jpg", photo(target, k))
        for value, name in enumerate(("hair", "l_eye", "skin"), start=1):
            if (k, name) in (*lacking, *empty):
                target = np.where(target == value, 0, target)
            if (k, name) not in lacking:
                save(root / folder.format(k // 3, k, name), binary(target, value))
        targets.append(target)
    return targets


@pytest.mark.parametrize("lacking", [(), ((2, "l_eye"), (4, "hair")), ((0, "skin"), (0, "hair"), (5, "skin"))])
def test_part_masks_in_numbered_folders_are_classes_of_which_some_are_not_there(tmp_path, lacking):
    targets = _parts(tmp_path, lacking)
    dataset = scan(tmp_path)
    assert dataset.labels.names == ("background", "hair", "l eye", "skin")
    for sample, target in zip(dataset.samples, targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)
    assert any("no mask file of some classes" in f.problem.what for f in dataset.findings) == bool(lacking)


def test_a_single_missing_part_and_empty_files_beside_missing_ones_are_asked_about(tmp_path):
    _parts(tmp_path / "one", ((2, "l_eye"),))
    with pytest.raises(DataError, match="of 1 of 6 images are not one for each of hair, l eye, skin"):
        scan(tmp_path / "one")
    _parts(tmp_path / "two", ((2, "l_eye"), (4, "hair")), empty=((1, "skin"),))
    with pytest.raises(DataError, match="2 images have no mask file of some classes, and 1 mask files are empty"):
        scan(tmp_path / "two")


@pytest.mark.parametrize("shift", [1, 4])
@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("people", ["mask-{}", "masks_{}", "masks_reader{}"])
def test_folders_of_masks_by_several_people_are_asked_about_and_the_answer_is_believed(
    tmp_path, people, slices, shift
):
    for nodule in range(3):
        home = tmp_path / "LIDC-IDRI-0001" / f"nodule-{nodule}"
        for k in range(slices):
            target = shapes(10 * nodule + k, 2)
            save(home / "images" / f"slice-{k}.png", photo(target))
            for person in range(4):
                mask = binary(np.roll(target, shift * person, 1))
                save(home / people.format(person) / f"slice-{k}.png", mask)
    with pytest.raises(DataError, match="4 folders may hold the masks of"):
        scan(tmp_path)
    (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\nmasks: {people.format(2)}\n", encoding="utf-8")
    assert {sample.masks[0].parent.name for sample in scan(tmp_path).samples} == {people.format(2)}


@pytest.mark.parametrize("shift", [1, 3])
def test_numbered_masks_beside_their_one_image_are_objects_unless_they_cover_the_same(tmp_path, shift):
    for case in range(3):
        target = shapes(case, 4)
        for kind in ("objects", "people"):
            home = tmp_path / kind / f"case{case}"
            save(home / "image.png", photo(target))
            for k in range(3):
                of_person = binary(np.roll(target, shift * k, 1))
                save(home / f"mask-{k}.png", of_person if kind == "people" else binary(target, k + 1))
    dataset = scan(tmp_path / "objects")
    assert (dataset.reading, {len(sample.masks) for sample in dataset.samples}) == ("objects", {3})
    with pytest.raises(DataError, match=r"mask files of one image cover much of the same in [23] of 3 images"):
        scan(tmp_path / "people")


def test_masks_of_classes_beside_their_one_image_are_classes(tmp_path):
    for case in range(3):
        target = shapes(case, 3)
        save(tmp_path / f"case{case}" / "image.png", photo(target))
        for k, name in enumerate(("liver", "tumor"), 1):
            save(tmp_path / f"case{case}" / f"{name}_mask.png", binary(target, k))
    assert scan(tmp_path).labels.names == ("background", "liver", "tumor")
