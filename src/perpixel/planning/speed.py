"""How many pixels the budget pays for, by trying the network out on this machine."""

import time
from typing import Final

import torch
import torch.nn.functional as F

from perpixel.runtime.hardware import automatic_memory_format, automatic_precision, chosen_device
from perpixel.settings.tree import TrainSettings
from perpixel.store.model_file import ModelCard

TRIED_SIDE: Final = 256
TRIED_VIEWS: Final = 4
TRIED_STEPS: Final = 3
TRIED_S: Final = 6.0
"""After so long no further step is tried: of a step as slow, the second or two of warming up are a small part."""
USED_SHARE: Final = 0.85
"""Of the minutes, what is left for training steps; the rest goes to reading, validating and writing."""


def pixels_within(train: TrainSettings, card: ModelCard) -> float:
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


def _pixels_per_second(train: TrainSettings, card: ModelCard) -> float:
    device = chosen_device(train.device)
    network = card.build("none").train().to(device, memory_format=automatic_memory_format(device))  # type: ignore[call-overload] # torch's stubs leave it out
    precision = automatic_precision(device) if train.precision == "auto" else train.precision
    image = torch.zeros(TRIED_VIEWS, card.codec.channels, TRIED_SIDE, TRIED_SIDE, device=device)
    image = image.to(memory_format=automatic_memory_format(device))
    target = torch.zeros(TRIED_VIEWS, TRIED_SIDE, TRIED_SIDE, dtype=torch.int64, device=device)
    seconds: list[float] = []
    while len(seconds) < TRIED_STEPS and sum(seconds) < TRIED_S:
        start = time.monotonic()
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
            logits = network(image)
        F.cross_entropy(logits.float(), target).backward()  # type: ignore[no-untyped-call] # of torch
        float(logits[0, 0, 0, 0].detach())  # waits for the device
        seconds.append(time.monotonic() - start)
    return TRIED_VIEWS * TRIED_SIDE**2 / min(seconds)
