"""A training that shows itself: a live cell in a notebook, lines elsewhere."""

import sys
from types import SimpleNamespace

import pytest

import generated
import perpixel
from perpixel.api import live_cell


@pytest.fixture
def shown(monkeypatch):
    """What the cell of a pretended notebook showed, one page an update."""
    display = pytest.importorskip("IPython.display")
    pages = []
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace(kernel=True))
    handle = SimpleNamespace(update=lambda page: pages.append(page.data))
    monkeypatch.setattr(display, "display", lambda *_, display_id: handle)
    return pages


def test_a_notebook_has_a_bar_a_curve_and_three_pictures(tmp_path, cells, shown):
    settings = generated.TINY | {"data": {"validation_fraction": 0.4, "test_fraction": 0.2}}
    perpixel.train(cells, tmp_path / "run", settings=settings)
    assert any("training: " in page for page in shown)
    drawn = [page for page in shown if page.count("data:image/jpeg") == 3]
    assert drawn
    assert drawn[-1].count("<circle") == 2  # a point a validation
    assert "image, truth, prediction" in drawn[-1]
    pictures = [page.partition("<figure")[2] for page in drawn]
    assert pictures[0] != pictures[-1]


def test_elsewhere_there_are_lines(capsys):
    progress = live_cell.shown_progress()
    for done in range(100):
        progress("training", done, 100, f"loss {done}")
    progress("evaluating", 1, 4)
    assert capsys.readouterr().err == "training: 0%  loss 0\nevaluating: 25%\n"


def test_in_chinese_every_word_is(shown, capsys):
    cell = live_cell.LiveCell("zh")
    cell("training", 3, 3)
    cell.scores({"validation_mean_iou": 0.5}, 7)
    assert "训练：完成" in shown[-1]
    assert "验证集平均 IoU 0.500，最佳 0.500" in shown[-1]
    live_cell.PlainLines("zh")("training", 1, 4)
    assert capsys.readouterr().err == "训练：25%\n"


def test_ipython_is_not_imported_to_find_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not live_cell.in_notebook()
    assert "IPython" not in sys.modules


def test_a_finished_task_is_done(shown):
    live_cell.LiveCell()("looking at validation images", 3, 3)
    assert "looking at validation images: done" in shown[-1]


def test_markup_in_a_note_is_text(shown):
    live_cell.LiveCell()("training", 1, 2, "<script>")
    assert "&lt;script&gt;" in shown[-1]
    assert "<script>" not in shown[-1]
