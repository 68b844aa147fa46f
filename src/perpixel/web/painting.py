"""The labels of one image while they are painted: an append-only log of what was done, and what follows from it."""

import json
import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError, RunError
from perpixel.files.atomic import replacing
from perpixel.files.parse import parse_json
from perpixel.files.read import read_mask
from perpixel.files.whole_file import content_of
from perpixel.files.write import write_png
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import IGNORED
from perpixel.web.strokes import Slices, Stroke

UNDO_STEPS: Final = 50
NOBODY, PERSON, MODEL = 0, 1, 2
"""Who a pixel's label is from: the values of SOURCES/NAME.png."""


@dataclass(frozen=True)
class _Change:
    """What a step did: the box, and what lay there before."""

    box: Slices
    labels: NDArray[np.uint8]
    sources: NDArray[np.uint8]


@dataclass
class Painting:
    """Labels (H, W) and where they are from, replayed from a log that each step is appended to.

    Every step is on the disk before it is answered; what a crash leaves half-written at the end of the log is not
    counted. The pictures in LABELS/masks and LABELS/sources follow by `save`.

    Args:
        folder: LABELS, with the folders log, masks and sources.
        stem: The name of the image's files there.
        shape: Height and width of the image.
        classes: How many there are.
    """

    folder: Path
    stem: str
    shape: tuple[int, int]
    classes: int
    version: int = field(default=0, init=False)
    is_saved: bool = field(default=True, init=False)
    labels: NDArray[np.uint8] = field(init=False)
    sources: NDArray[np.uint8] = field(init=False)
    _undo: deque[_Change] = field(init=False)
    _redo: list[_Change] = field(init=False)

    def __post_init__(self) -> None:
        self.lock = Lock()
        self.labels = np.full(self.shape, IGNORED, np.uint8)
        self.sources = np.zeros(self.shape, np.uint8)
        self._undo, self._redo = deque(maxlen=UNDO_STEPS), []
        self._replay()
        self.is_saved = self.version == 0 or self.mask_path.is_file()

    @property
    def log_path(self) -> Path:
        """A step a line, as JSON."""
        return self.folder / "log" / f"{self.stem}.jsonl"

    @property
    def mask_path(self) -> Path:
        """Class indices, 255 where nothing is labelled."""
        return self.folder / "masks" / f"{self.stem}.png"

    @property
    def sources_path(self) -> Path:
        """Where each label is from: 0 nothing, 1 a person, 2 accepted from the model."""
        return self.folder / "sources" / f"{self.stem}.png"

    @property
    def etag(self) -> str:
        """Tells these labels from earlier ones."""
        return f'"{self.version}"'

    @property
    def steps(self) -> tuple[int, int]:
        """How many steps can be undone and redone."""
        return len(self._undo), len(self._redo)

    def paint(self, stroke: Stroke) -> None:
        """Take a stroke of a person."""
        self._take({"do": "stroke", **stroke.to_dict()})

    def undo(self) -> None:
        """Take the last step back; nothing where there is none."""
        if self._undo:
            self._take({"do": "undo"})

    def redo(self) -> None:
        """Do again what was taken back last; nothing where there is none."""
        if self._redo:
            self._take({"do": "redo"})

    def put(self, labels: NDArray[np.uint8], *, source: int) -> None:
        """Replace the labels: all of them by a person's, or the missing ones by the model's.

        Args:
            labels: (H, W) class indices, 255 for none.
            source: PERSON or MODEL.

        Raises:
            DataError: Another size, or a class that there is not.
        """
        if labels.shape != self.shape:
            given, own = (" × ".join(map(str, shape)) for shape in (labels.shape, self.shape))
            raise DataError(f"the labels are {given} pixels, the image {own}.", fix="send labels of its size.")
        if ((labels >= self.classes) & (labels != IGNORED)).any():
            raise DataError(
                f"the labels hold a class beyond the {self.classes}.", fix="send class indices, 255 for none."
            )
        name = f"{self.stem}-{self.version + 1}.png"
        write_png(self.folder / "log" / name, labels)
        self._take({"do": "put", "file": name, "source": source})

    def save(self) -> None:
        """Write the pictures of labels and sources, whole or not at all."""
        with self.lock:
            if self.is_saved:
                return
            labels, sources = self.labels.copy(), self.sources.copy()
            self.is_saved = True
        write_png(self.mask_path, labels)
        write_png(self.sources_path, sources)

    def _take(self, step: JsonObject) -> None:
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(step) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._apply(step)
        self.is_saved = False

    def _replay(self) -> None:
        """Apply the steps of the log. Raises RunError where one of them cannot have been written by this program."""
        try:
            for step in self._logged():
                self._apply(step)
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError, DataError):
            raise RunError(
                f"{self.log_path} is damaged.", fix="restore it, or remove it to label the image from scratch."
            ) from None

    def _logged(self) -> list[JsonObject]:
        """The steps of the log; what was being written when the process ended is cut off."""
        if not self.log_path.is_file():
            return []
        content = content_of(self.log_path)
        whole, _, rest = content.rpartition(b"\n")
        if rest:
            with replacing(self.log_path) as temporary:
                temporary.write_bytes(whole + b"\n" if whole else b"")
        return [parse_json(line.decode(), str(self.log_path)) for line in whole.splitlines()]

    def _apply(self, step: JsonObject) -> None:
        match step["do"]:
            case "stroke":
                stroke = Stroke.of(step, self.classes)
                if (found := stroke.pixels(self.labels)) is not None:
                    source = NOBODY if stroke.tool == "eraser" else PERSON
                    self._change(*found, np.uint8(stroke.value), source)
            case "put":
                self._put(step)
            case "undo":
                self._redo.append(self._swapped(self._undo.pop()))
            case "redo":
                self._undo.append(self._swapped(self._redo.pop()))
        self.version += 1

    def _put(self, step: JsonObject) -> None:
        if Path(step["file"]).name != step["file"]:
            raise ValueError("a log names files of its own folder")
        labels = read_mask(self.folder / "log" / step["file"]).values
        if labels.shape != self.shape or labels.dtype != np.uint8:
            raise ValueError("labels of another size than the image, or no class indices")
        box = slice(0, self.shape[0]), slice(0, self.shape[1])
        if step["source"] == MODEL:
            self._change(box, (self.labels == IGNORED) & (labels != IGNORED), labels, MODEL)
        else:
            is_new = labels != self.labels
            self._change(box, is_new, labels, np.where(labels == IGNORED, NOBODY, PERSON).astype(np.uint8))

    def _change(self, box: Slices, where: NDArray[np.bool_], value: Any, source: Any) -> None:
        self._undo.append(_Change(box, self.labels[box].copy(), self.sources[box].copy()))
        self._redo.clear()
        np.copyto(self.labels[box], value, where=where)
        np.copyto(self.sources[box], source, where=where, casting="unsafe")

    def _swapped(self, change: _Change) -> _Change:
        """Bring back what a change remembers, and remember what was there instead."""
        now = _Change(change.box, self.labels[change.box].copy(), self.sources[change.box].copy())
        self.labels[change.box], self.sources[change.box] = change.labels, change.sources
        return now
