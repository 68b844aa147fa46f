"""What a training would be: the plan with its reasons, and how far the budget goes on this machine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perpixel.language import counted, say, translated
from perpixel.planning import Plan
from perpixel.prediction import PredictOptions
from perpixel.results import Result, Row, duration, plain
from perpixel.runtime.allocator import keep_freed_memory
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.operating_system import peak_memory_bytes
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.tree import Request, Settings
from perpixel.training.session import Session
from perpixel.training.setup import prepare_training
from perpixel.training.timing import FittedBudget


@dataclass(frozen=True, repr=False)
class TrainingEstimate(Result):
    """A plan, tried out on this machine.

    Args:
        plan: Its choices and reasons.
        budget: How it is spent; its steps were timed if minutes are the budget.
        images: Number of training, validation and test images.
        passes: How often the budget shows each part of each training image.
        memory_mb: The most that this process held after the steps that were timed, in MiB.
        session: Ready to train; makes the views that the network will see.
    """

    plan: Plan
    budget: FittedBudget
    images: tuple[int, int, int]
    passes: float
    memory_mb: int
    session: Session

    @property
    def settings(self) -> Settings:
        """Everything decided, the number of steps too."""
        return self.budget.settings

    @property
    def reasons(self) -> dict[str, str]:
        """Why, by the dotted path of the setting."""
        return {choice.key: choice.reason for choice in self.plan.choices} | {"train.steps": self._pace()}

    @property
    def headline(self) -> str:
        """Network, steps and images."""
        steps = counted(self.settings.train.steps or 0, "step")
        images = counted(self.images[0], "training image")
        return say("{network}, {steps} on {images}", network=self.settings.model.told, steps=steps, images=images)

    def tables(self) -> dict[str, Sequence[Row]]:
        """Each choice with its reason."""
        rows = [{"setting": each.key, "value": each.shown, "reason": each.reason} for each in self.plan.choices]
        steps = f"{self.settings.train.steps:,}"
        return {"choices": [*rows, {"setting": "train.steps", "value": steps, "reason": self._pace()}]}

    def to_dict(self) -> JsonObject:
        """Settings, reasons, and how far the budget goes."""
        return {
            "schema": 1,
            "settings": self.settings.model_dump(mode="json"),
            "reasons": self.reasons,
            "images": dict(zip(("train", "val", "test"), self.images, strict=True)),
            "passes": plain(self.passes),
            "step_seconds": plain(self.budget.step_seconds),
            "memory_mb": self.memory_mb,
        }

    def text(self) -> str:
        """The choices with their reasons, and what the budget holds."""
        rows = [(choice.key, choice.shown, choice.reason) for choice in self.plan.choices]
        rows.append(("train.steps", f"{self.budget.settings.train.steps:,}", self._pace()))
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines = [f"{key:<{widths[0]}}  {value:<{widths[1]}}  {translated(reason)}" for key, value, reason in rows]
        train, validation, test = self.images
        return "\n".join(
            [
                *lines,
                "",
                f"{train:,} images to train on, {validation:,} to validate, {test:,} to test; "
                f"the process held {self.memory_mb:,} MiB at most",
                *self._memory(),
                self._prediction(),
            ]
        )

    def _memory(self) -> list[str]:
        return ["memory that a step frees is kept for the next one"] if keep_freed_memory() else []

    def _prediction(self) -> str:
        options = PredictOptions()
        multilabel = self.session.card.codec.labels.is_multilabel
        answer = "each class from a probability of 0.5 on" if multilabel else "the most probable class"
        side, tile = math.isqrt(options.whole_px), options.tile_px
        return (
            f"{answer} is predicted; images of up to {side:,} × {side:,} pixels after scaling are seen whole, "
            f"larger ones in tiles of {tile:,} × {tile:,} that overlap by {options.overlap_px}"
        )

    def _pace(self) -> str:
        seen = f"which are {self.passes:.1f} passes over the training images"
        budget = self.budget
        if not budget.step_seconds:
            return f"the budget as it was given, {seen}"
        validations = f"{budget.settings.train.validation_passes} validations of {budget.validation_seconds:.1f} s"
        paces = f"{budget.step_seconds:.2f} s a step and {validations}, {seen}"
        if self.session.settings.train.minutes is None:
            return f"the budget as it was given, about {duration(budget.seconds)} here at {paces}"
        return f"what the minutes hold at {paces}"


def estimate_training(data: Path, request: Request, progress: Progress = silent) -> TrainingEstimate:
    """Plan a training and time it, without training.

    Args:
        data: The folder, or a dataset.yaml.
        request: What it leaves open is planned.
        progress: Called as the work goes on.

    Raises:
        DataError: The data cannot be used as they are.
        SettingsError: A setting cannot be met.
    """
    setup = prepare_training(data, request, progress).fitted(progress)
    plan, budget = setup.plan, setup.budget
    assert plan is not None
    assert budget is not None
    assert budget.settings.train.steps is not None
    return TrainingEstimate(
        plan=plan,
        budget=budget,
        images=(len(setup.parts.part("train")), len(setup.parts.part("val")), len(setup.parts.part("test"))),
        passes=budget.settings.train.steps / setup.session.batches.steps_per_epoch,
        memory_mb=peak_memory_bytes() // 2**20,
        session=setup.session,
    )
