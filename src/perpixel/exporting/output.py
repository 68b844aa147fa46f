"""What the probabilities of an exported graph are, and how to decide from them as the run decides."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from perpixel.labels.decision import LEAST_THRESHOLD, decoded, thresholds_at
from perpixel.labels.labels import Labels
from perpixel.prediction import Predictor
from perpixel.shapes import TargetArray

TIE: Final = 1e-5
"""A pixel is tied where the run's own probabilities are this close to deciding otherwise; a tenth of what a
probability may differ by. Programs round sums in orders of their own, so that ties go either way."""


@dataclass(frozen=True)
class GraphOutput:
    """The probabilities of a graph beside those of the run.

    Args:
        labels: The classes.
        decided: The run's thresholds, (K,) or none.
        temperature: What logits are divided by in the graph.
        is_balanced: Whether the thresholds are in the graph, so that 0.5 or the most probable class decides.
    """

    labels: Labels
    decided: tuple[float, ...] = ()
    temperature: float = 1.0
    is_balanced: bool = False

    @classmethod
    def written(cls, predictor: Predictor) -> Self:
        """The probabilities that the run writes: tempered where its decision is calibrated."""
        is_tempered = predictor.calibration is not None and predictor.decision.name == "calibrated"
        temperature = predictor.calibration.temperature if is_tempered and predictor.calibration else 1.0
        return cls(predictor.codec.labels, predictor.codec.thresholds, temperature)

    @property
    def thresholds(self) -> tuple[float, ...]:
        """That decide about the graph's probabilities."""
        return () if self.is_balanced else thresholds_at(self.labels, self.decided, self.temperature)

    def of(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the graph should give where the run's networks give these, (K, H, W)."""
        if self.is_balanced:
            return np.asarray(balanced(self.labels, probabilities, self.decided))
        return probabilities if self.temperature == 1 else self.labels.tempered(probabilities, self.temperature)

    def decide(self, probabilities: NDArray[np.float32]) -> TargetArray:
        """Classes from what the graph gives, (K, H, W)."""
        return decoded(self.labels, probabilities, self.thresholds)

    def wanted(self, probabilities: NDArray[np.float32]) -> TargetArray:
        """Classes as the run decides, from what its networks give, (K, H, W)."""
        return decoded(self.labels, probabilities, self.decided)

    def is_tie(self, probabilities: NDArray[np.float32], found: TargetArray) -> NDArray[np.bool_]:
        """Where the run is within `TIE` of deciding as the graph did.

        Args:
            probabilities: (K, H, W) of the run's networks.
            found: As the graph decides, (H, W) or (K, H, W).

        Returns:
            (H, W), or (K, H, W) for multilabel labels.
        """
        if self.labels.is_multilabel:
            limits = np.array(self.decided or (0.5,) * len(self.labels), np.float64)[:, None, None]
            return np.asarray(np.abs(probabilities - limits) <= TIE)
        limits = np.maximum(self.decided or (1.0,) * len(self.labels), LEAST_THRESHOLD)
        scores = probabilities / limits[:, None, None] * limits.min()
        theirs = np.take_along_axis(scores, found[None].astype(np.intp), 0)[0]
        return np.asarray(scores.max(0) - theirs <= TIE)


def balanced(labels: Labels, probabilities: Any, thresholds: tuple[float, ...]) -> Any:
    """Shift probabilities (K, …), an array or a tensor, so that 0.5 or the most probable class decides.

    >>> labels = Labels("multiclass", ("background", "cell"), (0, 1), ((0, 0, 0),) * 2)
    >>> balanced(labels, np.array([[0.7], [0.3]]), (0.75, 0.25)).ravel().round(2).tolist()
    [0.44, 0.56]
    """
    if not thresholds:
        return probabilities
    if labels.is_multilabel:
        shares = [odds(probabilities[k], threshold) for k, threshold in enumerate(thresholds)]
    else:
        shares = [probabilities[k] / max(each, LEAST_THRESHOLD) for k, each in enumerate(thresholds)]
        total = sum(shares)
        shares = [share / total for share in shares]
    return np.stack(shares) if isinstance(probabilities, np.ndarray) else shares


def odds(probability: Any, threshold: float) -> Any:
    """Move a probability so that what was the threshold is 0.5."""
    kept = min(max(threshold, LEAST_THRESHOLD), 1 - LEAST_THRESHOLD)
    have = probability * (1 - kept)
    return have / (have + (1 - probability) * kept)
