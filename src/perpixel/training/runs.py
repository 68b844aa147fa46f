"""Runs from their beginning to their end: one network, or an ensemble of one a fold, averaged at prediction."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from perpixel.errors import RunError, SettingsError
from perpixel.files.folder_lock import FolderLock
from perpixel.language.notices import LOGGER
from perpixel.runtime.json_values import JsonMapping
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.tree import LEAST_MINUTES, Asked, Request, changed
from perpixel.split import Split
from perpixel.store.run_folder import Run, refuse_occupied_run
from perpixel.training.announcements import how_long, opening_lines
from perpixel.training.asked_again import of_the_machine, on_this_machine, refuse_changes
from perpixel.training.checkpoint import TrainingState, load_checkpoint
from perpixel.training.ranks import Ranks, ranks_for
from perpixel.training.setup import TrainingSetup, prepare_training, reopen_training
from perpixel.training.trainer import Trainer


def train_run(
    data: Path, folder: Path, request: Request, *, overwrite: bool = False, progress: Progress = silent
) -> Run:
    """Train a network on a folder of images and masks; or one a fold, where `data.folds` is set and `data.fold` not.

    The folds share the minutes and the plan of the first; each lies in a folder of its own, fold-0 and so on.

    Args:
        data: The folder, or a dataset.yaml.
        folder: Where the run is written; must not hold one unless `overwrite`.
        request: What it leaves open is planned from the data.
        overwrite: Replace the run in `folder`.
        progress: Called as the work goes on.

    Returns:
        The run, with the best weights in `model.safetensors`.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met, such as a budget too small for one validation.
        OutputError: The run cannot be written.
        RunError: The training diverged, or was stopped by the user.
    """
    refuse_occupied_run(folder, overwrite=overwrite)
    listed = settings_of_folds(request)
    first = prepare_training(data, listed[0], progress).fitted(
        progress
    )  # before anything of a former run is replaced
    if len(listed) == 1:
        return _begun(first, data, folder, overwrite=overwrite, progress=progress)
    shared = {"data": request.data.model_dump(), "train.minutes": request.train.minutes}
    together = changed(first.session.settings, shared)

    def create() -> Run:
        run = Run.create(folder, data, together, overwrite=overwrite, notes=first.notes)
        _seen_by_some(first.parts).save(run.split_path)
        return run

    return _finish_folds(first.session.ranks.once(create), first, {}, progress)


def resume_run(folder: Path, asked: JsonMapping, *, progress: Progress = silent) -> Run:
    """Go on with a run that was interrupted, from its last checkpoint; of an ensemble, with the folds not finished.

    Args:
        folder: The run.
        asked: Settings that the user gave again; they must be those of the run.
        progress: Called as the work goes on.

    Raises:
        RunError: It is no run, it is finished, or it was stopped again.
        SettingsError: Other settings were asked for.
    """
    run = Run.open(folder)
    refuse_changes(run, asked)
    run = on_this_machine(run, asked)
    if run.is_finished:
        raise RunError(f"{folder} is finished.", fix="train into another folder, or overwrite it.")
    if run.is_ensemble:
        return _finish_folds(run, None, of_the_machine(asked), progress)
    with _alone_in(folder, ranks_for(run.settings.train)):
        return _finish(run, reopen_training(run, progress), progress)


def settings_of_folds(settings: Asked) -> list[Asked]:
    """The settings of each network that is trained, with its part of the minutes; one without folds.

    Raises:
        SettingsError: The part is too little.
    """
    folds, minutes = settings.data.folds, settings.train.minutes
    if folds is None or settings.data.fold is not None:
        return [settings]
    if minutes is None:
        return [changed(settings, {"data.fold": number}) for number in range(folds)]
    if minutes < folds * LEAST_MINUTES:
        raise SettingsError(
            f"train.minutes = {minutes:g} are shared by {folds} folds.",
            fix=f"give at least {folds * LEAST_MINUTES:g} minutes, or fewer folds.",
        )
    return [changed(settings, {"data.fold": number, "train.minutes": minutes / folds}) for number in range(folds)]


def _begun(setup: TrainingSetup, data: Path, folder: Path, *, overwrite: bool = False, progress: Progress) -> Run:
    """Write a new run and train it to its end."""
    setup = setup.fitted(progress)
    if setup.session.ranks.is_first:
        for sentence in (*setup.session.notes, *opening_lines(setup)):
            LOGGER.info("%s", sentence)
        if warning := how_long(setup):
            LOGGER.warning("%s", warning)

    def create() -> Run:
        run = Run.create(folder, data, setup.session.settings, overwrite=overwrite, notes=setup.notes)
        setup.parts.save(run.split_path)
        return run

    with _alone_in(folder, setup.session.ranks):
        return _finish(setup.session.ranks.once(create), setup, progress)


@contextmanager
def _alone_in(folder: Path, ranks: Ranks) -> Iterator[None]:
    """Keep other trainings out of a run folder. Raises OutputError where one is in it."""
    lock = FolderLock(folder)
    ranks.once(lock.take)
    try:
        yield
    finally:
        lock.release()


def _finish_folds(run: Run, first: TrainingSetup | None, machine: JsonMapping, progress: Progress) -> Run:
    """Train the folds that are not finished, the first as it is prepared."""
    for number, (folder, settings) in enumerate(
        zip(run.fold_folders, settings_of_folds(run.settings), strict=True), 1
    ):
        is_begun = (folder / "settings.yaml").exists()
        if is_begun and Run.open(folder).is_finished:
            continue
        LOGGER.info("fold %d of %d: %s", number, len(run.fold_folders), folder)
        if is_begun:
            resume_run(folder, machine, progress=progress)
        else:
            _begun(first or prepare_training(run.data, settings, progress), run.data, folder, progress=progress)
        first = None
    return run


def _finish(run: Run, setup: TrainingSetup, progress: Progress) -> Run:
    """Train a run to its last step."""
    setup = setup.fitted(progress)
    session, budget = setup.session, setup.budget
    assert budget is not None
    with session.ranks.together("training", fix=f"see what that one says, and resume the run in {run.folder}."):
        if budget.settings != run.settings:
            run = session.ranks.once(partial(run.with_settings, budget.settings))
        state = load_checkpoint(session, run) if run.checkpoints else _first_state(setup)
        if not Trainer(session, run, state, setup.started, progress).finish():
            raise RunError(
                f"the training was stopped after step {state.step:,} of {state.schedule.steps:,}.",
                fix=f"resume the run in {run.folder}, or use it as it is: its model predicts.",
            )
        return session.ranks.once(lambda: Run.open(run.folder))


def _first_state(setup: TrainingSetup) -> TrainingState:
    budget = setup.budget
    assert budget is not None
    assert budget.settings.train.steps is not None
    return TrainingState.first(setup.session, budget.settings.train.steps, budget.validation_seconds)


def _seen_by_some(parts: Split) -> Split:
    """The split of an ensemble: what validates one network trains another."""
    told = {name: ("train" if part == "val" else part, reason) for name, (part, reason) in parts.parts.items()}
    return replace(parts, parts=told)
