"""Measure a data set in one streaming pass, and remember the figures until a file changes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.audit.cache import cache_file, recall, remember
from perpixel.audit.copies import Copies, confirmed
from perpixel.audit.measure import Intensities, Measure, measure, pooled
from perpixel.audit.same_picture import FinePicture, fine_picture
from perpixel.audit.summary import Audit, ClassFigures
from perpixel.dataset import Dataset, Finding, Sample
from perpixel.dataset.duplicates import SIDE, SMALL, near_duplicates, neighbours_alike
from perpixel.dataset.held_out_strokes import OPTIMISTIC, OPTIMISTIC_FIX, PARTLY, labelled_share
from perpixel.dataset.layout.inventory import CountProgress, gathered
from perpixel.dataset.layout.names import natural
from perpixel.dataset.sample import Severity, info, warning
from perpixel.errors import DataError, Problem
from perpixel.shapes import AnyArray

IMAGES_ENOUGH: Final = 500
"""The intensities are measured on all of less than twice as many images, else on so many, drawn at random: the
standard error of their mean is below a twentieth of a standard deviation."""
OBJECT_SAMPLES: Final = 32
"""Object sizes are measured on at most this many masks, evenly taken."""


def audit(dataset: Dataset, progress: CountProgress | None = None) -> Audit:
    """Look at every image once, on all cores and in bounded memory.

    Classes are counted, and copies sought, in all of them. Means, deviations, extremes and histograms are those of
    all labelled images, of a thousand and more those of `IMAGES_ENOUGH`, drawn at random.

    Args:
        dataset: As understood by `scan`.
        progress: Called with (done, total) after each image.

    Raises:
        DataError: Images that cannot be decoded, all of them at once.
    """
    file = cache_file(dataset)
    kept = recall(dataset, file)
    if kept is not None:
        return kept
    samples = [*dataset.samples, *dataset.unlabelled]
    intensities = Intensities(dataset.channels)
    thumbnails = np.empty((len(samples), SIDE, SIDE), np.float32)
    chosen = _drawn(len(dataset.samples))
    least_side = SMALL // 2 if len(chosen) < len(dataset.samples) else None  # for all: copies are to look alike

    def measured(index: int) -> Measure:
        into = intensities if index in chosen else None
        measures, thumbnails[index] = measure(dataset, samples[index], into, least_side=least_side)
        return measures

    results, problems = gathered(measured, range(len(samples)), progress)
    if problems:
        raise DataError.of(problems)
    result = _summed(dataset, list(results.values()), thumbnails, intensities)
    copies = _copies(dataset, samples, thumbnails)
    names = [sample.name for sample in samples]
    result = replace(result, duplicates=tuple((names[i], names[j]) for i, j in copies.pairs))
    alike = [names[index] for index in copies.alike]
    result = replace(result, findings=(*dataset.findings, *_findings(dataset, result), *_told_alike(alike)))
    remember(dataset, file, result)
    return result


def _drawn(number: int) -> set[int]:
    """Which of so many labelled images the intensities are measured on; not evenly taken: tiles may repeat evenly."""
    if number < 2 * IMAGES_ENOUGH:
        return set(range(number))
    return set(np.random.default_rng(0).permutation(number)[:IMAGES_ENOUGH].tolist())


def _summed(
    dataset: Dataset, measures: Sequence[Measure], thumbnails: NDArray[np.float32], intensities: Intensities
) -> Audit:
    labelled = measures[: len(dataset.samples)]
    channels = [m.channels for m in labelled if m.channels is not None]
    count, mean, squares = pooled(channels)
    least, greatest = np.min([c.least for c in channels], axis=0), np.max([c.greatest for c in channels], axis=0)
    pixels = np.array([m.pixels for m in labelled], np.int64)  # (N, K + 1)
    areas = _object_areas(dataset)
    objects = list(dataset.labels.foreground_classes)
    names = [sample.name for sample in dataset.samples]
    return Audit(
        mean=_floats(mean),
        std=_floats(np.sqrt(squares / np.maximum(count, 1))),
        least=_floats(least),
        greatest=_floats(greatest),
        histogram=intensities.shares(least, greatest),
        measured=len(channels),
        heights=tuple(s.height for s in dataset.samples),
        widths=tuple(s.width for s in dataset.samples),
        classes=tuple(
            ClassFigures(
                name,
                int(pixels[:, k].sum()),
                len({_image_of(s) for s, row in zip(dataset.samples, pixels, strict=True) if row[k]}),
                len(areas[k]),
                *_typical(areas[k]),
            )
            for k, name in enumerate(dataset.labels.names)
        ),
        ignored_pixels=int(pixels[:, -1].sum()) - _counted_twice(dataset.samples),
        empty=tuple(s.name for s, row in zip(dataset.samples, pixels, strict=True) if _is_empty(s, row[objects])),
        duplicates=(),
        sequences=_sequences(dataset, thumbnails),
        present={n: tuple(map(int, np.flatnonzero(row[:-1]))) for n, row in zip(names, pixels, strict=True)},
    )


def _copies(dataset: Dataset, samples: Sequence[Sample], thumbnails: NDArray[np.float32]) -> Copies:
    """The images that show the same."""
    if dataset.overrides.duplicates == "ignore":
        return Copies((), ())

    def read(indices: Sequence[int], side: int) -> list[FinePicture]:
        smallest = min(min(samples[index].height, samples[index].width) for index in indices)
        while side > max(SIDE, smallest):  # an enlarged pixel would be a region
            side //= 2
        found, problems = gathered(lambda index: fine_picture(dataset.measured(samples[index]), side), indices)
        if problems:
            raise DataError.of(problems)
        return list(found.values())

    copies = confirmed(near_duplicates(thumbnails), thumbnails, read)
    twice = [(i, j) for i, j in copies.pairs if _is_one_image(samples[i], samples[j])]
    return replace(copies, pairs=tuple(pair for pair in copies.pairs if pair not in twice))


def _is_one_image(first: Sample, second: Sample) -> bool:
    """Whether both are one image, whose strokes are divided."""
    return first.strokes is not None and _image_of(first) == _image_of(second)


def _image_of(sample: Sample) -> tuple[Path, int, tuple[int, int] | None]:
    """What two samples share that show one image, whose strokes are divided."""
    return sample.image, sample.page, sample.corner


def _counted_twice(samples: Sequence[Sample]) -> int:
    """Pixels of images whose strokes are divided: each pixel is unlabelled in one view more than in the mask."""
    views = {_image_of(sample): sample for sample in samples}
    return sum(s.height * s.width for s in samples) - sum(s.height * s.width for s in views.values())


def _is_empty(sample: Sample, of_objects: NDArray[np.int64]) -> bool:
    """Whether a mask shows no object; half of an image's strokes says nothing of it."""
    return sample.strokes is None and not of_objects.any()


