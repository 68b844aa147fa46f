import os
import random

import numpy as np
import pytest

from folders import drawing, pairs, photograph, save
from perpixel.dataset import scan
from perpixel.dataset.layout.affixes import by_affix, companions
from perpixel.dataset.layout.names import folder_place


@pytest.mark.parametrize(
    ("path", "role", "part"),
    [
        ("imagesTr", "image", "train"),
        ("labelsTs", "mask", "test"),
        ("TrainImages", "image", "train"),
        ("img_dir/val", "image", "val"),
        ("ann_dir/val", "mask", "val"),
        ("train2017", None, "train"),
        ("validation_set", None, "val"),
        ("hold-out/labels", "mask", "test"),
        ("eval/masks", "mask", "val"),
        ("训练集/图像", "image", "train"),
        ("验证集标签", "mask", "val"),
        ("测试/原图", "image", "test"),
        ("掩膜", "mask", None),
        ("trainer", None, None),
        ("devices", None, None),
        ("tr", None, None),
    ],
)
def test_the_words_of_a_folder_tell_role_and_split(path, role, part):
    place = folder_place(tuple(path.split("/")))
    assert (place.role, place.part) == (role, part)


@pytest.mark.parametrize(
    "affix", ["_L", "_lab", "_label_ground_truth", ".annotated", "-labelled", "_Simple Segmentation"]
)
@pytest.mark.parametrize(
    "names", [["1", "2", "10", "21"], ["a_000", "a_001", "b_000"], ["x [y=0,w=1]", "x [y=1,w=1]"]]
)
def test_a_constant_affix_pairs_each_name_with_its_own_mask(names, affix):
    masks = [name + affix for name in names]
    random.Random(0).shuffle(masks)
    found = by_affix(names, masks)
    assert [(names[i], masks[m]) for i, m in found] == [(name, name + affix) for name in names]


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        (["1", "2", "3"], ["11", "12", "13"]),
        (["a1", "a2"], ["b1", "b2"]),
        (["1_rgb", "2_rgb"], ["1_depth", "2_depth"]),
        (["scan_1", "scan_2"], ["scan_11_x", "scan_12_x"]),
    ],
)
def test_what_may_be_another_image_is_not_paired(images, masks):
    assert by_affix(images, masks) == []


def test_images_may_bear_the_affix_and_both_may_end_in_their_role():
    assert by_affix(["r_1_0000", "r_2_0000"], ["r_1", "r_2"]) == [(0, 0), (1, 1)]
    assert by_affix(["1_training", "2_training"], ["2_manual1", "1_manual1"]) == [(0, 1), (1, 0)]


def test_companions_are_named_like_the_images():
    assert companions(["7_thumb", "8_thumb", "9"], ["7", "8"]) == [0, 1]


@pytest.mark.parametrize(("images", "masks"), [("图像", "标签"), ("原图", "掩膜"), ("训练/图片", "训练/标注")])
def test_chinese_folders_are_understood(tmp_path, images, masks):
    pairs(tmp_path, 3, images, masks)
    dataset = scan(tmp_path)
    assert len(dataset.samples) == 3
    assert dataset.samples[0].split == ("train" if "训练" in images else None)


def test_names_in_two_unicode_forms_pair(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"Zürich{number}.png", photograph(drawing(number)))
        save(tmp_path / "masks" / f"Zu\u0308rich{number}.png", drawing(number))
    assert len(scan(tmp_path).samples) == 3


def test_a_mask_may_be_named_by_the_whole_name_of_its_image(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"a{number}.jpg", photograph(drawing(number)))
        save(tmp_path / "masks" / f"a{number}.jpg.png", drawing(number))
    dataset = scan(tmp_path)
    for number, sample in enumerate(dataset.samples):
        np.testing.assert_array_equal(dataset.target(sample), drawing(number))


def test_what_programs_put_next_to_images_is_passed_over(tmp_path):
    pairs(tmp_path, 3)
    for name in ("images/a0.tif.ovr", "images/a0.png.msk", "images/a1.NEF", "images/Thumbs.db", "masks/._a0.png"):
        (tmp_path / name).write_bytes(b"II*\0 no image at all")
    save(tmp_path / "masks" / "@eaDir" / "a0.png", photograph(drawing(0)))
    dataset = scan(tmp_path)
    assert (len(dataset.samples), len(dataset.unlabelled)) == (3, 0)


def test_linked_folders_are_followed_and_a_circle_ends(tmp_path):
    pairs(tmp_path / "store", 3)
    data = tmp_path / "data"
    data.mkdir()
    try:
        os.symlink(tmp_path / "store" / "images", data / "images")
        os.symlink(tmp_path / "store" / "masks", data / "masks")
        os.symlink(data, data / "again")
    except OSError:
        pytest.skip("no right to make links here")
    assert len(scan(data).samples) == 3
