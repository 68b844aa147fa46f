"""What a training reports while it runs: what is trained, until when, and a line for each validation."""

import math
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from perpixel.results import duration
from perpixel.runtime.hardware import resolved_hardware
from perpixel.settings.tree import Settings
from perpixel.training.setup import TrainingSetup
from perpixel.training.timing import FittedBudget

CLASSES_NAMED: Final = 8
LONG_SECONDS: Final = 3600.0
"""A number of steps or epochs that lasts longer than this is announced with a way to a shorter training."""


def opening_lines(setup: TrainingSetup) -> list[str]:
    """What is trained, how and until when.

    Args:
        setup: With its budget fitted.
    """
    session, budget = setup.session, setup.budget
    assert budget is not None
    settings, train = budget.settings, budget.settings.train
    parameters = sum(each.numel() for each in session.network.parameters()) / 1e6
    height, width = train.crop_hw
    steps = train.steps or 0
    device = resolved_hardware(train.device, train.precision).device
    names = session.card.codec.labels.names
    shown = ", ".join(names[:CLASSES_NAMED]) + (", …" if len(names) > CLASSES_NAMED else "")
    train_images, validation_images = (len(setup.parts.part(part)) for part in ("train", "val"))
    passes = steps / session.batches.steps_per_epoch
    about = "about " if session.settings.train.minutes is not None else ""  # the clock decides
    return [
        f"training {_network(settings)}, {parameters:.1f} M parameters",
        f"images: {train_images:,} for training, {validation_images:,} for validation; classes: {shown}",
        f"{about}{steps:,} steps of {train.batch_size} crops of {height} × {width} pixels on {device}: "
        f"{passes:.1f} passes over the images",
        *([f"ready at {clock}"] if (clock := _ready_at(budget)) else []),
    ]


def how_long(setup: TrainingSetup) -> str:
    """That a number of steps or epochs lasts hours here, and what to do about it; else nothing.

    Args:
        setup: With its budget fitted.
    """
    budget, train = setup.budget, setup.session.settings.train
    assert budget is not None
    if train.minutes is not None or budget.seconds < LONG_SECONDS:
        return ""
    return (
        f"this training lasts about {duration(budget.seconds)} on this machine, at {budget.step_seconds:.3g} s a "
        "step; for a shorter one try `minutes=30`."
    )


def validation_line(row: Mapping[str, float], number: int, of: int, *, is_best: bool) -> str:
    """A line that stays for each validation; what is undefined is left out.

    >>> row = {"step": 40, "validation_mean_iou": 0.712, "validation_loss": 0.31, "train_loss": float("nan")}
    >>> validation_line(row, 2, 8, is_best=True)
    'validation 2 of 8, step 40: mean IoU 0.712, validation loss 0.310 (best so far)'
    """
    named = {
        "mean IoU": row["validation_mean_iou"],
        "validation loss": row["validation_loss"],
        "training loss": row["train_loss"],
    }
    told = ", ".join(f"{name} {value:.3f}" for name, value in named.items() if math.isfinite(value))
    return f"validation {number} of {of}, step {row['step']:,.0f}: {told or '–'}{' (best so far)' if is_best else ''}"


def _network(settings: Settings) -> str:
    model = settings.model
    origin = "fine-tuned" if model.fine_tune_from else {"none": "random weights"}.get(model.weights, "pretrained")
    return f"{model.name} with {model.encoder} ({origin})" if model.encoder else f"{model.name} ({origin})"


def _ready_at(budget: FittedBudget) -> str:
    """The time of day, "14:32", where the budget was timed; else nothing."""
    if not budget.seconds:
        return ""
    seconds = budget.seconds
    ready = datetime.now().astimezone() + timedelta(seconds=seconds)
    return f"{ready:%H:%M}" if seconds < 86400 else time.strftime("%Y-%m-%d %H:%M", ready.timetuple())
