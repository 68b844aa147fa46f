"""One network, or an ensemble of one a fold, each a whole run, that are averaged at prediction."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from perpixel.errors import RunError, SettingsError
from perpixel.settings.tree import LEAST_MINUTES, Settings
from perpixel.split import Split
from perpixel.store.run_folder import Run, refuse_occupied
from perpixel.training import start
from perpixel.training.start import Start, prepared, timed

LOGGER: Final = logging.getLogger("perpixel")


def train(data: Path, folder: Path, settings: Settings, *, overwrite: bool = False) -> Run:
    """Train a network on a folder of images and masks; or one a fold, where `data.folds` is set and `data.fold` not.

    The folds share the minutes and the plan of the first; each lies in a folder of its own, fold-0 and so on.

    Args and Raises as in `perpixel.training.start.train`.
    """
    if settings.data.folds is None or settings.data.fold is not None:
        return start.train(data, folder, settings, overwrite=overwrite)
    refuse_occupied(folder, overwrite=overwrite)
    first = timed(prepared(data, _of_fold(settings, 0)))
    planned = first.session.settings
    budget = planned.train.model_copy(update={"minutes": settings.train.minutes})
    planned = planned.model_copy(update={"data": settings.data, "train": budget})

    def create() -> Run:
        notes = [*first.session.notes, *map(str, first.plan.choices)]
        run = Run.create(folder, data, planned, overwrite=overwrite, notes=notes)
        _seen_by_some(first.parts).save(run.split_path)
        return run

    return _finished(first.session.ranks.once(create), first)


def resume(folder: Path, asked: Mapping[str, Any]) -> Run:
    """Go on with a run that was interrupted; of an ensemble, with the folds that are not finished.

    Args and Raises as in `perpixel.training.start.resume`.
    """
    run = Run.open(folder)
    if not run.is_ensemble:
        return start.resume(folder, asked)
    start.refuse_changes(run, asked)
    if run.is_finished:
        raise RunError(f"{folder} is finished.", fix="train again with another --out, or with --overwrite.")
    return _finished(start.on_this_machine(run, asked), machine=start.of_the_machine(asked))


def _finished(run: Run, first: Start | None = None, machine: Mapping[str, Any] | None = None) -> Run:
    """Train the folds that are not, the first as it is prepared."""
    for number, folder in enumerate(run.fold_folders):
        is_begun = (folder / "settings.yaml").exists()
        if is_begun and Run.open(folder).is_finished:
            continue
        LOGGER.info("fold %d of %d: %s", number + 1, len(run.fold_folders), folder)
        if is_begun:
            start.resume(folder, machine or {})
        else:
            start.begin(first or prepared(run.data, _of_fold(run.settings, number)), run.data, folder)
        first = None
    return run


def _of_fold(settings: Settings, number: int) -> Settings:
    """The settings of one fold, with its part of the minutes. Raises SettingsError where that is too little."""
    folds, train = settings.data.folds, settings.train
    assert folds is not None
    data = settings.data.model_copy(update={"fold": number})
    if train.minutes is not None:
        if train.minutes < folds * LEAST_MINUTES:
            raise SettingsError(
                f"train.minutes = {train.minutes:g} are shared by {folds} folds.",
                fix=f"give at least {folds * LEAST_MINUTES:g} minutes, or fewer folds.",
            )
        train = train.model_copy(update={"minutes": train.minutes / folds})
    return settings.model_copy(update={"data": data, "train": train})


def _seen_by_some(parts: Split) -> Split:
    """The parts of an ensemble: what validates one network trains another."""
    told = {name: ("train" if part == "val" else part, reason) for name, (part, reason) in parts.parts.items()}
    return replace(parts, parts=told)
