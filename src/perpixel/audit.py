"""Measure a data set in one streaming pass, and remember the figures until a file changes."""

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.dataset import Dataset, Finding, Sample
from perpixel.dataset.folder import as_channels
from perpixel.dataset.inventory import Progress, gathered
from perpixel.dataset.names import natural
from perpixel.dataset.sample import Severity, warning
from perpixel.duplicates import near_duplicates, neighbours_alike, thumbnail
from perpixel.errors import DataError, OutputError, Problem
from perpixel.files.atomic import write_text
from perpixel.files.read import decode_picture, open_image
from perpixel.shapes import IGNORED

CACHE_VERSION: Final = 1
OBJECT_SAMPLES: Final = 64
"""Object sizes are measured on at most this many masks, evenly taken."""


@dataclass(frozen=True)
class ClassFigures:
    """What the masks hold of one class.

    Args:
        name: Of the class.
        pixels: Over all labelled images.
        images: In how many labelled images it occurs.
        objects: Connected pieces in the masks that were looked at (at most OBJECT_SAMPLES).
        median_area: Of these pieces, in pixels; NaN without any.
        median_diameter: Of circles of equal area, in pixels.
    """

    name: str
    pixels: int
    images: int
    objects: int
    median_area: float
    median_diameter: float


@dataclass(frozen=True)
class Audit:
    """The figures of a data set.

    Args:
        mean: Per channel over all pixels of the labelled images (all images where none is labelled), in the
            images' own units; nodata and NaN pixels do not count.
        std: Likewise, the population's.
        least: The least value of each channel.
        greatest: The greatest value of each channel.
        histogram: Per channel, 64 shares of the pixels between `least` and `greatest`.
        heights: Of the labelled images, in pixels, in their order.
        widths: Likewise.
        classes: Figures of every class.
        ignored_pixels: Pixels without label in the masks.
        empty: Names of samples whose mask holds the background only.
        duplicates: Pairs of samples that show the same, possibly turned, flipped or slightly altered.
        sequences: Groups of images (see `Sample.group`) in which neighbours by name look alike far more than others:
            films and stacks.
        present: For each sample the classes that occur in it.
        findings: The data set's and the audit's own.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    least: tuple[float, ...]
    greatest: tuple[float, ...]
    histogram: tuple[tuple[float, ...], ...]
    heights: tuple[int, ...]
    widths: tuple[int, ...]
    classes: tuple[ClassFigures, ...]
    ignored_pixels: int
    empty: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    sequences: tuple[str, ...]
    present: dict[str, tuple[int, ...]]
    findings: tuple[Finding, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, ready for JSON (NaN as null)."""
        return json.loads(json.dumps(asdict(self)).replace("NaN", "null"))  # type: ignore[no-any-return]


def audit(dataset: Dataset, progress: Progress | None = None) -> Audit:
    """Measure every image once, on all cores and in bounded memory.

    Args:
        dataset: As understood by `scan`.
        progress: Called with (done, total) after each image.

    Raises:
        DataError: Images that cannot be decoded, all of them at once.
    """
    kept = _cached(dataset)
    if kept is not None:
        return kept
    samples = [*dataset.samples, *dataset.unlabelled]
    results, problems = gathered(lambda sample: _measure(dataset, sample), samples, progress)
    if problems:
        raise DataError.of(problems)
    measures = [results[sample] for sample in samples]
    result = _summed(dataset, measures)
    result = replace(result, findings=(*dataset.findings, *_findings(dataset, result)))
    _keep(dataset, result)
    return result


@dataclass(frozen=True)
class _Channels:
    """Figures of each channel, (C,)."""

    count: NDArray[Any]  # pixels that count
    mean: NDArray[Any]
    squares: NDArray[Any]  # sum of squared distances from the mean
    least: NDArray[Any]
    greatest: NDArray[Any]


@dataclass(frozen=True)
class _Measure:
    """The figures of one image and its mask."""

    channels: _Channels
    counts: NDArray[np.int64] | None  # (C, 256) of an 8-bit picture
    values: NDArray[np.float32] | None  # (256, C) evenly taken, of any other image
    thumbnail: NDArray[np.float32]
    pixels: tuple[int, ...]  # (K + 1,) of each class, and ignored


