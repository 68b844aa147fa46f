"""What became of the images of a folder that was predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from perpixel.language import counted, say
from perpixel.results import ResultList, Row


@dataclass(frozen=True)
class Written:
    """What became of one image.

    Args:
        source: The image.
        paths: Its outputs.
        is_skipped: Whether they were there already.
        objects: Pixels of each object, by class; None where they were not counted.
    """

    source: Path
    paths: tuple[Path, ...]
    is_skipped: bool = False
    objects: Mapping[str, tuple[int, ...]] | None = None


@dataclass(frozen=True, repr=False)
class PredictedFiles(ResultList[Written]):
    """What became of each image, in the order in which they were written."""

    @property
    def headline(self) -> str:
        """How many were predicted and skipped."""
        skipped = sum(each.is_skipped for each in self)
        told = [say("{images} predicted", images=counted(len(self) - skipped, "image"))]
        if skipped:
            told.append(say("{number} left as they were", number=f"{skipped:,}"))
        found = [_objects_told(name, sizes) for name, sizes in self.objects.items() if sizes]
        if missing := [name for name, sizes in self.objects.items() if not sizes]:
            found.append(say("none of {names}", names=", ".join(missing)))
        ending = [say("found {objects}", objects=say("; ").join(found))] if found else []
        return say("; ").join([say(", ").join(told), *ending])

    @property
    def objects(self) -> dict[str, list[int]]:
        """Pixels of each object that was counted, by class."""
        found: dict[str, list[int]] = {}
        for each in self:
            for name, sizes in (each.objects or {}).items():
                found.setdefault(name, []).extend(sizes)
        return found

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row an image."""
        return {
            "images": [
                {
                    "image": each.source,
                    "mask": each.paths[0] if each.paths else None,
                    "skipped": each.is_skipped,
                    **{name: len(sizes) for name, sizes in (each.objects or {}).items()},
                }
                for each in self
            ]
        }

    def text(self) -> str:
        """The headline."""
        return self.headline


def _objects_told(name: str, sizes: Sequence[int]) -> str:
    """How many objects of a class there are, and how large."""
    objects, pixels = counted(len(sizes), "object"), f"{median(sizes):,.0f}"
    return say("{objects} of {name}, median {pixels} px", objects=objects, name=name, pixels=pixels)
