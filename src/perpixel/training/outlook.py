"""What a training would be: the plan with its reasons, and how far the budget goes on this machine."""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from perpixel.planning import Plan
from perpixel.prediction import PredictOptions
from perpixel.runtime.hardware import automatic_memory_format, chosen_device, keep_freed_memory
from perpixel.runtime.processes import peak_memory_bytes
from perpixel.settings.tree import Settings
from perpixel.training.budget import Fit, fitted
from perpixel.training.session import Session
from perpixel.training.start import prepared


@dataclass(frozen=True)
class Outlook:
    """A plan, tried out on this machine.

    Args:
        plan: Its choices and reasons.
        fit: How the budget is spent; its steps were timed if minutes are the budget.
        images: Number of training, validation and test images.
        passes: How often the budget shows each part of each training image.
        memory_mb: The most that this process held after the steps that were timed, in MiB.
        session: Ready to train; makes the views that the network will see.
    """

    plan: Plan
    fit: Fit
    images: tuple[int, int, int]
    passes: float
    memory_mb: int
    session: Session

    @property
    def settings(self) -> Settings:
        """Everything decided, the number of steps too."""
        return self.plan.settings.model_copy(update={"train": self.fit.train})

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by the dotted path of the setting."""
        return {choice.key: choice.reason for choice in self.plan.choices} | {"train.steps": self._pace()}

    def __str__(self) -> str:
        rows = [(choice.key, choice.shown, choice.reason) for choice in self.plan.choices]
        rows.append(("train.steps", f"{self.fit.train.steps:,}", self._pace()))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{key:<{widths[0]}}  {value:<{widths[1]}}  {reason}" for key, value, reason in rows]
        train, validation, test = self.images
        return "\n".join(
            [
                *lines,
                "",
                f"{train:,} images to train on, {validation:,} to validate, {test:,} to test; "
                f"the process held {self.memory_mb:,} MiB at most",
                self._memory(),
                self._prediction(),
            ]
        )

    def _memory(self) -> str:
        device = chosen_device(self.settings.train.device)
        is_last = automatic_memory_format(device) == torch.channels_last
        order = "channels last" if is_last else "channels first"
        kept = ", and memory that a step frees is kept for the next one" if keep_freed_memory() else ""
        return f"feature maps lie {order}, which is faster on {device}{kept}"

    def _prediction(self) -> str:
        options = PredictOptions()
        multilabel = self.session.card.codec.labels.is_multilabel
        answer = "each class from a probability of 0.5 on" if multilabel else "the most probable class"
        side, tile = math.isqrt(options.whole_px), options.tile_px
        return (
            f"predicted is {answer}; images of up to {side:,} × {side:,} pixels as scaled are seen whole, "
            f"larger ones in tiles of {tile:,} × {tile:,} that share {options.overlap_px}"
        )

    def _pace(self) -> str:
        seen = f"which show every part of the images {self.passes:.1f} times"
        if not self.fit.step_seconds:
            return f"the budget as it was given, {seen}"
        validations = f"{self.fit.train.validation_passes} validations of {self.fit.validation_seconds:.1f} s"
        return f"what the minutes hold at {self.fit.step_seconds:.2f} s a step and {validations}, {seen}"


def outlook(data: Path, settings: Settings) -> Outlook:
    """Plan a training and time it, without training.

    Args:
        data: The folder, or a dataset.yaml.
        settings: What is not set is planned.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met.
    """
    started = time.monotonic()
    start = prepared(data, settings)
    fit = fitted(start.session, started)
    assert fit.train.steps is not None
    return Outlook(
        plan=start.plan,
        fit=fit,
        images=(len(start.parts.part("train")), len(start.parts.part("val")), len(start.parts.part("test"))),
        passes=fit.train.steps / start.session.batches.steps_per_epoch,
        memory_mb=peak_memory_bytes() // 2**20,
        session=start.session,
    )
