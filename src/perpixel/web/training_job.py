"""Training on what was painted, in a process of its own, and whether the new model takes the place of the old."""

import csv
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import yaml
from numpy.typing import NDArray

from perpixel.errors import DataError, PerpixelError
from perpixel.files.atomic import write_text
from perpixel.files.read import read_image
from perpixel.files.write import write_mask
from perpixel.labels.codec import mask_of
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts, count, paired_difference
from perpixel.prediction import Outputs, Predictor
from perpixel.prediction.load import load
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import IGNORED
from perpixel.store.run_folder import Run

State: TypeAlias = Literal["idle", "training", "comparing", "done", "failed", "stopped"]
LEAST_IMAGES: Final = 2
HELD_OUT_EVERY: Final = 4
LEAST_COMPARED: Final = 2
"""Held-out images that an interval needs."""


@dataclass(frozen=True)
class LabelledImage:
    """An image and what trains of its labels: (H, W) class indices, 255 for none."""

    name: str
    path: Path
    target: NDArray[np.uint8]


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is.

    Args:
        state: What goes on.
        seconds: Since it began.
        minutes: That it was given.
        step: The last one that was validated.
        validation: The mean IoU there.
        images: On which it trains, and that are held out.
        is_better: Whether the new model took the old one's place; None while that is open.
        difference: New minus old, with its interval, on the held-out images; None where it was not compared.
        message: What to say.
    """

    state: State = "idle"
    seconds: float = 0.0
    minutes: float = 0.0
    step: int = 0
    validation: float | None = None
    images: tuple[int, int] = (0, 0)
    is_better: bool | None = None
    difference: tuple[float, float, float] | None = None
    message: str = ""


@dataclass
class TrainingJob:
    """One training after the other; at most one at a time.

    Args:
        folder: Where data and runs go: FOLDER/1/data, FOLDER/1/run, and so on.
        adopt: Called with a new model's run folder and predictor that takes the old one's place.
    """

    folder: Path
    adopt: Callable[[Path, Predictor], None]
    status: TrainingStatus = field(default_factory=TrainingStatus)
    _process: "subprocess.Popen[str] | None" = field(default=None, init=False)
    _thread: Thread | None = field(default=None, init=False)

    @property
    def is_running(self) -> bool:
        """Whether a training goes on."""
        return self._thread is not None and self._thread.is_alive()

    def start(
        self,
        images: Sequence[LabelledImage],
        labels: Labels,
        minutes: float,
        old: Predictor | None,
        base: Path | None,
    ) -> None:
        """Begin.

        Args:
            images: Everything that is labelled.
            labels: The classes.
            minutes: Of training.
            old: The model to compare with.
            base: Weights to start from.

        Raises:
            DataError: Fewer than two images are labelled.
        """
        assert not self.is_running, "one at a time"
        trained, held_out = divided(images)
        if len(trained) < LEAST_IMAGES:
            raise DataError(
                f"{len(images)} images are labelled; a training needs {LEAST_IMAGES}.", fix="label another image."
            )
        number = 1 + max((int(each.name) for each in self.folder.glob("[0-9]*")), default=0)
        place = self.folder / str(number)
        write_dataset(place / "data", trained, labels)
        self.status = TrainingStatus("training", minutes=minutes, images=(len(trained), len(held_out)))
        command = [sys.executable, "-m", "perpixel", "train", str(place / "data"), "--out", str(place / "run")]
        command += ["--minutes", f"{minutes:g}", *(["--from", str(base)] if base else [])]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"
        )
        self._thread = Thread(target=self._follow, args=(place / "run", held_out, old), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End a training; its model is thrown away."""
        if self._process is not None and self._process.poll() is None:
            self.status = replace(self.status, state="stopped")
            self._process.terminate()
        if self._thread is not None:
            self._thread.join(30)

    def _follow(self, run: Path, held_out: Sequence[LabelledImage], old: Predictor | None) -> None:
        assert self._process is not None
        begin = time.monotonic()
        said: list[str] = []
        assert self._process.stderr is not None
        reader = Thread(target=lambda: said.extend(self._process.stderr), daemon=True)  # type: ignore[union-attr,arg-type]
        reader.start()
        while self._process.poll() is None:
            time.sleep(0.3)
            self.status = replace(self.status, seconds=time.monotonic() - begin, **_last_validation(run))
        reader.join(5)
        if self.status.state == "stopped":
            return
        if self._process.returncode:
            self.status = replace(self.status, state="failed", message="".join(said)[-2000:].strip())
            return
        self.status = replace(self.status, state="comparing", **_last_validation(run))
        try:
            self._decide(run, held_out, old)
        except PerpixelError as error:
            self.status = replace(self.status, state="failed", message=str(error))

    def _decide(self, run: Path, held_out: Sequence[LabelledImage], old: Predictor | None) -> None:
        """Let the new model take the old one's place where the interval of the difference says that it is better."""
        new = load(run)
        difference = None
        is_better = old is None
        if old is not None and len(held_out) >= LEAST_COMPARED:
            difference = compared(old, new, held_out)
            is_better = difference[1] > 0
        if is_better:
            self.adopt(run, new)
        self.status = replace(self.status, state="done", is_better=is_better, difference=difference, message=str(run))


def divided(images: Sequence[LabelledImage]) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """The images that train, and every fourth of them in the order of labelling that is held out, from eight on."""
    if len(images) < HELD_OUT_EVERY * LEAST_COMPARED:
        return list(images), []
    held_out = list(images[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY])
    return [each for each in images if each not in held_out], held_out


def write_dataset(folder: Path, images: Sequence[LabelledImage], labels: Labels) -> None:
    """Write masks, the list of pairs and dataset.yaml. Raises OutputError."""
    written = Outputs().written_labels(labels)
    rows = [("image", "mask")]
    for number, image in enumerate(images):
        (mask,) = write_mask(folder / "masks" / f"{number:05d}.png", mask_of(image.target, written), written)
        rows.append((str(image.path.resolve()), str(mask.relative_to(folder))))
    with (folder / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    spelled = {
        "perpixel": 1,
        "pairs": "pairs.csv",
        "kind": written.kind,
        "encoding": written.encoding,
        "reading": "values",
        "classes": [
            {"name": name, "value": _spelled(value), "colour": _spelled(colour)}
            for name, value, colour in zip(written.names, written.values, written.colours, strict=True)
        ],
        "ignored": [_spelled(value) for value in written.ignored],
    }
    write_text(folder / "dataset.yaml", yaml.safe_dump(spelled, sort_keys=False, allow_unicode=True))


def compared(old: Predictor, new: Predictor, images: Sequence[LabelledImage]) -> tuple[float, float, float]:
    """The mean IoU of the new model minus that of the old one on the same images, with its 95 % interval."""
    counts = [Counts.stack(_counts(predictor, image) for image in images) for predictor in (old, new)]
    found = paired_difference(counts[0], counts[1], lambda each: each.mean_iou)
    return float(found.value), float(found.low), float(found.high)


def _counts(predictor: Predictor, image: LabelledImage) -> Counts:
    labels = predictor.codec.labels
    prediction = predictor.predict(read_image(image.path), image.name)
    prediction[image.target == IGNORED] = 0  # such pixels are not counted
    return count(prediction, image.target, classes=len(labels), kind=labels.kind)


def _last_validation(run: Path) -> JsonObject:
    with suppress(PerpixelError, OSError, ValueError, KeyError, IndexError):
        row = Run.open(run).history()[-1]
        return {"step": int(row["step"]), "validation": round(row["validation_mean_iou"], 4)}
    return {}


def _spelled(value: Any) -> Any:
    return value if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)
