"""What a model takes though it was hardly trained on it, and what is said of it."""

import logging

import numpy as np
import pytest
import tifffile
from PIL import Image

import perpixel
from generated import TINY
from perpixel.prediction.predictor import Predictor
from prediction.networks import LooksAround, codec_for, image_of


@pytest.fixture
def predictor():
    return Predictor(LooksAround(), codec_for())


def test_a_gray_image_is_one_whose_three_channels_are_equal(tmp_path, predictor, caplog):
    gray = image_of(24, 32)[..., :1]
    Image.fromarray(gray[..., 0]).save(tmp_path / "gray.png")
    wanted = predictor.mask(np.repeat(gray, 3, axis=2))
    with caplog.at_level(logging.WARNING):
        assert np.array_equal(predictor.mask(gray), wanted)
        predictor.predict_file(tmp_path / "gray.png", tmp_path / "out")
    assert np.array_equal(np.array(Image.open(tmp_path / "out" / "gray.png")), wanted)
    assert [record.getMessage() for record in caplog.records] == [
        "the image is gray, and the model takes colour: its channel is repeated, as training does."
    ]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_pil_images_are_read_as_their_files_are(tmp_path, predictor, mode):
    picture = Image.fromarray(image_of(24, 32)).convert("L" if mode == "LA" else "RGB").convert(mode)
    picture.save(tmp_path / "a.png")
    assert np.array_equal(predictor.predict(picture).mask, predictor.predict(tmp_path / "a.png").mask)


@pytest.mark.parametrize(("factor", "told"), [(1, None), (1 / 3, None), (1 / 16, "0.063"), (16, "16")])
def test_another_bit_depth_is_said_once(tmp_path, caplog, factor, told):
    predictor = Predictor(LooksAround(), codec_for(dtype="uint16"))
    image = (np.random.default_rng(0).normal(100, 50, (40, 40, 3)).clip(0) * factor).round().astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", image, photometric="rgb")
    with caplog.at_level(logging.WARNING):
        predictor.predict_file(tmp_path / "a.tif", tmp_path / "out")
        predictor.probabilities(image)
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (told is not None)
    assert told is None or f"a.tif are about {told} times those of the training images" in said[0]


@pytest.mark.parametrize(("largest", "is_said"), [(255, False), (25, False), (1, True)])
def test_a_dark_image_of_8_bits_is_of_no_other_depth_unless_it_is_0_and_1(caplog, largest, is_said):
    predictor = Predictor(LooksAround(), codec_for())
    image = np.random.default_rng(0).integers(0, largest + 1, (40, 40, 3)).astype(np.uint8)
    with caplog.at_level(logging.WARNING):
        predictor.probabilities(image)
    assert ("times those of the training images" in caplog.text) == is_said


def test_no_image_of_the_own_data_is_said_to_look_unlike_them(tmp_path, cells, monkeypatch, caplog):
    monkeypatch.setattr("perpixel.prediction.arrays.unlike_training", lambda *_: {"scale": "too dark"})
    with caplog.at_level(logging.WARNING):
        run = perpixel.train(cells, tmp_path / "run", settings=TINY)
        perpixel.evaluate(run)
        perpixel.compare([run, run], out=tmp_path)
        assert "too dark" not in caplog.text
        perpixel.evaluate(run, cells, out=tmp_path)
    assert caplog.text.count("too dark") == 1
