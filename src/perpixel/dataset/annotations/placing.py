"""Which image an annotation file means, where several have its name, and bitmaps as run lengths."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from unicodedata import normalize

import numpy as np

from perpixel.dataset.layout.names import folder_place, stem, subset_named
from perpixel.shapes import AnyArray

NO_LABEL: Final = "__ignore__"
"""What LabelMe, and our COCO and GeoJSON files, call areas without a label."""


class NamedImages:
    """Images by their names, and by these without their endings."""

    def __init__(self, images: Sequence[Path]) -> None:
        self._named: dict[str, list[Path]] = defaultdict(list)
        self._stems: dict[str, list[Path]] = defaultdict(list)
        for image in images:
            self._named[normalize("NFC", image.name)].append(image)
            self._stems[stem(image.name)].append(image)

    def named(self, text: str) -> list[Path]:
        """The images of that name, with or without an ending; folders before it narrow them where they fit."""
        path = normalize("NFC", text.replace("\\", "/"))
        name = path.rsplit("/", 1)[-1]
        found = self._named.get(name) or self._stems.get(name) or self._stems.get(stem(name)) or []
        return [image for image in found if image.as_posix().endswith(f"/{path}")] or found

    def of(self, file: Path, text: str = "") -> Path | None:
        """The image that an annotation file means: by the name in it, else by its own (7.json, 7.png.json)."""
        own = file.name[: -len(file.suffix)] if file.suffix else file.name
        return nearest(file, self.named(text) if text else []) or nearest(file, self.named(own))


def nearest(file: Path, images: Sequence[Path], root: Path | None = None) -> Path | None:
    """Of images of one name that which stands nearest to an annotation file; None where two are equally near.

    In one folder; else of one subset, which the file's own name may say (instances_val.json); else with most
    folders in common, in any order (labels/a/7.json, images/a/7.png).

    >>> images = [Path("train/images/0.png"), Path("val/images/0.png")]
    >>> nearest(Path("val/labels/0.txt"), images), nearest(Path("x/instances_train.json"), images)
    (PosixPath('val/images/0.png'), PosixPath('train/images/0.png'))
    >>> nearest(Path("labels.json"), images)
    """
    if len(images) < 2:
        return images[0] if images else None
    base = root or Path(os.path.commonpath([file.parent, *(image.parent for image in images)]))
    part = subset_named(file.stem) or folder_place(_below(file, base)).part

    def rank(image: Path) -> tuple[bool, bool, int]:
        folders = _below(image, base)
        same_part = part is not None and folder_place(folders).part == part
        return image.parent == file.parent, same_part, len({*folders} & {*_below(file, base)})

    first, second = sorted(images, key=rank, reverse=True)[:2]
    return first if rank(first) > rank(second) else None


def _below(file: Path, base: Path) -> tuple[str, ...]:
    return file.parent.relative_to(base).parts if file.is_relative_to(base) else file.parent.parts


def runs_of(mask: AnyArray) -> tuple[int, ...]:
    """Run lengths down the columns of an (H, W) mask, alternately out and in, the first out.

    >>> runs_of(np.array([[0, 1], [1, 1]]))
    (1, 3)
    """
    flat = np.concatenate([[False], np.asarray(mask, bool).T.ravel()])
    edges = np.flatnonzero(np.diff(flat))
    return tuple(np.diff(np.concatenate([[0], edges, [flat.size - 1]])).tolist())


def placed_bitmap(crop: AnyArray, left: int, top: int, height: int, width: int) -> tuple[int, ...]:
    """The run lengths of a bitmap in an image of that size; what leaves the image is cut off."""
    whole = np.zeros((height, width), bool)
    above, before = max(-top, 0), max(-left, 0)
    inside = np.asarray(crop, bool)[above : max(height - top, 0), before : max(width - left, 0)]
    top, left = top + above, left + before
    whole[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return runs_of(whole)
