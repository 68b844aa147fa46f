"""What shows a training that runs: a live cell in a notebook, plain lines elsewhere."""

import html
import math
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Final

from perpixel.language import say, translated
from perpixel.language.choice import Language
from perpixel.results import picture_uri
from perpixel.runtime.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UPDATED_EVERY_SECONDS: Final = 0.5
TOLD_EVERY_SECONDS: Final = 10.0
PICTURES_SHOWN: Final = 3
CURVE_HW: Final = (80, 320)


class LiveCell:
    """A bar, the curve of the validations and some validation images, in the output of a notebook's cell.

    It is both a progress and a logger of `perpixel.training`: after each validation it gets scores and pictures.

    Args:
        language: Of its words; None for the one that is spoken.
    """

    def __init__(self, language: Language | None = None) -> None:
        self._language = language
        shown = import_module("IPython.display")  # where it runs, it is there
        self._html = shown.HTML
        self._handle = shown.display(shown.HTML(""), display_id=True)
        self._updated, self._began, self._task = -math.inf, time.monotonic(), ""
        self._bar = ""
        self._curve: list[tuple[int, float]] = []
        self._pictures: dict[str, str] = {}

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Move the bar."""
        now = time.monotonic()
        if task != self._task:
            self._task, self._began = task, now
        share = done / total if total else 0.0
        if total and share < 1 and now - self._updated < UPDATED_EVERY_SECONDS:
            return
        left = _clock((now - self._began) * (1 - share) / share) if 0 < share < 1 else "?"
        told = _told(task, done, total, self._language, left)
        text = html.escape(f"{told}  {translated(note, self._language)}")
        self._bar = (
            f'<div>{text}</div><div style="width:320px;background:#8884">'
            f'<div style="width:{100 * share:.0f}%;background:#0072b2;height:.6em"></div></div>'
        )
        self._updated = now
        self._show()

    @property
    def logger(self) -> "LiveCell":
        """Itself: what a trainer tells after each validation."""
        return self

    def scores(self, row: Mapping[str, float], step: int) -> None:
        """Take a row of the history."""
        self._curve.append((step, row["validation_mean_iou"]))
        self._show()

    def pictures(self, pictures: "Mapping[str, NDArray[np.uint8]]", step: int) -> None:
        """Take validation images with truth and prediction; they take the place of the earlier ones."""
        self._pictures = {name: picture_uri(each, 300) for name, each in list(pictures.items())[:PICTURES_SHOWN]}
        self._show()

    def close(self) -> None:
        """Leave the cell as it is."""

    def _show(self) -> None:
        parts = say("image, truth, prediction", language=self._language)
        colon = say(": ", language=self._language)
        shown = "".join(
            f'<figure style="margin:.4em 0"><img src="{uri}" alt="{html.escape(name)}">'
            f'<figcaption style="font-size:smaller">{html.escape(name)}{colon}{parts}</figcaption>'
            "</figure>"
            for name, uri in self._pictures.items()
        )
        self._handle.update(self._html(f"<div>{self._bar}{_curve_svg(self._curve, self._language)}{shown}</div>"))


class PlainLines:
    """A line of text on standard error at the beginning of each task, and every ten seconds; `language` as above."""

    def __init__(self, language: Language | None = None) -> None:
        self._language = language
        self._told, self._task = -math.inf, ""

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Say how far it is, if it is time to."""
        now = time.monotonic()
        if task == self._task and now - self._told < TOLD_EVERY_SECONDS:
            return
        self._task, self._told = task, now
        told = _told(task, done, total, self._language)
        print(f"{told}  {translated(note, self._language)}".rstrip(), file=sys.stderr, flush=True)


def shown_progress(language: Language | None = None) -> Progress:
    """A live cell where the code runs in a notebook, else plain lines."""
    return LiveCell(language) if in_notebook() else PlainLines(language)


def in_notebook() -> bool:
    """Whether IPython runs this code for a notebook; IPython is not imported for that."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return hasattr(shell, "kernel")


def _told(task: str, done: float, total: float, language: Language | None, left: str = "") -> str:
    """How far a task is, in words; with the time left where it is given."""
    named = say(task, language=language)
    if not total:
        return f"{named} …"
    if left and done >= total:
        return say("{task}: done", task=named, language=language)
    if left and left != "?":
        return say("{task}: {share:.0%}, {left} left", task=named, share=done / total, left=left, language=language)
    return say("{task}: {share:.0%}", task=named, share=done / total, language=language)


def _curve_svg(curve: list[tuple[int, float]], language: Language | None) -> str:
    points = [(step, score) for step, score in curve if not math.isnan(score)]
    if not points:
        return ""
    (height, width), last = CURVE_HW, max(step for step, _ in points)
    places = " ".join(f"{width * step / last:.1f},{height * (1 - score):.1f}" for step, score in points)
    dots = "".join(
        f'<circle cx="{width * step / last:.1f}" cy="{height * (1 - score):.1f}" r="2.5" fill="#0072b2"/>'
        for step, score in points
    )
    scores = {"last": points[-1][1], "best": max(score for _, score in points)}
    return (
        f"<div>{say('validation mean IoU {last:.3f}, best {best:.3f}', language=language, **scores)}</div>"
        f'<svg width="{width + 6}" height="{height + 6}" viewBox="-3 -3 {width + 6} {height + 6}">'
        f'<path d="M0 0V{height}H{width}" fill="none" stroke="#888"/>'
        f'<polyline points="{places}" fill="none" stroke="#0072b2" stroke-width="1.5"/>{dots}</svg>'
    )


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> _clock(95)
    '1:35'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
