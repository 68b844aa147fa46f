"""Which training images are answered wrongly, so that they are shown more often: `train.hard_example_fraction`."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from perpixel.shapes import IGNORED, TargetArray


@dataclass(frozen=True)
class Difficulty:
    """Pixels of the training images as they were answered in training; batches follow what a validation made known.

    Between two validations nothing that batches look at changes, so that they can be made ahead, and a run that is
    resumed makes the same ones.

    Args:
        known: (2, images) int64, wrong and labelled pixels of the views between the last two validations, or between
            an earlier pair where an image was not shown since.
        growing: (2, images) int64, the same since the last validation.
    """

    known: Tensor
    growing: Tensor

    @classmethod
    def of(cls, images: int) -> Self:
        """Nothing known of so many images."""
        return cls(*torch.zeros(2, 2, images, dtype=torch.int64))

    def plus(self, tally: NDArray[np.int64]) -> "Difficulty":
        """Add a step's `tally_of`."""
        return Difficulty(self.known, self.growing + torch.from_numpy(tally))

    def made_known(self) -> "Difficulty":
        """At a validation, take over what was counted since the one before."""
        return Difficulty(torch.where(self.growing[1] > 0, self.growing, self.known), torch.zeros_like(self.growing))

    @property
    def errors(self) -> NDArray[np.float64] | None:
        """Share (images,) of each image that is answered wrongly, 0..1; the mean of all where it was never shown.

        None before anything is known.

        >>> Difficulty(torch.tensor([[1, 4, 0], [4, 6, 0]]), torch.zeros(2, 3)).errors
        array([0.25      , 0.66666667, 0.5       ])
        """
        wrong, labelled = self.known.double().numpy()
        if not labelled.any():
            return None
        errors: NDArray[np.float64] = np.full(len(wrong), wrong.sum() / labelled.sum())
        np.divide(wrong, labelled, out=errors, where=labelled > 0)
        return errors


def tally_of(
    prediction: NDArray[np.generic], truth: TargetArray, places: NDArray[np.int64], images: int
) -> NDArray[np.int64]:
    """Count the wrong and the labelled pixels of some views by the image that each shows.

    Args:
        prediction: (N, H, W) or (N, K, H, W), as the truth.
        truth: (N, H, W) or (N, K, H, W) uint8; IGNORED is not counted.
        places: (N,) int64, the image of each view.
        images: How many there are.

    Returns:
        (2, images) int64; of multilabel labels every class of a pixel counts.

    >>> tally_of(np.array([[[0, 1]], [[1, 1]]]), np.array([[[0, 0]], [[1, 255]]], np.uint8), np.array([2, 0]), 3)
    array([[0, 0, 1],
           [1, 0, 2]])
    """
    labelled = truth != IGNORED
    wrong = labelled & (prediction != truth)
    tally = np.zeros((2, images), np.int64)
    for view, place in enumerate(places):
        tally[:, place] += wrong[view].sum(), labelled[view].sum()
    return tally
