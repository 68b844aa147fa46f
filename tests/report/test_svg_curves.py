import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from perpixel.metrics import threshold_curves
from perpixel.report.svg_curves import (
    class_curves,
    image_curves,
    line_colour,
    roc_curves,
    threshold_figure,
    training_curves,
)
from perpixel.report.texts import texts

pytestmark = pytest.mark.usefixtures("curves")

ROW = {"step": 1, "train_loss": 2.0, "validation_loss": 1.0, "train_mean_iou": 0.1, "validation_mean_iou": math.nan}
ROW |= {"learning_rate": 1e-3, "images_per_second": 10.0}


def curves():
    p = np.random.default_rng(0).random((1, 40, 40)).astype(np.float32)
    return threshold_curves(np.concatenate([1 - p, p]), (p[0] > 0.5).astype(np.uint8))


@pytest.fixture(params=["en", "zh"])
def words(request):
    return texts(request.param)


def drawings(svgs):
    return [ET.fromstring("<svg" + part) for part in svgs.split("<svg")[1:]]


def test_every_panel_is_an_image_with_a_name_in_the_words_of_the_language(words):
    panels = {
        "training": (training_curves([ROW, {**ROW, "step": 2}], [], words), 4, "axis_loss"),
        "thresholds": (threshold_figure(curves(), np.array([0.5, 0.5]), {1: (0, 0, 0)}, words), 4, "axis_precision"),
        "images": (image_curves({"test": np.array([0.5, np.nan, 1])}, words), 2, "axis_mean_iou"),
        "classes": (class_curves({"a $b$ <c>": (np.array([0.5, np.nan, 1]), (0, 0, 0))}, words), 1, "axis_order"),
        "roc": (roc_curves({"a": (np.full((2, 11), 0.5), np.ones(11), (0, 0, 0))}, words), 1, "axis_pooled"),
    }
    for svgs, number, key in panels.values():
        found = drawings(svgs)
        assert len(found) == number
        assert all(each.get("role") == "img" and each.get("aria-label") for each in found)
        assert f">{words[key]}</text>" in svgs
        assert "axis_" not in svgs
        assert "currentColor" in svgs


def test_the_mean_of_a_class_is_over_the_images_in_which_it_is_defined(words):
    drawn = class_curves({"field $1$": (np.array([0.5, np.nan, 1]), (0, 0, 0))}, words)
    assert f">{words['axis_mean']} 0.750</text>" in drawn
    assert f">{words['axis_iou']} field $1$</text>" in drawn


def test_an_image_that_lacks_a_class_has_no_roc_curve(words):
    rates = np.stack([np.linspace(0, 1, 11), np.full(11, np.nan)])
    with_both = roc_curves({"a": (rates, np.ones(11), (0, 0, 0))}, words)
    assert with_both.count("#8f959c") == 1


def test_the_terms_of_the_loss_are_drawn_for_every_epoch(words):
    terms = {"train_loss_bce": 0.2, "train_loss_focal_tversky": 0.3}
    row = {**ROW, **terms, "validation_loss_bce": 0.4, "validation_loss_focal_tversky": 0.1}
    epochs = [{**row, "step": step} for step in range(1, 9)]
    loss, *_ = drawings(training_curves([row], epochs, words))
    labels = [each.text for each in loss.iter("{http://www.w3.org/2000/svg}text")]
    named = [
        f"{words[part]} {term}"
        for term in (words["term_bce"], words["term_focal_tversky"])
        for part in ("axis_train", "axis_validation")
    ]
    assert set(named) <= set(labels)
    svg = training_curves([row], epochs, words)
    assert svg.count("<use ") > training_curves([row], [], words).count("<use ")  # a dot for every epoch


def test_small_rates_leave_room_for_the_name_of_their_axis(words):
    rates = [{**ROW, "step": step, "learning_rate": 1e-4 - step * 1e-6} for step in range(9)]
    rate = drawings(training_curves(rates, [], words))[2]
    ticks = [each.text for each in rate.iter("{http://www.w3.org/2000/svg}text")]
    assert max(len(each) for each in ticks if each not in words.values()) <= 6


def test_curves_of_many_thresholds_stay_small(words):
    assert len(threshold_figure(curves(), None, {0: (0, 0, 0), 1: (9, 9, 9)}, words)) < 150_000


def test_a_thousand_images_stay_small(words):
    assert len(image_curves({"test": np.random.default_rng(0).random(1000)}, words)) < 150_000


def test_nothing_defined_draws_empty_axes(words):
    assert len(drawings(image_curves({"test": np.full(3, np.nan)}, words))) == 2


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (255, 255, 0), (0, 0, 128)])
def test_lines_are_seen_on_white_and_on_black(colour):
    text = line_colour(colour)
    rgb = [int(text[place : place + 2], 16) for place in (1, 3, 5)]
    assert max(rgb) >= 0x66
    assert min(rgb) <= 0x99
