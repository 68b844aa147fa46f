"""Losses: pure functions (logits, target) → scalar, a table of them by name, and weighted sums.

Every loss takes logits (N, K, H, W) and a target of either kind, leaves ignored pixels out, computes in float32 or
better, and gives 0 with a zero gradient where there is nothing to learn from.
"""

from perpixel.losses.balance import median_frequency, positive_weight, weights_by_class
from perpixel.losses.loss_term import LossTerm
from perpixel.losses.lovasz import lovasz_hinge, lovasz_softmax
from perpixel.losses.pixels import bce, cross_entropy, focal
from perpixel.losses.regions import dice, focal_tversky, jaccard, tversky
from perpixel.losses.sums import Reduce
from perpixel.losses.table import LOSSES, Loss, WeightedLoss, supervised, weighted

__all__ = [
    "LOSSES",
    "Loss",
    "LossTerm",
    "Reduce",
    "WeightedLoss",
    "bce",
    "cross_entropy",
    "dice",
    "focal",
    "focal_tversky",
    "jaccard",
    "lovasz_hinge",
    "lovasz_softmax",
    "median_frequency",
    "positive_weight",
    "supervised",
    "tversky",
    "weighted",
    "weights_by_class",
]