def _told_alike(names: Sequence[str]) -> list[Finding]:
    if not names:
        return []
    return [
        info(
            f"{len(names)} images have their background in common with others (a fixed camera, a dish, padding) and "
            "show something else before it: they are not taken for copies.",
            "set data.group_by where they belong together after all.",
            names,
        )
    ]


def _object_areas(dataset: Dataset) -> list[list[int]]:
    """Areas in pixels of the connected pieces of each class but the background, on evenly taken masks."""
    from scipy import ndimage

    classes = len(dataset.labels)
    step = max(len(dataset.samples) // OBJECT_SAMPLES, 1)
    chosen = dataset.samples[::step][:OBJECT_SAMPLES]

    def measure_objects(sample: Sample) -> list[list[int]]:
        target = dataset.target(sample)
        areas: list[list[int]] = [[] for _ in range(classes)]
        for k in dataset.labels.foreground_classes:
            plane = dataset.labels.class_mask(target, k)
            if plane.any():
                pieces = ndimage.label(plane)[0]  # connected by their sides, as instances are
                areas[k] = np.bincount(pieces.ravel())[1:].tolist()
        return areas

    results, _ = gathered(measure_objects, chosen)
    return [[area for areas in results.values() for area in areas[k]] for k in range(classes)]


def _typical(areas: Sequence[int]) -> tuple[float, float]:
    """Area of the piece that holds the median pixel, and the diameter of a circle as large."""
    if not areas:
        return float("nan"), float("nan")
    ordered = np.sort(areas)
    area = float(ordered[np.searchsorted(np.cumsum(ordered), ordered.sum() / 2)])
    return area, float(2 * np.sqrt(area / np.pi))


def _sequences(dataset: Dataset, thumbnails: NDArray[np.float32]) -> tuple[str, ...]:
    groups: dict[str, list[int]] = {}
    for index in sorted(range(len(dataset.samples)), key=lambda i: natural(dataset.samples[i].name)):
        groups.setdefault(dataset.samples[index].group, []).append(index)
    return tuple(group for group, members in groups.items() if neighbours_alike(thumbnails[members]))


def _floats(values: AnyArray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _findings(dataset: Dataset, result: Audit) -> list[Finding]:
    """What the figures say."""
    found = []
    absent = tuple(figures.name for figures in result.classes if figures.pixels == 0)
    if absent:
        found.append(
            warning(
                f"{len(absent)} class(es) never [occurs|occur] in the masks.",
                "add images that show them, or drop the classes.",
                absent,
            )
        )
    if result.empty:
        severity: Severity = "error" if len(result.empty) == len(dataset.samples) else "info"
        found.append(
            Finding(
                severity,
                Problem(
                    f"the background alone fills {len(result.empty)} of {len(dataset.samples)} masks.",
                    "nothing to fix if these images show nothing; else draw their masks.",
                    result.empty,
                ),
            )
        )
    if result.duplicates:
        found.append(
            warning(
                f"{len(result.duplicates)} pair(s) of images [shows|show] the same (copies, turned or flipped too).",
                "nothing to fix: they are kept on one side of the split; remove copies that are not wanted, or write "
                "duplicates: ignore into dataset.yaml where they only look alike.",
                tuple(f"{first} and {second}" for first, second in result.duplicates),
            )
        )
    known = sum(figures.pixels for figures in result.classes)
    if not dataset.labels.is_multilabel and labelled_share([known], result.ignored_pixels) < PARTLY:
        share = labelled_share([known], result.ignored_pixels)
        found.append(warning(f"{share:.1%} of the pixels of the masks have a label. {OPTIMISTIC}", OPTIMISTIC_FIX))
    if any(std == 0 for std in result.std):
        flat = tuple(f"channel {c}" for c, std in enumerate(result.std) if std == 0)
        found.append(
            warning(
                f"{len(flat)} channel(s) [has|have] one value everywhere.",
                "drop them: they tell nothing.",
                flat,
            )
        )
    return found
