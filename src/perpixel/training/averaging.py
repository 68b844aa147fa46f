"""The running mean of a network's weights."""

import copy
from typing import Any, TypeAlias

import torch

from perpixel.models import SegmentationModel

StateDict: TypeAlias = dict[str, Any]
"""The state of a network or of an optimiser, as PyTorch gives it."""


class Average:
    """A network whose weights are the exponential running mean of those of another, which is in training.

    The running statistics of batch norms are averaged like weights: those of the last batches alone would fit the
    weights of the last steps, not their mean. Whole numbers are copied. Weights that never move stay as they are.

    Args:
        network: Where the mean begins; it is copied.
        decay: Share of the mean that a step leaves, 0..1; step t, from 0, leaves at most (1 + t) / (10 + t), so that
            the first weights are soon forgotten.

    Attributes:
        network: The mean.

    Source: Polyak and Juditsky (1992); Tarvainen and Valpola (2017), equation 1; the beginning is that of
    TensorFlow's ExponentialMovingAverage, the averaged statistics those of timm's ModelEma.
    """

    def __init__(self, network: SegmentationModel, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self, network: SegmentationModel) -> None:
        """Take in the weights after a step."""
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        now = network.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name], 1 - decay)
            else:
                mean.copy_(now[name])
        self._steps += 1

    def state_dict(self) -> StateDict:
        """Weights and number of steps."""
        return {"network": self.network.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: StateDict) -> None:
        """The inverse of `state_dict`."""
        self.network.load_state_dict(state["network"])
        self._steps = state["steps"]
