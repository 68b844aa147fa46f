"""The figures of a data set, as values that survive JSON."""

import math
from dataclasses import asdict, dataclass, field

from perpixel.dataset import Finding
from perpixel.errors import Problem
from perpixel.runtime.json_values import Json, JsonObject


@dataclass(frozen=True)
class ClassFigures:
    """What the masks hold of one class.

    Args:
        name: Of the class.
        pixels: Over all labelled images.
        images: In how many labelled images it occurs.
        objects: Connected pieces in the masks that were looked at (at most OBJECT_SAMPLES).
        median_area: Of the piece that a typical pixel of the class lies in: half of them lie in pieces at least this
            large, in pixels, so that specks count little. NaN without any piece.
        median_diameter: Of a circle of that area, in pixels.
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
        measured: Labelled images that the five figures above are of; the others are left out of them.
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
    measured: int
    heights: tuple[int, ...]
    widths: tuple[int, ...]
    classes: tuple[ClassFigures, ...]
    ignored_pixels: int
    empty: tuple[str, ...]
    duplicates: tuple[tuple[str, str], ...]
    sequences: tuple[str, ...]
    present: dict[str, tuple[int, ...]]
    findings: tuple[Finding, ...] = field(default=())

    def to_dict(self) -> JsonObject:
        """Plain numbers, strings, lists and dicts, ready for JSON (NaN as null)."""
        nested = {name: [asdict(each) for each in getattr(self, name)] for name in ("classes", "findings")}
        plain: JsonObject = _without_nan({**vars(self), **nested})
        return plain


def from_dict(data: JsonObject, findings: tuple[Finding, ...] = ()) -> Audit:
    """The inverse of `Audit.to_dict`; `findings` come before its own."""
    nan = float("nan")
    classes: list[JsonObject] = [
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


def _tuples(value: Json) -> Json:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _without_nan(value: Json) -> Json:
    """The same with null for NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
