"""How probabilities become classes: the three ways, both codecs alike, and what is refused."""

import numpy as np
import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.labels.codec import Codec
from perpixel.labels.decision import Calibration, decide, decoded, mean_calibration
from perpixel.labels.labels import Labels

TWO = Labels("multiclass", ("cell", "background"), (255, 0), ((0, 0, 0),) * 2)
THREE = Labels("multiclass", ("background", "a", "b"), (0, 1, 2), ((0, 0, 0),) * 3)
SEVERAL = Labels("multilabel", ("a", "b"), (255,) * 2, ((0, 0, 0),) * 2, encoding="files")
BETTER = Calibration(2.0, (0.25, 0.75), 8, plain_iou=0.7, calibrated_iou=0.8)


def probabilities(labels, seed=0):
    logits = np.random.default_rng(seed).normal(0, 2, (len(labels), 5, 6)).astype(np.float32)
    return labels.probabilities(logits)


def test_without_a_wish_it_is_what_was_better_on_validation():
    assert decide(TWO, None, BETTER).thresholds == (0.25, 0.75)
    assert decide(TWO, None, BETTER).reason.startswith("better on 8 validation images: 0.8000 mean IoU calibrated")
    worse = Calibration(2.0, (0.25, 0.75), 8, plain_iou=0.8, calibrated_iou=0.8)
    assert (decide(TWO, None, worse).name, decide(TWO, None, worse).thresholds) == ("argmax", ())
    assert decide(SEVERAL, None, None).name == "0.5"
    assert decide(TWO, "argmax", BETTER).thresholds == ()
    assert decide(TWO, "calibrated", worse).thresholds == (0.25, 0.75)


def test_a_number_is_the_probability_of_the_foreground():
    p = probabilities(TWO)
    decision = decide(TWO, 0.3, None)
    np.testing.assert_array_equal(decoded(TWO, p, decision.thresholds) == 0, p[0] >= np.float32(0.3))
    np.testing.assert_array_equal(decoded(SEVERAL, p, decide(SEVERAL, 0.3, None).thresholds), p >= np.float32(0.3))


def test_of_more_classes_the_largest_multiple_of_its_threshold_wins():
    p, thresholds = probabilities(THREE), (0.6, 0.1, 0.4)
    expected = (p / np.array(thresholds, np.float32)[:, None, None]).argmax(0)
    np.testing.assert_array_equal(decoded(THREE, p, thresholds), expected)
    np.testing.assert_array_equal(decoded(THREE, p, ()), p.argmax(0))


@pytest.mark.parametrize(
    ("labels", "thresholds"),
    [(TWO, ()), (TWO, (0.25, 0.75)), (THREE, ()), (THREE, (0.6, 0.1, 0.4)), (SEVERAL, ()), (SEVERAL, (0.2, 0.9))],
)
def test_tensors_are_decided_as_arrays_are(labels, thresholds):
    codec, p = Codec(labels, "uint8", (0.0,), (1.0,), thresholds), probabilities(labels)
    np.testing.assert_array_equal(codec.decode(torch.from_numpy(p)[None])[0].numpy(), codec.decode_array(p))
    logits = torch.from_numpy(labels.logits(p))[None]
    np.testing.assert_array_equal(codec.answer(logits)[0].numpy(), codec.decode_array(p))


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (TWO, "calibrated", r"the model has no calibration.*\nFix: give a number"),
        (SEVERAL, "argmax", r"argmax takes one class per pixel.*\nFix: give a number"),
        (THREE, 0.3, r"one threshold cannot choose among 3 classes.*\nFix: give calibrated or argmax"),
        (TWO, 1.5, r"the threshold 1.5 is not in 0..1.\nFix: give calibrated"),
        (TWO, "calibrate", r"the threshold 'calibrate' is not in 0..1"),
    ],
)
def test_what_cannot_decide_is_refused(labels, asked, message):
    with pytest.raises(SettingsError, match=message):
        decide(labels, asked, None)


def test_networks_that_are_averaged_have_the_mean_of_their_calibrations():
    other = Calibration(8.0, (0.75, 0.25), 4, plain_iou=0.9, calibrated_iou=0.6)
    mean = mean_calibration([BETTER, other])
    assert (mean.temperature, mean.thresholds, mean.images) == (pytest.approx(4), (0.5, 0.5), 12)
    assert not mean.is_better
    assert mean_calibration([BETTER, None]) is None
