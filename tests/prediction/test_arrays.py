"""The predictor in memory: whole and tiled agree, views are undone, labels of both kinds, what is refused."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from perpixel.errors import DataError, SettingsError
from perpixel.prediction import PredictOptions, Predictor
from perpixel.shapes import IGNORED
from prediction.networks import LooksAround, ReadsPixels, codec_for, image_of

TILED = PredictOptions(tile_px=96, overlap_px=32, whole_px=1)


@pytest.mark.parametrize("size", [(95, 97), (96, 96), (200, 131), (1, 230), (257, 3)])
@pytest.mark.parametrize("batch_tiles", [1, 3])
def test_tiled_equals_whole(size, batch_tiles):
    options = PredictOptions(tile_px=96, overlap_px=32, whole_px=1, batch_tiles=batch_tiles)
    tiled = Predictor(LooksAround(), codec_for(), options=options).probabilities(image_of(*size))
    whole = Predictor(LooksAround(), codec_for()).probabilities(image_of(*size))
    assert tiled.dtype == np.float32
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("tta", ["flips", "d4"])
@pytest.mark.parametrize("average", ["logits", "probabilities"])
def test_views_are_undone_where_the_network_does_not_care(tta, average):
    image = image_of(130, 101)
    options = PredictOptions(tile_px=64, overlap_px=16, whole_px=1, tta=tta, average=average)
    turned = Predictor(ReadsPixels(), codec_for(), options=options).probabilities(image)
    plain = Predictor(ReadsPixels(), codec_for()).probabilities(image)
    np.testing.assert_allclose(turned, plain, rtol=0, atol=1e-5)


@pytest.mark.parametrize("turns", range(4))
def test_eight_views_give_a_turned_image_a_turned_answer(turns):
    predictor = Predictor(LooksAround(), codec_for(), options=PredictOptions(tta="d4"))
    image = image_of(64, 48)
    expected = np.rot90(predictor.probabilities(image), turns, (1, 2))
    np.testing.assert_allclose(predictor.probabilities(np.rot90(image, turns).copy()), expected, rtol=0, atol=1e-5)


def test_an_ensemble_is_the_mean_of_its_networks():
    class Constant(nn.Module):
        def __init__(self, first):
            super().__init__()
            self.first = first

        def forward(self, image):
            logits = torch.zeros(len(image), 3, *image.shape[-2:])
            logits[:, 0] = self.first
            return logits

    image, networks = image_of(5, 6), [Constant(0.0), Constant(np.log(4.0))]
    probabilities = Predictor(networks, codec_for()).probabilities(image)
    np.testing.assert_allclose(probabilities[0], (1 / 3 + 4 / 6) / 2, rtol=1e-5)
    on_logits = Predictor(networks, codec_for(), options=PredictOptions(average="logits")).probabilities(image)
    np.testing.assert_allclose(on_logits[0], 2 / 4, rtol=1e-5)


def test_exclusive_labels_take_the_most_probable_class_and_its_value():
    image, predictor = image_of(70, 33), Predictor(ReadsPixels(), codec_for())
    target = predictor.target(image)
    np.testing.assert_array_equal(target, image.argmax(2))
    assert target.dtype == np.uint8
    np.testing.assert_array_equal(predictor.mask(image), np.array([0, 7, 9])[target])


def test_overlapping_labels_take_their_thresholds():
    image = image_of(40, 37)
    predictor = Predictor(ReadsPixels(), codec_for("multilabel", thresholds=(0.5, 0.5, 0.9)), options=TILED)
    target = predictor.target(image)
    np.testing.assert_array_equal(target[:2], np.moveaxis(image[..., :2] >= 100, 2, 0))
    limit = 100 + 50 * np.log(9) / 5
    np.testing.assert_array_equal(target[2], image[..., 2] >= limit)


def test_half_resolution_agrees_between_tiles_and_whole():
    half = {"scale": 0.5, "overlap_px": 32}
    tiled = PredictOptions(tile_px=96, whole_px=1, **half)
    image = image_of(301, 277)
    whole = Predictor(LooksAround(), codec_for(), options=PredictOptions(**half)).probabilities(image)
    np.testing.assert_allclose(
        Predictor(LooksAround(), codec_for(), options=tiled).probabilities(image), whole, rtol=0, atol=1e-5
    )


def test_half_resolution_keeps_a_coarse_pattern_in_place():
    image = np.full((64, 64, 3), 50, np.uint8)
    image[16:48, 8:40, 1] = 150
    predictor = Predictor(ReadsPixels(), codec_for("multilabel"), options=PredictOptions(scale=0.5))
    np.testing.assert_array_equal(predictor.target(image), np.moveaxis(image > 100, 2, 0))


def test_pixels_that_are_not_a_number_are_ignored_and_do_not_spread():
    image = np.full((40, 40, 2), 120, np.float32)
    image[10:12, 10:12] = np.nan
    image[30, 30, 0] = np.nan  # the other channel is measured
    predictor = Predictor(LooksAround(2), codec_for(channels=2, dtype="float32"))
    target = predictor.target(image)
    assert (target[10:12, 10:12] == IGNORED).all()
    assert (target == IGNORED).sum() == 4
    assert np.isfinite(predictor.probabilities(image)).all()


def test_a_grey_image_needs_no_channel_axis():
    image = image_of(30, 20, channels=1)
    predictor = Predictor(LooksAround(1), codec_for(channels=1))
    np.testing.assert_array_equal(predictor.target(image[..., 0]), predictor.target(image))


def test_a_stream_is_predicted_in_its_order():
    predictor, images = Predictor(ReadsPixels(), codec_for()), [image_of(9, 8 + seed, seed=seed) for seed in range(3)]
    for target, image in zip(predictor.stream(iter(images)), images, strict=True):
        np.testing.assert_array_equal(target, image.argmax(2))


def test_other_images_than_trained_on_are_refused():
    predictor = Predictor(ReadsPixels(), codec_for())
    with pytest.raises(DataError, match=r"scan\.png has 4 channels; the model was trained on 3"):
        predictor.target(image_of(4, 4, channels=4), "scan.png")
    with pytest.raises(DataError, match=r"is uint16; the model was trained on uint8.*\n.*Fix: convert it"):
        predictor.target(image_of(4, 4).astype(np.uint16))


def test_options_out_of_range_are_refused():
    with pytest.raises(SettingsError, match=r"an overlap of 80 pixels does not fit tiles of 128"):
        PredictOptions(tile_px=128, overlap_px=80)
    for scale in (0.0, 1.5):
        with pytest.raises(SettingsError, match=rf"the scale {scale} is not in 0 < scale ≤ 1"):
            PredictOptions(scale=scale)


@pytest.mark.parametrize(("scale", "ratio"), [(1, "1"), (0.5, "1/2"), (0.37, "3/8"), (1 / 3, "1/3"), (0.049, "1/20")])
def test_the_working_resolution_is_a_small_fraction(scale, ratio):
    assert PredictOptions(scale=scale).ratio == Fraction(ratio)
