"""Runs beside each other: the same images, paired intervals, one page."""

import json

import numpy as np
import pytest
from PIL import Image

import generated
from browser import needs_chromium, tried
from perpixel import api
from perpixel.cli import main
from perpixel.dataset import scan
from perpixel.errors import DataError, OutputError, SettingsError
from perpixel.evaluation import COMPARED, Comparison, compared, evaluate_run
from perpixel.metrics import Counts, paired_difference
from perpixel.prediction import Predictor
from perpixel.prediction.load import load_predictor
from perpixel.report import write_comparison
from perpixel.training import train_run


@pytest.fixture(scope="module")
def pair(tmp_path_factory, cells, cells_run):
    """Two runs on the same cells, the second hardly trained, and their predictors."""
    folder = tmp_path_factory.mktemp("comparison")
    other = train_run(cells, folder / "short", generated.tiny_settings(steps=1, validation_passes=1))
    return [(run, load_predictor(run.folder)) for run in (cells_run, other)]


@pytest.fixture(scope="module")
def found(pair):
    return compared(pair, part="all")


def test_each_run_has_the_scores_of_its_own_evaluation(found, pair, tmp_path):
    for place, (run, predictor) in enumerate(pair):
        told = evaluate_run(run, predictor, part="all", out=tmp_path).to_dict()
        for i, score in enumerate(COMPARED):
            assert found.scores[place].value[i] == pytest.approx(told["dataset"][score], nan_ok=True)


def test_each_image_is_predicted_once_by_each_run_pictures_included(pair, tmp_path, monkeypatch):
    seen, predict = [], Predictor.probabilities
    counted = lambda self, image, name: seen.append(name) or predict(self, image, name)  # noqa: E731
    monkeypatch.setattr(Predictor, "probabilities", counted)
    answer = api.compare([run for run, _ in pair], split="all", out=tmp_path)
    assert len(seen) == 2 * len(answer.samples) == 2 * len(set(seen))
    assert answer.page.read_text(encoding="utf-8").count('class="view"') >= 6
    gaps = [each.gap for each in answer.furthest_apart]
    assert gaps == sorted(gaps, reverse=True)
    assert len(gaps) == 6


def test_differences_are_paired(found):
    expected = paired_difference(*found.counts, lambda counts: counts.mean_iou)
    gap = found.differences[1]
    assert (gap.value[0], gap.low[0], gap.high[0]) == (expected.value, expected.low, expected.high)
    assert not np.nan_to_num(found.differences[0].value).any()  # the first from itself


def test_the_table_and_the_dict_tell_every_run(found):
    told = found.to_dict()
    assert list(told["runs"]) == list(found.names)
    assert told["images"] == 8
    first, second = (told["runs"][name]["mean_iou"] for name in found.names)
    assert first["more_than_first"] is None
    assert second["more_than_first"] == pytest.approx(second["value"] - first["value"])
    assert all(name in str(found) for name in found.names)


@pytest.mark.parametrize(("more", "verdict"), [(0, "undecided"), (40, "better"), (-40, "worse")])
def test_what_an_interval_says(cells, more, verdict):
    draw = np.random.default_rng(0)
    right = draw.integers(50, 60, 12)
    first, second = (
        Counts.of_confusion(np.array([[[50, 0], [100 - r, r]] for r in right + change])) for change in (0, more)
    )
    found = Comparison(("a", "b"), scan(cells), (), (first, second), None, "test")
    assert found.verdict(1, COMPARED.index("pixel_accuracy")) == verdict


