"""A budget of minutes or epochs, turned into steps: minutes by timing real steps and a real validation."""

import math
import time
from dataclasses import dataclass
from typing import Final

from perpixel.errors import SettingsError
from perpixel.settings.tree import TrainSettings
from perpixel.training.session import Session

TIMED_SHARE: Final = 0.03
VALIDATION_SHARE: Final = 0.15
LEAST_STEPS: Final = 10


@dataclass(frozen=True)
class Fit:
    """How the budget is spent.

    Args:
        train: The settings with steps in place of the budget.
        step_seconds: What a training step lasts; 0 where it was not timed.
        validation_seconds: What a validation lasts; likewise.
    """

    train: TrainSettings
    step_seconds: float = 0.0
    validation_seconds: float = 0.0


def fitted(session: Session, started: float) -> Fit:
    """Freeze the budget of a session as steps.

    Args:
        session: Its settings hold the budget.
        started: When the minutes began to run, by `time.monotonic`.

    Raises:
        SettingsError: The minutes hold too few steps beside one validation.
    """
    train = session.settings.train
    if train.steps is not None:
        return Fit(train)
    if train.minutes is None:
        assert train.epochs is not None
        return Fit(train.model_copy(update={"epochs": None, "steps": train.epochs * session.batches.steps_per_epoch}))
    budget = train.minutes * 60
    step_seconds = session.time_step(TIMED_SHARE * budget)
    validation_seconds = session.time_validation()
    left = session.ranks.first(budget - (time.monotonic() - started))
    validations = max(1, min(train.validation_passes, math.floor(VALIDATION_SHARE * budget / validation_seconds)))
    steps = math.floor((left - validations * validation_seconds) / step_seconds)
    if steps < LEAST_STEPS:
        needed = (budget - left + validation_seconds + 2 * LEAST_STEPS * step_seconds) / 60
        raise SettingsError(
            f"train.minutes = {train.minutes:g} holds {max(steps, 0)} training steps beside one validation, "
            f"which lasts {validation_seconds:.0f} s.",
            fix=f"give at least {math.ceil(needed * 10) / 10:g} minutes, or fewer or smaller validation images.",
        )
    frozen = {"minutes": None, "steps": steps, "validation_passes": validations, "accumulate": session.accumulate}
    return Fit(train.model_copy(update=frozen), step_seconds, validation_seconds)
