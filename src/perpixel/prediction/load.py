"""From a run folder or a model file to a predictor."""

from dataclasses import replace
from pathlib import Path

from perpixel.model_file import load_model
from perpixel.prediction.options import PredictOptions
from perpixel.prediction.predictor import Predictor


def load(path: Path, options: PredictOptions | None = None) -> Predictor:
    """Read a trained model.

    Args:
        path: A run folder, or a model.safetensors file; the file alone suffices.
        options: How to run it; the working resolution is always the one that it was trained at.

    Raises:
        RunError: There is no model, or it is not one of perpixel's, or it was altered.
    """
    network, card = load_model(path / "model.safetensors" if path.is_dir() else path)
    return Predictor(network, card.codec, options=replace(options or PredictOptions(), scale=card.scale))
