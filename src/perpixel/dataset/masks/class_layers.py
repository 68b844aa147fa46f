"""A file, a channel or a page a class: multiclass where no pixel has two of them, multilabel where one has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.layout.inventory import gathered
from perpixel.dataset.masks.classes import Reading, Understood, default_colours, multilabel
from perpixel.dataset.sample import Sample, info
from perpixel.errors import DataError
from perpixel.files.read import read_mask
from perpixel.labels.labels import BACKGROUND_NAMES, Labels
from perpixel.shapes import IGNORED, AnyArray, TargetArray

LOOKED_AT: Final = 8
FEW_FILES: Final = 6
"""Images with more files hold objects: nobody keeps so many versions."""
ALIKE: Final = 0.65
"""The intersection over union of two layers from which they may be of one thing."""
OVERLAP: Final = 0.25
"""Objects of an image, told apart by numbers, share less of what they cover."""
WHAT: Final = {"classes": "file", "channels": "channel", "pages": "page"}


@dataclass
class _Seen:
    """What the layers of all samples have in common; it is narrowed sample by sample."""

    overlaps: str = ""  # the first mask with a pixel of two classes
    is_full: bool = True  # each pixel has a class


def understood_layers(
    names: Sequence[str], values: Sequence[int], samples: Sequence[Sample], reading: Reading
) -> Understood:
    """The labels of masks with a layer for each class; layers that never meet make one class a pixel.

    Args:
        names: Of the layers, in their order.
        values: Of each layer, that of its pixels; the others are 0.
        samples: All; the labelled ones are looked at.
        reading: Whether the layers are files, channels or pages.

    Raises:
        DataError: A mask cannot be read.
    """
    seen = _seen([sample for sample in samples if sample.masks], reading, len(names))
    names, what = in_words(names), WHAT[reading]
    if seen.overlaps:
        _refuse_readings_of_one_thing(names, [sample for sample in samples if sample.masks], reading)
        told = info(
            f"the masks have a {what} a class, and the classes overlap: a pixel has any of them (multilabel).",
            "make one mask of class indices if each pixel has one class only.",
            [seen.overlaps],
        )
        return Understood(multilabel(names, values), reading, (told,))
    if len(names) == 1:
        told = info(
            f"the masks are of one class, {names[0]}.", "write kind and classes into dataset.yaml to rename it."
        )
        return Understood(_multiclass(names, is_full=seen.is_full), reading, (told,))
    told = info(
        f"the masks have a {what} a class, and no pixel has two of {', '.join(names)}: each pixel has one class "
        "(multiclass).",
        "write kind: multilabel and the classes into dataset.yaml if they may overlap in other images.",
    )
    return Understood(_multiclass(names, is_full=seen.is_full), reading, (told,))


def in_words(names: Sequence[str]) -> tuple[str, ...]:
    """Names of layers that are bare numbers, as of folders 0, 1, 2, say that they are classes."""
    if not all(name.isdecimal() for name in names):
        return tuple(names)
    return ("foreground",) if len(names) == 1 else tuple(f"class {name}" for name in names)


def _refuse_readings_of_one_thing(names: Sequence[str], samples: Sequence[Sample], reading: Reading) -> None:
    """Raise DataError where two layers are nearly the same: what two people drew of one thing is no two classes."""
    shared = np.zeros((2, len(names), len(names)))
    for sample in samples[:: max(1, len(samples) // LOOKED_AT)]:
        layers = [layer.ravel().astype(np.float64) for layer in _layers(sample, reading, len(names))]
        both = np.array(layers) @ np.array(layers).T
        shared += both, both.diagonal()[:, None] + both.diagonal() - both
    with np.errstate(invalid="ignore"):
        likeness = np.triu(shared[0] / shared[1], 1)
    if not (likeness >= ALIKE).any():
        return
    first, second = np.unravel_index(int(np.nanargmax(likeness)), likeness.shape)
    raise DataError(
        f"the masks of {names[int(first)]} and {names[int(second)]} are nearly the same: they may be two classes, or "
        "what two people drew of one.",
        fix="remove those of one person; or list the classes in dataset.yaml with kind: multilabel.",
    )


def refuse_copies_of_objects(samples: Sequence[Sample]) -> None:
    """Raise DataError where the files of an image, each an object, cover much of the same: versions of a mask.

    Args:
        samples: Those with two to `FEW_FILES` files are looked at, a few of them.
    """
    few = [sample for sample in samples if 2 <= len(sample.masks) <= FEW_FILES]
    chosen = few[:: max(1, len(few) // LOOKED_AT)][:LOOKED_AT]
    alike = [pair for sample in chosen if (pair := _nearly_the_same(sample))]
    if alike and 2 * len(alike) > len(chosen):
        raise DataError(
            f"mask files of one image cover much of the same in {len(alike)} of {len(chosen)} images that were "
            "looked at: they are no objects, but versions of a mask, or what several people drew.",
            fix="move those that do not count out of the folder, or list the pairs in a CSV file (columns image, "
            "mask) and name it in dataset.yaml (perpixel: 1, pairs: FILE).",
            examples=alike,
        )


def _nearly_the_same(sample: Sample) -> str:
    """Two files of an image that share much of what they cover; empty where there are none."""
    layers = [is_set(read_mask(path, sample.mask_page).values) for path in sample.masks]
    for (first, one), (second, other) in combinations(zip(sample.masks, layers, strict=True), 2):
        least = OVERLAP if _differ_by_number(first.stem, second.stem) else ALIKE
        if one.shape == other.shape and (one & other).sum() >= least * max((one | other).sum(), 1):
            return f"{first.name} and {second.name}"
    return ""


def _differ_by_number(first: str, second: str) -> bool:
    return re.sub(r"\d+", "0", first) == re.sub(r"\d+", "0", second)


def _multiclass(names: Sequence[str], *, is_full: bool) -> Labels:
    """A class's value is the number of its layer, from 1 on; 0 is where none is."""
    numbered = dict(enumerate(names, start=1))
    first = next((k for k, name in numbered.items() if name.strip("_ ").lower() in BACKGROUND_NAMES), None)
    if first is not None:
        numbered = {first: numbered.pop(first), **numbered}
    elif not is_full:
        numbered = {0: "background", **numbered}
    shown = default_colours([0 if k == first else k for k in numbered])
    return Labels("multiclass", tuple(numbered.values()), tuple(numbered), shown)


