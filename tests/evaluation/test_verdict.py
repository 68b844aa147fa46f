"""What an evaluation concludes, and that it looks at everything once."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import generated
import perpixel
from generated import binary_labels, exclusive_labels
from perpixel.cli import main
from perpixel.dataset import Sample, scan
from perpixel.evaluation import Comparison, Evaluation, ImageScore, scoring
from perpixel.evaluation.gallery import Lowest, PredictedSample, ranking_score
from perpixel.metrics import Counts
from perpixel.prediction.arrays import ArrayPredictor
from perpixel.report import run_page
from perpixel.results import MAX_PICTURES


def evaluation_of(*tables, groups=None):
    images = [
        ImageScore(Sample(f"{n}", Path(f"{n}.png")), Counts.of_confusion(np.array(t))) for n, t in enumerate(tables)
    ]
    return Evaluation("test", binary_labels(), tuple(images), groups=groups)


GOOD = [[50, 2], [3, 45]]
BLIND = [[50, 0], [50, 0]]


@pytest.mark.parametrize("number", [1, 5])
def test_few_images_carry_no_verdict(number):
    found = evaluation_of(*[GOOD] * number)
    assert "too few for a verdict: at least 6 are needed." in found.verdict
    assert found.to_dict()["warning"] == found.verdict
    assert found.verdict in str(found)


def test_groups_count_and_not_their_images():
    found = evaluation_of(*[GOOD] * 12, groups=tuple("aabbccddeeee"))
    assert found.warning == "Only 5 independent images were scored, too few for a verdict: at least 6 are needed."


def test_a_verdict_names_the_baseline_and_the_weakest_class():
    found = evaluation_of(*[GOOD, [[40, 12], [3, 45]]] * 4)
    assert found.verdict.startswith(
        "The model is clearly better than a baseline that ignores the image, mean IoU 0.8"
    )
    weakest = min(found.classes, key=lambda name: found.classes[name].iou)
    assert found.verdict.endswith(f"its weakest class is {weakest} (IoU {found.classes[weakest].iou:.3f}).")
    assert found.warning is None
    assert evaluation_of(*[BLIND] * 8).verdict.startswith("The model is not clearly better than a baseline")


def test_the_worst_images_are_named():
    found = evaluation_of(GOOD, BLIND, GOOD, [[40, 12], [3, 45]])
    assert [name for name, _ in found.worst()] == ["1", "3", "0"]
    assert "lowest mean IoU:\n  0.250  1\n" in str(found)


@pytest.mark.parametrize(("images", "verdict"), [(5, "undecided"), (6, "better")])
def test_a_comparison_of_few_images_decides_nothing(cells, images, verdict):
    first, second = (Counts.of_confusion(np.array([table] * images)) for table in (BLIND, GOOD))
    found = Comparison(("a", "b"), scan(cells), (), (first, second), None, "test")
    assert found.verdict(1, 0) == verdict
    assert found.to_dict()["runs"]["b"]["mean_iou"]["verdict"] == verdict
    assert (found.to_dict()["warning"] is None) == (images == 6)
    assert ("too few for a verdict" in str(found)) == (images == 5)


def test_the_pages_warn_as_the_terminal_does(tmp_path, cells_run, cells):
    data = generated.write_cells(tmp_path / "two", count=2, seed=9)
    evaluation = perpixel.evaluate(cells_run, data, out=tmp_path / "out")
    comparison = perpixel.compare([cells_run, cells_run], data, out=tmp_path / "out", language="zh")
    assert "Only 2 independent images were scored" in evaluation.page.read_text(encoding="utf-8")
    assert "只评估了 2 幅独立图像" in comparison.page.read_text(encoding="utf-8")
    assert json.loads((tmp_path / "out" / "compare.json").read_text(encoding="utf-8"))["warning"]


@pytest.mark.parametrize("is_other", [True, False], ids=["another folder", "its own data"])
def test_a_folder_is_scanned_once_and_an_image_predicted_once(tmp_path, monkeypatch, cells, cells_run, is_other):
    data = generated.write_cells(tmp_path / "data", count=7, seed=3)
    scanned, predicted = Counter(), Counter()
    answers = ArrayPredictor.answers

    def counting_scan(path, *more, **named):
        scanned[Path(path)] += 1
        return scan(path, *more, **named)

    def counting_answers(self, source, name):
        predicted[name] += 1
        return answers(self, source, name)

    for module in (scoring, run_page):
        monkeypatch.setattr(module, "scan", counting_scan)
    monkeypatch.setattr("perpixel.evaluation.gallery.scan", counting_scan)
    monkeypatch.setattr(ArrayPredictor, "answers", counting_answers)
    found = perpixel.evaluate(cells_run, data if is_other else None, split="all", out=tmp_path / "out")
    assert found.page.read_text(encoding="utf-8").count("<figure") > 4
    assert set(scanned.values()) == {1}
    assert (data in scanned) == is_other
    assert set(predicted.values()) == {1}
    assert len(predicted) == len(found.images) == (7 if is_other else 8)


def test_the_lowest_are_kept_and_the_others_forgotten():
    draw = np.random.default_rng(0)
    scores = draw.permutation(30) / 30
    lowest = Lowest()
    for score in scores:
        lowest.add(PredictedSample(Sample(str(score), Path("a.png")), None), float(score))
        assert len(lowest.kept) <= MAX_PICTURES
    assert [each.score for each in lowest.kept] == sorted(scores)[:MAX_PICTURES]


@pytest.mark.parametrize(
    ("table", "score"), [([[50, 2], [3, 45]], 0.9), ([[50, 2], [0, 0]], float("nan")), ([[50, 0], [50, 0]], 0.0)]
)
def test_images_are_ranked_by_the_one_class_where_their_truth_has_it(table, score):
    assert ranking_score(Counts.of_confusion(np.array(table)), binary_labels()) == pytest.approx(score, nan_ok=True)


def test_images_are_ranked_by_the_mean_iou_of_several_classes():
    counts = Counts.of_confusion(np.array([[5, 1, 0], [0, 5, 0], [0, 0, 0]]))
    assert ranking_score(counts, exclusive_labels()) == pytest.approx(float(counts.mean_iou))


def test_the_command_says_what_to_do_next(tmp_path, cells_run, capsys):
    assert main(["evaluate", str(cells_run.folder), "--split", "all", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2] == f"report: {tmp_path / 'report.html'}"
    assert printed[-1] == f"Next: perpixel predict {cells_run.folder} IMAGES --out MASKS"
