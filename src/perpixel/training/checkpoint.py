"""The state of a run, and checkpoints that hold all of it: a field that is added here is in every checkpoint."""

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final, Self, TypeVar, get_type_hints

import torch
from torch import Tensor

from perpixel.errors import RunError
from perpixel.files.atomic import replacing
from perpixel.metrics import Counts
from perpixel.models.weights import holds_compressed
from perpixel.runtime.json_values import Json
from perpixel.store.run_folder import Run
from perpixel.training.difficulty import Difficulty
from perpixel.training.schedule import StepSchedule
from perpixel.training.session import Session
from perpixel.training.step import StepResult

T = TypeVar("T")

DAMAGE: Final = (OSError, RuntimeError, EOFError, UnpicklingError, zipfile.BadZipFile, ValueError, LookupError,
                 TypeError, AttributeError, NotImplementedError, AssertionError, ArithmeticError)  # fmt: skip
"""What unpacking raises where bytes were altered."""

GATHERED: Final = {
    "AdamW": {"step", "exp_avg", "exp_avg_sq"},
    "Muon": {"step", "exp_avg", "exp_avg_sq"},
    "Adam": {"step", "exp_avg", "exp_avg_sq"},
    "SGD": {"momentum_buffer"},
}
"""What an optimiser keeps of each weight."""
GATHERED_ORTHOGONAL: Final = {"step", "momentum"}
"""What Muon keeps of a weight whose steps are orthogonal."""
NEVER_NEGATIVE: Final = {"step", "exp_avg_sq"}
"""Of these an optimiser takes roots and powers."""


@dataclass(frozen=True)
class RunningSums:
    """Sums since the last validation, or since the last epoch ended.

    Args:
        counts: Right and wrong pixels of all crops.
        terms: Sums of the terms of their losses, by name.
        loss: Sum of their losses.
        images: Number of crops.
        seconds: Spent in steps and in waiting.
        waiting: Seconds spent waiting for batches.
    """

    counts: Counts
    terms: dict[str, float]
    loss: float = 0.0
    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    @classmethod
    def none_of(cls, session: Session) -> Self:
        """Nothing yet."""
        labels = session.card.codec.labels
        return cls(Counts.zero(len(labels), labels.kind), dict.fromkeys(session.loss.names, 0.0))

    @property
    def scores(self) -> dict[str, float]:
        """Means over the crops, as columns of the history; NaN where there are none."""
        sums = {"train_loss": self.loss, **{f"train_loss_{name}": total for name, total in self.terms.items()}}
        means = {name: total / self.images if self.images else math.nan for name, total in sums.items()}
        return {**means, "train_mean_iou": float(self.counts.mean_iou)}

    def plus(self, step: StepResult, seconds: float, waiting: float) -> Self:
        """Add one step; a skipped one counts its time only."""
        timed = replace(self, seconds=self.seconds + seconds + waiting, waiting=self.waiting + waiting)
        if math.isnan(step.loss):
            return timed
        loss, images = self.loss + step.loss * step.images, self.images + step.images
        terms = {name: total + step.terms[name] * step.images for name, total in self.terms.items()}
        return replace(timed, loss=loss, terms=terms, images=images, counts=self.counts + step.counts)


@dataclass
class TrainingState:
    """What changes while a run goes on; all of it is in every checkpoint.

    Args:
        schedule: Number of steps and progress.
        sums: Sums since the last validation.
        epoch_sums: Sums since the last epoch ended.
        difficulty: Of the training images, where crops are drawn by it.
        step: Steps taken.
        history: A row a validation.
        epochs: A row an epoch.
        best: The best score so far, in the sense of `train.monitor`.
        stale: Validations since then.
        validation_seconds: What a validation lasts, as measured last.
        spent: Seconds of earlier sittings.
        skipped: Steps left out because the loss was not finite.
        skipped_in_a_row: The last of them.
    """

    schedule: StepSchedule
    sums: RunningSums
    epoch_sums: RunningSums
    difficulty: Difficulty
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    best: float = -math.inf
    stale: int = 0
    validation_seconds: float = 0.0
    spent: float = 0.0
    skipped: int = 0
    skipped_in_a_row: int = 0

    @classmethod
    def first(cls, session: Session, steps: int = 1, validation_seconds: float = 0.0) -> Self:
        """Before the first of so many steps."""
        sums = RunningSums.none_of(session)
        difficulty = Difficulty.of(session.tallied)
        return cls(StepSchedule(steps), sums, sums, difficulty, validation_seconds=validation_seconds)


