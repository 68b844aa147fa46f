import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from folders import drawing, pairs, photograph, save
from perpixel import check
from perpixel.dataset import scan
from perpixel.report.class_examples import class_examples
from perpixel.report.densest_window import densest_window


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))


def _page(folder):
    text = (folder / "check.html").read_text()

    class Strict(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "img", "rect", "br"}:
                self.open.append(tag)

        def handle_endtag(self, tag):
            if tag not in {"meta", "img", "rect", "br"}:
                assert self.open.pop() == tag

    parser = Strict()
    parser.open = []
    parser.feed(text)
    assert not parser.open
    assert not re.search(r"(?:src|href)=\"https?:", text)  # it opens offline
    return text


def test_a_usable_folder_gets_a_page_and_a_description(tmp_path):
    pairs(tmp_path / "data", 20)
    answer = check(tmp_path / "data", tmp_path / "out")
    assert answer.is_usable
    page = _page(tmp_path / "out")
    assert page.count("data:image/jpeg") == 2 * 8 + 3 * 4 * 2  # pairs, and crops of three classes
    assert "Usable." in page
    again = scan(tmp_path / "out" / "dataset.yaml")
    assert again.labels == answer.dataset.labels
    written = json.loads(json.dumps(answer.to_dict(), allow_nan=False))
    assert (written["usable"], written["pairs"], written["parts"]) == (True, 20, {"train": 16, "val": 2, "test": 2})
    assert "20 pairs, 0 unlabelled images, 3 channels of uint8" in str(answer)


@pytest.mark.usefixtures("_in_chinese")
def test_the_page_speaks_chinese(tmp_path):
    pairs(tmp_path / "data", 4)
    check(tmp_path / "data", tmp_path / "out")
    page = _page(tmp_path / "out")
    words = re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", page, flags=re.DOTALL)
    assert '<html lang="zh-CN">' in page
    assert "各类别的例子" in words
    assert re.findall(r"\b(?:the|images?|pixels|Fix|alone|train|in)\b", words) == []


def test_an_example_lies_where_its_class_is(tmp_path):
    pairs(tmp_path / "data", 4)
    answer = check(tmp_path / "data")
    for name, crops in class_examples(answer.dataset, answer.audit):
        k = answer.dataset.labels.names.index(name)
        (sample,) = [each for each in answer.dataset.samples if each.name == crops[0].name]
        _, rows, columns = densest_window(answer.dataset.target(sample) == k, 8)
        assert (answer.dataset.target(sample)[rows, columns] == k).mean() > 0.3, name
        assert crops[0].image != crops[0].labelled


def test_an_unusable_folder_gets_a_page_that_says_why(tmp_path):
    pairs(tmp_path / "data")
    (tmp_path / "data" / "masks" / "a1.png").write_bytes(b"<b>")
    answer = check(tmp_path / "data", tmp_path / "out")
    assert not answer.is_usable
    assert "a1.png cannot be read" in _page(tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.yaml").exists()
    assert answer.to_dict()["findings"][0]["severity"] == "error"
    assert "cannot be used yet" in str(answer)


def test_duplicates_are_pictured_and_names_are_escaped(tmp_path):
    for number in range(8):
        target = drawing(number % 7)
        save(tmp_path / "data" / "images" / f"<i>{number}.png", photograph(target, number % 7))
        save(tmp_path / "data" / "masks" / f"<i>{number}.png", target)
    check(tmp_path / "data", tmp_path / "out")
    page = _page(tmp_path / "out")
    assert "<i>" not in page
    assert "&lt;i&gt;0 · &lt;i&gt;7" in page


def test_folds_are_shown_one_by_one(tmp_path):
    pairs(tmp_path / "data", 20)
    answer = check(tmp_path / "data", tmp_path / "out", folds=4)
    assert "fold 3: training 15, validation 5" in str(answer)
    assert answer.to_dict()["folds"] == [{"train": 15, "val": 5}] * 4
    page = _page(tmp_path / "out")
    for fold in range(4):
        assert f"<td>{fold}</td><td>validation</td><td>5</td>" in page


def test_of_many_groups_some_are_named_and_the_rest_counted(tmp_path):
    for number in range(20):
        target = drawing(number)
        save(tmp_path / "data" / "images" / f"tile{number // 2}_part_{number}.png", photograph(target, number))
        save(tmp_path / "data" / "masks" / f"tile{number // 2}_part_{number}.png", target)
    check(tmp_path / "data", tmp_path / "out")
    assert re.search(r"group tile\d by name \(2\); … and 2 more</td>", _page(tmp_path / "out"))


def test_pairs_on_two_sides_of_a_given_split_are_pictured_first(tmp_path):
    for number in range(24):
        part, shown = ("val", 0) if number == 23 else ("train", number % 11)
        target = drawing(shown)
        save(tmp_path / "data" / part / "images" / f"{number}.png", photograph(target, shown))
        save(tmp_path / "data" / part / "masks" / f"{number}.png", target)
    answer = check(tmp_path / "data", tmp_path / "out")
    (leak,) = [finding.problem for finding in answer.findings if "a leak" in finding.problem.what]
    first, second = (end.split(" ")[0] for end in leak.examples[0].split(" and "))
    page = _page(tmp_path / "out")
    assert len(answer.audit.duplicates) > 8
    assert re.search('id="duplicates".*?<figcaption>(.*?)</figcaption>', page, re.DOTALL)[1] == f"{first} · {second}"


def test_overlapping_deep_and_float_images_are_pictured(tmp_path):
    for number in range(4):
        target = drawing(number)
        save(
            tmp_path / "data" / "images" / f"{number}.npy", photograph(target, number, 2, "float32") * np.float32(7.5)
        )
        for k in (1, 2):
            save(tmp_path / "data" / "masks" / f"class{k}" / f"{number}.png", (target == k) * np.uint8(255))
    answer = check(tmp_path / "data", tmp_path / "out")
    assert answer.is_usable
    assert _page(tmp_path / "out").count("data:image/jpeg") == 2 * 4 + 3 * 4 * 2
