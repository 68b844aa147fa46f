"""From a run folder, a model file or an exported bundle to a predictor."""

from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from perpixel.errors import RunError
from perpixel.labels.decision import decide, mean_calibration
from perpixel.prediction.predict_options import PredictOptions
from perpixel.prediction.predictor import Predictor
from perpixel.store.bundle import Bundle, is_bundle

if TYPE_CHECKING:
    from perpixel.prediction.inference import Inference
    from perpixel.prediction.int8.kept_int8 import Int8


def load_predictor(path: Path, options: PredictOptions | None = None) -> Predictor:
    """Read a trained model; the networks of an ensemble are averaged.

    Args:
        path: A run folder, or a model.safetensors file, which suffices alone; or an exported bundle, for which
            PyTorch is not needed.
        options: How to run it; the working resolution is always the one that it was trained at.

    Raises:
        RunError: There is no model, or it is not one of perpixel's, or was altered, or folds are missing or differ;
            or it is a run and PyTorch is not installed.
    """
    if is_bundle(path):
        return load_bundle(Bundle.open(path), options or PredictOptions())
    if find_spec("torch") is None:
        raise RunError(
            f"{path} is no exported bundle, and PyTorch, which predicts with a run, is not installed.",
            fix="export the run where perpixel is installed whole, and give the bundle.",
        )
    from perpixel.prediction.inference import Inference
    from perpixel.store.model_file import load_model

    loaded = [load_model(file) for file in _model_files(path)]
    cards = [card for _, card in loaded]
    first = cards[0]
    if any((card.codec, card.scale) != (first.codec, first.scale) for card in cards):
        fix = "train it again with `overwrite`."
        raise RunError(f"the folds of {path} differ in classes, normalisation or working resolution.", fix=fix)
    options = options or PredictOptions()
    options = replace(options, scale=first.scale, tta=options.tta or first.tta)
    calibration = mean_calibration([card.calibration for card in cards])
    int8 = partial(_int8_of, path) if len(loaded) == 1 and (path / "settings.yaml").is_file() else None
    planned = decide(first.codec.labels, None, calibration)  # by which engines are compared, whatever is asked for
    codec = replace(first.codec, thresholds=planned.thresholds)
    inference = Inference.on_device([network for network, _ in loaded], codec, options, int8)
    return Predictor(inference, first.codec, calibration=calibration)


def _int8_of(path: Path, inference: "Inference", searches: bool) -> "Int8 | None":
    """See `int8_of`; the run is read when it is asked for, since a model suffices for all else."""
    from perpixel.prediction.int8.layer_search import int8_of
    from perpixel.store.run_folder import Run

    return int8_of(Run.open(path), inference, searches)


def load_bundle(bundle: Bundle, options: PredictOptions) -> Predictor:
    """Read an exported network; see `load`."""
    from perpixel.prediction.onnx_engine import OnnxEngine

    card = bundle.card
    options = replace(options, scale=card.scale, tta=options.tta or card.tta)
    return Predictor(OnnxEngine(bundle, options), card.codec, calibration=card.calibration)


def _model_files(path: Path) -> list[Path]:
    """The model of a single network, or those of all folds."""
    if not path.is_dir():
        return [path]
    from perpixel.store.run_folder import Run

    single = path / "model.safetensors"
    if single.exists() or not (path / "settings.yaml").exists() or not (run := Run.open(path)).is_ensemble:
        return [single]
    files = [folder / "model.safetensors" for folder in run.fold_folders]
    missing = [str(file.parent) for file in files if not file.exists()]
    if missing:
        raise RunError(
            f"{len(missing)} of {len(files)} folds of {path} have no model.",
            examples=missing,
            fix=f"train on {run.data} into {path} with `resume`.",
        )
    return files
