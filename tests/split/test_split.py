from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpixel.audit import Audit, ClassFigures
from perpixel.dataset import Sample
from perpixel.errors import DataError, RunError
from perpixel.split import Split, groups_of, split


def _samples(names, groups=None, parts=None):
    groups, parts = groups or [""] * len(names), parts or [None] * len(names)
    return [
        Sample(name, Path(f"{name}.png"), group=group, split=part, masks=(Path(f"m/{name}.png"),))
        for name, group, part in zip(names, groups, parts, strict=True)
    ]


def _audit(samples, present=None, duplicates=(), sequences=()):
    present = present or {sample.name: (0, 1) for sample in samples}
    classes = tuple(ClassFigures(f"c{k}", 1, 1, 0, 0.0, 0.0) for k in range(2))
    figures = dict.fromkeys(("mean", "std", "least", "greatest", "histogram", "heights", "widths", "empty"), ())
    return Audit(
        **figures, classes=classes, measured=0, ignored_pixels=0, duplicates=tuple(duplicates),
        sequences=tuple(sequences), present=present,
    )  # fmt: skip


def _counts(divided):
    return dict(Counter(part for part, _ in divided.parts.values()))


def test_the_default_is_eight_to_one_to_one():
    samples = _samples([f"cell{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(100)])
    assert _counts(split(samples, _audit(samples))) == {"train": 80, "val": 10, "test": 10}


def test_the_seed_decides_and_decides_alone():
    samples = _samples([f"cell{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(60)])
    first, again, other = (split(samples, _audit(samples), seed=seed).parts for seed in (1, 1, 2))
    assert first == again != other


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_group_and_no_duplicate_is_ever_on_two_sides(data):
    count = data.draw(st.integers(2, 60))
    names = [f"x{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(count)]
    random = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    groups = [f"g{number}" for number in random.integers(0, data.draw(st.integers(1, 20)), count)]
    samples = _samples(names, groups)
    pairs = [tuple(random.choice(names, 2).tolist()) for _ in range(data.draw(st.integers(0, 8)))]
    present = {name: tuple(np.flatnonzero(random.random(5) < 0.5).tolist()) for name in names}
    folds = data.draw(st.sampled_from([None, 2, 5]))
    fold = None if folds is None else data.draw(st.integers(0, folds - 1))
    pattern = data.draw(st.sampled_from([None, "^(x.)"]))
    audit = _audit(samples, present, pairs)
    try:
        divided = split(samples, audit, seed=data.draw(st.integers(0, 9)), folds=folds, fold=fold, group_by=pattern)
    except DataError:
        return
    part = {name: divided.parts[name][0] for name in names}
    for first, second in pairs:
        assert part[first] == part[second]
    told = groups_of(samples, pattern)
    if told is not None:
        for group in set(told[0]):
            assert len({part[name] for name, own in zip(names, told[0], strict=True) if own == group}) == 1
    assert {"train", "val"} <= set(part.values())
    assert set(part) == set(names)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_class_in_enough_images_is_in_each_part(data):
    count = data.draw(st.integers(30, 90))
    samples = _samples([f"x{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(count)])
    rare = set(data.draw(st.permutations(range(count)))[: data.draw(st.integers(10, 30))])
    present = {sample.name: (0, 1) if k in rare else (0,) for k, sample in enumerate(samples)}
    divided = split(samples, _audit(samples, present), seed=data.draw(st.integers(0, 99)))
    for part in ("train", "val", "test"):
        assert any(1 in present[sample.name] for sample in divided.part(part))
    assert abs(len(divided.part("train")) - 0.8 * count) <= 3


CAMVID = ("0016E5", "0001TP", "Seq05VD")


@pytest.mark.parametrize(
    ("names", "groups", "source"),
    [
        ([f"tile{t}_image_part_{k:03}" for t in range(4) for k in range(3)], {f"tile{t}" for t in range(4)}, "name"),
        ([f"{scene}_{k:05}" for scene in CAMVID for k in range(4)], set(CAMVID), "name"),
        (
            [f"Image_{k:02}{s}" for k in (1, 2, 5) for s in "LR"],
            {"Image_01", "Image_02", "Image_05"},
            "left and right",
        ),
    ],
)
def test_scenes_are_told_by_names(names, groups, source):
    found, by = groups_of(_samples(names))
    assert (set(found), by) == (groups, source)


@pytest.mark.parametrize(
    "names",
    [
        ["Abyssinian_1", "Abyssinian_2", "Bengal_1", "Bengal_2", "bulldog_1", "bulldog_2"],
        ["00071198d059", "003cee89357d", "0121d6759c5a", "01d44a26f668"],
        ["40.05--92.27", "40.06--92.28", "41.05--91.27", "37.22--86.89"],
        ["0", "1", "2", "3", "10", "11"],
    ],
)
def test_other_names_tell_no_scenes(names):
    assert groups_of(_samples(names)) is None


def test_georeferenced_images_are_grouped_in_blocks():
    boxes = [(10.0 * column, 10.0 * row, 10.0 * column + 10, 10.0 * row + 10) for row, column in np.ndindex(2, 12)]
    names = _samples([f"t{chr(97 + k)}" for k in range(24)])
    samples = [replace(sample, bounds=box) for sample, box in zip(names, boxes, strict=True)]
    groups, source = groups_of(samples)
    assert (Counter(groups), source) == (Counter({f"block 0, {k}": 8 for k in range(3)}), "place")


def test_slices_of_a_stack_stay_in_blocks_with_a_gap():
    slices = _samples([f"a_{k:02}" for k in range(40)])
    samples = [replace(sample, image=Path("a.tif"), page=k, group="a") for k, sample in enumerate(slices)]
    divided = split(samples, _audit(samples, sequences=("a",)), seed=3)
    order = [divided.parts[sample.name][0] for sample in samples]
    blocks = [part for k, part in enumerate(order) if k == 0 or part != order[k - 1]]
    assert sorted(blocks) == ["gap", "gap", "test", "train", "val"]
    assert blocks[1] == blocks[3] == "gap"
    assert Counter(order)["train"] >= 30
    assert min(Counter(order)["val"], Counter(order)["test"]) >= 3
    assert "40 images follow one another" in divided.findings[0].problem.what


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), count=st.integers(6, 50), copies=st.integers(0, 6), folds=st.sampled_from([None, 3]))
def test_blocks_of_a_stack_hold_no_copies_of_each_other(seed, count, copies, folds):
    names = [f"a_{k:02}" for k in range(count)]
    samples = [replace(s, image=Path("a.tif"), page=k) for k, s in enumerate(_samples(names))]
    pairs = [tuple(np.random.default_rng(seed + k).choice(names, 2).tolist()) for k in range(copies)]
    fold = None if folds is None else seed % folds
    try:
        divided = split(samples, _audit(samples, duplicates=pairs), seed=seed, folds=folds, fold=fold)
    except DataError:
        assert pairs  # so few slices that their copies leave a part empty
        return
    for first, second in pairs:
        assert len({divided.parts[first][0], divided.parts[second][0]} - {"gap"}) <= 1


def test_folds_use_each_sample_for_validation_once():
    samples = _samples([f"x{chr(97 + k)}" for k in range(23)])
    seen = Counter(s.name for k in range(5) for s in split(samples, _audit(samples), folds=5, fold=k).part("val"))
    assert set(seen.values()) == {1}
    assert len(seen) == 23


@pytest.mark.parametrize("folds", [None, 2])
def test_test_images_alone_cannot_be_divided(folds):
    samples = _samples(["a", "b", "c"], ["", "", ""], ["test"] * 3)
    with pytest.raises(DataError, match=r"(?s)all 3 labelled images are given as the test set.*Fix: move"):
        split(samples, _audit(samples), folds=folds, fold=folds and 0)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_folds_validate_each_image_once_beside_a_given_test(data):
    count, folds = data.draw(st.integers(4, 40)), data.draw(st.integers(2, 6))
    random = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    names = [f"x{chr(97 + k // 26)}{chr(97 + k % 26)}" for k in range(count)]
    groups = [f"g{number}" for number in random.integers(0, data.draw(st.integers(1, 20)), count)]
    given_parts = random.choice(
        data.draw(st.sampled_from([[None], ["train", "val"], ["train", "val", "test"]])), count
    )
    samples = _samples(names, groups, [None if part is None else str(part) for part in given_parts])
    if is_stack := data.draw(st.booleans()):
        samples = [replace(sample, image=Path("a.tif"), page=k, group="") for k, sample in enumerate(samples)]
    open_names = [sample.name for sample in samples if sample.split != "test"]
    pairs = [
        tuple(random.choice(open_names, 2).tolist()) for _ in range(data.draw(st.integers(0, 4)) if open_names else 0)
    ]
    audit = _audit(samples, duplicates=pairs)
    try:
        divided = [split(samples, audit, seed=3, folds=folds, fold=fold) for fold in range(folds)]
    except DataError:
        return
    validated = Counter(sample.name for each in divided for sample in each.part("val"))
    assert set(validated.values()) == {1}
    assert validated.keys() == set(open_names) or (is_stack and pairs)
    for each in divided:
        assert {sample.name for sample in each.part("test")} == set(names) - set(open_names)
        assert each.part("train")
        assert each.part("val")
        assert not any(each.tears(*pair) for pair in pairs)


def test_given_splits_are_honoured_and_leaks_told():
    parts = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    samples = _samples([f"x{k}" for k in range(10)], parts=parts)
    divided = split(samples, _audit(samples, duplicates=[("x0", "x9"), ("x1", "x2")]))
    assert [divided.parts[sample.name][0] for sample in samples] == parts
    assert "1 pair of images that show the same is on two sides" in divided.findings[0].problem.what
    assert divided.findings[0].problem.examples == ("x0 (train) and x9 (test)",)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["train"] * 20, {"train": 16, "val": 2, "test": 2}),
        (["train"] * 18 + ["test"] * 2, {"train": 16, "val": 2, "test": 2}),
        (["train"] * 18 + ["val"] * 2, {"train": 18, "val": 2}),
        (["val"] * 2 + [None] * 18, {"train": 16, "val": 2, "test": 2}),
        (["train", "val"] + [None] * 18, {"train": 19, "val": 1}),
    ],
)
def test_what_a_folder_leaves_open_is_divided(given, expected):
    samples = _samples([f"x{chr(97 + k)}" for k in range(20)], parts=given)
    assert _counts(split(samples, _audit(samples))) == expected


def test_two_images_train_and_validate_and_the_missing_part_is_told():
    samples = _samples(["xa", "xb"])
    divided = split(samples, _audit(samples))
    assert _counts(divided) == {"train": 1, "val": 1}
    assert "2 groups of images are fewer than 3 parts; there is no test part" in divided.findings[0].problem.what


@pytest.mark.parametrize(
    ("count", "options", "message"),
    [
        (1, {}, r"1 labelled image: training and validation need at least one each"),
        (4, {"group_by": "x"}, "all labelled images belong to one group"),
        (4, {"folds": 5, "fold": 0}, r"4 groups of images cannot be divided into 5 folds"),
        (4, {"group_by": "("}, r"group_by '\(' is no regular expression"),
        (4, {"group_by": "^y"}, "does not match 4 of 4 names"),
        (4, {"folds": 3, "fold": 3}, "fold 3 of 3 does not exist"),
        (4, {"fold": 1}, "fold 1 was asked for, but not of how many"),
        (4, {"fractions": (0, 1, 1)}, "leave nothing to train on"),
    ],
)
def test_what_cannot_be_divided_says_why(count, options, message):
    samples = _samples([f"x{k}" for k in range(count)])
    with pytest.raises(DataError, match=message):
        split(samples, _audit(samples), **options)


def test_a_stack_of_too_few_slices_for_the_folds_says_so():
    samples = [replace(s, image=Path("a.tif"), page=k) for k, s in enumerate(_samples(["xa", "xb", "xc"]))]
    with pytest.raises(DataError, match=r"3 slices in 1 stack cannot be divided: none is left for val"):
        [split(samples, _audit(samples), folds=5, fold=fold) for fold in range(5)]


def test_a_split_is_saved_and_loaded(tmp_path):
    samples = _samples([f"x,{k} é" for k in range(12)])
    divided = split(samples, _audit(samples))
    divided.save(tmp_path / "split.csv")
    assert (
        (tmp_path / "split.csv")
        .read_text()
        .startswith("name,image,page,mask,group,part,reason,image_digest,label_digest\n")
    )
    assert Split.load(tmp_path / "split.csv", samples).parts == divided.parts
    with pytest.raises(RunError, match=r"does not fit the data: 1 sample"):
        Split.load(tmp_path / "split.csv", samples[:-1])
    (tmp_path / "split.csv").write_text("name,part,reason\n" + "".join(f'"{s.name}",tarin,\n' for s in samples))
    with pytest.raises(RunError, match="names a part that is none of train, val, test, gap"):
        Split.load(tmp_path / "split.csv", samples)
    (tmp_path / "split.csv").write_text("nam\n1\n")
    with pytest.raises(RunError, match="cannot be read as a split"):
        Split.load(tmp_path / "split.csv", samples)


def test_two_folders_that_are_mixed_are_reported():
    samples = _samples([f"s{k}" for k in range(8)], ["patient1", "patient2"] * 4)
    (found,) = split(samples, _audit(samples)).findings
    assert found.severity == "warning"
    assert "images of patient1 and of patient2 are in several of them" in found.problem.what


def test_how_images_are_grouped_is_reported():
    groups = ["a", "b", "c"] * 3
    samples = _samples([f"s{k}" for k in range(9)], groups)
    divided = split(samples, _audit(samples))
    assert divided.findings[0].problem.what == "images of one group stay in one subset: 3 groups by folder."
    parts = [{divided.parts[s.name][0] for s in samples if s.group == group} for group in "abc"]
    assert {len(each) for each in parts} == {1}
