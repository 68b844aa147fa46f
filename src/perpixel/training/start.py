"""The beginning of a run: data, plan, budget; and its continuation."""

import logging
import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from perpixel.audit import Audit, audit
from perpixel.config import Settings, TrainSettings, flat, settings_from
from perpixel.dataset import Dataset, Finding, scan
from perpixel.errors import RunError, SettingsError
from perpixel.machine import keep_freed_memory
from perpixel.metrics import Counts
from perpixel.planning import card_of, planned
from perpixel.progress import bar
from perpixel.run import Run, refuse_occupied
from perpixel.schedule import Pace
from perpixel.split import Split, split
from perpixel.training.loop import Interval, Loop, State, restored
from perpixel.training.session import Session

LOGGER: Final = logging.getLogger("perpixel")
TIMED_SHARE: Final = 0.03
VALIDATION_SHARE: Final = 0.15
LEAST_STEPS: Final = 10


@dataclass(frozen=True)
class _Data:
    """What was found in the folder."""

    dataset: Dataset
    figures: Audit


def train(data: Path, folder: Path, settings: Settings, *, overwrite: bool = False) -> Run:
    """Train a network on a folder of images and masks.

    Args:
        data: The folder, or a dataset.yaml.
        folder: Where the run is written; must not hold one unless `overwrite`.
        settings: What is not set is planned from the data.
        overwrite: Replace the run in `folder`.

    Returns:
        The run, with the best weights in `model.safetensors`.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met, such as a budget too small for one validation.
        OutputError: The run cannot be written.
        RunError: The training diverged, or was stopped by the user.
    """
    started = time.monotonic()
    refuse_occupied(folder, overwrite=overwrite)
    found = _measured(data)
    settings = planned(settings, found.dataset, found.figures)
    parts = _parts(settings, found)
    session = _session(settings, found, parts)  # what cannot be built leaves no folder behind
    run = Run.create(folder, data, settings, overwrite=overwrite)
    parts.save(run.split_path)
    return _finished(run, session, started)


def resume(folder: Path, asked: Mapping[str, Any]) -> Run:
    """Go on with a run that was interrupted, from its last checkpoint.

    Args:
        folder: The run.
        asked: Settings that the user gave again; they must be those of the run.

    Raises:
        RunError: It is no run, it is finished, or it was stopped again.
        SettingsError: Other settings were asked for.
    """
    started = time.monotonic()
    run = Run.open(folder)
    _refuse_changes(run, asked)
    if run.last_weights_path.exists():
        raise RunError(f"{folder} is finished.", fix="train again with another --out, or with --overwrite.")
    found = _measured(run.data)
    parts = Split.load(run.split_path, found.dataset.samples)
    return _finished(run, _session(run.settings, found, parts), started)


def _measured(data: Path) -> _Data:
    keep_freed_memory()
    dataset = scan(data)
    with bar("measuring the data") as show:
        figures = audit(dataset, progress=show)
    _warn(figures.findings)
    return _Data(dataset, figures)


def _parts(settings: Settings, found: _Data) -> Split:
    data = settings.data
    shares = (1 - data.validation_share - data.test_share, data.validation_share, data.test_share)
    parts = split(
        found.dataset.samples,
        found.figures,
        fractions=shares,
        seed=settings.seed,
        group_by=data.group_by,
        folds=data.folds,
        fold=data.fold,
    )
    _warn(parts.findings)
    return parts


def _warn(findings: Iterable[Finding]) -> None:
    """Say what may spoil the training; `perpixel check` tells the rest."""
    for finding in findings:
        if finding.severity == "warning":
            LOGGER.warning("%s", finding.problem)


def _session(settings: Settings, found: _Data, parts: Split) -> Session:
    card = card_of(settings, found.dataset, found.figures)
    return Session(settings, found.dataset, (parts.part("train"), parts.part("val")), card)


def _finished(run: Run, session: Session, started: float) -> Run:
    validation_seconds = 0.0
    if run.settings.train.steps is None:
        train_settings, validation_seconds = _frozen(session, run, started)
        run = run.with_settings(run.settings.model_copy(update={"train": train_settings}))
    state = restored(session, run) if run.checkpoints else _fresh(session, run.settings.train, validation_seconds)
    loop = Loop(session, run, state, started)
    if not loop.finish():
        raise RunError(
            f"the training was stopped after step {state.step:,} of {state.pace.steps:,}.",
            fix=f"go on with `perpixel train {run.data} --out {run.folder} --resume`.",
        )
    return Run.open(run.folder)


def _fresh(session: Session, train: TrainSettings, validation_seconds: float) -> State:
    assert train.steps is not None
    labels = session.card.codec.labels
    interval = Interval(Counts.zero(len(labels), labels.kind))
    return State(Pace(train.steps), interval, validation_seconds=validation_seconds)


def _frozen(session: Session, run: Run, started: float) -> tuple[TrainSettings, float]:
    """Turn a budget of epochs or minutes into steps; minutes by timing real steps and a real validation.

    Returns:
        The settings with steps, and the seconds of a validation (0 where it was not timed).
    """
    train = run.settings.train
    if train.minutes is None:
        assert train.epochs is not None
        return train.model_copy(update={"epochs": None, "steps": train.epochs * session.batches.steps_per_epoch}), 0.0
    budget = train.minutes * 60
    step_seconds = session.time_step(TIMED_SHARE * budget)
    validation_seconds = session.time_validation()
    left = budget - (time.monotonic() - started)
    validations = max(1, min(train.validations, math.floor(VALIDATION_SHARE * budget / validation_seconds)))
    steps = math.floor((left - validations * validation_seconds) / step_seconds)
    if steps < LEAST_STEPS:
        needed = (budget - left + validation_seconds + 2 * LEAST_STEPS * step_seconds) / 60
        raise SettingsError(
            f"train.minutes = {train.minutes:g} holds {max(steps, 0)} training steps beside one validation, "
            f"which lasts {validation_seconds:.0f} s.",
            fix=f"give at least {math.ceil(needed * 10) / 10:g} minutes, or fewer or smaller validation images.",
        )
    frozen = train.model_copy(update={"minutes": None, "steps": steps, "validations": validations})
    return frozen, validation_seconds


def _refuse_changes(run: Run, asked: Mapping[str, Any]) -> None:
    have = flat(run.settings.model_dump(mode="json")) | {f"train.{name}": value for name, value in run.budget.items()}
    checked = flat(settings_from(asked).model_dump(mode="json"))
    given = {key: checked[key] for key, value in flat(asked).items() if value is not None}
    other = {key: value for key, value in given.items() if have.get(key) != value}
    if other:
        raise SettingsError(
            f"{run.folder} was trained with other settings.",
            examples=[f"{key}: {have.get(key)} there, {value} asked for" for key, value in other.items()],
            fix="resume without them, or train anew with another --out.",
        )
