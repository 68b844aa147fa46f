"""Where scores and pictures go beside the run folder, while a training goes on."""

from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from perpixel.codec import Labels
from perpixel.errors import Problem, SettingsError
from perpixel.files.write import overlay, picture
from perpixel.shapes import TargetArray

LARGEST_PX: Final = 512


class Watcher(Protocol):
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


WATCHERS: Final[dict[str, Callable[[Path, int], Watcher]]] = {"tensorboard": TensorBoard}
"""By their names in `train.watch`, which are those of their packages, too."""


def refuse_missing(names: Iterable[str]) -> None:
    """Raise SettingsError where one is not installed."""
    problems = [
        Problem(f"train.watch asks for {name}, which is not installed.", fix=f"pip install 'perpixel[{name}]'.")
        for name in names
        if find_spec(name) is None
    ]
    if problems:
        raise SettingsError.of(problems)


def watched(image: NDArray[Any], truth: TargetArray, prediction: TargetArray, labels: Labels) -> NDArray[np.uint8]:
    """An image beside its truth and its prediction, (h, 3w, 3), every n-th pixel where it is large."""
    every = -(-max(image.shape[:2]) // LARGEST_PX)
    shown = picture(image[::every, ::every])
    drawn = [overlay(shown, target[..., ::every, ::every], labels) for target in (truth, prediction)]
    return np.concatenate([shown, *drawn], axis=1)
