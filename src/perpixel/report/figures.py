"""Curves as SVG that takes the ink of the page, light or dark, and its words in any script."""

import colorsys
import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from perpixel.metrics import ThresholdCurves

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#010203"
"""Stands for the page's own ink, which replaces it when the drawing is done."""
BLUE: Final = "#3d8fd1"
ORANGE: Final = "#d97706"
RUN_COLOURS: Final = (BLUE, ORANGE, "#1f9d7a", "#c45fa0", "#8a6fd1", "#b5a432")
"""Of runs beside each other."""
POINTS: Final = 160
"""Of a curve, evenly along its length."""

STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "perpixel",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.12,
    "axes.grid": True,
    "legend.frameon": False,
}
Words = Mapping[str, str]


@dataclass
class _Drawing:
    """A figure in the making; its words are put in at the end, since the browser has the fonts."""

    figure: "Figure"
    svg: str = field(default="")


def training_curves(history: Sequence[Mapping[str, float]], words: Words) -> str:
    """Loss, mean IoU, learning rate and speed over the steps, from the rows of history.csv, as one SVG."""
    with _drawing(9, 4.6, words) as drawing:
        (loss, iou), (rate, speed) = drawing.figure.subplots(2, 2)
        _both_parts(loss, history, "loss")
        _both_parts(iou, history, "mean_iou")
        loss.legend()
        steps = [row["step"] for row in history]
        for axes, name, label in ((rate, "learning_rate", "rate"), (speed, "images_per_second", "speed")):
            axes.plot(steps, [row.get(name, math.nan) for row in history], color=BLUE, marker="o", markersize=3)
            axes.set(xlabel="axis_step", ylabel=f"axis_{label}", ylim=(0, None))
        loss.set(ylabel="axis_loss", ylim=(0, None))
        iou.set(ylabel="axis_mean_iou", ylim=(0, 1))
    return drawing.svg


def threshold_figure(
    curves: ThresholdCurves,
    thresholds: NDArray[np.float64] | None,
    colours: Mapping[int, tuple[int, int, int]],
    words: Words,
) -> str:
    """ROC, precision and recall, IoU against the threshold, and reliability of some classes, as one SVG.

    Args:
        curves: Of all classes.
        thresholds: (K,) those that were chosen, to mark them.
        colours: (R, G, B) of the classes to draw, by index.
        words: The texts.
    """
    counts, reliable = curves.counts, curves.reliability()
    pairs = {
        ("axis_false", "axis_true"): (1 - counts.specificity, counts.recall),
        ("axis_recall", "axis_precision"): (counts.recall, counts.precision),
        ("axis_threshold", "axis_iou"): (np.repeat(curves.thresholds[:, None], counts.classes, 1), counts.iou),
        ("axis_probability", "axis_frequency"): (reliable.confidence.T, reliable.frequency.T),
    }
    with _drawing(9, 7.2, words) as drawing:
        panels = drawing.figure.subplots(2, 2).ravel()
        for axes, ((x_name, y_name), (x, y)) in zip(panels, pairs.items(), strict=True):
            if y_name in ("axis_true", "axis_frequency"):
                axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
            for k, colour in colours.items():
                axes.plot(*_thinned(x[:, k], y[:, k]), color=line_colour(colour), linewidth=1.6)
                if thresholds is not None and np.isfinite(thresholds[k]) and y_name != "axis_frequency":
                    place = round(thresholds[k] * curves.bins)
                    axes.plot(x[place, k], y[place, k], "o", color=line_colour(colour), markersize=5)
            axes.set(xlabel=x_name, ylabel=y_name, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return drawing.svg


def image_curves(values: Mapping[str, NDArray[np.float64]], words: Words) -> str:
    """A score of every image, in order and sorted, with its mean, for one run or several.

    Args:
        values: (images,) of each run by its name; NaN where undefined.
        words: The texts.
    """
    with _drawing(9, 3, words) as drawing:
        panels = drawing.figure.subplots(1, 2, sharey=True)
        for (name, each), colour in zip(values.items(), RUN_COLOURS, strict=False):
            for axes, shown in zip(panels, (each, np.sort(each)), strict=True):
                style = {"marker": "o", "markersize": 3} if len(each) <= 60 else {}
                axes.plot(np.arange(1, len(each) + 1), shown, color=colour, linewidth=1.3, label=name, **style)
                if np.isfinite(each).any():
                    axes.axhline(np.nanmean(each), color=colour, linewidth=1, linestyle="--")
        panels[0].set(xlabel="axis_order", ylabel="axis_mean_iou", ylim=(0, 1.02))
        panels[1].set(xlabel="axis_sorted")
    return drawing.svg


def line_colour(colour: tuple[int, int, int]) -> str:
    """The nearest colour that is seen on white and on black.

    >>> line_colour((255, 255, 255)), line_colour((0, 0, 0)), line_colour((0, 114, 178))
    ('#999999', '#666666', '#0083cc')
    """
    hue, light, strength = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    rgb = colorsys.hls_to_rgb(hue, min(max(light, 0.4), 0.6), strength)
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * value) for value in rgb))


@contextmanager
def _drawing(width: float, height: float, words: Words) -> Iterator[_Drawing]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        drawing = _Drawing(Figure(figsize=(width, height), layout="constrained"))
        yield drawing
        text = io.StringIO()
        drawing.figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawing.svg = _finished(text.getvalue(), words)


def _finished(svg: str, words: Words) -> str:
    """The bare <svg> with the page's ink and words."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r' id="(figure|axes|patch|line2d|matplotlib\.axis|xtick|ytick|text|legend)_\d+"', "", svg)
    svg = re.sub(r">(axis_\w+)</text>", lambda found: f">{escape(words[found[1]])}</text>", svg)
    return svg.replace("<svg ", '<svg role="img" ', 1)


def _both_parts(axes: "Axes", history: Sequence[Mapping[str, float]], name: str) -> None:
    steps = [row["step"] for row in history]
    for part, colour in (("train", BLUE), ("validation", ORANGE)):
        values = [row[f"{part}_{name}"] for row in history]
        if not all(map(math.isnan, values)):
            axes.plot(steps, values, color=colour, marker="o", markersize=3, label=f"axis_{part}")


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a curve evenly along its length; what is undefined is left out."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) <= POINTS:
        return x, y
    length = np.concatenate([[0], np.hypot(np.diff(x), np.diff(y)).cumsum()])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)).clip(max=len(x) - 1))
    return x[kept], y[kept]
