"""Lists of subsets and of pairs, however they are written."""

import unicodedata

import pytest

from folders import drawing, pairs, photograph, save
from perpixel.dataset import scan
from perpixel.errors import DataError

NAMES = [f"a{k}" for k in range(6)]


def lists(folder, train, val, *, names=("train", "val"), ending=".txt", encoding="utf-8"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in zip(names, (train, val), strict=True):
        (folder / f"{name}{ending}").write_text("\n".join(rows) + "\n", encoding=encoding)


def splits(root):
    return [sample.split for sample in scan(root).samples]


GIVEN = ["train"] * 4 + ["val"] * 2


@pytest.mark.parametrize("folder", ["", "ImageSets/Segmentation", "splits", "lists"])
@pytest.mark.parametrize(
    "form", ["{}", "{}.png", "images/{}.png", "./images/{}.png", "D:\\x\\images\\{}.png", "{} 1"]
)
def test_lists_of_images_give_the_subsets(tmp_path, folder, form):
    pairs(tmp_path, 6)
    lists(tmp_path / folder, [form.format(n) for n in NAMES[:4]], [form.format(n) for n in NAMES[4:]])
    assert splits(tmp_path) == GIVEN
    assert any("list the images of the subsets: 4 train, 2 val" in f.problem.what for f in scan(tmp_path).findings)


@pytest.mark.parametrize("names", [("training", "validation"), ("train_list", "val_list"), ("trn", "dev")])
@pytest.mark.parametrize("ending", [".txt", ".lst", ".csv"])
def test_lists_have_several_names(tmp_path, names, ending):
    pairs(tmp_path, 6)
    lists(tmp_path, ["filename", *NAMES[:4]], ["filename", *NAMES[4:]], names=names, ending=ending)
    assert splits(tmp_path) == GIVEN


@pytest.mark.parametrize(
    ("separator", "head"), [(" ", False), *((mark, head) for mark in "\t;," for head in (False, True))]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_lists_of_pairs_give_masks_and_subsets(tmp_path, separator, encoding, head):
    targets = [drawing(k) for k in range(6)]
    for name, target in zip(NAMES, targets, strict=True):
        save(tmp_path / "Köln" / f"{name}.png", photograph(target))
        save(tmp_path / "b" / f"{name}_truth7.png", target)
    rows = [separator.join((f"/home/me/Köln/{n}.png", f"b\\{n}_truth7.png")) for n in NAMES]
    first = [f"image{separator}mask"] if head else []
    lists(tmp_path, first + rows[:4], first + rows[4:], encoding=encoding)
    dataset = scan(tmp_path)
    assert [sample.split for sample in dataset.samples] == GIVEN
    for sample, target in zip(dataset.samples, targets, strict=True):
        assert (dataset.target(sample) == target).all()


def test_names_may_be_composed_in_two_ways(tmp_path):
    pairs(tmp_path, 6)
    for name in NAMES:
        for folder in ("images", "masks"):
            (tmp_path / folder / f"{name}.png").rename(
                tmp_path / folder / f"{unicodedata.normalize('NFD', 'é')}{name}.png"
            )
    lists(tmp_path, [f"é{n}" for n in NAMES[:4]], [f"é{n}" for n in NAMES[4:]])
    assert splits(tmp_path) == GIVEN


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_names_gives_the_subsets(tmp_path, separator):
    pairs(tmp_path, 6)
    rows = [f"{n}.png{separator}{'train' if k < 4 else 'val'}" for k, n in enumerate(NAMES)]
    (tmp_path / "metadata.csv").write_text(f"filename{separator}split\n" + "\n".join(rows))
    assert splits(tmp_path) == GIVEN


def test_lists_of_something_else_are_passed_over(tmp_path):
    pairs(tmp_path, 6)
    lists(tmp_path, [f"tile_{k}" for k in range(9)], ["a1", *[f"tile_{k}" for k in range(9)]])
    (tmp_path / "test.txt").write_bytes(b"\x00\x01\x02")
    (tmp_path / "train_log.csv").write_text("epoch,loss\n1,0.5\n")
    assert set(splits(tmp_path)) == {None}


def test_the_folders_count_before_the_lists(tmp_path):
    pairs(tmp_path / "train", 3)
    pairs(tmp_path / "val", 2)
    lists(tmp_path, ["val/images/a0.png", "val/images/a1.png"], ["train/images/a0.png"])
    assert splits(tmp_path) == ["train"] * 3 + ["val"] * 2


def test_lists_for_segmentation_count_before_others_and_folds_are_left_open(tmp_path):
    pairs(tmp_path, 6)
    lists(tmp_path / "ImageSets" / "Main", NAMES[2:], NAMES[:2])
    lists(tmp_path / "ImageSets" / "Segmentation", NAMES[:4], NAMES[4:])
    assert splits(tmp_path) == GIVEN
    (tmp_path / "ImageSets" / "Segmentation").rename(tmp_path / "ImageSets" / "fold2")
    assert set(splits(tmp_path)) == {None}


def test_an_image_of_two_lists_is_kept_out_of_training(tmp_path):
    pairs(tmp_path, 6)
    lists(tmp_path, NAMES, NAMES[4:])
    assert splits(tmp_path) == GIVEN
    assert any("2 images are listed for several subsets" in f.problem.what for f in scan(tmp_path).findings)


def test_a_table_that_is_no_text_is_refused_where_it_is_asked_for(tmp_path):
    pairs(tmp_path, 3)
    (tmp_path / "pairs.csv").write_bytes(b"\x00\x01image,mask")
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\npairs: pairs.csv\n")
    with pytest.raises(DataError, match=r"pairs\.csv cannot be read as CSV: it is no text"):
        scan(tmp_path)
