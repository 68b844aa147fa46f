"""What the rules look at: sizes, classes, and two things that only the masks can tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from perpixel.audit import Audit
from perpixel.dataset import Dataset, Sample
from perpixel.metrics import Counts, count
from perpixel.shapes import IGNORED, LabelKind, TargetArray

SCALES: Final = (0.75, 0.5)
"""Working resolutions that are weighed against the native one."""
LOOKED_AT: Final = 32
"""Masks read for the plan, spread evenly over the training images."""


@dataclass(frozen=True)
class Facts:
    """A data set as the rules see it.

    Args:
        kind: Of the labels.
        names: Of the classes.
        shares: Of the labelled pixels, class by class.
        covered: Of all pixels that have a label, those of each class; where labels overlap, more than 1 together.
        frequencies: The same, of the images that hold the class alone.
        images: Number of training images.
        pixels: Of all training images together.
        median_hw: Of the heights and of the widths of the training images, in pixels.
        is_georeferenced: Whether the images lie on the earth.
        tilt: How unlike the classes of the upper and the lower third are, and those of the left and the right third;
            each the total variation distance, 0..1.
        iou_after_rescale: For each of SCALES the IoU of the masks with themselves after scaling down and up again,
            of the class that suffers most; 1 where nothing is lost.
        labelled: Of all pixels of the labelled images, those with a label.
        is_like_photographs: See the function.
    """

    kind: LabelKind
    names: tuple[str, ...]
    shares: tuple[float, ...]
    covered: tuple[float, ...]
    frequencies: tuple[float, ...]
    images: int
    pixels: int
    median_hw: tuple[float, float]
    is_georeferenced: bool
    tilt: tuple[float, float]
    iou_after_rescale: dict[float, float]
    labelled: float = 1.0
    is_like_photographs: bool = True


def is_like_photographs(dataset: Dataset) -> bool:
    """Whether images are of the kind that public weights have seen: 8 bit, of one channel or three."""
    return dataset.dtype == "uint8" and dataset.channels in (1, 3)


def facts_of(dataset: Dataset, figures: Audit, samples: Sequence[Sample]) -> Facts:
    """Gather the facts; reads at most LOOKED_AT masks.

    Args:
        dataset: Reads the masks.
        figures: Sizes and shares of the classes.
        samples: The training images.
    """
    labels = dataset.labels
    places = np.unique(np.linspace(0, len(samples) - 1, LOOKED_AT).round().astype(int))
    targets = [dataset.target(samples[place]) for place in places]
    pixels = np.array([each.pixels for each in figures.classes], dtype=np.float64)
    areas = np.array(figures.heights, dtype=np.float64) * figures.widths  # of every labelled image
    every = sum({(s.image, s.page, s.corner): s.height * s.width for s in dataset.samples}.values())
    holds = np.array([[k in figures.present[each.name] for k in range(len(labels))] for each in dataset.samples])
    return Facts(
        kind=labels.kind,
        names=labels.names,
        shares=tuple((pixels / max(1.0, pixels.sum())).tolist()),
        covered=tuple((pixels / max(1.0, every - figures.ignored_pixels)).tolist()),
        frequencies=tuple((pixels / np.maximum(1.0, areas @ holds)).tolist()),
        images=len(samples),
        pixels=sum(sample.height * sample.width for sample in samples),
        median_hw=(median(sample.height for sample in samples), median(sample.width for sample in samples)),
        is_georeferenced=any(sample.bounds is not None for sample in samples),
        tilt=_tilt(targets, len(labels)),
        iou_after_rescale={scale: _iou_after_rescale(targets, len(labels), labels.kind, scale) for scale in SCALES},
        is_like_photographs=is_like_photographs(dataset),
        labelled=1 - figures.ignored_pixels / max(1.0, every),
    )


def _tilt(targets: Sequence[TargetArray], classes: int) -> tuple[float, float]:
    def unlikeness(axis: int) -> float:
        ends = []
        for end in (slice(None, 1), slice(-1, None)):
            thirds = [_thirds(target, axis)[end][0] for target in targets]
            total = sum((_pixels(third, classes) for third in thirds), np.zeros(classes))
            ends.append(total / max(1.0, total.sum()))
        return float(np.abs(ends[0] - ends[1]).sum() / 2)

    return unlikeness(-2), unlikeness(-1)


def _thirds(target: TargetArray, axis: int) -> list[TargetArray]:
    return np.array_split(target, 3, axis=axis)


def _pixels(target: TargetArray, classes: int) -> NDArray[np.float64]:
    """Pixels of every class in a target of either kind."""
    if target.ndim == 3:
        return np.array([np.count_nonzero(layer == 1) for layer in target], dtype=np.float64)
    counted: NDArray[np.float64] = np.bincount(target.ravel(), minlength=IGNORED + 1)[:classes].astype(np.float64)
    return counted


def _iou_after_rescale(targets: Sequence[TargetArray], classes: int, kind: LabelKind, scale: float) -> float:
    total = Counts.zero(classes, kind)
    for target in targets:
        layers = _layers(target, classes)
        height, width = target.shape[-2:]
        small = F.interpolate(layers, _scaled(target, scale), mode="bilinear", antialias=True)
        back = F.interpolate(small, (height, width), mode="bilinear", align_corners=False)[0]
        prediction = back > 0.5 if target.ndim == 3 else back.argmax(0)
        total = total + count(prediction.to(torch.uint8).numpy(), target, classes=classes, kind=kind)
    present = total.iou[np.isfinite(total.iou)]
    return float(present.min()) if present.size else 1.0


def _layers(target: TargetArray, classes: int) -> Tensor:
    """One layer a class (1, K, H, W) float32; ignored pixels are in none."""
    if target.ndim == 3:
        return torch.from_numpy(target == 1)[None].float()
    return torch.from_numpy(target == np.arange(classes, dtype=np.uint8)[:, None, None])[None].float()


def _scaled(target: TargetArray, scale: float) -> list[int]:
    return [max(1, round(length * scale)) for length in target.shape[-2:]]
