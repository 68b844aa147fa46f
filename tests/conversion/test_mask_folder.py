import csv

import numpy as np
import pytest
import tifffile
from PIL import Image

import perpixel
from folders import drawing, pairs, photograph, save
from perpixel.cli import main
from perpixel.conversion import write_conversion
from perpixel.dataset import scan
from perpixel.errors import DataError, OutputError


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _same(first, second):
    """Whether two data sets hold the same images with the same labels, splits and groups."""
    assert [s.name for s in first.samples] == [s.name for s in second.samples]
    assert first.labels.names == second.labels.names
    for one, other in zip(first.samples, second.samples, strict=True):
        np.testing.assert_array_equal(first.image(one), second.image(other))
        np.testing.assert_array_equal(first.target(one), second.target(other))
        assert (one.split, one.group) == (other.split, other.group)
    assert [s.name for s in first.unlabelled] == [s.name for s in second.unlabelled]


def _values(root):
    pairs(root / "train", 3, scale=7)
    pairs(root / "val", 2, scale=7)
    save(root / "test" / "images" / "t.png", photograph(drawing(9)))


def _ignored(root):
    for number in range(3):
        target = drawing(number)
        target[-2:] = 255
        save(root / "images" / f"a{number}.png", photograph(drawing(number)))
        save(root / "masks" / f"a{number}.png", target)


def _classes(root):
    for number in range(3):
        target = drawing(number)
        save(root / "images" / f"a{number}.png", photograph(target))
        for k in (1, 2):
            save(root / "masks" / f"class{k}" / f"a{number}.png", (target >= k).astype(np.uint8) * 255)


def _apart(root):
    for number in range(3):
        target = drawing(number)
        save(root / "images" / f"a{number}.png", photograph(target))
        for k in (1, 2):
            save(root / "masks" / f"class{k}" / f"a{number}.png", (target == k).astype(np.uint8) * 255)


def _stack(root):
    targets = np.stack([drawing(n) for n in range(4)])
    save(
        root / "images" / "s.tif",
        np.stack([photograph(t, n, 1)[..., 0] for n, t in enumerate(targets)]),
        photometric="minisblack",
    )
    save(root / "masks" / "s.tif", targets, photometric="minisblack")


def _turned(root):
    for number, turn in enumerate((6, 3, 8)):
        target = drawing(number)
        exif = Image.Exif()
        exif[0x0112] = turn
        save(root / "images" / f"a{number}.png", photograph(target), exif=exif)
        save(root / "masks" / f"a{number}.png", target)


@pytest.mark.parametrize("make", [_values, _ignored, _classes, _apart, _stack, _turned])
def test_a_converted_folder_is_read_back_the_same_and_converts_to_itself(tmp_path, make):
    make(tmp_path / "data")
    first = scan(tmp_path / "data")
    write_conversion(first, tmp_path / "once")
    second = scan(tmp_path / "once")
    _same(first, second)
    write_conversion(second, tmp_path / "twice")
    _same(second, scan(tmp_path / "twice"))
    for name in ("pairs.csv", "dataset.yaml"):
        assert (tmp_path / "once" / name).read_text() == (tmp_path / "twice" / name).read_text()


def test_masks_hold_indices_with_255_ignored(tmp_path):
    _ignored(tmp_path / "data")
    write_conversion(scan(tmp_path / "data"), tmp_path / "out")
    mask = np.array(Image.open(tmp_path / "out" / "masks" / "a1.png"))
    expected = drawing(1)
    expected[-2:] = 255
    np.testing.assert_array_equal(mask, expected)
    assert mask.dtype == np.uint8


def test_from_255_classes_on_masks_have_16_bits_with_65535_ignored(tmp_path):
    target = np.arange(24 * 32, dtype=np.uint16).reshape(24, 32) % 256
    for number in range(3):
        save(tmp_path / "data" / "images" / f"a{number}.png", photograph(drawing(number)))
        save(tmp_path / "data" / "masks" / f"a{number}.png", np.where(target == 255, 999, target))
    lines = "\n".join(f"  - {{name: c{k}, value: {k}}}" for k in range(255))
    text = f"perpixel: 1\nclasses:\n{lines}\nignored: [999]\n"
    (tmp_path / "data" / "dataset.yaml").write_text(text)
    first = scan(tmp_path / "data")
    write_conversion(first, tmp_path / "out")
    mask = np.array(Image.open(tmp_path / "out" / "masks" / "a0.png"))
    np.testing.assert_array_equal(mask, np.where(target == 255, 65535, target))
    _same(first, scan(tmp_path / "out"))


