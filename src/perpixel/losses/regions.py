"""Losses that compare regions: Dice, Jaccard, Tversky and focal Tversky.

All of them are 1 − (I + s) / (I + α·FP + β·FN + s) on the soft counts I = Σ p y, FP = Σ p (1−y), FN = Σ (1−p) y over
the valid pixels of a channel, summed over the batch or over one image; the channels are those of `questions`: for
two multiclass classes class 1 alone, for more every class with its softmax, for multilabel labels every class with
its sigmoid. A channel without a valid pixel counts nowhere.
"""

from math import inf
from typing import Annotated, Literal, TypeAlias

import torch
from torch import Tensor

from perpixel.losses.questions import channel_probs, truth_and_valid
from perpixel.losses.sums import Reduce, here, mean_of_terms
from perpixel.runtime.function_options import Range

Weight: TypeAlias = Annotated[float, Range(0, inf)]

Classes: TypeAlias = Literal["present", "all", "pooled"]
"""Average over the classes that are in the truth (of the batch, or of the image), or over all of them; or add up the
pixels of all classes first, for one loss of them together."""


def dice(
    logits: Tensor,
    target: Tensor,
    *,
    per_image: bool = False,
    classes: Classes = "all",
    smooth: Weight = 1.0,
    reduce: Reduce = here,
) -> Tensor:
    """Soft Dice loss, 1 − (2 Σ p y + s) / (Σ p + Σ y + s), averaged over classes; both kinds of label.

    Args:
        logits: (N, K, H, W) float.
        target: (N, H, W) int64 or (N, K, H, W) uint8; IGNORED where unknown.
        per_image: Sum over each image and average the images' losses, instead of summing over the batch.
        classes: "all", only those "present" in the truth, or "pooled" as one.
        smooth: s, in pixels, ≥ 0; what it adds keeps an absent class's loss finite.
        reduce: Differentiable sum over ranks.

    Returns:
        A scalar in 0..1; 0 where every pixel is ignored.

    Source: Milletari et al. (2016) with a linear denominator, as MONAI's DiceLoss and (for `smooth` 0, all classes
    present) segmentation_models_pytorch's; the latter counts an absent class as 0 where "present" leaves it out.
    """
    return tversky(
        logits,
        target,
        alpha=0.5,
        beta=0.5,
        per_image=per_image,
        classes=classes,
        smooth=smooth / 2,
        reduce=reduce,
    )


def jaccard(
    logits: Tensor,
    target: Tensor,
    *,
    per_image: bool = False,
    classes: Classes = "all",
    smooth: Weight = 1.0,
    reduce: Reduce = here,
) -> Tensor:
    """Soft Jaccard (IoU) loss, 1 − (Σ p y + s) / (Σ p + Σ y − Σ p y + s); arguments as in `dice`.

    Source: Rahman and Wang (2016), equation 3.
    """
    return tversky(
        logits,
        target,
        alpha=1.0,
        beta=1.0,
        per_image=per_image,
        classes=classes,
        smooth=smooth,
        reduce=reduce,
    )


def tversky(  # noqa: PLR0913 - the options of a loss are its settings, by name
    logits: Tensor,
    target: Tensor,
    *,
    alpha: Weight = 0.3,
    beta: Weight = 0.7,
    per_image: bool = False,
    classes: Classes = "all",
    smooth: Weight = 1.0,
    reduce: Reduce = here,
) -> Tensor:
    """Tversky loss: `dice` with false positives and false negatives weighed apart.

    Args:
        logits: (N, K, H, W) float.
        target: (N, H, W) int64 or (N, K, H, W) uint8; IGNORED where unknown.
        alpha: α, weight of the false positives Σ p (1−y).
        beta: β, weight of the false negatives Σ (1−p) y; 0.5 and 0.5 give Dice, 1 and 1 Jaccard.
        per_image: As in `dice`.
        classes: As in `dice`.
        smooth: s, in pixels, on both sides of the fraction.
        reduce: Differentiable sum over ranks.

    Returns:
        A scalar in 0..1; 0 where every pixel is ignored.

    Source: Salehi et al. (2017), equation 3.
    """
    sums = soft_counts(logits, target, per_image=per_image, pooled=classes == "pooled", reduce=reduce)
    terms = 1 - _index(sums, alpha, beta, smooth)
    return _average(terms, sums, classes, reduce if per_image else here)


def focal_tversky(  # noqa: PLR0913
    logits: Tensor,
    target: Tensor,
    *,
    gamma: Annotated[float, Range(1, 3)] = 4 / 3,
    alpha: Weight = 0.3,
    beta: Weight = 0.7,
    per_image: bool = False,
    classes: Classes = "all",
    smooth: Weight = 1.0,
    reduce: Reduce = here,
) -> Tensor:
    """Focal Tversky loss: each class's Tversky loss to the power 1/gamma, 1 ≤ gamma ≤ 3; the rest as in `tversky`.

    Source: Abraham and Khan (2019), equation 4.
    """
    sums = soft_counts(logits, target, per_image=per_image, pooled=classes == "pooled", reduce=reduce)
    miss = 1 - _index(sums, alpha, beta, smooth)
    terms = miss.clamp(min=torch.finfo(miss.dtype).eps) ** (1 / gamma)  # a root has no slope at 0
    return _average(terms.where(miss > 0, miss), sums, classes, reduce if per_image else here)


def soft_counts(logits: Tensor, target: Tensor, *, per_image: bool, pooled: bool = False, reduce: Reduce) -> Tensor:
    """Σ p y, Σ p, Σ y and the number of valid pixels, as (4, rows, C): a row an image, or one row for the batch.

    Where the classes are pooled, C is 1.
    """
    probs = channel_probs(logits, target)
    truth, valid = truth_and_valid(target, logits.shape[1])
    over = (2, 3) if per_image else (0, 2, 3)
    sums = torch.stack(
        [
            (probs * truth).sum(over),
            (probs * valid).sum(over),
            truth.sum(over).to(probs),
            valid.expand_as(probs).sum(over).to(probs),
        ]
    )
    sums = sums if per_image else reduce(sums)[:, None]
    return sums.sum(2, keepdim=True) if pooled else sums


def _index(sums: Tensor, alpha: float, beta: float, smooth: float) -> Tensor:
    """The Tversky index of soft counts (4, rows, C); 1 where nothing is there and nothing was predicted."""
    both, predicted, true, _ = sums
    bottom = both + alpha * (predicted - both) + beta * (true - both) + smooth
    return torch.where(bottom > 0, (both + smooth) / bottom.where(bottom > 0, 1), 1)


def _average(terms: Tensor, sums: Tensor, classes: Classes, reduce: Reduce) -> Tensor:
    return mean_of_terms(terms, (sums[2] if classes == "present" else sums[3]) > 0, reduce)
