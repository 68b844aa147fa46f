"""Lovász losses: the convex extension of the Jaccard loss, from logits.

With the errors of G true and any number of false pixels in descending order, Algorithm 1 of Berman et al. (2018)
weighs each error with the step of the Jaccard loss as its pixel joins the mistakes. After F true and B false pixels

    a true pixel's step is   1 / (G + B)
    a false pixel's step is  (G − F) / ((G + B) (G + B + 1)),  or 1 for the first one where G = 0

which needs one sort and one running count, and loses no digits to a difference of two nearly equal numbers. The
steps are constant where the order is, so they carry no gradient and backward is one product.
"""

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from perpixel.losses.questions import at_least_float32, channel_logits, truth_and_valid
from perpixel.losses.sums import Reduce, here, mean_of_terms
from perpixel.shapes import IGNORED

ClassesOfLovasz: TypeAlias = Literal["present", "all"]
"""Average over the classes that are in the truth (of the batch, or of the image), or over all of them."""


def lovasz_hinge(
    logits: Tensor,
    target: Tensor,
    *,
    per_image: bool = True,
    classes: ClassesOfLovasz = "all",
    reduce: Reduce = here,
) -> Tensor:
    """Lovász hinge: the extension on the hinge errors 1 − z·(2y − 1), averaged over classes; both kinds of label.

    Two multiclass classes are the paper's binary case, z = z_1 − z_0; more are each taken against the rest.

    Args:
        logits: (N, K, H, W) float; logits, never probabilities.
        target: (N, H, W) int64 or (N, K, H, W) uint8; IGNORED where unknown.
        per_image: One loss an image, then their mean; or one loss over the batch.
        classes: "all", or only those "present" in the truth.
        reduce: Differentiable sum over ranks of the losses and of their number. Over the batch, each rank keeps
            its own order, so the loss is the mean of the ranks' losses and not the loss of their union.

    Returns:
        A scalar ≥ 0; 0 where every pixel is ignored.

    Source: Berman et al. (2018), equation 9 with Algorithm 1.
    """
    z = channel_logits(logits, target)
    truth, valid = truth_and_valid(target, logits.shape[1])
    errors = (1 + z * (1 - 2 * truth.to(z))).clamp(min=0)
    return _mean_extension(errors, truth, valid.expand_as(truth), per_image, classes, reduce)


def lovasz_softmax(
    logits: Tensor,
    target: Tensor,
    *,
    per_image: bool = False,
    classes: ClassesOfLovasz = "present",
    reduce: Reduce = here,
) -> Tensor:
    """Lovász softmax: the extension on |y − softmax_k| of every class, averaged over classes; multiclass labels.

    Args:
        logits: (N, K, H, W) float; logits, never probabilities.
        target: (N, H, W) int64; IGNORED where unknown.
        per_image: One loss an image, then their mean; or one loss over the batch.
        classes: "all", or only those "present" in the truth.
        reduce: As in `lovasz_hinge`.

    Returns:
        A scalar in 0..1; 0 where every pixel is ignored.

    Source: Berman et al. (2018), equation 11 with Algorithm 1.
    """
    probs = at_least_float32(logits).softmax(1)
    truth = target[:, None] == torch.arange(probs.shape[1], device=target.device)[:, None, None]
    valid = (target != IGNORED)[:, None].expand_as(truth)
    errors = torch.where(truth, 1 - probs, probs)
    return _mean_extension(errors, truth, valid, per_image, classes, reduce)


def _mean_extension(
    errors: Tensor, truth: Tensor, valid: Tensor, per_image: bool, classes: ClassesOfLovasz, reduce: Reduce
) -> Tensor:
    """Extend every row (a class of an image, or of the batch) and average; errors ≥ 0 and all (N, C, H, W)."""
    images, channels = errors.shape[:2]
    rows = images if per_image else 1

    def lay_out(x: Tensor) -> Tensor:
        return (x.flatten(2) if per_image else x.transpose(0, 1).flatten(1)).reshape(rows * channels, -1)

    errors, truth, valid = lay_out(errors), lay_out(truth), lay_out(valid)
    counted = (truth if classes == "present" else valid).any(1)
    steps = torch.zeros_like(errors)
    if counted.any():
        chosen = slice(None) if counted.all() else counted.nonzero()[:, 0]
        known = valid[chosen]
        steps[chosen] = _steps(errors.detach()[chosen].masked_fill(~known, -1), truth[chosen]) * known
    losses = (errors * steps).sum(1)
    return mean_of_terms(losses.view(rows, channels), counted.view(rows, channels), reduce)


def _steps(errors: Tensor, truth: Tensor) -> Tensor:
    """The step of the Jaccard loss at every pixel; errors and truth (rows, pixels), ignored pixels below 0."""
    order = _descending(errors)
    hit = truth.gather(1, order)
    true_so_far = hit.cumsum(1, dtype=torch.int32)
    total = true_so_far[:, -1:]
    place = torch.arange(1, hit.shape[1] + 1, device=hit.device, dtype=errors.dtype)
    left = (total - true_so_far).to(errors)  # G − F
    union = left + place  # G + B, with this pixel in B if it is false
    step = left.div_(union - 1).masked_fill_(hit, 1).div_(union)
    if (empty := total[:, 0] == 0).any():
        step[empty] = (place == 1).to(step)
    return torch.empty_like(step).scatter_(1, order, step)


def _descending(errors: Tensor) -> Tensor:
    """The order of every row (rows, pixels) from the largest error down.

    On the CPU, float32 goes through numpy, whose vectorised sort of whole numbers outruns any argsort: the bits of a
    float, which rise as it does, stand above the place they came from.
    """
    if errors.device.type != "cpu" or errors.dtype != torch.float32:
        return errors.argsort(1, descending=True)
    keys = (~errors.contiguous().view(torch.int32)).to(torch.int64)
    keys.bitwise_left_shift_(32).bitwise_or_(torch.arange(errors.shape[1]))
    keys.numpy().sort(axis=1)
    return keys.bitwise_and_(0xFFFFFFFF)
