"""The learning-rate range test: steps at an ever higher rate, to see which ones a network learns at."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from perpixel.errors import RunError
from perpixel.results import Result, Row
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.tree import Request
from perpixel.training.schedule import LearningRate
from perpixel.training.session import Session
from perpixel.training.setup import prepare_training

STEPS: Final = 100
LOWEST: Final = 1e-6
HIGHEST: Final = 1.0
KEPT: Final = 0.9
"""Share of the running mean of the loss that a step leaves."""
DIVERGED: Final = 4.0
"""Times the least smoothed loss, above which the test ends."""
WINDOW: Final = 11
"""Steps over which a slope is measured; at least so many are taken."""
LEAST_FALL: Final = 1e-3
"""Share of the loss that must be lost within them to be a fall."""
SHOWN: Final = 12


@dataclass(frozen=True, repr=False)
class RangeTest(Result):
    """What the loss was as the learning rate rose.

    Args:
        rates: Of each step, rising.
        losses: Of each step.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]

    @property
    def smoothed(self) -> tuple[float, ...]:
        """The exponential mean of the losses, corrected for its beginning."""
        return smoothed_losses(self.losses)

    @property
    def suggested(self) -> float | None:
        """The rate at which the smoothed loss falls steepest over the rate's logarithm; None where it never does.

        A slope is that of the straight line through WINDOW steps, and the rate that of the one in their middle.
        """
        offsets = np.arange(WINDOW) - WINDOW // 2
        slopes = np.correlate(self.smoothed, offsets / (offsets @ offsets))
        steepest = int(slopes.argmin())
        falls = -slopes[steepest] * WINDOW > LEAST_FALL * self.smoothed[steepest]
        return self.rates[steepest + WINDOW // 2] if falls else None

    @property
    def headline(self) -> str:
        """The rate that it suggests."""
        if (best := self.suggested) is None:
            return "the loss fell at none of these learning rates"
        return f"the loss falls steepest at a learning rate of {best:.1e}"

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a step."""
        columns = zip(self.rates, self.losses, self.smoothed, strict=True)
        return {"steps": [{"rate": rate, "loss": loss, "smoothed": mean} for rate, loss, mean in columns]}

    def to_dict(self) -> JsonObject:
        """Rates, losses and the suggestion."""
        return {"schema": 1, "suggested": self.suggested, "rates": list(self.rates), "losses": list(self.losses)}

    def text(self) -> str:
        """The smoothed loss at some of the rates, and the headline."""
        places = np.unique(np.linspace(0, len(self.rates) - 1, SHOWN).round().astype(int))
        rows = [f"{self.rates[place]:>13.1e}  {self.smoothed[place]:.4f}" for place in places]
        return "\n".join(["learning rate  smoothed loss", *rows, "", self.headline])


def range_test(data: Path, request: Request, progress: Progress = silent) -> RangeTest:
    """Take steps as training would, at rates that rise evenly in their logarithm; nothing is kept.

    It ends after STEPS steps, or where the smoothed loss is above DIVERGED times its least, or not finite.

    Args:
        data: The folder, or a dataset.yaml.
        request: What it leaves open is planned; its learning rate and schedule are not looked at.
        progress: Called as the work goes on.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met.
        RunError: The loss is not finite from the beginning.

    Source: Smith (2017), section 3.3, with a rate that rises by factors.
    """
    session = prepare_training(data, request, progress).session
    return tried(session, np.geomspace(LOWEST, HIGHEST, STEPS).tolist(), progress)


def tried(session: Session, rates: Sequence[float], progress: Progress = silent) -> RangeTest:
    """Take a step at each of the rates, until the loss diverges; the session is moved on by it."""
    losses: list[float] = []
    with closing(session.stream(0)) as batches:
        for rate, batch in zip(rates, batches, strict=False):
            loss = session.step(len(losses), batch, LearningRate(rate)).loss
            if math.isnan(loss):
                break
            losses.append(loss)
            means = smoothed_losses(losses)
            progress("trying learning rates", len(losses), len(rates), f"rate {rate:.1e}  loss {means[-1]:.3f}")
            if len(losses) >= WINDOW and means[-1] > DIVERGED * min(means):
                break
    if len(losses) < WINDOW:
        raise RunError(
            f"the loss was not finite at a rate of {rates[len(losses)]:.1e}, in step {len(losses) + 1}.",
            fix="train in full precision (train.precision=32), or see what `perpixel check` says of the data.",
        )
    return RangeTest(tuple(rates[: len(losses)]), tuple(losses))


def smoothed_losses(losses: Sequence[float]) -> tuple[float, ...]:
    """The exponential mean that a step leaves KEPT of, divided by what it has seen, as in Adam (Kingma and Ba 2015).

    >>> smoothed_losses([2.0, 2.0, 2.0])[2], round(smoothed_losses([1.0, 2.0])[1], 4)
    (2.0, 1.5263)
    """
    mean, means = 0.0, []
    for number, loss in enumerate(losses, 1):
        mean = KEPT * mean + (1 - KEPT) * loss
        means.append(mean / (1 - KEPT**number))
    return tuple(means)
