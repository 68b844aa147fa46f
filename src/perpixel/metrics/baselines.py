"""What a score is worth: the counts of predictors that never look at the image."""

import numpy as np

from perpixel.metrics.counts import Counts, Int64s
from perpixel.shapes import AnyArray


def baselines(counts: Counts, background: int | None = 0) -> dict[str, Counts]:
    """Count what three blind predictors would have got on the same truth.

    Args:
        counts: Counts (..., K) of any prediction; only what they say of the truth is used.
        background: The class that is the background, of multiclass labels; None where there is none.

    Returns:
        "background": the background everywhere (multiclass; left out without one), or no class anywhere.
        "majority": the most frequent class everywhere, or every class that holds more than half of the pixels.
        "prior": classes drawn at random with their shares in the truth; expected counts, to the nearest pixel.
        Shares are those of all images together; the counts have the same leading axes.

    >>> truth = Counts.of_confusion(np.array([[20, 0], [0, 60]]))
    >>> {name: counts.pixel_accuracy.item() for name, counts in baselines(truth).items()}
    {'background': 0.25, 'majority': 0.75, 'prior': 0.625}
    """
    true = counts.true_positive + counts.false_negative
    pooled = counts.pooled
    present = pooled.true_positive + pooled.false_negative
    if counts.confusion is not None:
        each = np.eye(counts.classes)
        shares = {} if background is None else {"background": each[background]}
        shares |= {"majority": each[present.argmax()], "prior": present / max(present.sum(), 1)}
        return {name: Counts.of_confusion(_whole(true[..., None] * share)) for name, share in shares.items()}
    false = counts.false_positive + counts.true_negative
    share = present / np.maximum(present + pooled.false_positive + pooled.true_negative, 1)
    chances = {"background": np.zeros_like(share), "majority": share > 0.5, "prior": share}
    return {name: _said_with(chance, true, false) for name, chance in chances.items()}


def _said_with(chance: AnyArray, true: Int64s, false: Int64s) -> Counts:
    hit, alarm = _whole(true * chance), _whole(false * chance)
    return Counts(hit, alarm, true - hit, false - alarm)


def _whole(expected: AnyArray) -> Int64s:
    whole: Int64s = np.rint(expected).astype(np.int64)
    return whole
