"""Strokes and partly labelled images: what nobody has labelled is ignored, and some strokes validate."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from folders import photograph, save
from perpixel.dataset import scan
from perpixel.dataset.overrides import Overrides, value_from
from perpixel.errors import DataError, SettingsError
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED
from perpixel.split import split

SIZE = 96


def truth(seed):
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(SIZE, SIZE)), 8)
    return (smooth > 0).astype(np.uint8)


def strokes(target, seed, rest, values=(1, 2), number=4):
    """Short horizontal strokes inside each class, `rest` elsewhere."""
    random = np.random.default_rng(seed)
    mask = np.full(target.shape, rest, np.uint8)
    for k, value in enumerate(values):
        inside = ndimage.binary_erosion(target == k, iterations=4)
        rows, columns = np.nonzero(inside)
        for place in random.choice(len(rows), number, replace=False):
            row, column = rows[place], columns[place]
            reach = slice(column, column + 9)
            mask[row : row + 2, reach] = np.where(inside[row : row + 2, reach], value, mask[row : row + 2, reach])
    return mask


def folder_of(path, count, rest=0, **options):
    for number in range(count):
        target = truth(number)
        save(path / "images" / f"{number}.png", photograph(target, number))
        save(path / "masks" / f"{number}.png", strokes(target, number, rest, **options))
    return path


ZERO = Overrides(unlabelled=(0,))


def test_strokes_on_zero_are_asked_about_and_both_answers_are_taken(tmp_path):
    data = folder_of(tmp_path / "data", 8)
    with pytest.raises(DataError, match="they look like strokes") as raised:
        scan(data)
    assert "unlabelled: 0" in str(raised.value)
    assert "ignored: []" in str(raised.value)
    dataset = scan(data, overrides=ZERO)
    assert dataset.labels.names == ("class 1", "class 2")
    assert dataset.labels.ignored == (0,)
    mask = strokes(truth(3), 3, 0)
    np.testing.assert_array_equal(
        dataset.target(next(s for s in dataset.samples if s.name == "3")), np.where(mask == 0, IGNORED, mask - 1)
    )
    for line in ("unlabelled: 0", "unlabelled: [0]"):
        (data / "dataset.yaml").write_text(f"perpixel: 1\n{line}\n", encoding="utf-8")
        assert scan(data).labels == dataset.labels
    (data / "dataset.yaml").write_text("perpixel: 1\nignored: []\n", encoding="utf-8")
    assert scan(data).labels.values == (0, 1, 2)


@pytest.mark.parametrize("rest", [0, 7, 255])
def test_any_value_may_be_unlabelled(tmp_path, rest):
    dataset = scan(folder_of(tmp_path / "data", 8, rest), overrides=Overrides(unlabelled=(rest,)))
    assert dataset.labels.values == (1, 2)
    assert dataset.labels.ignored == (rest,)


def test_colours_may_be_unlabelled(tmp_path):
    colours = np.array([[9, 9, 9], [250, 0, 0], [0, 0, 250]], np.uint8)
    for number in range(8):
        save(tmp_path / "images" / f"{number}.png", photograph(truth(number), number))
        save(tmp_path / "masks" / f"{number}.png", colours[strokes(truth(number), number, 0)])
    dataset = scan(tmp_path, overrides=Overrides(unlabelled=value_from("#090909")))
    assert set(dataset.labels.values) == {(250, 0, 0), (0, 0, 250)}
    assert dataset.labels.ignored == ((9, 9, 9),)


def test_an_unlabelled_value_that_is_nowhere_is_warned_of(tmp_path):
    dataset = scan(folder_of(tmp_path / "data", 8, 255, values=(0, 1)), overrides=Overrides(unlabelled=(9,)))
    assert any("no mask holds 9" in f.problem.what for f in dataset.findings)
    assert dataset.labels.ignored == (255,)


def test_one_class_beside_the_unlabelled_is_refused(tmp_path):
    data = folder_of(tmp_path / "data", 8, values=(1, 1))
    with pytest.raises(DataError, match="one class only, the value 1"):
        scan(data, overrides=ZERO)


def test_a_value_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="'red' is no value of a mask"):
        value_from("red")


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_images_hold_strokes_out(tmp_path, count):
    data = folder_of(tmp_path / "data", count)
    dataset, whole = (scan(data, overrides=ZERO, whole=whole) for whole in (False, True))
    assert len(whole.samples) == count
    assert {sample.split for sample in dataset.samples} == {"train", "val"}
    for sample in whole.samples:
        parts = [dataset.target(s) for s in dataset.samples if s.image == sample.image]
        counted = [s.pixels for s in dataset.samples if s.image == sample.image]
        known = [part != IGNORED for part in parts]
        assert not (known[0] & known[1]).any()
        target = whole.target(sample)
        np.testing.assert_array_equal(np.minimum(*parts), target)
        for part, pixels in zip(parts, counted, strict=True):
            assert set(np.unique(part)) == {0, 1, IGNORED}
            assert pixels == ((part == 0).sum(), (part == 1).sum(), (part == IGNORED).sum())
    assert any("held out for validation" in f.problem.what for f in dataset.findings)


def test_the_two_views_of_an_image_are_no_copies_and_no_leak(tmp_path, monkeypatch):
    from perpixel.audit import audit

    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))
    dataset = scan(folder_of(tmp_path / "data", 2), overrides=ZERO)
    figures = audit(dataset)
    divided = split(dataset.samples, figures)
    assert divided.counts == {"train": 2, "val": 2}
    assert not figures.duplicates
    assert not [f for f in divided.findings if f.severity == "warning"]
    assert any("optimistic, since strokes avoid borders" in f.problem.what for f in figures.findings)


def test_each_image_counts_once_where_strokes_are_held_out(tmp_path, monkeypatch):
    from perpixel import check, convert
    from perpixel.planning.facts import facts_of

    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))
    data = folder_of(tmp_path / "data", 2)
    masks = [strokes(truth(number), number, 0) for number in range(2)]
    answer = check(data, unlabelled=0)
    share = np.mean([(mask != 0).mean() for mask in masks])
    assert [figures.pixels for figures in answer.audit.classes] == [
        sum((m == k).sum() for m in masks) for k in (1, 2)
    ]
    assert answer.audit.ignored_pixels == sum((mask == 0).sum() for mask in masks)
    assert [figures.images for figures in answer.audit.classes] == [2, 2]
    assert any(f"{share:.1%} of the pixels of the masks have a label" in f.problem.what for f in answer.findings)
    assert not any("the background alone fills" in f.problem.what for f in answer.findings)
    assert facts_of(answer.dataset, answer.audit, answer.dataset.samples).labelled == pytest.approx(share)
    written = convert(data, tmp_path / "out", unlabelled=0)
    assert written.labelled == 2
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == ["0.png", "1.png"]
    for number, mask in enumerate(masks):
        found = np.array(Image.open(tmp_path / "out" / "masks" / f"{number}.png"))
        np.testing.assert_array_equal(found, np.where(mask == 0, IGNORED, mask - 1))


@pytest.mark.parametrize("count", [6, 8])
def test_enough_images_validate_whole(tmp_path, count):
    dataset = scan(folder_of(tmp_path / "data", count), overrides=ZERO)
    assert len(dataset.samples) == count
    assert all(sample.strokes is None for sample in dataset.samples)


def test_a_class_in_one_piece_is_not_held_out(tmp_path):
    dataset = scan(folder_of(tmp_path / "data", 3, number=1), overrides=ZERO)
    assert [sample.strokes for sample in dataset.samples] == [None] * 3


def test_wholly_labelled_images_are_left_as_they_are(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", photograph(truth(number), number))
        save(tmp_path / "masks" / f"{number}.png", truth(number))
    assert [sample.name for sample in scan(tmp_path).samples] == ["0", "1", "2"]


# A model's labels against other data


def model(names=("background", "nucleus"), values=(0, 1), ignored=(255,)):
    return Labels("multiclass", names, values, ((0, 0, 0), (1, 2, 3), (4, 5, 6))[: len(names)], ignored)


def dense(path, values, count=4):
    for number in range(count):
        save(path / "images" / f"{number}.png", photograph(truth(number), number))
        save(path / "masks" / f"{number}.png", np.array(values, np.uint8)[truth(number)])
    return path


def test_a_class_that_the_model_ignores_is_an_error(tmp_path):
    data = dense(tmp_path / "data", (0, 255))
    with pytest.raises(DataError, match="the model ignores the value 255") as raised:
        scan(data, model(), whole=True)
    pixels = sum(int(truth(number).sum()) for number in range(4))
    assert f"it is the class foreground ({pixels:,} pixels)" in str(raised.value)
    assert "background = 0, nucleus = 1" in str(raised.value)
    assert scan(data, model()).labels == model()  # the model's own data are as they were when it was trained


def test_what_the_data_state_to_be_unlabelled_is_no_conflict(tmp_path):
    data = dense(tmp_path / "data", (0, 255))
    (data / "dataset.yaml").write_text("perpixel: 1\nignored: [255]\n", encoding="utf-8")
    assert set(np.unique(scan(data, model(), whole=True).target(scan(data, model(), whole=True).samples[0]))) == {
        0,
        IGNORED,
    }
    (data / "dataset.yaml").unlink()
    stated = scan(data, model(), whole=True, overrides=Overrides(unlabelled=(255,)))
    assert IGNORED in stated.target(stated.samples[0])


def test_unlabelled_counts_more_than_a_class_of_the_model(tmp_path):
    data = folder_of(tmp_path / "data", 3, 0, values=(1, 2))
    three = Labels("multiclass", ("a", "b", "c"), (0, 1, 2), ((0, 0, 0), (1, 1, 1), (2, 2, 2)))
    dataset = scan(data, three, whole=True, overrides=ZERO)
    assert set(np.unique(dataset.target(dataset.samples[0]))) == {1, 2, IGNORED}


def test_masks_like_the_model_s_are_no_conflict(tmp_path):
    assert scan(dense(tmp_path / "data", (0, 1)), model(), whole=True).labels == model()


def test_names_with_exchanged_values_are_an_error(tmp_path):
    data = dense(tmp_path / "data", (0, 1))
    lines = "classes: [{name: nucleus, value: 0}, {name: tissue, value: 1}]"
    (data / "dataset.yaml").write_text(f"perpixel: 1\n{lines}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 class has another value") as raised:
        scan(data, model(("tissues", "nucleus")), whole=True)
    assert "nucleus: 0 here, 1 in the model" in str(raised.value)
