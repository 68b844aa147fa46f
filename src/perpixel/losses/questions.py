"""Both kinds of label seen as yes-or-no questions, one a channel; the only place here that tells them apart.

    multilabel         C = K channels; the logit of channel k is z_k, its probability sigmoid(z_k)
    multiclass, K > 2   C = K channels, one against the rest: z_k − log Σ_{j≠k} exp z_j, whose sigmoid is softmax_k
    multiclass, K = 2   C = 1 channel, the binary case: class 1, with the logit z_1 − z_0

So a loss on a two-class softmax equals the familiar one-channel sigmoid loss, term for term.
"""

import torch
from torch import Tensor

from perpixel.shapes import IGNORED


def truth_and_valid(target: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Say for every channel and pixel whether the answer is yes, and whether it counts.

    Args:
        target: (N, H, W) int64 multiclass or (N, K, H, W) uint8 multilabel; IGNORED where unknown.
        classes: K, the number of channels of the logits.

    Returns:
        truth (N, C, H, W) bool, never true where ignored, and valid (N, C or 1, H, W) bool.
    """
    if target.ndim == 4:
        return target == 1, target != IGNORED
    asked = torch.arange(classes, device=target.device) if classes > 2 else torch.ones(1, device=target.device)
    return target[:, None] == asked[:, None, None], (target != IGNORED)[:, None]


def channel_logits(logits: Tensor, target: Tensor) -> Tensor:
    """Turn logits (N, K, H, W) into the logits (N, C, H, W) of the questions, in float32 or float64."""
    z = at_least_float32(logits)
    if target.ndim == 4:
        return z
    if z.shape[1] == 2:
        return z[:, 1:] - z[:, :1]
    return z - _log_sum_of_the_others(z)


def channel_probs(logits: Tensor, target: Tensor) -> Tensor:
    """Turn logits (N, K, H, W) into the probabilities (N, C, H, W) of a yes, in float32 or float64."""
    if target.ndim == 3 and logits.shape[1] > 2:
        return at_least_float32(logits).softmax(1)
    return channel_logits(logits, target).sigmoid()


def at_least_float32(logits: Tensor) -> Tensor:
    """Lift half precision to float32; float64 stays, so that gradients can be checked in it."""
    return logits if logits.dtype == torch.float64 else logits.float()


def _log_sum_of_the_others(z: Tensor) -> Tensor:
    """Give log Σ_{j≠k} exp z_j for every k, without cancellation: only the largest class can hold more than half."""
    top = torch.zeros_like(z, dtype=torch.bool).scatter_(1, z.argmax(1, keepdim=True), True)
    beside_top = z.masked_fill(top, -torch.inf).logsumexp(1, keepdim=True)
    share = z.softmax(1).clamp(max=0.5)  # exact for every class but the top
    return torch.where(top, beside_top, z.logsumexp(1, keepdim=True) + torch.log1p(-share))
