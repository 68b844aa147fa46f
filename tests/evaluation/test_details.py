"""What metrics.json holds beyond the first figures: intervals, baselines, curves, outlines, objects, membranes."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

import generated
from generated import save
from perpixel.dataset import Sample, scan
from perpixel.errors import DataError, OutputError, SettingsError
from perpixel.evaluation import ImageScore, details, evaluate_run
from perpixel.evaluation.calibrating import Fitting
from perpixel.evaluation.image_score import ImageAnswer
from perpixel.instances import METHODS
from perpixel.labels.codec import Codec
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts, membrane_scores
from perpixel.prediction.load import load_predictor
from perpixel.store.run_folder import Run
from perpixel.training import train_run


class Oracle:
    """Stands for a predictor: gives the probabilities (K, H, W) that it was made with, by the name of the image."""

    calibration = decision = None

    def __init__(self, labels, answers):
        self.codec = Codec(labels, "uint8", (0.0,) * 3, (1.0,) * 3)
        self._answers = answers

    def probabilities(self, image, name):
        return self._answers[name.rpartition("/")[2]]


def two_discs():
    """Truth with two touching discs, and a prediction that finds one of them and something else."""
    rows, columns = np.indices((64, 96))
    first, second = ((rows - 32) ** 2 + (columns - c) ** 2 < 15**2 for c in (24, 60))
    other = (rows - 12) ** 2 + (columns - 84) ** 2 < 6**2
    return first, second, other


@pytest.fixture
def scored(tmp_path):
    """Write instances, evaluate an oracle on them, and give metrics.json with truth and probabilities."""
    labels = Labels("multiclass", ("background", "object"), (0, 255), ((0, 0, 0), (0, 114, 178)))
    draw, answers, truths = np.random.default_rng(0), {}, []
    for number in range(3):
        first, second, other = two_discs()
        folder = tmp_path / "data"
        save(folder / "images" / f"{number}.png", draw.integers(0, 256, (64, 96, 3), np.uint8))
        save(folder / "masks" / f"{number}.png", ((first | second) * 255).astype(np.uint8))
        save(folder / "instances" / f"{number}.png", (first * 3 + second * 7).astype(np.uint8))
        p = np.where(first | other, 0.8, 0.1).astype(np.float32) + draw.uniform(0, 0.2, (64, 96)).astype(np.float32)
        answers[f"{number}.png"] = np.stack([1 - p, p])
        truths.append(first | second)
    run = Run.create(tmp_path / "run", folder, generated.tiny_settings())
    evaluate_run(run, Oracle(labels, answers), part="all", out=tmp_path / "out")
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())
    return told, np.stack(truths), np.stack([answers[f"{n}.png"][1] for n in range(3)])


def test_areas_under_curves_are_scikit_learns_within_their_stated_error(scored):
    told, truth, p = scored
    curve = told["curves"]["object"]
    exact = metrics.roc_auc_score(truth.ravel(), p.ravel())
    assert abs(curve["auc"] - exact) <= curve["auc_error"] + 1e-12
    low, high = curve["average_precision_bounds"]
    assert low - 1e-9 <= metrics.average_precision_score(truth.ravel(), p.ravel()) <= high + 1e-9


def test_instances_are_counted_by_each_method(scored):
    told, _, _ = scored
    assert told["instances"].keys() == {"images", *METHODS}
    regions = told["instances"]["connected"]
    assert (regions["predicted"], regions["true"], regions["count_error"]) == (6, 6, 0)
    assert regions["average_precision_50"] == 1 / 3  # of two true and two predicted objects, one pair
    assert regions["image_mean_average_precision"] == pytest.approx(1 / 3)
    assert told["instances"]["images"] == 3


def test_calibration_and_outlines_of_a_prediction(scored):
    told, truth, p = scored
    assert told["calibration"]["classes"]["object"]["brier"] == pytest.approx(((p - truth) ** 2).mean(), abs=1 / 4096)
    outline = told["boundary"]["classes"]
    assert 0 < outline["object"]["boundary_iou"] < 1
    assert outline["object"]["hausdorff95"] > 10
    assert outline["background"]["hausdorff95"] is None  # of two classes it mirrors the other
    assert told["boundary"]["images_with_distances"] == 3


def test_baselines_and_image_means_are_those_of_the_masks(scored):
    told, truth, p = scored
    share = truth.mean()
    assert told["baselines"]["background"]["dataset"]["pixel_accuracy"] == pytest.approx(1 - share)
    said = p > 0.5
    each = [metrics.f1_score(t.ravel(), s.ravel()) for t, s in zip(truth, said, strict=True)]
    assert told["image_means"]["classes"]["object"]["dice"] == pytest.approx(np.mean(each))
    assert told["confusion"] == metrics.confusion_matrix(truth.ravel(), said.ravel()).tolist()
    assert told["classes"]["object"]["specificity"] == pytest.approx(
        metrics.recall_score(~truth.ravel(), ~said.ravel())
    )


def test_intervals_hold_the_figure_and_count_their_units(tmp_path, cells_run):
    evaluation = evaluate_run(cells_run, load_predictor(cells_run.folder), part="all", out=tmp_path)
    told = evaluation.to_dict()
    assert (told["intervals"]["over"], told["intervals"]["units"]) == ("images", 8)
    for score, (low, high) in told["intervals"]["dataset"].items():
        assert low <= told["dataset"][score] <= high
    assert "–" in str(evaluation).splitlines()[1]


def test_of_one_image_there_is_no_interval(tmp_path, cells_run):
    one = evaluate_run(
        cells_run, load_predictor(cells_run.folder), generated.write_cells(tmp_path / "one", count=2), out=tmp_path
    )
    single = type(one)(one.part, one.labels, one.images[:1])
    assert set(single.to_dict()["intervals"]["dataset"].values()) == {None}


def test_groups_are_drawn_whole(tmp_path, cells_run):
    data = generated.write_cells(tmp_path / "data", count=8)
    for folder in ("images", "masks"):
        for number in range(8):
            (data / folder / f"cell_{number}.png").rename(data / folder / f"tile{number // 2}_part_{number}.png")
    evaluation = evaluate_run(cells_run, load_predictor(cells_run.folder), data, out=tmp_path / "out")
    told = evaluation.to_dict()["intervals"]
    assert (told["over"], told["units"]) == ("groups", len(set(evaluation.groups)))
    assert told["units"] < 8


def test_thresholds_are_chosen_on_validation_and_judged_elsewhere(tmp_path, cells_run):
    predictor = load_predictor(cells_run.folder)
    test = evaluate_run(cells_run, predictor, part="test", out=tmp_path / "test").to_dict()
    val = evaluate_run(cells_run, predictor, part="val", out=tmp_path / "val").to_dict()
    assert test["curves"]["foreground"]["threshold"] == val["curves"]["foreground"]["threshold"]
    assert test["curves"]["foreground"]["at_threshold"]["iou"] is not None
    assert val["curves"]["foreground"]["at_threshold"] is None
    assert test["calibration"]["temperature"] == val["calibration"]["temperature"] > 0


def test_membranes_are_scored_where_they_are_asked_for(tmp_path, cells_run):
    predictor = load_predictor(cells_run.folder)
    without = evaluate_run(cells_run, predictor, out=tmp_path)
    assert without.to_dict()["membranes"] is None
    assert "V_" not in str(without)
    scored = evaluate_run(cells_run, predictor, out=tmp_path, inside="foreground")
    told = scored.to_dict()["membranes"]
    for name in ("v_rand", "v_info"):
        assert 0 <= told[name]["value"] <= 1
        assert re.search(rf"  {name.replace('v', 'V')} +{told[name]['value']:.4f}  ", str(scored))


def test_an_image_without_an_inside_leaves_the_others_their_scores():
    inside = np.kron(np.eye(2, dtype=np.uint8), np.ones((4, 4), np.uint8))
    scores = [membrane_scores(inside.astype(np.float32), truth) for truth in (inside, np.zeros_like(inside))]
    images = [ImageScore(Sample("a", Path("a.png")), Counts.zero(2, "multiclass"), membranes=each) for each in scores]
    assert details.membranes(images, None)["v_rand"]["value"] == 1
    assert details.membranes(images[1:], None)["v_rand"]["value"] is None


def test_a_class_that_cannot_be_inside_is_told(tmp_path, cells_run):
    with pytest.raises(
        SettingsError, match=r"there is no class foregrund to be inside.\nFix: did you mean foreground"
    ):
        evaluate_run(cells_run, load_predictor(cells_run.folder), out=tmp_path, inside="foregrund")


def test_membranes_of_three_classes_are_refused(tmp_path):
    data = generated.write_land(tmp_path / "land")
    run = train_run(data, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    name = scan(data).labels.names[1]
    with pytest.raises(SettingsError, match=r"V_rand and V_info need two multiclass classes; there are 3 multiclass"):
        evaluate_run(run, load_predictor(run.folder), inside=name)


def test_an_unwritable_folder_is_told_before_the_work(tmp_path, cells_run):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file/out: Not a directory.\nFix: free some space"):
        evaluate_run(cells_run, None, out=tmp_path / "file" / "out")


def answer(probabilities, prediction, target):
    return ImageAnswer(Sample("a", Path("a.png")), generated.binary_labels(), probabilities, prediction, target)


def test_probabilities_that_are_no_numbers_are_told():
    some = np.zeros((4, 4), np.uint8)
    with pytest.raises(DataError, match=r"The model gives NaN instead of probabilities for a.png.\nFix: train again"):
        answer(np.full((2, 4, 4), np.nan, np.float32), some, some)


def test_predictions_of_another_size_are_told():
    some = np.zeros((4, 4), np.uint8)
    with pytest.raises(DataError, match=r"The prediction of a.png is 4 × 4 and its truth 5 × 4.\nFix: save the mask"):
        answer(np.zeros((2, 4, 4), np.float32), some, np.zeros((5, 4), np.uint8))


def test_a_temperature_of_one_changes_nothing_and_a_higher_one_doubts_more():
    p = np.random.default_rng(0).dirichlet((1, 1, 1), (8, 8)).transpose(2, 0, 1).astype(np.float32)
    np.testing.assert_allclose(generated.exclusive_labels().tempered(p, 1.0), p, atol=1e-5)
    several = Labels("multilabel", ("a", "b", "c"), (255,) * 3, ((0, 0, 0),) * 3, encoding="files")
    np.testing.assert_allclose(several.tempered(p, 1.0), p, atol=1e-5)
    softer = generated.exclusive_labels().tempered(p, 3.0)
    np.testing.assert_allclose(softer.sum(0), 1, atol=1e-6)
    assert (softer.max(0) <= p.max(0) + 1e-6).all()
    assert (softer.argmax(0) == p.argmax(0)).all()


def test_nothing_is_chosen_without_a_validation_image():
    assert Fitting(generated.exclusive_labels()).fitted() is None
