"""The clock: what a step and a validation last here, and so how many steps a budget of minutes holds."""

import copy
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from perpixel.errors import SettingsError
from perpixel.losses import bce
from perpixel.runtime.hardware import resolved_hardware
from perpixel.settings.tree import Settings, TrainSettings, changed
from perpixel.store.model_file import ModelCard
from perpixel.training.schedule import StepSchedule
from perpixel.training.session import Session
from perpixel.training.step import loss_of
from perpixel.training.validation import validate

TIMED_SHARE: Final = 0.03
VALIDATION_SHARE: Final = 0.15
LEAST_STEPS: Final = 10

TRIED_SIDE: Final = 256
TRIED_CROPS: Final = 4
TRIED_STEPS: Final = 3
TRIED_S: Final = 6.0
"""After so long no further step is tried: of a step as slow, the second or two of warming up are a small part."""
USED_SHARE: Final = 0.85
"""Of the minutes, what is left for training steps; the rest goes to reading, validating and writing."""


@dataclass(frozen=True)
class FittedBudget:
    """How the budget is spent.

    Args:
        settings: With steps in place of the budget.
        step_seconds: What a training step lasts; 0 where it was not timed.
        validation_seconds: What a validation lasts; 0 where it was not timed.
    """

    settings: Settings
    step_seconds: float = 0.0
    validation_seconds: float = 0.0


def fit_budget(session: Session, started: float) -> FittedBudget:
    """Freeze the budget of a session as steps.

    Args:
        session: Its settings hold the budget.
        started: When the minutes began to run, by `time.monotonic`.

    Raises:
        SettingsError: The minutes hold too few steps beside one validation.
    """
    settings, train = session.settings, session.settings.train
    if train.steps is not None:
        return FittedBudget(settings)
    if train.minutes is None:
        assert train.epochs is not None
        steps = train.epochs * session.batches.steps_per_epoch
        return FittedBudget(changed(settings, {"train.epochs": None, "train.steps": steps}))
    budget = train.minutes * 60
    step_seconds = time_step(session, TIMED_SHARE * budget)
    validation_seconds = time_validation(session)
    left = session.ranks.first(budget - (time.monotonic() - started))
    validations = max(1, min(train.validation_passes, math.floor(VALIDATION_SHARE * budget / validation_seconds)))
    steps = math.floor((left - validations * validation_seconds) / step_seconds)
    if steps < LEAST_STEPS:
        needed = (budget - left + validation_seconds + 2 * LEAST_STEPS * step_seconds) / 60
        raise SettingsError(
            f"train.minutes = {train.minutes:g} holds {max(steps, 0)} training steps next to one validation, "
            f"which lasts {validation_seconds:.0f} s.",
            fix=f"give at least {math.ceil(needed * 10) / 10:g} minutes, or fewer or smaller validation images.",
        )
    frozen = {"minutes": None, "steps": steps, "validation_passes": validations, "accumulate": session.accumulate}
    fitted = changed(settings, {f"train.{name}": value for name, value in frozen.items()})
    return FittedBudget(fitted, step_seconds, validation_seconds)


def time_step(session: Session, seconds: float, least: int = 3) -> float:
    """Seconds of a training step, the median of real steps; the session is left as it was.

    Args:
        session: Takes the steps.
        seconds: How long to measure.
        least: Steps to take even if they last longer.
    """
    state = copy.deepcopy(session.state())
    times: list[float] = []
    start = time.monotonic()
    with closing(session.stream(0)) as batches:
        for number, batch in enumerate(batches):
            before = time.monotonic()
            session.step(number, batch, session.learning_rate(number, StepSchedule(10**6)))
            times.append(time.monotonic() - before)
            if session.ranks.any(len(times) > least and time.monotonic() - start > seconds):
                break
    session.load(state)
    return session.ranks.first(float(np.median(times[1:])))


def time_validation(session: Session) -> float:
    """Seconds that a validation will last, from one image of the largest size; the lesser of two, warmed up."""
    areas = [sample.height * sample.width for sample in session.validation_samples]
    largest = session.validation_samples[int(np.argmax(areas))]
    times = []
    for _ in range(3):
        start = time.monotonic()
        validate(session.predictor(), session.dataset, [largest], session.validation_loss)
        times.append(time.monotonic() - start)
    return session.ranks.first(min(times[1:]) * sum(areas) / max(areas) / session.ranks.number)


def pixels_within_budget(train: TrainSettings, card: ModelCard) -> float:
    """Pixels that training sees before the budget ends; infinite where epochs are the budget.

    Minutes are multiplied by the speed of a few steps on noise, so the number differs from machine to machine.

    Args:
        train: Its budget; for steps also its batch and crop.
        card: What the network will be.
    """
    if train.epochs is not None:
        return float("inf")
    if train.steps is not None:
        return float(train.steps * train.batch_size * train.crop_hw[0] * train.crop_hw[1])
    assert train.minutes is not None
    return USED_SHARE * train.minutes * 60 * _pixels_per_second(train, card)


def measured_once(card_for: Callable[[Settings], ModelCard]) -> Callable[[Settings], float]:
    """`pixels_within_budget` of settings, each network timed once; without minutes nothing is timed.

    Args:
        card_for: What the network of some settings is.
    """
    known: dict[str, float] = {}

    def measured(settings: Settings) -> float:
        if settings.train.minutes is None:
            return pixels_within_budget(settings.train, card_for(settings))
        name = str(settings.model)
        if name not in known:
            known[name] = pixels_within_budget(settings.train, card_for(settings))
        return known[name]

    return measured


def _pixels_per_second(train: TrainSettings, card: ModelCard) -> float:
    hardware = resolved_hardware(train.device, train.precision)
    network = hardware.placed(card.build("none").train())
    image = hardware.placed(torch.zeros(TRIED_CROPS, card.codec.channels, TRIED_SIDE, TRIED_SIDE))
    target = torch.zeros(TRIED_CROPS, len(card.codec.labels), TRIED_SIDE, TRIED_SIDE, dtype=torch.uint8)
    target = target.to(hardware.device)
    seconds: list[float] = []
    while len(seconds) < TRIED_STEPS and sum(seconds) < TRIED_S:
        start = time.monotonic()
        value, _ = loss_of(network.training_outputs, image, target, bce, network.loss_weights, hardware)
        value.backward()  # type: ignore[no-untyped-call] # of torch
        float(value.detach())  # waits for the device
        seconds.append(time.monotonic() - start)
    return TRIED_CROPS * TRIED_SIDE**2 / min(seconds)
