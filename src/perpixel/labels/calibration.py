"""Calibration: what validation images say about probabilities. A temperature, and the thresholds of the classes.

Dividing logits by the temperature makes probabilities say how often they are right; it changes no argmax.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from perpixel.shapes import IGNORED, FloatArray, TargetArray

Float64s: TypeAlias = NDArray[np.float64]
_LOG_LIMITS = (-5.0, 5.0)


def draw_pixels(
    logits: FloatArray, target: TargetArray, number: int, rng: np.random.Generator
) -> tuple[Float64s, TargetArray]:
    """Draw known pixels of an image, so that a bounded number of each stands for the validation set.

    Args:
        logits: (K, H, W) float.
        target: (H, W) uint8 multiclass or (K, H, W) uint8 multilabel.
        number: Pixels to draw without replacement; all where there are fewer.
        rng: Source of the draws.

    Returns:
        logits (M, K) float64 and target (M,) or (M, K), M ≤ number; pixels that are wholly ignored are not drawn.
    """
    answers = target.reshape(-1, target.shape[-2] * target.shape[-1])
    known = np.flatnonzero((answers != IGNORED).any(0))
    chosen = rng.choice(known, min(number, len(known)), replace=False)
    drawn = answers[:, chosen].T
    return logits.reshape(len(logits), -1)[:, chosen].T.astype(np.float64), drawn[:, 0] if target.ndim == 2 else drawn


def fit_temperature(logits: Float64s, target: TargetArray) -> float:
    """Find the temperature with the least negative log likelihood.

    Args:
        logits: (M, K) of validation pixels.
        target: (M,) uint8 multiclass or (M, K) uint8 multilabel; IGNORED is left out.

    Returns:
        T in 0.0067..148; probabilities are softmax(logits / T) or sigmoid(logits / T). NaN without a known pixel.

    Source: Guo et al. (2017), section 4.2. The likelihood is concave in 1 / T, so there is one optimum.

    >>> from scipy.special import expit
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(20000, 1))
    >>> target = (rng.random((20000, 1)) < expit(logits / 3)).astype(np.uint8)
    >>> round(fit_temperature(logits, target))
    3
    """
    known = target != IGNORED
    if not known.any():
        return float("nan")
    if target.ndim == 1:
        logits, truth = logits[known], target[known].astype(np.intp)
        right = np.take_along_axis(logits, truth[:, None], 1)[:, 0]

        def loss(log_temperature: float) -> float:
            beta = np.exp(-log_temperature)
            return float((logsumexp(logits * beta, axis=1) - right * beta).mean())
    else:
        margins = np.where(target == 1, logits, -logits)[known]

        def loss(log_temperature: float) -> float:
            return float(np.logaddexp(0, -margins * np.exp(-log_temperature)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_LIMITS, method="bounded", options={"xatol": 1e-6}).x))
