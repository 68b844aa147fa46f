"""The beginning of a run: data, plan, budget; and its continuation."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from perpixel.audit import Audit, audit
from perpixel.dataset import Dataset, Finding, scan
from perpixel.dataset.sample import warning
from perpixel.errors import RunError, SettingsError
from perpixel.metrics import Counts
from perpixel.planning import Plan, card_of, facts_of, plan_for
from perpixel.runtime.hardware import keep_freed_memory
from perpixel.runtime.progress import bar
from perpixel.schedule import Pace
from perpixel.settings.tree import Settings, flat, settings_from
from perpixel.split import Split, split
from perpixel.store.run_folder import Run, refuse_occupied
from perpixel.training.budget import Fit, fitted
from perpixel.training.difficulty import Difficulty
from perpixel.training.fine_tuning import Base, as_base, normalised_as
from perpixel.training.loop import Interval, Loop, State, restored
from perpixel.training.public_weights import with_public_file, with_weights_at_hand
from perpixel.training.ranks import ranks_for
from perpixel.training.session import Session
from perpixel.training.watching import refuse_missing

LOGGER: Final = logging.getLogger("perpixel")
OF_THE_MACHINE: Final = ("train.device", "train.devices", "train.loggers", "data.cache_mb")
"""Settings that may change in a run: where it is trained, not what."""


@dataclass(frozen=True)
class _Data:
    """What was found in the folder."""

    dataset: Dataset
    figures: Audit


@dataclass(frozen=True)
class Start:
    """Where a training begins: the division of the images, the plan, the session that it makes, and when it began.

    How the budget is spent stands in it once it is `timed`.
    """

    parts: Split
    plan: Plan
    session: Session
    started: float
    fit: Fit | None = None


def prepared(data: Path, settings: Settings) -> Start:
    """Understand the data, divide them, plan, and build what cannot be built later; nothing is written.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met.
    """
    started = time.monotonic()
    refuse_missing(settings.train.loggers)
    ranks = ranks_for(settings.train)
    settings = with_public_file(settings)
    base = _base(settings)
    settings = settings if base is None else as_base(settings, base)
    found = ranks.once(lambda: _measured(data))
    parts = _parts(settings, found)
    plan = ranks.once(lambda: plan_for(settings, facts_of(found.dataset, found.figures, parts.part("train"))))
    if base is None:
        plan = ranks.once(partial(with_weights_at_hand, plan))
    _refuse_frozen_chance(plan.settings, base)
    return Start(parts, plan, _session(plan.settings, found, parts, base), started)


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
    refuse_occupied(folder, overwrite=overwrite)
    return begin(prepared(data, settings), data, folder, overwrite=overwrite)


def timed(start: Start) -> Start:
    """Freeze the budget as steps, before anything of a former run is replaced. Raises SettingsError, as `fitted`."""
    return start if start.fit else replace(start, fit=_fit(start.session, start.started))


def begin(start: Start, data: Path, folder: Path, *, overwrite: bool = False) -> Run:
    """Write a new run and train it to its end. Raises as `train`."""
    start = timed(start)
    session = start.session
    for sentence in session.notes:
        LOGGER.info("%s", sentence)

    def create() -> Run:
        notes = [*session.notes, *map(str, start.plan.choices)]
        run = Run.create(folder, data, session.settings, overwrite=overwrite, notes=notes)
        start.parts.save(run.split_path)
        return run

    return _finished(session.ranks.once(create), session, start.started, start.fit)


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
    refuse_changes(run, asked)
    run = on_this_machine(run, asked)
    if run.is_finished:
        raise RunError(f"{folder} is finished.", fix="train again with another --out, or with --overwrite.")
    ranks = ranks_for(run.settings.train)
    ranks.once(run.tidy)
    found = ranks.once(lambda: _measured(run.data))
    if run.split_path.exists():
        parts = Split.load(run.split_path, found.dataset.samples)
        _warn(ranks.once(lambda: parts.changed([*parts.part("train"), *parts.part("val")])))
    else:  # it was stopped between its first two files
        parts = _parts(run.settings, found)
        ranks.once(lambda: parts.save(run.split_path))
    return _finished(run, _session(run.settings, found, parts, _base(run.settings)), started)


def of_the_machine(asked: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The part of a settings tree that says where a run is trained."""
    given = {tuple(key.split(".")): value for key, value in flat(asked).items() if key in OF_THE_MACHINE}
    sections = {section for section, _ in given}
    return {each: {name: value for (section, name), value in given.items() if section == each} for each in sections}


def on_this_machine(run: Run, asked: Mapping[str, Any]) -> Run:
    """The run with the devices that are asked for now."""
    tree = run.settings.model_dump(mode="json")
    for section, given in of_the_machine(asked).items():
        tree[section] |= given
    return replace(run, settings=settings_from(tree))


