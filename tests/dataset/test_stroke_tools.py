"""Strokes as annotation tools write them: read to the right labels, and no label elsewhere."""

import sys

import h5py
import numpy as np
import pytest

import stroke_tools
from folders import photograph, save
from perpixel import check
from perpixel.dataset import scan
from perpixel.dataset.overrides import Overrides
from perpixel.errors import DataError
from perpixel.shapes import IGNORED

ZERO = Overrides(unlabelled=(0,))
STATED = dict.fromkeys(stroke_tools.ASKED, ZERO)
TOOLS = stroke_tools.SURE | stroke_tools.ASKED


def number_of(sample):
    return sample.page if "stack" in sample.name else int(sample.name[2:])


def are_the_strokes(dataset):
    names = ("class 1", "class 2") if "class 1" in dataset.labels.names else stroke_tools.NAMES
    place = {255: 255} | {k: names.index(name) for k, name in enumerate(dataset.labels.names)}
    for sample in dataset.samples:
        mask = stroke_tools.stroked(number_of(sample))
        found = np.vectorize(place.get)(dataset.target(sample))
        np.testing.assert_array_equal(found, np.where(mask == 0, IGNORED, mask.astype(int) - 1))


@pytest.mark.parametrize("tool", TOOLS)
def test_strokes_are_read(tmp_path, tool):
    TOOLS[tool](tmp_path / "data")
    dataset = scan(tmp_path / "data", whole=True, overrides=STATED.get(tool, Overrides()))
    assert len(dataset.labels) == 2
    are_the_strokes(dataset)
    assert len(dataset.samples) == (5 if tool == "napari stack" else 3)
    assert all(dataset.instances(sample) is None for sample in dataset.samples)
    assert len(dataset.unlabelled) == {"ilastik": 1, "ilastik stack": 2}.get(tool, 0)


@pytest.mark.parametrize("tool", stroke_tools.ASKED)
def test_it_is_asked_what_lies_around(tmp_path, tool):
    stroke_tools.ASKED[tool](tmp_path / "data")
    with pytest.raises(DataError, match="they look like strokes") as raised:
        scan(tmp_path / "data")
    assert "unlabelled" in str(raised.value)
    (tmp_path / "data" / "dataset.yaml").write_text("perpixel: 1\nignored: []\n", encoding="utf-8")
    dataset = scan(tmp_path / "data", whole=True)
    assert len(dataset.labels) == 3
    assert not any((dataset.target(sample) == IGNORED).any() for sample in dataset.samples)


@pytest.mark.parametrize("tool", ["ilastik", "Labkit", "Label Studio"])
def test_few_images_hold_drawn_strokes_out(tmp_path, tool):
    TOOLS[tool](tmp_path / "data")
    dataset = scan(tmp_path / "data", overrides=ZERO)
    assert {sample.strokes for sample in dataset.samples} == {"train", "val"}
    for name in ("im0", "im1", "im2"):
        train, val = (dataset.target(s) for s in dataset.samples if s.image.stem == name)
        assert not ((train != IGNORED) & (val != IGNORED)).any()
        np.testing.assert_array_equal(np.minimum(train, val) == IGNORED, stroke_tools.stroked(int(name[2:])) == 0)


def test_a_description_of_strokes_reads_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))
    stroke_tools.ilastik(tmp_path / "data")
    assert check(tmp_path / "data", tmp_path / "checked").is_usable
    again = scan(tmp_path / "checked" / "dataset.yaml", whole=True)
    are_the_strokes(again)


def test_masks_that_ilastik_exports_mean_the_same_as_its_project(tmp_path):
    """Its labels are numbered in their order, stroma = 1; by name nucleus would come first."""
    stroke_tools.ilastik(tmp_path / "data")
    labels = scan(tmp_path / "data", whole=True).labels
    assert dict(zip(labels.names, labels.values, strict=True)) == {"stroma": 1, "nucleus": 2}
    for number in range(3):
        save(tmp_path / f"dense/images/{number}.png", photograph(stroke_tools.truth(number), number))
        save(tmp_path / f"dense/masks/{number}.png", (stroke_tools.truth(number) + 1).astype(np.uint8))
    dense = scan(tmp_path / "dense", labels, whole=True)
    found = np.array(labels.names)[dense.target(next(s for s in dense.samples if s.name == "1"))]
    np.testing.assert_array_equal(found, np.array(stroke_tools.NAMES)[stroke_tools.truth(1)])


def test_a_region_of_qupath_is_labelled_wholly_and_nothing_else(tmp_path):
    stroke_tools.qupath_region(tmp_path)
    dataset = scan(tmp_path, whole=True)
    assert dataset.labels.names == ("background", "nucleus")
    for sample in dataset.samples:
        expected = np.full((stroke_tools.HEIGHT, stroke_tools.WIDTH), IGNORED)
        mask = stroke_tools.stroked(number_of(sample))
        expected[stroke_tools.REGION] = mask[stroke_tools.REGION] == 2
        np.testing.assert_array_equal(dataset.target(sample), expected)


def test_a_project_without_h5py_says_what_to_install(tmp_path, monkeypatch):
    stroke_tools.ilastik(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match="needs h5py") as raised:
        scan(tmp_path)
    assert "perpixel[ilastik]" in str(raised.value)


def test_a_broken_project_is_told(tmp_path):
    stroke_tools.ilastik(tmp_path)
    (tmp_path / "labels.ilp").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as a project of ilastik") as raised:
        scan(tmp_path)
    assert len(raised.value.problems) == 1


def test_another_value_than_0_is_nowhere_among_drawn_areas(tmp_path):
    stroke_tools.labkit(tmp_path)
    dataset = scan(tmp_path, overrides=Overrides(unlabelled=(7,)))
    assert any("no mask holds 7" in finding.problem.what for finding in dataset.findings)


def test_labels_that_lie_in_another_file_are_not_followed(tmp_path):
    stroke_tools.ilastik(tmp_path / "data")
    stroke_tools.ilastik(tmp_path / "other")
    with h5py.File(tmp_path / "data" / "labels.ilp", "a") as file:
        del file["PixelClassification/LabelSets/labels000/block0000"]
        other = h5py.ExternalLink(
            tmp_path / "other" / "labels.ilp", "/PixelClassification/LabelSets/labels000/block0000"
        )
        file["PixelClassification/LabelSets/labels000/block0000"] = other
    with pytest.raises(DataError, match="cannot be read as a project of ilastik"):
        scan(tmp_path / "data")


def test_a_project_without_labels_is_told(tmp_path):
    list(stroke_tools.images(tmp_path))
    stroke_tools.project(tmp_path, [])
    with pytest.raises(DataError, match="no masks were found") as raised:
        scan(tmp_path)
    assert "holds no labels" in str(raised.value)


def test_one_class_alone_is_refused(tmp_path):
    for name, mask in stroke_tools.images(tmp_path):
        interval = {"min": [0, 0], "max": [stroke_tools.WIDTH - 1, stroke_tools.HEIGHT - 1]}
        labels = {"nucleus": np.argwhere(mask.T == 2).tolist()}
        stroke_tools.dump(tmp_path / f"images/{name}.labeling", {"interval": interval, "labels": labels})
    with pytest.raises(DataError, match="one class is drawn, nucleus"):
        scan(tmp_path)


def test_a_model_without_a_background_takes_no_outlines_on_one(tmp_path):
    stroke_tools.label_studio(tmp_path)
    labels = scan(tmp_path, whole=True, overrides=ZERO).labels
    with pytest.raises(DataError, match="has no class: the classes are nucleus, stroma"):
        scan(tmp_path, labels, whole=True)
