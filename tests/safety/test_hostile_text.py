"""Text from outside: bounded before it is built, and harmless where it is shown."""

import ast
import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import perpixel
from generated import binary_labels, save, write_cells
from perpixel.dataset import scan
from perpixel.dataset.annotations.coco import parse
from perpixel.errors import DataError, PerpixelError, RunError
from perpixel.files import parse as parse_module
from perpixel.files.csv_cells import plain_cell, safe_cell
from perpixel.files.limits import limit
from perpixel.files.parse import parse_json, parse_xml, parse_yaml
from perpixel.labels.codec import Labels
from perpixel.settings.text import settings_from_file
from perpixel.split import Split
from perpixel.store.run_folder import Run
from syntax import nodes_of

BOMB = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n" for before, one in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_aliases_count_as_what_they_stand_for(tmp_path):
    assert len(BOMB) < 500
    with pytest.raises(DataError, match=r"it holds more than 100,000 values.\nFix: .* PERPIXEL_MAX_YAML_NODES"):
        parse_yaml(BOMB, "it")
    (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\n{BOMB}", encoding="utf-8")
    with pytest.raises(DataError, match=r"dataset\.yaml holds more than 100,000 values"):
        scan(tmp_path)
    with pytest.raises(DataError, match=r"dataset\.yaml holds more than"):
        settings_from_file(tmp_path / "dataset.yaml")
    (tmp_path / "settings.yaml").write_text(BOMB, encoding="utf-8")
    with pytest.raises(DataError, match=r"settings\.yaml holds more than"):
        Run.open(tmp_path)


def test_aliases_within_the_limit_are_what_they_stand_for():
    assert parse_yaml("a: &x [1, 2]\nb: *x\nc: &y 3\nd: *y", "it") == {"a": [1, 2], "b": [1, 2], "c": 3, "d": 3}


def test_an_alias_of_itself_is_refused():
    with pytest.raises(
        DataError, match=r"an alias \*a of nothing that is whole before it.\nFix: correct or remove it"
    ):
        parse_yaml("&a [*a]", "it")


@pytest.mark.parametrize("parse_text", [parse_yaml, parse_json])
@pytest.mark.parametrize("opened", ["[", '{"a":'])
def test_deep_nesting_is_refused(parse_text, opened):
    with pytest.raises(DataError, match=r"nested deeper than 64.\nFix: .* PERPIXEL_MAX_DEPTH"):
        parse_text(opened * 200, "it")


def test_brackets_within_strings_are_not_nested():
    assert parse_json(json.dumps(["[" * 100, '\\"[[' * 50]), "it") == ["[" * 100, '\\"[[' * 50]


def test_json_of_many_values_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(parse_module, "MAX_NODES", 10)
    (tmp_path / "a.json").write_text(json.dumps(list(range(20))), encoding="utf-8")
    with pytest.raises(DataError, match=r"a.json holds more than 10 values.\nFix: .* PERPIXEL_MAX_NODES"):
        parse(tmp_path / "a.json")


@pytest.mark.parametrize(
    "text", ["a: [", "\t", "!!python/object/apply:os.system [ls]", "? {a: b}\n: c", "1: !!int x"]
)
def test_what_is_no_yaml_is_one_line(text):
    with pytest.raises(ValueError, match=r"^[^\n]*$"):
        parse_yaml(text, "it")


def test_xml_has_no_entities_and_bounds():
    assert parse_xml("<a><!-- x --><b/></a>", "it").tag == "a"
    with pytest.raises(DataError, match=r"it holds declarations \(<!…\), which no label needs"):
        parse_xml('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "it")
    with pytest.raises(DataError, match="nested deeper than 64"):
        parse_xml("<a>" * 100 + "</a>" * 100, "it")


def test_limits_are_numbers(monkeypatch):
    monkeypatch.setenv("PERPIXEL_MAX_BYTES", "12")
    assert limit("PERPIXEL_MAX_BYTES", 3) == 12
    monkeypatch.setenv("PERPIXEL_MAX_BYTES", "a lot")
    with pytest.raises(PerpixelError, match=r"PERPIXEL_MAX_BYTES = 'a lot' is no limit.\nFix: set it to a whole"):
        limit("PERPIXEL_MAX_BYTES", 3)


PARSERS = {"yaml.load", "yaml.safe_load", "json.load", "json.loads", "yaml.full_load", "yaml.unsafe_load"}
HOMES = {"files/parse.py", "language/catalogue_file.py"}  # the latter reads what is installed with the package
OWN_TEXT = {"store/model_file.py": "json.loads(json.dumps(asdict(card)))"}


def test_only_one_module_parses():
    """XML, pickles and unbounded parsers have no place; a file that needs one asks files/parse.py."""
    found = set()
    source = Path(perpixel.__file__).parent
    for path in source.rglob("*.py"):
        name = path.relative_to(source).as_posix()
        for node in nodes_of(path):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in PARSERS:
                if ast.unparse(node) != OWN_TEXT.get(name):
                    found.add(name)
            elif isinstance(node, ast.ImportFrom | ast.Import):
                names = (
                    [node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
                )
                if any(each.split(".")[0] in ("xml", "marshal", "shelve", "dill", "joblib") for each in names):
                    found.add(name)
    assert found <= HOMES, f"these parse by themselves: {found - HOMES}"


FORMULA = '=HYPERLINK("http://evil")'


@pytest.mark.parametrize("cell", [FORMULA, "+1+1", "-2+3", "@sum", "\t=1", "'=1", "-a", "=a"])
def test_cells_that_spreadsheets_run_are_quoted_and_read_back(cell):
    assert str(safe_cell(cell)).startswith("'")
    assert plain_cell(str(safe_cell(cell))) == cell


@pytest.mark.parametrize("cell", ["-0.5", "1e-3", "a=b", "nan", "-inf", "tile_01", "", 3, -0.5, "+1"])
def test_other_cells_stay(cell):
    assert safe_cell(cell) == cell


def test_names_that_are_formulas_are_quoted_in_the_split_and_found_again(tmp_path):
    data = write_cells(tmp_path / "data", count=3)
    for kind in ("images", "masks"):
        (data / kind / "cell_0.png").rename(data / kind / "=1+1.png")
    dataset = scan(data)
    split = Split(dataset.samples, {sample.name: ("train", "so") for sample in dataset.samples})
    split.save(tmp_path / "split.csv")
    cells = [row[0] for row in csv.reader((tmp_path / "split.csv").read_text(encoding="utf-8").splitlines())]
    assert "'=1+1" in cells
    assert Split.load(tmp_path / "split.csv", dataset.samples).parts == split.parts


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\x9bb", "a\u202eb", "a\u2028b"])
def test_names_that_steer_a_terminal_are_refused_and_written_out(tmp_path, name):
    data = write_cells(tmp_path / "data", count=2)
    (data / "images" / "cell_0.png").rename(data / "images" / f"{name}.png")
    with pytest.raises(DataError, match=r"1 file name is not UTF-8, or holds line breaks or other control") as told:
        scan(data)
    assert not set(str(told.value)) & set("\x1b\x9b\u202e\u2028")
    with pytest.raises(DataError, match=r"1 class name holds line breaks or other control characters"):
        Labels("multiclass", ("a", name), (0, 1), ((0, 0, 0), (1, 1, 1)))
    inside = write_cells(tmp_path / name, count=1)
    with pytest.raises(DataError, match=r"(?s)the path .* is not UTF-8, or holds line breaks"):
        scan(inside)


def test_a_parent_that_is_no_utf8_is_refused(tmp_path):
    folder = tmp_path / b"caf\xe9".decode("utf-8", "surrogateescape")
    try:
        write_cells(folder / "data", count=1)
    except OSError:
        pytest.skip("this file system holds UTF-8 names only")
    with pytest.raises(DataError, match=r"the path .*caf\\udce9/data is not UTF-8"):
        scan(folder / "data")


def test_a_list_that_names_another_file_shows_nothing_of_it(tmp_path):
    save(tmp_path / "images" / "a.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "secret").write_text("hunter2:x", encoding="utf-8")
    (tmp_path / "pairs.csv").write_text("image,mask\nsecret,images/a.png\n", encoding="utf-8")
    with pytest.raises(DataError, match="its first bytes are not those of an image") as told:
        scan(tmp_path)
    for shown in ("hunter2", "68 75 6e"):
        assert shown not in str(told.value)


@pytest.mark.parametrize("rows", ["step,loss\n1,x\n", "step\n1,2,3\n"])
def test_a_damaged_history_is_told(tmp_path, rows):
    from perpixel.settings.tree import request_from

    (tmp_path / "history.csv").write_text(rows, encoding="utf-8")
    with pytest.raises(RunError, match=r"history.csv is damaged: .*\nFix: restore the file, or train again"):
        Run(tmp_path, tmp_path, request_from({})).history()


def test_yaml_of_labels_is_data_only(tmp_path):
    """No tag makes an object."""
    assert yaml.safe_dump(binary_labels().names)
    with pytest.raises(ValueError, match="could not determine a constructor"):
        parse_yaml("!!python/name:os.system", "it")


def test_a_list_of_names_that_no_file_can_have_is_told(tmp_path):
    save(tmp_path / "images" / "a.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "pairs.csv").write_text(f"image,mask\nimages/a.png,{'x' * 5000}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 file that .*pairs.csv lists does not exist"):
        scan(tmp_path)


def test_whatever_is_told_in_passing_steers_no_terminal(capsys):
    """Notices and results go through the language table, as errors do."""
    import logging

    from perpixel.cli.progress_bars import Notices
    from perpixel.language import translated
    from perpixel.language.notices import LOGGER

    assert translated("a\x1b[2Jb\nc", "zh") == translated("a\x1b[2Jb\nc", "en") == "a\\x1b[2Jb\nc"
    record = logging.LogRecord("perpixel", logging.INFO, "", 0, "weights of %s", ("\x1b[2J\u202e",), None)
    LOGGER.addHandler(notices := Notices())
    try:
        LOGGER.handle(record)
    finally:
        LOGGER.removeHandler(notices)
    assert capsys.readouterr().err == "weights of \\x1b[2J\\u202e\n"
