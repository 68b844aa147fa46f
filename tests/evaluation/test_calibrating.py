"""What is fitted on validation images is stored, and used by `predict` and `evaluate` alike."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import generated
from perpixel import api
from perpixel.evaluation import evaluate_run
from perpixel.evaluation.calibrating import Fitting
from perpixel.labels.decision import Calibration
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.store.model_file import load_model, set_calibration
from perpixel.store.run_folder import Run


def blurred(seed, shift):
    """A disc and probabilities of it that are too low by a shift in logits."""
    draw = np.random.default_rng(seed)
    target = generated.disc(40, 40, draw).astype(np.uint8)
    logits = 4 * (target - 0.5) + draw.normal(0, 1, target.shape) - shift
    p = 1 / (1 + np.exp(-logits))
    return np.stack([1 - p, p]).astype(np.float32), target


def fitted(shift, images=6):
    fitting = Fitting(generated.binary_labels())
    for seed in range(images):
        fitting.add(*blurred(seed, shift))
    return fitting.fitted()


def test_thresholds_undo_a_shift_and_are_then_better_on_the_images_that_did_not_choose():
    calibration = fitted(shift=2.5)
    assert calibration.is_better
    assert calibration.thresholds[1] == pytest.approx(1 / (1 + np.exp(2.5)), abs=0.03)
    assert sum(calibration.thresholds) == pytest.approx(1)
    assert calibration.images == 6


def test_one_image_cannot_say_what_is_better():
    assert fitted(shift=2.5, images=1).calibrated_iou is None
    assert not fitted(shift=2.5, images=1).is_better


@pytest.fixture
def own_run(tmp_path, cells_run):
    """A copy of the run whose stored calibration takes nearly everything for a cell."""
    folder = shutil.copytree(cells_run.folder, tmp_path / "run")
    greedy = Calibration(2.0, (0.95, 0.05), 2, plain_iou=0.1, calibrated_iou=0.2)
    set_calibration(folder / "model.safetensors", greedy)
    return Run.open(folder)


def test_a_training_stores_what_was_fitted(cells, tmp_path):
    run = api.train(cells, tmp_path / "run", settings=generated.TINY)
    _, card = load_model(run.model_path)
    assert card.calibration.images == 2
    assert len(card.calibration.thresholds) == 2
    assert load_predictor(run.folder).calibration == card.calibration


@pytest.mark.parametrize("threshold", [None, "calibrated", "argmax", 0.3])
def test_evaluate_scores_the_masks_that_predict_writes(tmp_path, own_run, threshold):
    predictor = load_predictor(own_run.folder, PredictOptions(threshold=threshold))
    told = evaluate_run(own_run, predictor, part="all", out=tmp_path / "scores").to_dict()
    api.predict(own_run, own_run.data / "images", tmp_path / "out", threshold=threshold)
    cells = 0
    for path in sorted((tmp_path / "out").glob("*.png")):
        cells += int((np.asarray(Image.open(path)) == 255).sum())
    confusion = np.array(told["confusion"])
    assert confusion[:, 1].sum() == cells
    assert told["decision"]["threshold"] == {None: "calibrated", 0.3: "0.3"}.get(threshold, threshold)
    assert json.loads((tmp_path / "scores" / "metrics.json").read_text())["decision"] == told["decision"]


def test_the_terminal_and_the_probabilities_follow_the_decision(tmp_path, own_run):
    predictor = load_predictor(own_run.folder)
    p = np.array([[[0.9]], [[0.1]]], np.float32)
    assert predictor.calibrated(p)[0, 0, 0] == pytest.approx(0.75)
    assert load_predictor(own_run.folder, PredictOptions(threshold="argmax")).calibrated(p) is p
    assert "decided by      calibrated (better on 2 validation images" in str(
        evaluate_run(own_run, predictor, out=tmp_path)
    )