def _measure(dataset: Dataset, sample: Sample) -> _Measure:
    pixels = _class_pixels(dataset, sample) if sample.is_labelled else ()
    picture = decode_picture(sample.image)
    if picture is not None and picture.mode in ("L", "RGB"):
        counts = np.array(picture.histogram(), np.int64).reshape(-1, 256)
        counts = np.repeat(counts, dataset.channels // len(counts), axis=0)  # gray among colour
        return _Measure(_from_histograms(counts), counts, None, thumbnail(picture), pixels)
    with open_image(sample.image, sample.page) as file:
        image, nodata = as_channels(file.read(), dataset.channels), file.nodata
    flat = image.reshape(-1, image.shape[2])
    values = flat[:: max(len(flat) // 256, 1)][:256].astype(np.float32)
    return _Measure(_from_values(flat, nodata), None, values, thumbnail(image), pixels)


def _from_histograms(counts: NDArray[np.int64]) -> _Channels:
    value = np.arange(256.0)
    total = counts.sum(axis=1)
    mean = counts @ value / total
    squares = (counts * (value - mean[:, None]) ** 2).sum(axis=1)
    present = counts > 0
    least, greatest = present.argmax(axis=1).astype(float), 255.0 - present[:, ::-1].argmax(axis=1)
    return _Channels(total, mean, squares, least, greatest)


def _from_values(flat: NDArray[Any], nodata: float | None) -> _Channels:
    """The same figures of (pixels, C) values; NaN, infinities and pixels without data do not count."""
    valid = np.isfinite(flat) if flat.dtype.kind == "f" else np.ones(flat.shape, bool)
    if nodata is not None:
        valid &= flat != nodata
    count = valid.sum(axis=0)
    some = np.maximum(count, 1)
    mean = np.where(valid, flat, 0).sum(axis=0, dtype=np.float64) / some
    squares = np.square(np.where(valid, flat - mean, 0)).sum(axis=0)
    least, greatest = np.where(valid, flat, np.inf).min(axis=0), np.where(valid, flat, -np.inf).max(axis=0)
    return _Channels(count, mean, squares, least, greatest)


def _class_pixels(dataset: Dataset, sample: Sample) -> tuple[int, ...]:
    """Pixels of each class, and of those ignored."""
    if sample.pixels is not None:
        return sample.pixels
    target, classes = dataset.target(sample), len(dataset.labels)
    if target.ndim == 3:
        return (*(int((band == 1).sum()) for band in target), int((target == IGNORED).any(axis=0).sum()))
    counts = Image.fromarray(target).histogram()
    return (*counts[:classes], counts[IGNORED])


def _summed(dataset: Dataset, measures: Sequence[_Measure]) -> Audit:
    labelled = measures[: len(dataset.samples)]
    count, mean, squares = _pooled([m.channels for m in labelled])
    least = np.min([m.channels.least for m in labelled], axis=0)
    greatest = np.max([m.channels.greatest for m in labelled], axis=0)
    pixels = np.array([m.pixels for m in labelled], np.int64)  # (N, K + 1)
    classes = len(dataset.labels)
    areas = _object_areas(dataset)
    background = dataset.labels.background
    objects = [k for k in range(classes) if k != background]
    names = [sample.name for sample in dataset.samples]
    everyone = [*names, *(sample.name for sample in dataset.unlabelled)]
    thumbnails = np.stack([m.thumbnail for m in measures])
    return Audit(
        mean=_floats(mean),
        std=_floats(np.sqrt(squares / np.maximum(count, 1))),
        least=_floats(least),
        greatest=_floats(greatest),
        histogram=_shares(labelled, least, greatest),
        heights=tuple(s.height for s in dataset.samples),
        widths=tuple(s.width for s in dataset.samples),
        classes=tuple(
            ClassFigures(
                name,
                int(pixels[:, k].sum()),
                int((pixels[:, k] > 0).sum()),
                len(areas[k]),
                float(np.median(areas[k])) if areas[k] else float("nan"),
                float(2 * np.sqrt(np.median(areas[k]) / np.pi)) if areas[k] else float("nan"),
            )
            for k, name in enumerate(dataset.labels.names)
        ),
        ignored_pixels=int(pixels[:, -1].sum()),
        empty=tuple(name for name, row in zip(names, pixels, strict=True) if not row[objects].any()),
        duplicates=tuple((everyone[i], everyone[j]) for i, j in near_duplicates(thumbnails)),
        sequences=_sequences(dataset, thumbnails),
        present={n: tuple(map(int, np.flatnonzero(row[:-1]))) for n, row in zip(names, pixels, strict=True)},
    )


def _pooled(measures: Sequence[_Channels]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Merge counts, means and squared distances pair by pair.

    Source: Chan, Golub and LeVeque (1979), Updating Formulae and a Pairwise Algorithm, eq. 2.1.
    """
    count, mean, squares = np.zeros(1), np.zeros(1), np.zeros(1)
    for m in measures:
        both = np.maximum(count + m.count, 1)
        shift = m.mean - mean
        squares = squares + m.squares + shift**2 * count * m.count / both
        mean = mean + shift * m.count / both
        count = count + m.count
    return count, mean, squares


def _shares(
    measures: Sequence[_Measure], least: NDArray[Any], greatest: NDArray[Any]
) -> tuple[tuple[float, ...], ...]:
    """64 shares of the values of each channel between its least and its greatest."""
    counts = [m.counts for m in measures if m.counts is not None]
    values = [m.values for m in measures if m.values is not None]
    every = np.sum(counts, axis=0) if counts else np.zeros((len(least), 256))
    seen = np.concatenate(values) if values else np.zeros((0, len(least)))
    shares = []
    for channel, (low, high) in enumerate(zip(least, greatest, strict=True)):
        edges = np.linspace(low, high if high > low else low + 1, 65)
        inside = seen[np.isfinite(seen[:, channel]), channel]
        bars = np.histogram(inside, edges)[0] + np.histogram(np.arange(256), edges, weights=every[channel])[0]
        shares.append(_floats(bars / max(bars.sum(), 1)))
    return tuple(shares)


def _object_areas(dataset: Dataset) -> list[list[int]]:
    """Areas in pixels of the connected pieces of each class but the background, on evenly taken masks."""
    from scipy import ndimage

    classes, background = len(dataset.labels), dataset.labels.background
    step = max(len(dataset.samples) // OBJECT_SAMPLES, 1)
    chosen = dataset.samples[::step][:OBJECT_SAMPLES]

    def measure(sample: Sample) -> list[list[int]]:
        target = dataset.target(sample)
        planes = [target[k] == 1 if target.ndim == 3 else target == k for k in range(classes)]
        return [
            [] if k == background or not plane.any() else np.bincount(ndimage.label(plane)[0].ravel())[1:].tolist()
            for k, plane in enumerate(planes)
        ]

    results, _ = gathered(measure, chosen)
    return [[area for areas in results.values() for area in areas[k]] for k in range(classes)]


def _sequences(dataset: Dataset, thumbnails: NDArray[np.float32]) -> tuple[str, ...]:
    groups: dict[str, list[int]] = {}
    for index in sorted(range(len(dataset.samples)), key=lambda i: natural(dataset.samples[i].name)):
        groups.setdefault(dataset.samples[index].group, []).append(index)
    return tuple(group for group, members in groups.items() if neighbours_alike(thumbnails[members]))


def _floats(values: NDArray[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _findings(dataset: Dataset, result: Audit) -> list[Finding]:
    """What the figures say."""
    found = []
    absent = tuple(figures.name for figures in result.classes if figures.pixels == 0)
    if absent:
        found.append(
            warning(
                f"{len(absent)} class(es) never occur in the masks.",
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
                    f"{len(result.empty)} of {len(dataset.samples)} masks hold the background only.",
                    "nothing to mend if these images show nothing; else draw their masks.",
                    result.empty,
                ),
            )
        )
    if result.duplicates:
        found.append(
            warning(
                f"{len(result.duplicates)} pair(s) of images show the same (copies, turned or flipped too).",
                "nothing to mend: they are kept on one side of the split; remove copies that are not wanted.",
                tuple(f"{first} and {second}" for first, second in result.duplicates),
            )
        )
    if any(std == 0 for std in result.std):
        flat = tuple(f"channel {c}" for c, std in enumerate(result.std) if std == 0)
        found.append(
            warning(
                f"{len(flat)} channel(s) have one value everywhere.",
                "drop them: they tell nothing.",
                flat,
            )
        )
    return found


def _cache_file(dataset: Dataset) -> Path:
    """A name that changes with any file of the data set: by path, size and times, and by how it is understood."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(repr((CACHE_VERSION, dataset.labels, dataset.reading, dataset.channels, dataset.dtype)).encode())
    for sample in (*dataset.samples, *dataset.unlabelled):
        digest.update(repr((sample.name, sample.page, sample.group, sample.split, sample.shapes)).encode())
        for path in (sample.image, *sample.masks):
            status = path.stat()
            digest.update(f"{path.absolute()}|{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}".encode())
    return cache_folder() / f"audit-{digest.hexdigest()}.json"


def cache_folder() -> Path:
    """Where perpixel keeps what it can work out again: $PERPIXEL_CACHE, else the user's cache folder."""
    given = os.environ.get("PERPIXEL_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(given) if given else Path(home) / "perpixel"


def _cached(dataset: Dataset) -> Audit | None:
    """The figures kept from an earlier run, if they can be read; a damaged file is as good as none."""
    try:
        data = json.loads(_cache_file(dataset).read_text(encoding="utf-8"))
        return from_dict(data, dataset.findings)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(dataset: Dataset, result: Audit) -> None:
    own = replace(result, findings=result.findings[len(dataset.findings) :])
    with contextlib.suppress(OutputError, OSError):  # a cache that cannot be written costs time, nothing else
        write_text(_cache_file(dataset), json.dumps(asdict(own)))


def from_dict(data: dict[str, Any], findings: tuple[Finding, ...] = ()) -> Audit:
    """The inverse of `Audit.to_dict`; `findings` come before its own."""
    nan = float("nan")
    classes: list[dict[str, Any]] = [
        {key: nan if value is None else value for key, value in item.items()} for item in data["classes"]
    ]
    own = tuple(
        Finding(f["severity"], Problem(f["problem"]["what"], f["problem"]["fix"], tuple(f["problem"]["examples"])))
        for f in data["findings"]
    )
    rest = {key: value for key, value in data.items() if key not in ("classes", "findings", "present")}
    return Audit(
        **{key: _tuples(value) for key, value in rest.items()},
        classes=tuple(ClassFigures(**item) for item in classes),
        present={name: tuple(classes_) for name, classes_ in data["present"].items()},
        findings=(*findings, *own),
    )


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
