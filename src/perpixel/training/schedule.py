"""How far a run is, and the learning rate there: pure arithmetic on steps."""

import math
from dataclasses import dataclass, replace
from typing import Final, Self

from perpixel.runtime.choices import ScheduleName

ONE_CYCLE_START: Final = 1 / 25
"""The first rate of "one-cycle" and of every warm-up, as a share of the highest."""


@dataclass(frozen=True)
class StepSchedule:
    """The number of steps of a run, and its progress, which stays continuous when that number is changed.

    Args:
        steps: Total number of optimiser steps, > 0.
        anchor_step: The step at which `steps` was set last.
        anchor_progress: The progress at that step, in 0..1.

    >>> StepSchedule(100).progress(50)
    0.5
    >>> StepSchedule(100).retimed(50, 75).progress(50), StepSchedule(100).retimed(50, 75).progress(75)
    (0.5, 1.0)
    """

    steps: int
    anchor_step: int = 0
    anchor_progress: float = 0.0

    def progress(self, step: int) -> float:
        """Share of the schedule that lies behind after `step` steps, 0..1."""
        left = self.steps - self.anchor_step
        if left <= 0:
            return 1.0
        return self.anchor_progress + (step - self.anchor_step) / left * (1 - self.anchor_progress)

    def retimed(self, step: int, steps: int) -> Self:
        """From `step` on, spread the rest of the schedule over `steps - step` steps, so that it always completes."""
        return replace(self, steps=max(steps, step + 1), anchor_step=step, anchor_progress=self.progress(step))

    def due(self, step: int, times: int) -> bool:
        """Whether one of `times` evenly spread events falls between `step` and the step before; one is at the end."""
        if step >= self.steps:
            return True
        return math.floor(self.progress(step) * times + 1e-9) > math.floor(self.progress(step - 1) * times + 1e-9)


@dataclass(frozen=True)
class LearningRate:
    """The learning rate of a step.

    Args:
        highest: That of the whole schedule.
        share: Of it, in this step.
    """

    highest: float
    share: float = 1.0

    @property
    def value(self) -> float:
        """Their product."""
        return self.highest * self.share


def learning_rate_share(
    progress: float, schedule: ScheduleName, warmup: float = 0.1, drops: int = 0, factor: float = 0.1
) -> float:
    """The learning rate as a share of the highest.

    Args:
        progress: Share of the run that lies behind, 0..1.
        schedule: "one-cycle" (cosine up, cosine down to 0; Smith and Topin 2018), "cosine" (linear warm-up, then
            Loshchilov and Hutter 2017), "poly" (warm-up, then (1 - progress)^0.9; Liu et al. 2015), "step"
            (`factor` to the power of `drops`), or "constant".
        warmup: Share of the run in which the rate rises; "step" and "constant" have none.
        drops: How many drops of "step" lie behind.
        factor: What each drop multiplies by.

    >>> learning_rate_share(0.1, "one-cycle"), round(learning_rate_share(1.0, "one-cycle"), 6)
    (1.0, 0.0)
    """
    if schedule == "constant":
        return 1.0
    if schedule == "step":
        return factor**drops
    if progress < warmup:
        rise = progress / warmup
        share = (1 - math.cos(math.pi * rise)) / 2 if schedule == "one-cycle" else rise
        return ONE_CYCLE_START + (1 - ONE_CYCLE_START) * share
    fall = min(1.0, (progress - warmup) / max(1 - warmup, 1e-9))
    return (1 - fall) ** 0.9 if schedule == "poly" else (1 + math.cos(math.pi * fall)) / 2
