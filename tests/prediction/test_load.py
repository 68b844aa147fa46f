import numpy as np
import pytest

from generated import codec_for, exclusive_labels
from perpixel.errors import RunError
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.store.model_file import ModelCard, save_model


@pytest.fixture
def model(tmp_path):
    card = ModelCard("unet", None, codec_for(exclusive_labels()), 0.5, {"width": 4, "depth": 1}, "hflip")
    save_model(tmp_path / "model.safetensors", card, card.build().state_dict())
    return tmp_path / "model.safetensors"


def test_a_folder_and_its_model_file_are_the_same_predictor(model):
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    one, other = load_predictor(model), load_predictor(model.parent)
    np.testing.assert_array_equal(one.probabilities(image), other.probabilities(image))
    assert one.codec == codec_for(exclusive_labels())


def test_resolution_and_views_are_those_of_the_plan(model):
    assert load_predictor(model).options == PredictOptions(scale=0.5, tta="hflip")
    options = PredictOptions(scale=1.0, tta="flips", precision="32")
    assert load_predictor(model, options).options == PredictOptions(scale=0.5, tta="flips", precision="32")


def test_a_folder_without_model_is_told(tmp_path):
    with pytest.raises(RunError, match=r"there is no model file .*model.safetensors.\nFix: give a run folder or a"):
        load_predictor(tmp_path)
