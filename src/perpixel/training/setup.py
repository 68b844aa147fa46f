"""Before the first step: read the data, split them, plan, and build what takes the steps; nothing is written."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

from perpixel.audit import Audit, audit
from perpixel.dataset import Dataset, Finding, scan
from perpixel.dataset.overrides import stated_by
from perpixel.dataset.sample import warning
from perpixel.errors import SettingsError
from perpixel.labels.labels import Labels
from perpixel.language.notices import LOGGER
from perpixel.models.registry import refuse_unknown_network
from perpixel.planning import Plan, card_of, facts_of, plan_for
from perpixel.runtime.allocator import keep_freed_memory
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.tree import Request, Settings, TrainSettings
from perpixel.split import Split, split
from perpixel.store.run_folder import Run
from perpixel.training.fine_tuning import Base, as_base, normalised_as
from perpixel.training.loggers import refuse_missing
from perpixel.training.propagating import propagated_labels
from perpixel.training.public_weights import with_public_file, with_weights_at_hand
from perpixel.training.ranks import ranks_for
from perpixel.training.session import Session
from perpixel.training.step import loss_for
from perpixel.training.threads import take_threads, take_threads_of_run
from perpixel.training.timing import FittedBudget, Stopwatch, fit_budget
from perpixel.training.validation import monitored


@dataclass(frozen=True)
class _Data:
    """What was found in the folder."""

    dataset: Dataset
    figures: Audit


@dataclass(frozen=True)
class TrainingSetup:
    """Where a training begins.

    Args:
        parts: The split of the images.
        session: What takes the steps.
        started: When the budget began to run, by `time.monotonic`.
        plan: What was decided and why; None for a run that is resumed.
        budget: How the budget is spent, once it is fitted.
    """

    parts: Split
    session: Session
    started: float
    plan: Plan | None = None
    budget: FittedBudget | None = None

    def fitted(self, progress: Progress = silent) -> Self:
        """The same with the budget frozen as steps. Raises SettingsError, as `fit_budget`."""
        if self.budget is not None:
            return self
        with self.session.ranks.together("timing", fix="see what that one says, and start again."):
            return replace(self, budget=fit_budget(self.session, self.started, progress))

    @property
    def notes(self) -> list[str]:
        """What was decided, in sentences."""
        return [*self.session.notes, *map(str, self.plan.choices if self.plan else ())]


def prepare_training(data: Path, request: Request, progress: Progress = silent) -> TrainingSetup:
    """Understand the data, split them, plan, and build what takes the steps.

    Args:
        data: The folder, or a dataset.yaml.
        request: What it leaves open is planned.
        progress: Called as the work goes on.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met.
    """
    started = time.monotonic()
    refuse_missing(request.train.loggers)
    refuse_unknown_network(request.model.name)
    ranks = ranks_for(request.train)
    take_threads(request)
    request = with_public_file(request)
    base = _base(request)
    request = request if base is None else as_base(request, base)
    found = ranks.once(lambda: _measured(data, request, progress))
    _refuse_unknown_terms(request.train, found.dataset.labels)
    parts = _parts(request, found)
    plan = ranks.once(lambda: _planned(request, found, parts, progress))
    if base is None:
        plan = ranks.once(partial(with_weights_at_hand, plan))
    take_threads(plan.settings)
    _refuse_frozen_chance(plan.settings, base)
    return TrainingSetup(parts, _session(plan.settings, found, parts, base, progress), started, plan)


def reopen_training(run: Run, progress: Progress = silent) -> TrainingSetup:
    """Build what goes on with an interrupted run. Raises as `prepare_training`."""
    started = time.monotonic()
    ranks = ranks_for(run.settings.train)
    take_threads_of_run(run.settings)
    ranks.once(run.tidy)
    found = ranks.once(lambda: _measured(run.data, run.settings, progress))
    if run.split_path.exists():
        parts = Split.load(run.split_path, found.dataset.samples)
        _warn(ranks.once(lambda: parts.changed([*parts.part("train"), *parts.part("val")])))
    else:  # it was stopped between its first two files
        parts = _parts(run.settings, found)
        ranks.once(lambda: parts.save(run.split_path))
    session = _session(run.settings, found, parts, _base(run.settings), progress)
    budget = None if run.settings.train.steps is None else FittedBudget(run.settings)
    return TrainingSetup(parts, session, started, budget=budget)


def _base(request: Request) -> Base | None:
    keep_freed_memory()
    path = request.model.fine_tune_from
    return None if path is None else Base.load(Path(path))


def _measured(data: Path, request: Request, progress: Progress) -> _Data:
    dataset = scan(data, overrides=stated_by(request.data))
    figures = audit(dataset, progress=partial(progress, "measuring the data"))
    _warn(figures.findings)
    return _Data(dataset, figures)


def _planned(request: Request, found: _Data, parts: Split, progress: Progress) -> Plan:
    facts = facts_of(found.dataset, found.figures, parts.part("train"))
    return plan_for(request, facts, Stopwatch(lambda asked: card_of(asked, found.dataset, found.figures), progress))


def _parts(request: Request, found: _Data) -> Split:
    data = request.data
    shares = (1 - data.validation_fraction - data.test_fraction, data.validation_fraction, data.test_fraction)
    parts = split(
        found.dataset.samples,
        found.figures,
        fractions=shares,
        seed=request.seed,
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
            f"{len(names)} class(es) [occurs|occur] in validation images only, and cannot be learnt: the IoU there "
            "is 0.",
            "label them in more images, or move one of these to the training images.",
            names,
        )
    ]


def _refuse_frozen_chance(settings: Settings, base: Base | None) -> None:
    """An encoder that is frozen needs weights that it has learnt."""
    train = settings.train
    if settings.model.weights != "none" or base is not None:
        return
    frozen = {"encoder_lr_factor": train.encoder_lr_factor == 0, "frozen_stages": train.frozen_stages > 0}
    for name in (name for name, freezes in frozen.items() if freezes):
        raise SettingsError(
            f"train.{name} = {getattr(train, name):g} freezes an encoder that has learnt nothing: "
            'model.weights = "none".',
            fix="set model.weights to auto, fine-tune from a run, or train the encoder, too.",
        )


def _refuse_unknown_terms(train: TrainSettings, labels: Labels) -> None:
    """Refuse a loss or a score to watch that these labels do not have, before anything is timed."""
    if train.loss:
        loss_for(train, labels)
    monitored(train.monitored.name, train.monitored.options, labels)


def _warn(findings: Iterable[Finding]) -> None:
    """Say what may spoil the training; `perpixel check` tells the rest."""
    for finding in findings:
        if finding.severity == "warning":
            LOGGER.warning("%s", finding.problem)


def _session(settings: Settings, found: _Data, parts: Split, base: Base | None, progress: Progress) -> Session:
    card = card_of(settings, found.dataset, found.figures)
    if base is not None:
        card = normalised_as(card, base)
    train, validation = parts.part("train"), parts.part("val")
    labels = propagated_labels(found.dataset, train, progress) if settings.train.propagate_strokes else None
    return Session(settings, found.dataset, (train, validation), card, base, labels)
