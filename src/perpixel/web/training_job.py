"""Training on what was painted, in a process of its own, and whether the new model takes the place of the old."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Thread
from typing import Final, Literal, TypeAlias

import numpy as np
import yaml

from perpixel.errors import DataError, PerpixelError
from perpixel.files.atomic import write_text
from perpixel.files.parse import parse_json
from perpixel.files.read import read_image
from perpixel.files.whole_file import text_of
from perpixel.files.write import write_mask
from perpixel.labels.codec import mask_of
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts, count, paired_difference
from perpixel.prediction import Outputs, Predictor
from perpixel.prediction.load import load_predictor
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import IGNORED
from perpixel.store.run_folder import Run
from perpixel.web.held_out import LEAST_COMPARED, LabelledImage, divided_images, save_held_out

State: TypeAlias = Literal["idle", "training", "comparing", "done", "failed", "stopped"]
LEAST_IMAGES: Final = 2
POLL_SECONDS: Final = 0.3
IN_USE_FILE: Final = "in-use.json"


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
        held_out_needed: Held-out images below which nothing is decided.
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
    held_out_needed: int = LEAST_COMPARED
    is_better: bool | None = None
    difference: tuple[float, float, float] | None = None
    message: str = ""


@dataclass
class TrainingJob:
    """One training after the other; at most one at a time.

    Args:
        folder: Where data and runs go: FOLDER/1/data, FOLDER/1/run, and so on.
        settle: Called with a new model's run folder and predictor, and whether it takes the old one's place.
    """

    folder: Path
    settle: Callable[[Path, Predictor, bool], None]
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
        trained, held_out = divided_images(images, self.folder, base)
        if len(trained) < LEAST_IMAGES:
            raise DataError(
                f"{len(images)} images are labelled; a training needs {LEAST_IMAGES}.", fix="label another image."
            )
        number = 1 + max((int(each.name) for each in self.folder.glob("[0-9]*")), default=0)
        place = self.folder / str(number)
        write_dataset(place / "data", trained, labels)
        save_held_out(place, held_out)
        self.status = TrainingStatus("training", minutes=minutes, images=(len(trained), len(held_out)))
        command = [sys.executable, "-m", "perpixel", "train", str(place / "data"), "--out", str(place / "run")]
        command += ["--minutes", f"{minutes:g}", *(["--from", str(base)] if base else [])]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8"
        )
        self._process = process
        self._thread = Thread(target=self._follow, args=(process, place / "run", held_out, old), daemon=True)
        self._thread.start()

    def save_in_use(self, run: Path, base: Path | None) -> None:
        """Write down which run answers from here on, for the next start with the same base. Raises OutputError."""
        number = run.parent.name if run.is_relative_to(self.folder) else None
        stored = {"base": _absolute(base), "round": number}
        write_text(self.folder / IN_USE_FILE, json.dumps(stored))

    def in_use(self, base: Path | None) -> Path | None:
        """The run that answered when a server with this base ended; None where that was the base, or is gone."""
        path = self.folder / IN_USE_FILE
        try:
            stored = parse_json(text_of(path), str(path))
            run = self.folder / str(int(stored["round"])) / "run"
            return run if stored["base"] == _absolute(base) and (run / "model.safetensors").is_file() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def stop(self) -> None:
        """End a training; its model is thrown away."""
        if self._process is not None and self._process.poll() is None:
            self.status = replace(self.status, state="stopped")
            self._process.terminate()
        if self._thread is not None:
            self._thread.join(30)

    def _follow(
        self, process: "subprocess.Popen[str]", run: Path, held_out: Sequence[LabelledImage], old: Predictor | None
    ) -> None:
        begin = time.monotonic()
        lines: list[str] = []
        with process:
            assert process.stderr is not None
            reader = Thread(target=lines.extend, args=(process.stderr,), daemon=True)
            reader.start()
            while process.poll() is None:
                time.sleep(POLL_SECONDS)
                self.status = replace(self.status, seconds=time.monotonic() - begin, **_last_validation(run))
            reader.join(5)
        if self.status.state == "stopped":
            return
        if process.returncode:
            self.status = replace(self.status, state="failed", message="".join(lines)[-2000:].strip())
            return
        self.status = replace(self.status, state="comparing", **_last_validation(run))
        try:
            self._decide(run, held_out, old)
        except Exception as error:  # whatever it is, who waits for the model has to hear of it
            message = str(error) if isinstance(error, PerpixelError) else f"{type(error).__name__}: {error}"
            self.status = replace(self.status, state="failed", message=message)

    def _decide(self, run: Path, held_out: Sequence[LabelledImage], old: Predictor | None) -> None:
        """Let the new model take the old one's place where the interval of the difference says that it is better."""
        new = load_predictor(run)
        difference = None
        if old is not None and len(held_out) >= LEAST_COMPARED:
            difference = iou_difference(old, new, held_out)
        is_better = old is None or (difference is not None and difference[1] > 0)
        self.settle(run, new, is_better)
        self.status = replace(self.status, state="done", is_better=is_better, difference=difference, message=str(run))


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


def iou_difference(
    old: Predictor, new: Predictor, images: Sequence[LabelledImage]
) -> tuple[float, float, float] | None:
    """The mean IoU of the new model minus that of the old one on the same images, with its 95 % interval.

    None where the labels leave it undefined.
    """
    counts = [Counts.stack(_counts(predictor, image) for image in images) for predictor in (old, new)]
    found = paired_difference(counts[0], counts[1], lambda each: each.mean_iou)
    difference = float(found.value), float(found.low), float(found.high)
    return difference if np.isfinite(difference).all() else None


def _counts(predictor: Predictor, image: LabelledImage) -> Counts:
    labels = predictor.codec.labels
    prediction = predictor.target(read_image(image.path), image.name)
    prediction[image.target == IGNORED] = 0  # such pixels are not counted
    return count(prediction, image.target, classes=len(labels), kind=labels.kind)


def _last_validation(run: Path) -> JsonObject:
    with suppress(PerpixelError, OSError, ValueError, KeyError, IndexError):
        row = Run.open(run).history()[-1]
        return {"step": int(row["step"]), "validation": round(row["validation_mean_iou"], 4)}
    return {}


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _spelled(value: Json) -> Json:
    return value if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)
