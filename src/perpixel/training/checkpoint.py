"""The state of a run, and checkpoints that hold all of it: a field that is added here is in every checkpoint."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Self, TypeVar, get_type_hints

import torch

from perpixel.errors import RunError
from perpixel.files.atomic import replacing
from perpixel.metrics import Counts
from perpixel.store.run_folder import Run
from perpixel.training.difficulty import Difficulty
from perpixel.training.schedule import StepSchedule
from perpixel.training.session import Session
from perpixel.training.step import StepResult

T = TypeVar("T")


@dataclass(frozen=True)
class RunningSums:
    """Sums since the last validation.

    Args:
        counts: Right and wrong pixels of all crops.
        loss: Sum of their losses.
        images: Number of crops.
        seconds: Spent in steps and in waiting.
        waiting: Seconds spent waiting for batches.
    """

    counts: Counts
    loss: float = 0.0
    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def plus(self, step: StepResult, seconds: float, waiting: float) -> Self:
        """Add one step; a skipped one counts its time only."""
        timed = replace(self, seconds=self.seconds + seconds + waiting, waiting=self.waiting + waiting)
        if math.isnan(step.loss):
            return timed
        loss, images = self.loss + step.loss * step.images, self.images + step.images
        return replace(timed, loss=loss, images=images, counts=self.counts + step.counts)


@dataclass
class TrainingState:
    """What changes while a run goes on; all of it is in every checkpoint.

    Args:
        schedule: Number of steps and progress.
        sums: Sums since the last validation.
        difficulty: Of the training images, where crops are drawn by it.
        step: Steps taken.
        history: A row a validation.
        best: The best score so far, in the sense of `train.monitor`.
        stale: Validations since then.
        validation_seconds: What a validation lasts, as measured last.
        spent: Seconds of earlier sittings.
        skipped: Steps left out because the loss was not finite.
        skipped_in_a_row: The last of them.
    """

    schedule: StepSchedule
    sums: RunningSums
    difficulty: Difficulty
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = -math.inf
    stale: int = 0
    validation_seconds: float = 0.0
    spent: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0


def save_checkpoint(path: Path, session: Session, state: TrainingState) -> None:
    """Write all that steps change. Raises OutputError."""
    stored = {**session.state(), "state": _stored(state)}
    with replacing(path) as temporary:
        torch.save(stored, temporary)


def load_checkpoint(session: Session, run: Run) -> TrainingState:
    """Load the newest whole checkpoint into the session. Raises RunError where none is whole."""
    for path in run.checkpoints:
        try:
            stored = torch.load(path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError, EOFError, UnpicklingError):
            continue
        session.load(stored)
        return _restored(TrainingState, stored["state"])
    raise RunError(f"every checkpoint of {run.folder} is damaged.", fix="train it from scratch with overwrite.")


def _stored(value: Any) -> Any:
    """Dataclasses as mappings of their fields, and those that have a `to_dict` as that; the rest as it is."""
    if isinstance(value, Counts):
        return value.to_dict()
    if is_dataclass(value):
        return {each.name: _stored(getattr(value, each.name)) for each in fields(value)}
    return value


def _restored(kind: type[T], stored: Mapping[str, Any]) -> T:
    """The inverse of `_stored`."""
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        value = stored[name]
        if hint is Counts:
            value = Counts.from_dict(value)
        elif isinstance(hint, type) and is_dataclass(hint):
            value = _restored(hint, value)
        values[name] = value
    return kind(**values)
