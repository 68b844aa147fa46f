"""A bundle decides as its run does: temperature in the graph, thresholds in the card, on every target."""

import shutil
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

import perpixel
from generated import (
    TINY,
    binary_labels,
    exclusive_labels,
    overlapping_labels,
    write_cells,
    write_land,
    write_overlapping,
)
from perpixel.errors import RunError, SettingsError
from perpixel.exporting.output import TIE, GraphOutput, balanced
from perpixel.labels.decision import Calibration, decoded, thresholds_at
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.settings.tree import request_from
from perpixel.store.bundle import Bundle
from perpixel.store.model_file import set_calibration
from perpixel.training import train_run

pytestmark = pytest.mark.long

WRITERS = {"cells": write_cells, "land": write_land, "shapes": write_overlapping}
FITTED = {
    "cells": Calibration(1.7, (0.6, 0.4), 2, 0.5, 0.6),
    "land": Calibration(0.8, (0.4, 0.2, 0.3), 2, 0.5, 0.6),
    "shapes": Calibration(2.5, (0.55, 0.35), 2, 0.5, 0.6),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run of two classes, of three, and of overlapping ones, whose calibration is better on validation images."""
    made = {}
    for name, write in WRITERS.items():
        folder = tmp_path_factory.mktemp("calibrated")
        run = train_run(write(folder / "data"), folder / name, request_from(TINY))
        set_calibration(run.model_path, FITTED[name])
        made[name] = run
    return made


@pytest.fixture(scope="module")
def bundles(runs, tmp_path_factory):
    """Read only."""
    folder = tmp_path_factory.mktemp("bundles")
    return {name: perpixel.export(run, folder / name).path for name, run in runs.items()}


def picture(seed=0, size=(70, 61)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


THRESHOLDS = (None, "calibrated", "argmax", 0.35)
REFUSED = (("land", 0.35), ("shapes", "argmax"))
QUICK_TO_DECIDE = (
    *REFUSED,
    ("cells", None),
    ("land", "calibrated"),
    ("shapes", None),
    ("land", "argmax"),
    ("cells", 0.35),
)
SLOW_TO_DECIDE = [each for each in product(WRITERS, THRESHOLDS) if each not in QUICK_TO_DECIDE]


@pytest.mark.parametrize(
    ("name", "threshold"),
    [*QUICK_TO_DECIDE, *(pytest.param(*each, marks=pytest.mark.slow) for each in SLOW_TO_DECIDE)],
)
def test_the_bundle_decides_as_the_run(runs, bundles, name, threshold):
    options = PredictOptions(threshold=threshold, tta="flips", tile_px=32, overlap_px=16, whole_px=1, device="cpu")
    if (name, threshold) in REFUSED:
        for model in (runs[name].folder, bundles[name]):
            with pytest.raises(SettingsError, match=r"one threshold cannot choose|argmax takes one class"):
                load_predictor(model, options)
        return
    ours = load_predictor(runs[name].folder, replace(options, precision="32"))
    theirs = load_predictor(bundles[name], options)
    assert (theirs.decision, theirs.calibration) == (ours.decision, ours.calibration)
    expected, found = ours.probabilities(picture()), theirs.probabilities(picture())
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(theirs.calibrated(found), ours.calibrated(expected), rtol=0, atol=1e-4)
    decided, wanted = theirs.target(picture()), ours.target(picture())
    ties = GraphOutput(ours.codec.labels, ours.codec.thresholds).is_tie(expected, decided)
    assert not ((decided != wanted) & ~ties).any()
    assert (decided != wanted).mean() < 1e-3


@pytest.mark.parametrize("name", WRITERS)
def test_the_graph_gives_what_the_run_writes_and_the_card_decides_alike(runs, bundles, name):
    onnxruntime = pytest.importorskip("onnxruntime")
    run, card = (
        load_predictor(runs[name].folder, PredictOptions(tta="none", precision="32")),
        Bundle.open(bundles[name]).card,
    )
    assert card.temperature == FITTED[name].temperature
    assert card.calibration == FITTED[name]
    session = onnxruntime.InferenceSession(bundles[name] / "model.onnx")
    probabilities, untempered = session.run(None, {"image": picture().transpose(2, 0, 1)[None]})
    expected = run.probabilities(picture())
    np.testing.assert_allclose(untempered[0], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(probabilities[0], run.calibrated(expected), rtol=0, atol=1e-4)
    found = decoded(card.codec.labels, probabilities[0], card.thresholds)
    assert (found != run.predict(picture())).mean() < 1e-3
    assert (found != decoded(card.codec.labels, probabilities[0], ())).any(), "the thresholds matter here"


OTHERS = ("openvino", "torchscript", "deepness", "bioimageio", "huggingface", "web")
QUICK = list(zip(OTHERS, 2 * tuple(WRITERS), strict=True))
ALL = [(target, name) for target in OTHERS for name in WRITERS if (target, name) not in QUICK]


@pytest.mark.parametrize(("target", "name"), [*QUICK, *(pytest.param(*each, marks=pytest.mark.slow) for each in ALL)])
def test_every_target_decides_as_the_run(runs, tmp_path, target, name):
    exported = perpixel.export(runs[name], tmp_path / "out", target=target)
    assert all(each.holds for each in exported.parities)
    assert f"{target}, " in str(exported)
    assert target in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    card = Bundle.open(exported.path).card
    assert card.target == target
    assert bool(card.thresholds) == (target != "deepness")
    assert (card.temperature == 1) == (target in ("deepness", "web"))


def test_a_run_that_takes_the_most_probable_class_is_exported_without_a_temperature(runs, tmp_path):
    copy = shutil.copytree(runs["cells"].folder, tmp_path / "run")
    set_calibration(copy / "model.safetensors", replace(FITTED["cells"], calibrated_iou=0.4))
    card = Bundle.open(perpixel.export(copy, tmp_path / "out").path).card
    assert (card.temperature, card.thresholds) == (1.0, ())
    assert card.calibration.temperature == FITTED["cells"].temperature, "--threshold calibrated needs it"


def test_a_bundle_for_another_program_says_that_it_is_none_for_prediction(runs, tmp_path):
    path = perpixel.export(runs["cells"], tmp_path / "out", target="deepness").path
    with pytest.raises(RunError, match="exported for deepness, which perpixel does not predict with"):
        perpixel.load(path)


@pytest.mark.parametrize("labels", [binary_labels(), exclusive_labels(), overlapping_labels()])
def test_shifted_probabilities_and_thresholds_decide_alike(labels):
    draw = np.random.default_rng(0)
    shares = draw.dirichlet(np.ones(len(labels)), (50, 50)).transpose(2, 0, 1).astype(np.float32)
    thresholds = tuple(draw.dirichlet(np.ones(len(labels))).tolist())
    expected = decoded(labels, shares, thresholds)
    np.testing.assert_array_equal(decoded(labels, balanced(labels, shares, thresholds), ()), expected)
    for temperature in (0.5, 3.0):
        moved = thresholds_at(labels, thresholds, temperature)
        found = decoded(labels, labels.tempered(shares, temperature), moved)
        assert (found != expected).mean() <= 4e-4


def test_ties_are_told_from_differences():
    output = GraphOutput(exclusive_labels())
    shares = np.array([[[0.5, 0.5, 0.1]], [[0.5 - TIE / 2, 0.4, 0.8]], [[0, 0.1, 0.1]]], np.float32)
    assert output.is_tie(shares, np.array([[1, 1, 1]], np.uint8)).tolist() == [[True, False, True]]
    output = GraphOutput(overlapping_labels(), (0.3, 0.6))
    shares = np.array([[[0.3 + TIE / 2, 0.5]], [[0.6, 0.5]]], np.float32)
    assert output.is_tie(shares, np.zeros((2, 1, 2), np.uint8)).tolist() == [[[True, False]], [[True, False]]]


def test_a_stride_that_does_not_divide_the_tile_is_exported(bundles):
    card = Bundle.open(bundles["cells"]).card
    assert replace(card, align_px=64).tile_px % 64, "1504 pixels at half the resolution are no multiple of 64"
