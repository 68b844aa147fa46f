"""What every result of the API can do, whatever it is."""

import copy
import importlib
import json
import re
import sys
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

import perpixel
from perpixel.errors import SettingsError
from perpixel.language import speaking
from perpixel.results import MAX_PICTURES, MAX_ROWS, Picture, Result, ResultList, Score
from test_public_names import RESULTS

TYPES = [getattr(perpixel, name) for name in RESULTS if name not in ("Predictor", "Score", "Scores")]
CHINESE = re.compile("[一-鿿]")
NAMES = re.compile(r"\S*/\S*|\b\w+[._]\w+\b")
"""Paths, names of files and of settings."""
ENGLISH = re.compile(r"[a-z]{2,} [a-z]+ [a-z]{2,}")
"""Three words in a row."""


@dataclass(frozen=True, repr=False)
class Found(Result):
    """A result with everything that one may have."""

    rows: tuple
    shown: tuple = ()
    page: Path | None = None
    bar = "share"
    headline = "<b>found</b> \x1b[2J"

    def tables(self):
        return {"things": self.rows, "nothing": ()}

    def pictures(self):
        return self.shown


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind.__name__)
def test_every_result_is_a_frozen_dataclass_that_says_itself_shortly(kind):
    assert issubclass(kind, Result)
    assert is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert kind.__repr__ is Result.__repr__
    assert kind.headline is not Result.headline
    assert kind.to_dict is not Result.to_dict
    for field in fields(kind):
        assert f"{field.name}:" in kind.__doc__ or issubclass(kind, ResultList), field.name


def test_what_steers_a_terminal_or_a_page_is_written_out():
    found = Found(({"name": "<script>", "share": 0.5},), page=Path("a b#.html"))
    assert repr(found) == r"<Found: <b>found</b> \x1b[2J>"
    page = found._repr_html_()
    assert "<script>" not in page
    assert "&lt;b&gt;found" in page
    assert 'href="a%20b%23.html"' in page


def test_a_card_has_bars_some_rows_and_four_pictures(tmp_path):
    rows = tuple({"name": f"row {n}", "share": n / 20, "more": float("nan")} for n in range(20))
    pixels = np.zeros((400, 300, 3), np.uint8)
    card = Found(rows, tuple(Picture(f"picture {n}", pixels) for n in range(9)), tmp_path / "p.html")._repr_html_()
    assert card.count("<tr>") == MAX_ROWS + 1
    assert "… and 8 more" in card
    assert "width:55%" in card
    assert card.count("data:image/jpeg") == MAX_PICTURES
    assert (tmp_path / "p.html").as_uri() in card
    assert "nan" not in card
    assert len(card) < 20_000


def test_a_table_becomes_a_frame():
    pytest.importorskip("pandas")
    frame = Found(({"name": "a", "share": 0.5},)).to_frame()
    assert frame.to_dict("records") == [{"name": "a", "share": 0.5}]
    assert len(Found(()).to_frame("nothing")) == 0
    with pytest.raises(SettingsError, match=r"there is no table 'thigns'.\nFix: did you mean things\?"):
        Found(()).to_frame("thigns")


def test_without_pandas_the_rows_are_still_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(SettingsError, match=r"pandas is not installed.\nFix: pip install pandas, or take the rows"):
        Found(()).to_frame()


def test_a_score_is_a_float_that_knows_its_interval():
    score = Score(0.81234, (0.7, 0.9))
    assert score == 0.81234
    assert json.dumps({"iou": score}) == '{"iou": 0.81234}'
    assert repr(score) == "0.8123 [0.7000, 0.9000]"
    assert repr(Score(float("nan"))) == "undefined"
    assert repr(Score(0.5)) == "0.5000"
    assert copy.deepcopy(score).interval == (0.7, 0.9)


def test_a_result_of_several_is_a_list(tmp_path):
    from perpixel.prediction.ranking import RankedImage, Ranking

    ranking = Ranking(tuple(RankedImage(tmp_path / f"{n}.png", n / 4) for n in (3, 2, 1)), "entropy")
    assert [each.score for each in ranking[:2]] == [0.75, 0.5]
    assert isinstance(ranking[:2], Ranking)
    meaning = "entropy: the mean over the pixels in nats, the least sure image first"
    assert repr(ranking) == f"<Ranking: 3 images to label, 3.png first; {meaning}>"
    assert meaning in ranking._repr_html_()
    assert ranking.to_dict()["images"][0] == {"path": str(tmp_path / "3.png"), "score": 0.75}
    assert ranking.to_dict()["strategy"] == "entropy"
    assert str(ranking[:2]).splitlines()[0] == meaning
    assert len(str(ranking).splitlines()) == 4


