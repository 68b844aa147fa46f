"""RUN/int8.json: where a run computes in int8, and what was tried.

It is of one model file, one kind of processor, and the versions of the libraries, which order the convolutions.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import torch

from perpixel.errors import DataError, OutputError
from perpixel.files.atomic import write_text
from perpixel.files.parse import parse_json
from perpixel.files.whole_file import text_of
from perpixel.language.notices import LOGGER
from perpixel.prediction.int8.quantised_graph import Ranges, weight_spread
from perpixel.prediction.int8.tried import MOST_LOST, Tried
from perpixel.prediction.openvino_core import openvino_core
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.store.run_folder import Run

LEAST_GAIN: Final = 1.3
"""How many times as fast as float32 it must be."""


@dataclass(frozen=True)
class Int8:
    """What a search found.

    Args:
        mean_iou: In float32, on validation images.
        images: How many.
        tried: Every choice of layers.
        ranges: For each of them, what enters the convolutions.
    """

    mean_iou: float
    images: int
    tried: tuple[Tried, ...]
    ranges: tuple[Ranges, ...]

    @property
    def taken(self) -> int | None:
        """Which of those tried: the fastest that loses little enough; None where it is not fast enough."""
        held = [n for n, each in enumerate(self.tried) if each.holds and each.times_as_fast >= LEAST_GAIN]
        return max(held, key=lambda n: self.tried[n].times_as_fast, default=None)

    @property
    def told(self) -> str:
        """One sentence: what is taken, or why nothing is."""
        if self.taken is None:
            return (
                f"no choice of layers in int8 is {LEAST_GAIN:g} times as fast and loses at most {MOST_LOST:g} of the "
                f"mean IoU {self.mean_iou:.4f} on {self.images} validation image(s)."
            )
        taken = self.tried[self.taken]
        return (
            f"{taken.layers} in int8; mean IoU {taken.mean_iou:.4f} instead of {self.mean_iou:.4f} on {self.images} "
            f"validation image(s)."
        )

    def to_dict(self) -> JsonObject:
        """As in int8.json."""
        tried = [each.to_dict() | {"ranges": ranges} for each, ranges in zip(self.tried, self.ranges, strict=True)]
        return {"mean_iou": self.mean_iou, "images": self.images, "tried": tried}

    @classmethod
    def from_dict(cls, stored: JsonMapping) -> Self:
        """Read it back. Raises KeyError, TypeError or ValueError where it is damaged."""
        tried = tuple(
            Tried(str(each["layers"]), *(float(each[key]) for key in ("mean_iou", "lost", "times_as_fast")))
            for each in stored["tried"]
        )
        ranges = tuple(
            tuple(None if between is None else (float(between[0]), float(between[1])) for between in each["ranges"])
            for each in stored["tried"]
        )
        return cls(float(stored["mean_iou"]), int(stored["images"]), tried, ranges)


def kept_int8(run: Run) -> Int8 | None:
    """What the run keeps; None where nothing is, or it is of another model, processor or version, or damaged."""
    try:
        stored = parse_json(text_of(run.int8_path), str(run.int8_path))
        if stored["of"] != _of(run):
            return None
        return Int8.from_dict(stored)
    except (OSError, DataError, KeyError, TypeError, ValueError, IndexError):
        return None


def keep_int8(run: Run, found: Int8) -> None:
    """Write it into the run's folder; where that is read-only, it is searched again the next time."""
    try:
        write_text(run.int8_path, json.dumps({"schema": 1, "of": _of(run)} | found.to_dict(), indent=1) + "\n")
    except OutputError as error:
        LOGGER.info("%s", error.problems[0].what)


def _of(run: Run) -> Mapping[str, str]:
    """What it is true of."""
    import openvino

    with run.model_path.open("rb") as file:
        model = hashlib.file_digest(file, "sha256").hexdigest()
    name = openvino_core().get_property("CPU", "FULL_DEVICE_NAME")
    sums = "whole sums" if weight_spread() == 1 else "sums cut off"  # with or without VNNI
    return {
        "model": model,
        "processor": f"{name}, {torch.backends.cpu.get_cpu_capability()}, {sums}",
        "libraries": f"OpenVINO {openvino.__version__}, PyTorch {torch.__version__}",
    }
