"""The labels of partly labelled training images, extended before the first step."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample
from perpixel.dataset.layout.folder import nodata_of
from perpixel.errors import SettingsError
from perpixel.files.open_image import without_data
from perpixel.labels.labels import is_multilabel
from perpixel.models.strokes import Stroked, propagated
from perpixel.planning.facts import is_like_photographs
from perpixel.runtime.progress import Progress
from perpixel.shapes import IGNORED, TargetArray

TRIED: Final = 8
"""Images that show beforehand whether it is sure."""

LEAST_SURE: Final = 0.7
"""Of the training pixels, those that the learner has to be sure of. On nuclei it was of 91 %, and the network
trained on its labels was better; on photographs of pets of 38 %, and it was worse: what is sure is what is easy."""


@dataclass(frozen=True)
class PropagatedLabels:
    """Labels that training takes instead of those of the files.

    Args:
        targets: (H, W) by the name of the sample.
        notes: What was extended, in sentences.
    """

    targets: Mapping[str, TargetArray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def propagated_labels(dataset: Dataset, samples: Sequence[Sample], progress: Progress) -> PropagatedLabels:
    """Extend the labels of training images to the pixels whose class is nearly sure.

    Args:
        dataset: Reads them.
        samples: The training images; those that validate keep the labels that a person gave.
        progress: Called as the work goes on.

    Raises:
        DataError: An image cannot be read.
        SettingsError: The images are not of 8 bit and one channel or three, or the labels overlap.
    """
    if is_multilabel(dataset.labels.kind) or not is_like_photographs(dataset):
        raise SettingsError(
            "train.propagate_strokes needs images of 8 bit with one channel or three, and one class per pixel.",
            fix="set train.propagate_strokes to false.",
        )
    stroked = [
        Stroked(sample.name, partial(_read, dataset, sample), sample.height * sample.width) for sample in samples
    ]
    classes = len(dataset.labels)
    if len(stroked) >= 2 * TRIED:
        tried = propagated(stroked[:: len(stroked) // TRIED][:TRIED], classes)
        share = _labelled_share([target for _, target in tried])
        if share < LEAST_SURE:
            return _as_they_are(share)
    targets = dict(propagated(stroked, classes, progress))
    for sample in samples:
        nodata = nodata_of(sample)
        empty = None if nodata is None else without_data(dataset.image(sample), nodata)
        if empty is not None:
            targets[sample.name][empty] = IGNORED
    share = _labelled_share(targets.values())
    if share < LEAST_SURE:
        return _as_they_are(share)
    told = f"the strokes were carried on to {share:.0%} of the training pixels; validation sees the strokes alone."
    return PropagatedLabels(targets, (told,))


def _labelled_share(targets: Collection[TargetArray]) -> float:
    return sum(int((target != IGNORED).sum()) for target in targets) / max(1, sum(target.size for target in targets))


def _as_they_are(share: float) -> PropagatedLabels:
    only = f"a quick learner is sure of {share:.0%} of the training pixels only, so the strokes are not carried on."
    return PropagatedLabels(notes=(only,))


def _read(dataset: Dataset, sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image, target = dataset.labelled_image(sample)
    pixels = np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)).astype(np.uint8, copy=False))
    return pixels, target
