"""A training of four steps, its resumption, and a prediction by everything that can predict: about ten seconds."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.errors import PerpixelError
from perpixel.exporting import export_run
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.runtime.choices import Backend
from perpixel.settings.tree import request_from
from perpixel.store.run_folder import Run
from perpixel.training import resume_run, train_run

IMAGES: Final = 6
SIDE_PX: Final = 48
SETTINGS: Final = {
    "model": {"encoder": None, "options": {"width": 4, "depth": 2}},
    "data": {"validation_fraction": 0.2, "test_fraction": 0.2},
    "train": {"steps": 4, "batch_size": 2, "crop_hw": [32, 32], "scale": 1.0, "validation_passes": 2},
}
PREDICTED: Final = PredictOptions(tile_px=32, overlap_px=8, whole_px=1, device="cpu", precision="32")
"""In tiles, which every backend knows."""
MOST_DIFFERING: Final = 1e-3
"""The share of pixels in which two ways to predict may differ."""

Check: TypeAlias = Callable[[], None]


def checks(folder: Path) -> dict[str, Check]:
    """What is tried, by its name, each on what the ones before left in the folder.

    Args:
        folder: An empty one, for data, run and bundle.
    """
    listed: dict[str, Check] = {
        "train four steps": partial(_train, folder),
        "resume from step 2": partial(_resume, folder),
        "predict with PyTorch": partial(_predict, folder),
    }
    if find_spec("openvino"):
        listed["predict with OpenVINO"] = partial(_predict_as, folder, folder / "run", "openvino")
    if find_spec("onnx") and find_spec("onnxruntime"):
        listed["export, and predict with ONNX Runtime"] = partial(_export, folder)
    return listed


def _write_discs(folder: Path) -> None:
    """Images of one bright disc, with masks of 0 and 255."""
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX]
    for number in range(IMAGES):
        draw = np.random.default_rng(number)
        disc = (y - draw.integers(15, 33)) ** 2 + (x - draw.integers(15, 33)) ** 2 < draw.integers(64, 144)
        noisy = np.clip(60 + 100.0 * disc[..., None] + draw.normal(0, 15, (SIDE_PX, SIDE_PX, 3)), 0, 255)
        for kind, pixels in (("images", noisy.astype(np.uint8)), ("masks", disc * np.uint8(255))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")


def _train(folder: Path) -> None:
    _write_discs(folder / "data")
    train_run(folder / "data", folder / "run", request_from(SETTINGS))


def _resume(folder: Path) -> None:
    """The same bytes as of the training that nobody stopped."""
    run = Run.open(folder / "run")
    before = run.last_weights_path.read_bytes()
    run.last_weights_path.unlink()
    run.checkpoints[0].unlink()
    resume_run(run.folder, {})
    if run.last_weights_path.read_bytes() != before:
        raise AssertionError("the resumed training ends with other weights")


def _image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (100, 80, 3), np.uint8)


def _predict(folder: Path) -> None:
    load_predictor(folder / "run", PREDICTED).predict(_image())


def _predict_as(folder: Path, model: Path, backend: Backend = "torch") -> None:
    """About the same mask as PyTorch."""
    both = (load_predictor(folder / "run", PREDICTED), load_predictor(model, replace(PREDICTED, backend=backend)))
    here, there = (predictor.probabilities(_image()).argmax(0) for predictor in both)
    share = float(np.mean(here != there))
    if share > MOST_DIFFERING:
        raise AssertionError(f"{share:.2%} of the pixels are predicted otherwise than by PyTorch")


def _export(folder: Path) -> None:
    export_run(Run.open(folder / "run"), folder / "bundle", target="onnx")
    _predict_as(folder, folder / "bundle")


def told(error: Exception, folder: Path) -> str:
    """An error in one line, without the names of folders."""
    message = error.args[0] if isinstance(error, PerpixelError) else str(error)  # a bug report is in English
    text = message.replace(str(folder), "…").replace(str(Path.home()), "~")
    line = " ".join(text.split()) or "no message"
    return line if isinstance(error, PerpixelError) else f"{type(error).__name__}: {line}"
