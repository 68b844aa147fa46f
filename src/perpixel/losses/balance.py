"""Weights that balance classes of unequal size."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import Problem, SettingsError, did_you_mean

LARGEST: Final = 50.0
"""No class weighs more than this, as in ENet (Paszke et al. 2016), nor less than its inverse."""


def median_frequency(frequencies: Sequence[float]) -> list[float]:
    """Weigh a pixel by its class: the median of the classes' frequencies over that of its own; multiclass labels.

    Args:
        frequencies: (K,) of the pixels of the images that hold a class, the share that is of it, 0..1.

    Returns:
        (K,) weights in 1 / LARGEST..LARGEST; 1 for a class that never occurs.

    Source: Eigen and Fergus (2015), median frequency balancing.

    >>> median_frequency([0.5, 0.25, 0.125, 0.0])
    [0.5, 1.0, 2.0, 1.0]
    """
    values = np.array(frequencies, np.float64)
    occurring = values[values > 0]
    return _limited(np.median(occurring) if occurring.size else np.ones(()), values)


def positive_weight(shares: Sequence[float]) -> list[float]:
    """Weigh a true pixel of a channel: the pixels without the class over those with it; multilabel labels.

    Args:
        shares: (K,) of all pixels, those of the class, 0..1.

    Returns:
        (K,) weights in 1 / LARGEST..LARGEST, where a false pixel weighs 1; 1 for a class that never occurs.

    Source: Xie and Tu (2015), equation 2, divided by its weight of a false pixel.

    >>> positive_weight([0.5, 0.2, 1e-6, 0.0])
    [1.0, 4.0, 50.0, 1.0]
    """
    values = np.array(shares, np.float64)
    return _limited(1 - values, values)


def weights_by_class(weights: Mapping[str, float], names: Sequence[str]) -> list[float]:
    """Weights (K,) in the order of the classes; 1 for those without. Raises SettingsError where one is unknown.

    >>> weights_by_class({"cell": 3.0}, ("ground", "cell"))
    [1.0, 3.0]
    """
    strangers = [name for name in weights if name not in names]
    if strangers:
        raise SettingsError.of(
            Problem(f"A weight is given for the class {name!r}, which there is not.", fix=did_you_mean(name, names))
            for name in strangers
        )
    return [weights.get(name, 1.0) for name in names]


def _limited(numerator: NDArray[np.float64] | np.floating, denominator: NDArray[np.float64]) -> list[float]:
    """The quotient within its limits; 1 where the denominator is 0."""
    occurs = denominator > 0
    quotient = np.clip(numerator / np.where(occurs, denominator, 1), 1 / LARGEST, LARGEST)
    weights: list[float] = np.where(occurs, quotient, 1).tolist()
    return weights
