"""Muon: the step of a convolution is made orthogonal, so that all directions of its weights move alike.

Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024); the rate by the size of the
matrix: Liu et al., Muon is scalable for LLM training (2025), equation 4.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

MOMENTUM: Final = 0.95
COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
"""Of x, x³ and x⁵; five rounds bring every singular value from 0.01 to 1 near 1."""
ROUNDS: Final = 5
ROOT_MEAN_SQUARE: Final = 0.4
"""Of a step over its rate; steps of AdamW have 0.2 to 0.4."""
LEAST_SIDE: Final = 8
"""Of a matrix that is worth it."""
LEAST_NORM: Final = 1e-7
"""A smaller matrix is taken for this large: where gradients vanish, steps do too."""


class Muon(torch.optim.AdamW):
    """Muon for the groups whose "is_orthogonal" is true, AdamW for the others.

    Args:
        groups: Weights (O, …) that are taken for matrices of O rows, and other parameters.
        lr: The rate of both.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]], lr: float) -> None:
        super().__init__([{"is_orthogonal": False, **group} for group in groups], lr=lr, fused=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"] if group["is_orthogonal"] else ():
                if weight.grad is not None:
                    self._move(weight, group["lr"], group["weight_decay"])
                    weight.grad = None  # AdamW leaves it alone
        return super().step(closure)

    def _move(self, weight: nn.Parameter, rate: float, decay: float) -> None:
        state, gradient = self.state[weight], weight.grad
        assert gradient is not None
        if not state:  # AdamW looks for a step in each state that it loads
            state.update(step=weight.new_zeros(()), momentum=torch.zeros_like(weight))
        state["step"] += 1
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        ahead = gradient.lerp(momentum, MOMENTUM).flatten(1)
        step = orthogonal(ahead) * (ROOT_MEAN_SQUARE * max(ahead.shape) ** 0.5)
        weight.mul_(1 - rate * decay).sub_(rate * step.view(weight.shape))


def orthogonal(matrix: Tensor) -> Tensor:
    """A matrix (R, C) with the same singular vectors, whose singular values are near 1, or less near LEAST_NORM.

    The rounds of Newton and Schulz are odd polynomials; they are multiplied out for the small square of the matrix,
    which costs a fifth of carrying the matrix along.
    """
    is_tall = matrix.shape[0] > matrix.shape[1]
    wide = matrix.T if is_tall else matrix
    wide = wide / wide.norm().clamp_min(LEAST_NORM)
    first, third, fifth = COEFFICIENTS
    square, one = wide @ wide.T, torch.eye(len(wide), dtype=wide.dtype, device=wide.device)
    factor = one
    for _ in range(ROUNDS):
        change = first * one + third * square + fifth * square @ square
        factor, square = change @ factor, change @ square @ change
    straight: Tensor = factor @ wide
    return straight.T if is_tall else straight


def is_matrix(weight: nn.Parameter) -> bool:
    """Whether a parameter is the weights of a convolution of all channels, and large enough."""
    return weight.ndim > 1 and weight.shape[1] > 1 and min(len(weight), weight[0].numel()) >= LEAST_SIDE