def test_overlapping_classes_are_a_page_each(tmp_path):
    _classes(tmp_path / "data")
    write_conversion(scan(tmp_path / "data"), tmp_path / "out")
    pages = tifffile.imread(tmp_path / "out" / "masks" / "a2.tif")
    np.testing.assert_array_equal(pages, np.stack([drawing(2) >= k for k in (1, 2)]))


def test_the_tables_say_where_each_image_comes_from_and_what_each_value_means(tmp_path):
    _values(tmp_path / "data")
    write_conversion(scan(tmp_path / "data"), tmp_path / "out")
    manifest = _rows(tmp_path / "out" / "manifest.csv")
    assert list(manifest[0]) == ["image", "page", "top", "left", "height", "width", "mask", "split", "group"]
    assert (manifest[0]["image"], manifest[0]["split"]) == ("train/images/a0.png", "train")
    assert (manifest[3]["image"], manifest[3]["mask"]) == ("val/images/a0.png", "masks/val_a0.png")
    classes = _rows(tmp_path / "out" / "classes.csv")
    assert [(row["index"], row["value"], row["original"]) for row in classes] == [
        ("0", "0", "0"),
        ("1", "1", "7"),
        ("2", "2", "14"),
    ]
    assert [s.name for s in scan(tmp_path / "out").unlabelled] == ["test_t"]


def test_images_are_linked_and_copied_where_links_are_not_possible(tmp_path, monkeypatch):
    pairs(tmp_path / "data", 2)
    write_conversion(scan(tmp_path / "data"), tmp_path / "linked")
    link = tmp_path / "linked" / "images" / "a0.png"
    assert link.is_symlink()
    assert link.read_bytes() == (tmp_path / "data" / "images" / "a0.png").read_bytes()

    def refuse(*_, **__):
        raise OSError("no privilege")

    monkeypatch.setattr("pathlib.Path.symlink_to", refuse)
    write_conversion(scan(tmp_path / "data"), tmp_path / "copied")
    copy = tmp_path / "copied" / "images" / "a0.png"
    assert not copy.is_symlink()
    assert copy.read_bytes() == link.read_bytes()


def test_an_occupied_folder_is_refused_and_a_conversion_replaced_when_asked(tmp_path):
    pairs(tmp_path / "data", 2)
    dataset = scan(tmp_path / "data")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("")
    with pytest.raises(OutputError, match="exists and holds no conversion"):
        write_conversion(dataset, tmp_path / "mine", overwrite=True)
    write_conversion(dataset, tmp_path / "out")
    with pytest.raises(OutputError, match="already holds a conversion"):
        write_conversion(dataset, tmp_path / "out")
    write_conversion(dataset, tmp_path / "out", overwrite=True)
    with pytest.raises(OutputError, match="lie in each other"):
        write_conversion(dataset, tmp_path / "data" / "inside")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine", "out"]


def test_an_error_leaves_nothing_behind(tmp_path):
    pairs(tmp_path / "data", 2)
    dataset = scan(tmp_path / "data")
    (tmp_path / "data" / "masks" / "a1.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match="a1"):
        write_conversion(dataset, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_the_command_converts_what_check_calls_usable(tmp_path, capsys):
    pairs(tmp_path / "data", 4)
    assert main(["convert", str(tmp_path / "data"), str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "4 labelled images converted: " in said
    assert f"Next: perpixel check {tmp_path / 'out'}" in said
    assert perpixel.check(tmp_path / "out").is_usable
    (tmp_path / "data" / "images" / "a3.png").write_bytes(b"\x89PNG broken")
    assert main(["convert", str(tmp_path / "data"), str(tmp_path / "other")]) == 1
    assert "a3.png" in capsys.readouterr().err


def test_test_images_alone_convert(tmp_path):
    pairs(tmp_path / "data" / "test", 2)
    assert not perpixel.check(tmp_path / "data").is_usable
    perpixel.convert(tmp_path / "data", tmp_path / "out")
    _same(scan(tmp_path / "data"), scan(tmp_path / "out"))


def test_one_labelled_image_is_no_data_set(tmp_path):
    pairs(tmp_path / "data", 1)
    with pytest.raises(DataError, match=r"(?s)1 labelled image.*Fix: label one more"):
        perpixel.convert(tmp_path / "data", tmp_path / "out")