def test_results_of_a_short_run_say_themselves(tmp_path, cells, cells_run):
    """What `train`, `evaluate`, `check`, `predict` and `compare` return: short, escaped, ready for JSON."""
    results = [
        perpixel.check(cells, tmp_path / "check"),
        cells_run,
        perpixel.evaluate(cells_run, split="all", out=tmp_path / "evaluation"),
        perpixel.compare([cells_run, cells_run], split="all", out=tmp_path),
        perpixel.predict(cells_run, cells / "images", tmp_path / "masks"),
        perpixel.convert(cells, tmp_path / "converted"),
    ]
    for result in results:
        assert len(repr(result)) < 300
        assert "\n" not in repr(result)
        assert len(result._repr_html_()) < 60_000
        json.dumps(result.to_dict(), allow_nan=False)
    check, run, evaluation, comparison, predicted, _ = results
    assert repr(check).startswith("<Check: ")
    assert check._repr_html_().count("data:image/jpeg") == 4
    assert check.page == tmp_path / "check" / "check.html"
    assert [row["name"] for row in check.tables()["classes"]] == ["background", "foreground"]
    assert "best validation mean IoU" in run.headline
    assert evaluation.page.is_file()
    assert comparison.page.is_file()
    assert predicted.headline.startswith("8 images predicted; found ")
    assert evaluation.to_dict()["dataset"]["mean_iou"] == evaluation.mean_iou
    assert list(evaluation.mean_iou.interval) == evaluation.to_dict()["intervals"]["dataset"]["mean_iou"]
    told = evaluation.to_dict()["classes"]["foreground"]
    assert {**evaluation.classes["foreground"], "pixels": told["pixels"]} == told
    assert evaluation.classes["foreground"].iou == told["iou"]
    assert "iou" in dir(evaluation.classes["foreground"])
    with pytest.raises(AttributeError, match=r"there is no score io: did you mean iou\?"):
        _ = evaluation.classes["foreground"].io
    with pytest.raises(AttributeError, match="an Evaluation has no mean_io"):
        _ = evaluation.mean_io


def test_results_speak_chinese_and_their_keys_do_not_change(tmp_path, cells, cells_run):
    results = [
        perpixel.check(cells, tmp_path / "check"),
        perpixel.check(tmp_path / "none"),
        perpixel.plan(cells, steps=3),
        cells_run,
        perpixel.evaluate(cells_run, split="all", out=tmp_path / "evaluation"),
        perpixel.compare([cells_run, cells_run], split="all", out=tmp_path),
        perpixel.predict(cells_run, cells / "images", tmp_path / "masks"),
        perpixel.load(cells_run).predict(sorted((cells / "images").iterdir())[:2]),
        perpixel.next_images(cells_run, [cells / "images"]),
        perpixel.convert(cells, tmp_path / "converted"),
        perpixel.doctor(self_test=False),
    ]
    with speaking("zh"):
        assert "个类别（background, foreground），图像有 3 个通道；用 .predict(image) 得到 Prediction" in repr(
            perpixel.load(cells_run)
        )
        assert "<th>learning rate</th>" in cells_run._repr_html_()
    left = {}
    for result in results:
        in_english = repr(result), str(result), result.to_dict(), result.tables()
        with speaking("zh"):
            assert CHINESE.search(repr(result))
            assert CHINESE.search(result._repr_html_())
            assert (result.to_dict(), result.tables()) == in_english[2:]
            left[type(result).__name__] = ENGLISH.findall(NAMES.sub("", f"{result!r} {result}"))
        assert (repr(result), str(result)) == in_english[:2]
    assert {name: words for name, words in left.items() if words} == {}


def test_types_of_results_are_loaded_when_they_are_asked_for():
    for name, module in perpixel._RESULTS.items():
        assert getattr(importlib.import_module(module), name) is getattr(perpixel, name)
    with pytest.raises(AttributeError, match="module 'perpixel' has no attribute 'Evaluatoin'"):
        _ = perpixel.Evaluatoin


@dataclass(frozen=True, repr=False)
class Numbers(Result):
    """One table that is empty, and one that is not."""

    @property
    def headline(self):
        return "two tables"

    def to_dict(self):
        return {}

    def tables(self):
        return {"none": [], "rates": [{"rate": 1e-6, "loss": 0.5, "zero": 0.0}]}


def test_a_card_shows_the_first_table_that_holds_something_and_small_numbers():
    card = Numbers()._repr_html_()
    assert [f"<td>{value}</td>" in card for value in ("1.0e-06", "0.500", "0.000")] == [True] * 3
