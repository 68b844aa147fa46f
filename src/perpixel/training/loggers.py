"""Loggers: where scores and pictures go, next to the run folder, while a training goes on."""

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import Problem, SettingsError
from perpixel.files.atomic import write_text
from perpixel.files.write import overlay, picture
from perpixel.labels.labels import Labels
from perpixel.shapes import ImageArray, TargetArray

LARGEST_PX: Final = 512


@runtime_checkable
class Logger(Protocol):
    """What is told after each validation."""

    def scores(self, row: Mapping[str, float], step: int) -> None:
        """Take a row of the history."""

    def pictures(self, pictures: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Take pictures (H, W, 3) by name."""

    def close(self) -> None:
        """Write what is left."""


class TensorBoard:
    """RUN/tensorboard, for `tensorboard --logdir RUN`.

    Args:
        folder: The run.
        step: Steps taken before; what an earlier sitting told of later ones is dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from lightning_fabric.loggers.tensorboard import TensorBoardLogger

        self._logger = TensorBoardLogger(folder / "tensorboard", name="", version="", purge_step=step + 1)

    def scores(self, row: Mapping[str, float], step: int) -> None:
        """Draw every column of the history as a curve."""
        self._logger.log_metrics(row, step)

    def pictures(self, pictures: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Show them under their names."""
        for name, pixels in pictures.items():
            self._logger.experiment.add_image(name, pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Write what is left."""
        self._logger.finalize("")


class WeightsAndBiases:
    """RUN/wandb, for `wandb sync RUN/wandb/offline-run-*`; sent at once where WANDB_MODE is online.

    Args:
        folder: The run; its name is the run's there, in the project perpixel or that of WANDB_PROJECT.
        step: Steps taken before; a resumed run goes on under its id.
    """

    def __init__(self, folder: Path, step: int) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # offline is to be offline
        import wandb

        self._picture = wandb.Image
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "perpixel"),
            name=folder.name,
            dir=folder,
            id=_noted(folder / "wandb" / "run-id", lambda: secrets.token_hex(4)),
            resume="allow",
            mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(console="off", silent=True),  # the terminal is the progress bar's
        )
        self._run.define_metric("*", step_metric="step")

    def scores(self, row: Mapping[str, float], step: int) -> None:
        """Draw every column of the history as a curve."""
        self._run.log(dict(row))

    def pictures(self, pictures: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Show them under their names."""
        self._run.log({"step": step} | {name: self._picture(pixels) for name, pixels in pictures.items()})

    def close(self) -> None:
        """Write what is left."""
        self._run.finish()


class MLflow:
    """RUN/mlflow, for `mlflow ui --backend-store-uri sqlite:///RUN/mlflow/mlflow.db`; or MLFLOW_TRACKING_URI.

    Args:
        folder: The run; its name is the run's there, in the experiment perpixel.
        step: Steps taken before; a resumed run goes on under its id.
    """

    def __init__(self, folder: Path, step: int) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient

        here = (folder / "mlflow").resolve()
        here.mkdir(exist_ok=True)
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{here / 'mlflow.db'}"))
        self._id = _noted(here / "run-id", lambda: self._started(folder.name, here))

    def scores(self, row: Mapping[str, float], step: int) -> None:
        """Draw every column of the history as a curve."""
        for name, value in row.items():
            self._client.log_metric(self._id, name, value, step=step)

    def pictures(self, pictures: Mapping[str, NDArray[np.uint8]], step: int) -> None:
        """Show them under their names."""
        for name, pixels in pictures.items():
            self._client.log_image(self._id, pixels, artifact_file=f"{name}/{step:06d}.png")

    def close(self) -> None:
        """Say that nothing more comes."""
        self._client.set_terminated(self._id)

    def _started(self, name: str, here: Path) -> str:
        found = self._client.get_experiment_by_name("perpixel")
        place = None if "MLFLOW_TRACKING_URI" in os.environ else (here / "artifacts").as_uri()
        experiment = found.experiment_id if found else self._client.create_experiment("perpixel", place)
        begun: str = self._client.create_run(experiment, run_name=name).info.run_id
        return begun


LOGGERS: Final[dict[str, Callable[[Path, int], Logger]]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
"""By their names in `train.loggers`, which are those of their packages, too."""


def refuse_missing(names: Iterable[str]) -> None:
    """Raise SettingsError where one is not installed."""
    problems = [
        Problem(f"train.loggers asks for {name}, which is not installed.", fix=f"pip install 'perpixel[{name}]'.")
        for name in names
        if find_spec(name) is None
    ]
    if problems:
        raise SettingsError.of(problems)


def _noted(path: Path, make: Callable[[], str]) -> str:
    """The text of a small file, made and written at the first time."""
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        write_text(path, make())
    return path.read_text(encoding="utf-8")


def watched(image: ImageArray, truth: TargetArray, prediction: TargetArray, labels: Labels) -> NDArray[np.uint8]:
    """An image beside its truth and its prediction, (h, 3w, 3), every n-th pixel where it is large."""
    every = -(-max(image.shape[:2]) // LARGEST_PX)
    shown = picture(image[::every, ::every])
    drawn = [overlay(shown, target[..., ::every, ::every], labels) for target in (truth, prediction)]
    return np.concatenate([shown, *drawn], axis=1)
