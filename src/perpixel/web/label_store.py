"""All painted labels of a server: one folder that trains as it lies."""

import json
import re
from collections import OrderedDict
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Final

from perpixel.errors import DataError, OutputError
from perpixel.files.atomic import write_text
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.parse import parse_json
from perpixel.files.whole_file import text_of
from perpixel.labels.labels import Labels
from perpixel.web.library import LibraryImage
from perpixel.web.painting import Painting

MOST_OPEN: Final = 6
CLASSES_FILE: Final = "classes.json"


class LabelStore:
    """The labels of a folder of images.

    Args:
        folder: LABELS; it is made with the first stroke.
        labels: The classes.

    Raises:
        OutputError: The folder holds labels of other classes, or something else.
    """

    def __init__(self, folder: Path, labels: Labels) -> None:
        self.folder, self.labels = folder, labels
        self._open: OrderedDict[str, Painting] = OrderedDict()
        self._lock = Lock()
        path = folder / CLASSES_FILE
        if path.is_file():
            stored = parse_json(text_of(path), str(path))
            if stored != list(labels.names):
                raise OutputError(
                    f"{folder} holds labels of the classes {', '.join(map(str, stored))}, "
                    f"not of {', '.join(labels.names)}.",
                    fix="name the same classes, or another folder for the labels.",
                )
        elif folder.exists() and any(folder.iterdir()):
            raise OutputError(f"{folder} exists and holds no labels of perpixel's.", fix="name another folder.")

    def open(self, image: LibraryImage) -> Painting:
        """The labels of an image. Raises DataError where it cannot be painted on."""
        with self._lock:
            if image.id not in self._open:
                self._open[image.id] = Painting(self.folder, stem_of(image), _shape(image), len(self.labels))
                while len(self._open) > MOST_OPEN:
                    self._open.popitem(last=False)[1].save()
            self._open.move_to_end(image.id)
            return self._open[image.id]

    def begin(self) -> None:
        """Write down the classes before the first stroke. Raises OutputError."""
        path = self.folder / CLASSES_FILE
        if not path.is_file():
            write_text(path, json.dumps(list(self.labels.names), ensure_ascii=False))

    def save(self) -> None:
        """Write the pictures of all labels that changed."""
        with self._lock:
            paintings = list(self._open.values())
        for painting in paintings:
            painting.save()

    def has(self, image: LibraryImage) -> bool:
        """Whether anything was ever painted on an image."""
        return (self.folder / "log" / f"{stem_of(image)}.jsonl").is_file()


def stem_of(image: LibraryImage) -> str:
    """The name of an image's label files: its own name where that is plain, else made so by its id.

    >>> stem_of(LibraryImage("i0123456789ab", "a/cell 1.png", Path("x")))
    'cell-1-0123456789'
    """
    stem = PurePosixPath(image.name).stem
    plain = re.sub(r"[^\w.-]+", "-", stem, flags=re.ASCII).strip(".-")[:80]
    return f"{plain or 'image'}-{image.id[1:11]}"


def _shape(image: LibraryImage) -> tuple[int, int]:
    if image.is_upload:
        raise DataError(f"{image.name} was dropped on the page.", fix="put it into the folder to label it.")
    header = image.header()
    if header.pages > 1 or header.size[0] * header.size[1] > MAX_PIXELS:
        raise DataError(
            f"{image.name} has {header.pages} pages of {header.size[0]:,} × {header.size[1]:,} pixels.",
            fix=f"cut it into single images of at most {MAX_PIXELS:,} pixels to label them.",
        )
    return header.size