def _base(settings: Settings) -> Base | None:
    keep_freed_memory()
    path = settings.model.fine_tune_from
    return None if path is None else Base.load(Path(path))


def _measured(data: Path) -> _Data:
    dataset = scan(data)
    with bar("measuring the data") as show:
        figures = audit(dataset, progress=show)
    _warn(figures.findings)
    return _Data(dataset, figures)


def _parts(settings: Settings, found: _Data) -> Split:
    data = settings.data
    shares = (1 - data.validation_fraction - data.test_fraction, data.validation_fraction, data.test_fraction)
    parts = split(
        found.dataset.samples,
        found.figures,
        fractions=shares,
        seed=settings.seed,
        group_by=data.group_by,
        folds=data.folds,
        fold=data.fold,
    )
    _warn([*parts.findings, *_never_learnt(parts, found)])
    return parts


def _never_learnt(parts: Split, found: _Data) -> list[Finding]:
    """Classes that training images do not hold and validation images do."""
    present = found.figures.present
    where = {
        part: {k for sample in parts.part(part) for k in present.get(sample.name, ())} for part in ("train", "val")
    }
    names = [found.dataset.labels.names[k] for k in sorted(where["val"] - where["train"])]
    if not names:
        return []
    return [
        warning(
            f"{len(names)} class(es) occur in validation images only, and cannot be learnt: their IoU there is 0.",
            "label them in more images, or move one of these to the training images.",
            names,
        )
    ]


def _refuse_frozen_chance(settings: Settings, base: Base | None) -> None:
    """An encoder that is frozen needs weights that it has learnt."""
    if settings.train.encoder_lr_factor == 0 and settings.model.weights == "none" and base is None:
        raise SettingsError(
            'train.encoder_lr_factor = 0 freezes an encoder that has learnt nothing: model.weights = "none".',
            fix="--set model.weights=auto, start --from a run, or train the encoder, too.",
        )


def _warn(findings: Iterable[Finding]) -> None:
    """Say what may spoil the training; `perpixel check` tells the rest."""
    for finding in findings:
        if finding.severity == "warning":
            LOGGER.warning("%s", finding.problem)


def _session(settings: Settings, found: _Data, parts: Split, base: Base | None) -> Session:
    card = card_of(settings, found.dataset, found.figures)
    if base is not None:
        card = normalised_as(card, base)
    return Session(settings, found.dataset, (parts.part("train"), parts.part("val")), card, base)


def _fit(session: Session, started: float) -> Fit:
    with session.ranks.together("timing", fix="see what that one says, and start again."):
        return fitted(session, started)


def _finished(run: Run, session: Session, started: float, fit: Fit | None = None) -> Run:
    ranks = session.ranks
    fit = fit or _fit(session, started)
    again = f"`perpixel train {run.data} --out {run.folder} --resume`"
    with ranks.together("training", fix=f"see what that one says, and go on with {again}."):
        if fit.train != run.settings.train:
            run = ranks.once(partial(run.with_settings, run.settings.model_copy(update={"train": fit.train})))
        state = restored(session, run) if run.checkpoints else _fresh(session, fit)
        if not Loop(session, run, state, started).finish():
            raise RunError(
                f"the training was stopped after step {state.step:,} of {state.pace.steps:,}.",
                fix=f"go on with {again}.",
            )
        return ranks.once(lambda: Run.open(run.folder))


def _fresh(session: Session, fit: Fit) -> State:
    assert fit.train.steps is not None
    labels = session.card.codec.labels
    interval = Interval(Counts.zero(len(labels), labels.kind))
    difficulty = Difficulty.of(session.tallied)
    return State(Pace(fit.train.steps), interval, difficulty, validation_seconds=fit.validation_seconds)


def refuse_changes(run: Run, asked: Mapping[str, Any]) -> None:
    """Raise SettingsError where settings are given again that are not those of the run."""
    weights = run.settings.train.class_weights
    have = flat(run.settings.model_dump(mode="json")) | {"train.class_weights": weights}
    have |= {f"train.{name}": value for name, value in run.budget.items()}
    checked = flat(settings_from(asked).model_dump(mode="json"))
    asked_keys = [key for key, value in flat(asked).items() if value is not None]
    keys = [
        key if key in checked else ".".join(key.split(".")[:2]) for key in asked_keys
    ]  # of a setting that is made
    given = {key: checked[key] for key in keys}
    if isinstance(weights, Mapping) and given.get("train.class_weights") == "balanced":
        del given["train.class_weights"]  # which was frozen as numbers
    other = {key: value for key, value in given.items() if have.get(key) != value and key not in OF_THE_MACHINE}
    if other:
        raise SettingsError(
            f"{run.folder} was trained with other settings.",
            examples=[f"{key}: {have.get(key)} there, {value} asked for" for key, value in other.items()],
            fix="resume without them, or train anew with another --out.",
        )
