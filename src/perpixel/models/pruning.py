"""What each level of a U-Net++ costs and how well it does, measured: the ground for choosing one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from perpixel.models.unetplusplus import NestedUNet


@dataclass(frozen=True)
class PrunedLevel:
    """A U-Net++ pruned to one level.

    Args:
        level: Its last column.
        parameters: Numbers that it has.
        multiply_adds: Of one prediction.
        seconds: Of one prediction, the faster of two.
        loss: What the loss gives for its logits.
    """

    level: int
    parameters: int
    multiply_adds: int
    seconds: float
    loss: float


def measure_levels(model: NestedUNet, image: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[PrunedLevel, ...]:
    """Measure a supervised U-Net++ at every level that it can be pruned to.

    Args:
        model: The trained network.
        image: Batch (N, C, H, W) to predict, on the network's device.
        loss: Maps logits (N, K, H, W) to one number; the lower the better.

    Raises:
        SettingsError: It was trained without a head on each column.

    Source: Zhou et al. (2018), section 3.2 and Figure 3.
    """
    return tuple(_measure(model.pruned(level), level, image, loss) for level in range(1, model.depth + 1))


def _measure(model: NestedUNet, level: int, image: Tensor, loss: Callable[[Tensor], Tensor]) -> PrunedLevel:
    model.eval()
    seconds = []
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            logits = model(image)
        for _ in range(2):
            started = time.perf_counter()
            model(image)
            seconds.append(time.perf_counter() - started)
    return PrunedLevel(
        level=level,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_adds=counter.get_total_flops() // 2,
        seconds=min(seconds),
        loss=float(loss(logits)),
    )
