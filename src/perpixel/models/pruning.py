"""What each level of a U-Net++ costs, measured: with its scores the ground for choosing one."""

import time
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
    """

    level: int
    parameters: int
    multiply_adds: int
    seconds: float


def measure_levels(model: NestedUNet, image: Tensor) -> tuple[PrunedLevel, ...]:
    """Measure a supervised U-Net++ at every level that it can be pruned to.

    Args:
        model: The trained network.
        image: Batch (N, C, H, W) to predict, on the network's device.

    Raises:
        SettingsError: It was trained without a head on each column.

    Source: Zhou et al. (2018), section 3.2 and Figure 3.
    """
    return tuple(_measure(model.pruned(level), level, image) for level in range(1, model.depth + 1))


def _measure(model: NestedUNet, level: int, image: Tensor) -> PrunedLevel:
    model.eval()
    seconds = []
    with torch.no_grad():
        with FlopCounterMode(display=False) as counter:
            model(image)
        for _ in range(2):
            started = time.perf_counter()
            model(image)
            seconds.append(time.perf_counter() - started)
    return PrunedLevel(
        level=level,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_adds=counter.get_total_flops() // 2,
        seconds=min(seconds),
    )
