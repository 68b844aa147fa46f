"""Losses that are a mean over pixels: cross entropy, binary cross entropy, focal."""

from collections.abc import Sequence
from math import inf
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from perpixel.losses.questions import at_least_float32, channel_logits, truth_and_valid
from perpixel.losses.sums import Reduce, here, ratio_over_ranks
from perpixel.runtime.function_options import Range
from perpixel.shapes import IGNORED


def cross_entropy(
    logits: Tensor,
    target: Tensor,
    *,
    class_weights: Sequence[float] | None = None,
    label_smoothing: Annotated[float, Range(0, 1)] = 0.0,
    reduce: Reduce = here,
) -> Tensor:
    """Mean over pixels of −log softmax of the true class; multiclass labels.

    Args:
        logits: (N, K, H, W) float.
        target: (N, H, W) int64 in 0..K−1, or IGNORED.
        class_weights: (K,) weight of a pixel by its true class; the mean divides by the sum of the weights.
        label_smoothing: Share of the truth spread evenly over the K classes, 0..1.
        reduce: Differentiable sum over ranks.

    Returns:
        A scalar; 0 where every pixel is ignored.

    Source: Szegedy et al. (2016), section 7, for the smoothing; equal to torch.nn.functional.cross_entropy.
    """
    z = at_least_float32(logits)
    weights = z.new_ones(z.shape[1]) if class_weights is None else z.new_tensor(class_weights)
    total = F.cross_entropy(
        z, target, weights, ignore_index=IGNORED, reduction="sum", label_smoothing=label_smoothing
    )
    valid = target != IGNORED
    mass = valid.sum() if class_weights is None else (weights[target.where(valid, 0)] * valid).sum()
    return ratio_over_ranks(total, mass, reduce)


def bce(
    logits: Tensor,
    target: Tensor,
    *,
    positive_weights: Sequence[float] | None = None,
    reduce: Reduce = here,
) -> Tensor:
    """Mean over pixels and channels of the binary cross entropy; both kinds of label.

    Multilabel labels: −y log σ(z) − (1−y) log(1−σ(z)) for each class. Multiclass labels with K = 2: the same on
    class 1 and z_1 − z_0, which is the cross entropy. With K > 2: the same with softmax_k for σ(z_k), each class
    against the rest; torch's binary_cross_entropy_with_logits on one-hot truth would take σ(z_k) instead.

    Args:
        logits: (N, K, H, W) float.
        target: (N, H, W) int64 or (N, K, H, W) uint8; IGNORED where unknown.
        positive_weights: (C,) weight of a true pixel in its channel; a false one weighs 1. C is K, or 1 where two
            classes exclude each other.
        reduce: Differentiable sum over ranks.

    Returns:
        A scalar; 0 where every pixel is ignored.
    """
    z = channel_logits(logits, target)
    truth, valid = truth_and_valid(target, logits.shape[1])
    weights = None if positive_weights is None else z.new_tensor(positive_weights)[:, None, None]
    each = F.binary_cross_entropy_with_logits(z, truth.to(z), pos_weight=weights, reduction="none")
    return ratio_over_ranks((each * valid).sum(), valid.expand_as(each).sum(), reduce)


def focal(
    logits: Tensor,
    target: Tensor,
    *,
    gamma: Annotated[float, Range(0, inf)] = 2.0,
    alpha: Sequence[float] | float | None = None,
    reduce: Reduce = here,
) -> Tensor:
    """Mean over pixels of −α_t (1 − p_t)^γ log p_t; both kinds of label.

    Multiclass labels: p_t is the softmax of the true class. Multilabel labels: p_t is σ(z) where the class is there
    and 1 − σ(z) where it is not, and the mean is over channels too (torchvision's sigmoid_focal_loss).
    segmentation_models_pytorch differs for K > 2: it sums σ-terms of every class against the rest.

    Args:
        logits: (N, K, H, W) float.
        target: (N, H, W) int64 or (N, K, H, W) uint8; IGNORED where unknown.
        gamma: How fast easy pixels fade, ≥ 0; 0 gives (binary) cross entropy.
        alpha: (K,) Multiclass labels: weight of a pixel by its true class. Multilabel labels: weight of a pixel
            where class k is; 1 − alpha where it is not. One number is the weight of every class, of multiclass
            labels but the first, whose weight is 1 − alpha. None weighs all 1.
        reduce: Differentiable sum over ranks.

    Returns:
        A scalar; 0 where every pixel is ignored.

    Source: Lin et al. (2017), equation 5, averaged over pixels rather than over anchors found.
    """
    z = at_least_float32(logits)
    if isinstance(alpha, int | float):
        alpha = [alpha if k or target.ndim == 4 else 1 - alpha for k in range(z.shape[1])]
    if target.ndim == 4:
        truth, valid = truth_and_valid(target, z.shape[1])
        log_p = F.logsigmoid(torch.where(truth, z, -z))
        if alpha is not None:
            share = z.new_tensor(alpha)[:, None, None]
            weights = torch.where(truth, share, 1 - share)
    else:
        valid = target != IGNORED
        known = target.where(valid, 0)
        log_p = z.log_softmax(1).gather(1, known[:, None])[:, 0]
        if alpha is not None:
            weights = z.new_tensor(alpha)[known]
    miss = (-torch.expm1(log_p)).clamp(min=torch.finfo(z.dtype).tiny)  # 1 − p_t; a power has no slope at 0
    each = -(miss**gamma) * log_p
    if alpha is not None:
        each = each * weights
    return ratio_over_ranks((each * valid).sum(), valid.sum(), reduce)