def save_checkpoint(path: Path, session: Session, state: TrainingState) -> None:
    """Write all that steps change. Raises OutputError."""
    stored = {**session.state(), "state": _stored(state)}
    with replacing(path) as temporary:
        torch.save(stored, temporary)


def load_checkpoint(session: Session, run: Run) -> TrainingState:
    """Load the newest checkpoint that is whole and fits the session. Raises RunError where none does."""
    for path in run.checkpoints:
        stored = _read(path)
        if _fits_session(stored, session):
            session.load(stored)
            return _restored(TrainingState, stored["state"])
    raise RunError(
        f"every checkpoint of {run.folder} is damaged, or of another version.",
        fix="train it from scratch with overwrite.",
    )


def _read(path: Path) -> Json:
    """What a checkpoint holds, unchecked; None where its bytes are not those that were written."""
    try:
        if not path.is_file() or holds_compressed(path):
            return None
        with zipfile.ZipFile(path) as archive:  # torch.load looks at no check sums
            if archive.testzip() is not None:
                return None
        return torch.load(path, weights_only=True, map_location="cpu")
    except DAMAGE:
        return None


def _fits_session(stored: Json, session: Session) -> bool:
    """Whether all that is in a checkpoint is what this session would have written, but for the numbers."""
    like = {**session.state(), "state": _stored(TrainingState.first(session))}
    del like["optimiser"]  # which has gathered nothing yet
    if not isinstance(stored, Mapping) or stored.keys() != {*like, "optimiser"}:
        return False
    return _fits({name: stored[name] for name in like}, like) and _moves(stored["optimiser"], session.optimiser)


def _fits(given: Json, like: Json) -> bool:
    """Whether a tree has the keys, types and shapes of another, and no weight that is not finite."""
    if isinstance(like, Tensor):
        is_like = isinstance(given, Tensor) and (given.shape, given.dtype) == (like.shape, like.dtype)
        return is_like and bool(torch.isfinite(given).all())
    if isinstance(like, Mapping):
        is_like = isinstance(given, Mapping) and given.keys() == like.keys()
        return is_like and all(_fits(given[key], like[key]) for key in like)
    if isinstance(like, list | tuple) and like:
        is_like = isinstance(given, list | tuple) and len(given) == len(like)
        return is_like and all(map(_fits, given, like))
    if isinstance(like, list):  # the history, which grows
        return isinstance(given, list) and all(_is_row(row) for row in given)
    if type(like) is int:
        return type(given) is int and given >= 0
    return type(given) in (float, int) if type(like) is float else type(given) is type(like)


def _is_row(row: Json) -> bool:
    """Whether it is a number, or numbers by name."""
    values = row.values() if isinstance(row, Mapping) and all(isinstance(name, str) for name in row) else [row]
    return all(type(value) in (float, int) for value in values)


def _moves(given: Json, optimiser: torch.optim.Optimizer) -> bool:
    """Whether what an optimiser has gathered fits the weights that it moves."""
    groups, of_most = optimiser.param_groups, GATHERED[type(optimiser).__name__]
    weights = [weight for group in groups for weight in group["params"]]
    names = [
        GATHERED_ORTHOGONAL if group.get("is_orthogonal") else of_most for group in groups for _ in group["params"]
    ]
    if not isinstance(given, Mapping) or not given.keys() <= set(range(len(weights))):
        return False
    return all(
        isinstance(gathered, Mapping)
        and gathered.keys() == names[index]
        and all(
            isinstance(value, Tensor)
            and value.shape == (() if name == "step" else weights[index].shape)
            and value.dtype == weights[index].dtype
            and bool(torch.isfinite(value).all())
            and (name not in NEVER_NEGATIVE or bool((value >= 0).all()))
            for name, value in gathered.items()
        )
        for index, gathered in given.items()
    )


def _stored(value: Json) -> Json:
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