def _seen(samples: Sequence[Sample], reading: Reading, count: int) -> _Seen:
    seen = _Seen()

    def look(index: int) -> None:
        if seen.overlaps:
            return
        sample = samples[index]
        depth = np.sum(_layers(sample, reading, count), axis=0, dtype=np.uint16)
        if depth.max(initial=0) > 1:
            seen.overlaps = str(sample.masks[0])
        seen.is_full &= bool(depth.all())

    _, problems = gathered(look, range(len(samples)))
    if problems:
        raise DataError.of(problems)
    return seen


def _layers(sample: Sample, reading: Reading, count: int) -> list[NDArray[np.bool_]]:
    """Where each class is, (H, W) each."""
    if reading == "pages":
        pages = [read_mask(sample.masks[0], page).values for page in range(count)]
    else:
        pages = with_absent([read_mask(path, sample.mask_page).values for path in sample.masks], sample)
    return [is_set(layer) for layer in ([pages[0][..., k] for k in range(count)] if reading == "channels" else pages)]


def with_absent(layers: Sequence[AnyArray], sample: Sample) -> list[AnyArray]:
    """The layers of a sample's mask files with a layer of 0 for each class that has none."""
    rest = iter(layers)
    count = len(layers) + len(sample.absent)
    empty = np.zeros(layers[0].shape[:2], np.uint8)
    return [empty if k in sample.absent else next(rest) for k in range(count)]


def is_set(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where any channel of (H, W) or (H, W, C) is not 0."""
    present: NDArray[np.bool_] = np.any(values != 0, axis=-1) if values.ndim == 3 else np.not_equal(values, 0)
    return present


def layer_count(labels: Labels) -> int:
    """How many layers the masks of these labels have."""
    return len(labels) if labels.is_multilabel else max(v for v in labels.values if isinstance(v, int))


def one_class_a_pixel(layers: Sequence[TargetArray], labels: Labels) -> TargetArray:
    """Merge layers (H, W) of 0, 1 and IGNORED into class indices; the first class is where no layer is."""
    target = np.zeros(layers[0].shape, np.uint8)
    for number, layer in enumerate(layers, start=1):
        target[layer == 1] = labels.values.index(number)
        target[layer == IGNORED] = IGNORED
    return target
