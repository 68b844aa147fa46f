"""Which images to label next: what a model is unsure of, or a draw among those where it sees something.

A draw that knows where the foreground is, which published comparisons find hard to beat, follows nnActive (arXiv
2511.19183); class-stratified entropy with noise follows ClaSP PE (arXiv 2601.13677). The mean entropy won our own
simulation and is the default.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import SettingsError, did_you_mean
from perpixel.files.read import read_image
from perpixel.labels.labels import Labels
from perpixel.language import counted, say, translated
from perpixel.prediction import Predictor
from perpixel.results import ResultList, Row
from perpixel.runtime.choices import DEFAULT_STRATEGY
from perpixel.runtime.json_values import JsonObject

LEAST_FOREGROUND: Final = 1e-3
"""The share of an image that has to be predicted as foreground to count as such."""

NOISE: Final = 0.1
"""The scale of the Gumbel noise on the logarithm of class-entropy: similar images are not all taken."""


SCORES: Final[dict[str, str]] = {
    "random": "a number drawn for each image, the largest first",
    "foreground-random": "a number drawn for each image, 1 more where the model sees foreground",
    "entropy": "the mean over the pixels in nats, the least sure image first",
    "class-entropy": "the logarithm of the mean over the classes, with noise, the least sure first",
}
"""What the score of an image is, by the strategy."""


@dataclass(frozen=True)
class RankedImage:
    """An image and why it has its place.

    Args:
        path: The file.
        score: Larger ones are labelled first.
    """

    path: Path
    score: float

    def __str__(self) -> str:
        return f"{self.score:8.4f}  {self.path}"


@dataclass(frozen=True, repr=False)
class Ranking(ResultList[RankedImage]):
    """Images in the order in which to label them.

    Args:
        items: The images.
        strategy: What their scores are.
    """

    strategy: str

    @property
    def meaning(self) -> str:
        """What the score of an image is, in a few words."""
        return SCORES[self.strategy]

    @property
    def headline(self) -> str:
        """How many, the first, and what they are ranked by."""
        return say(
            "{images} to label, {first} first; {strategy}: {meaning}",
            images=counted(len(self), "image"),
            first=self[0].path.name if self else "–",
            strategy=self.strategy,
            meaning=translated(self.meaning),
        )

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row an image."""
        return {"images": [{"path": each.path, "score": each.score} for each in self]}

    def to_dict(self) -> JsonObject:
        """The strategy, what its scores are, and the images."""
        return {"strategy": self.strategy, "meaning": self.meaning} | super().to_dict()

    def text(self) -> str:
        """What the scores are, and an image a line with its own."""
        return "\n".join([f"{self.strategy}{say(': ')}{translated(self.meaning)}", *map(str, self)])


def rank_images(
    predictor: Predictor,
    paths: Sequence[Path],
    strategy: str = DEFAULT_STRATEGY,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Ranking:
    """Order images by what labelling them should bring.

    Args:
        predictor: The model that is to become better.
        paths: Images that are not labelled.
        strategy: "random"; "foreground-random": at random, images with predicted foreground first; "entropy": the
            mean entropy of the pixels; "class-entropy": that of the pixels of each predicted class, averaged over the
            classes, with noise.
        seed: Decides draws and noise.
        progress: Called with the images that are seen, and all.

    Raises:
        SettingsError: There is no such strategy, or the seed is below 0.
        DataError: An image cannot be read, or is not like the training images.
    """
    if strategy not in SCORES:
        raise SettingsError(f"there is no strategy {strategy!r}.", fix=did_you_mean(strategy, SCORES))
    if seed < 0:
        raise SettingsError(f"a seed of {seed} is below 0.", fix="give a whole number from 0 up.")
    draws = np.random.default_rng(seed).random(len(paths))
    ranked = []
    for number, (path, drawn) in enumerate(zip(paths, draws, strict=True), start=1):
        score = float(drawn)
        if strategy != "random":
            probabilities = predictor.probabilities(read_image(path), str(path))
            score = image_score(probabilities, predictor.codec.labels, strategy, score)
        ranked.append(RankedImage(path, score))
        if progress is not None:
            progress(number, len(paths))
    return Ranking(tuple(sorted(ranked, key=lambda each: -each.score)), strategy)


def image_score(probabilities: NDArray[np.float32], labels: Labels, strategy: str, drawn: float) -> float:
    """The score of one image.

    Args:
        probabilities: (K, H, W).
        labels: The classes.
        strategy: Any but "random".
        drawn: A number in 0..1 of this image's own.
    """
    if strategy == "foreground-random":
        return drawn + (foreground_share(probabilities, labels) >= LEAST_FOREGROUND)
    entropy = pixel_entropy(probabilities, labels)
    if strategy == "entropy":
        return float(entropy.mean())
    owner = probabilities.argmax(0)
    means = [float(entropy[owner == k].mean()) for k in np.unique(owner)]
    gumbel = -np.log(-np.log(min(max(drawn, 1e-9), 1 - 1e-9)))
    return float(np.log(max(float(np.mean(means)), 1e-9)) + NOISE * gumbel)


def foreground_share(probabilities: NDArray[np.float32], labels: Labels) -> float:
    """The share of the pixels that are predicted as anything but background; without a background, all of them."""
    if labels.is_multilabel:
        return float((probabilities >= 0.5).any(0).mean())
    return 1.0 if labels.background is None else float((probabilities.argmax(0) != labels.background).mean())


def pixel_entropy(probabilities: NDArray[np.float32], labels: Labels) -> NDArray[np.float32]:
    """The entropy of each pixel in nats, (H, W); of multilabel classes the mean of their own.

    >>> labels = Labels("multiclass", ("a", "b"), (0, 1), ((0, 0, 0), (9, 9, 9)))
    >>> pixel_entropy(np.array([[[1.0, 0.5]], [[0.0, 0.5]]], np.float32), labels).round(3).tolist()
    [[0.0, 0.6930000185966492]]
    """
    shares = np.clip(probabilities, 1e-9, 1)
    entropy = -(shares * np.log(shares))
    if not labels.is_multilabel:
        return np.asarray(entropy.sum(0), np.float32)
    rest = np.clip(1 - probabilities, 1e-9, 1)
    return np.asarray((entropy - rest * np.log(rest)).mean(0), np.float32)
