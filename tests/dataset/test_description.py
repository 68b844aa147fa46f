import re

import numpy as np
import pytest
import yaml

from folders import COLOURS, drawing, pairs, photograph, save
from perpixel.dataset import scan
from perpixel.dataset.description import load_description
from perpixel.errors import DataError


def test_what_is_described_is_read_back_the_same(tmp_path):
    pairs(tmp_path / "data")
    dataset = scan(tmp_path / "data")
    dataset.save_description(tmp_path / "out" / "dataset.yaml")
    again = scan(tmp_path / "out" / "dataset.yaml")
    assert (again.labels, again.reading, again.samples) == (dataset.labels, dataset.reading, again.samples)
    assert [s.name for s in again.samples] == [s.name for s in dataset.samples]


@pytest.mark.parametrize("kind", ["colours", "multilabel"])
def test_colours_and_overlapping_labels_are_described_too(tmp_path, kind):
    for number in range(2):
        target = drawing(number)
        save(tmp_path / "data" / "images" / f"{number}.png", photograph(target))
        if kind == "colours":
            save(tmp_path / "data" / "masks" / f"{number}.png", np.array(COLOURS, np.uint8)[target])
        for k in (1, 2) if kind == "multilabel" else ():
            save(tmp_path / "data" / "masks" / f"class{k}" / f"{number}.png", ((target == k) * 255).astype(np.uint8))
    dataset = scan(tmp_path / "data")
    dataset.save_description(tmp_path / "data" / "dataset.yaml")
    again = scan(tmp_path / "data")
    assert again.labels == dataset.labels
    np.testing.assert_array_equal(again.target(again.samples[0]), dataset.target(dataset.samples[0]))


def _write(folder, **content):
    path = folder / "dataset.yaml"
    path.write_text(yaml.safe_dump({"perpixel": 1, **content}))
    return path


def test_an_edited_description_overrules(tmp_path):
    targets = pairs(tmp_path)
    pairs(tmp_path, masks="masks_b", scale=2)
    classes = [{"name": "soil", "value": 0}, {"name": "root", "value": 4, "colour": "#FF0000"}]
    _write(tmp_path, masks="masks_b", classes=classes, ignored=[2])
    dataset = scan(tmp_path)
    assert (dataset.labels.names, dataset.labels.colours[1]) == (("soil", "root"), (255, 0, 0))
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), np.array([0, 255, 1])[targets[0]])


def test_a_description_may_name_a_list_of_pairs(tmp_path):
    targets = pairs(tmp_path, images="x", masks="z")
    (tmp_path / "odd.csv").write_text("image,mask\nx/a0.png,z/a2.png\nx/a1.png,z/a3.png\n")
    _write(tmp_path, pairs="odd.csv")
    dataset = scan(tmp_path)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), targets[2])
    (tmp_path / "odd.csv").write_text("image,truth\n")
    with pytest.raises(DataError, match="has no column mask"):
        scan(tmp_path)


def test_a_yaml_of_another_program_is_passed_over(tmp_path):
    pairs(tmp_path)
    (tmp_path / "dataset.yaml").write_text("path: ../coco\nnames: [a, b]\n")
    assert len(scan(tmp_path).samples) == 4
    with pytest.raises(DataError, match="is no data set description"):
        scan(tmp_path / "dataset.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"clases": []}, r"unknown key 'clases'.\nFix: did you mean classes"),
        ({"classes": [{"nam": "a"}]}, r"unknown key 'classes.0.nam'.\nFix: did you mean name"),
        ({"reading": "value"}, r"reading 'value' is unknown.\nFix: did you mean values"),
        ({"classes": [{"name": "a", "value": "x"}]}, "classes.0.value: .*; it is 'x'"),
        ({"classes": [{"name": "a"}, {"name": "a"}]}, "a name is given to several classes"),
        ({"classes": [{"name": "a", "value": 1}, {"name": "b", "value": 1}]}, "a value is given to several classes"),
        ({"kind": "multilabel"}, "kind multilabel does not go with encoding index"),
        ({"classes": [{"name": "a", "value": "#FF0000"}]}, "encoding index does not go with the classes' values"),
        ({"root": "elsewhere"}, "names the folder .*elsewhere, which does not exist"),
        ({"masks": "maskss"}, r"has no folder 'maskss' of masks.\nFix: did you mean masks"),
    ],
)
def test_a_wrong_description_says_what_is_wrong(tmp_path, content, message):
    pairs(tmp_path)
    with pytest.raises(DataError, match=message):
        scan(_write(tmp_path, **content))


def test_a_broken_description_says_so(tmp_path):
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\nclasses: [")
    with pytest.raises(DataError, match="cannot be read as YAML"):
        load_description(tmp_path / "dataset.yaml")


def test_a_description_without_its_line_is_told_also_where_the_folder_is_refused(tmp_path):
    pairs(tmp_path)
    (tmp_path / "dataset.yaml").write_text("pairs: pairs.csv\n")
    told = r"dataset\.yaml is not used: it has no line perpixel: 1\."
    assert re.search(told, str(scan(tmp_path).findings[0].problem))
    next((tmp_path / "masks").iterdir()).unlink()
    with pytest.raises(DataError, match=told):
        scan(tmp_path)


@pytest.mark.parametrize(
    "text", ["path: .\ntrain: images\nval: images\nnames: [a, b]\n", "images: [{id: 1}]\n", "[1]"]
)
def test_a_dataset_yaml_of_another_program_is_passed_over(tmp_path, text):
    pairs(tmp_path)
    (tmp_path / "dataset.yaml").write_text(text)
    assert not any("perpixel: 1" in finding.problem.what for finding in scan(tmp_path).findings)