def test_what_nobody_has_labelled_does_not_count(tmp_path, pair):
    data = tmp_path / "data"
    for name in ("images", "masks"):
        (data / name).mkdir(parents=True)
    for number in range(6):
        target = np.zeros((48, 48), np.uint8)
        target[4:44, 10 + number : 40] = 255
        Image.fromarray(np.repeat(target[..., None] // 2 + 40, 3, axis=2)).save(data / "images" / f"{number}.png")
        target[:24] = 7
        Image.fromarray(target).save(data / "masks" / f"{number}.png")
    with pytest.raises(DataError, match="hold values that belong to no class"):
        api.compare([run.folder for run, _ in pair], data)
    counts = api.compare([run.folder for run, _ in pair], data, unlabelled=7, out=tmp_path / "out").counts[0]
    assert counts.confusion.sum() == 6 * 24 * 48


def test_runs_of_one_name_are_told_apart(tmp_path, cells):
    runs = [
        train_run(cells, tmp_path / n / "run", generated.tiny_settings(steps=1, validation_passes=1)) for n in "ab"
    ]
    assert compared([(run, load_predictor(run.folder)) for run in runs]).names == ("a/run", "b/run")


def test_one_run_cannot_be_compared(pair):
    with pytest.raises(SettingsError, match=r"1 run cannot be compared.\nFix: name two run folders or more."):
        compared(pair[:1])


def test_runs_of_other_classes_are_told(tmp_path, pair):
    land = generated.write_land(tmp_path / "land")
    run = train_run(land, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    with pytest.raises(
        SettingsError, match=r"(?s)has other classes than .*Fix: compare runs that were trained on the"
    ):
        compared([*pair, (run, load_predictor(run.folder))])


def test_runs_on_other_data_need_a_folder_to_meet_on(tmp_path, pair):
    data = generated.write_cells(tmp_path / "more", seed=9)
    run = train_run(data, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    both = [pair[0], (run, load_predictor(run.folder))]
    with pytest.raises(
        DataError, match=r"(?s)not all of the 2 runs were trained on the data of.*Fix: name a labelled folder"
    ):
        compared(both)
    assert len(compared(both, data).samples) == 8


def test_without_a_common_image_nothing_is_compared(tmp_path, cells):
    settings = [generated.request_from({**generated.TINY, "seed": seed}) for seed in (0, 4)]
    runs = [train_run(cells, tmp_path / str(n), each) for n, each in enumerate(settings)]
    parts = [{line.split(",")[0] for line in r.split_path.read_text().splitlines() if ",test," in line} for r in runs]
    assert not parts[0] & parts[1], "choose other seeds"
    with pytest.raises(
        DataError, match=r"no image is in the test part of all 2 runs.\nFix: train them with the same"
    ):
        compared([(run, load_predictor(run.folder)) for run in runs])


def test_the_command_prints_the_table_and_writes_the_page(tmp_path, pair, capsys):
    folders = [str(run.folder) for run, _ in pair]
    data = generated.write_cells(tmp_path / "more", count=3, seed=9)
    assert main(["compare", *folders, str(data), "--out", str(tmp_path / "out"), "--language", "zh"]) == 0
    printed = capsys.readouterr().out
    assert "3 幅图像（其他数据）" in printed
    assert str(tmp_path / "out" / "compare.html") in printed
    assert "模型比较" in (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")


def test_two_folders_are_two_runs(tmp_path, pair):
    out = tmp_path / "out"
    assert len(api.compare([run.folder for run, _ in pair], split="val", out=out).samples) >= 1
    assert set(generated.contents(out)) == {"compare.html", "compare.json"}
    assert json.loads((out / "compare.json").read_text())["split"] == "val"


def test_a_comparison_that_cannot_be_written_is_told(tmp_path, found):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*compare.json: .*\nFix: free some space"):
        found.save(tmp_path / "file")


TRY = """() => {
  document.querySelector(".view").click();
  return {
    opened: document.querySelector("dialog").open,
    broken: [...document.images].filter(image => !image.complete || image.naturalWidth === 0).length,
    wide: document.documentElement.scrollWidth - innerWidth,
  };
}"""


@pytest.mark.long
@needs_chromium
def test_the_page_works_in_a_browser(tmp_path, found, pair):
    page = write_comparison(found, tmp_path / "compare.html")
    seen = tried(page, TRY, tmp_path, width=500)
    assert seen == {"opened": True, "broken": 0, "wide": 0, "complaints": []}
