"""Curves as SVG that takes the ink of the page, light or dark, and its words in any script."""

import colorsys
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perpixel.metrics import ThresholdCurves
from perpixel.shapes import AnyArray

INK: Final = "#010203"
"""Stands for the page's own ink, which replaces it when the drawing is done."""
BLUE: Final = "#3d8fd1"
ORANGE: Final = "#d97706"
RUN_COLOURS: Final = (BLUE, ORANGE, "#1f9d7a", "#c45fa0", "#8a6fd1", "#b5a432")
"""Of runs beside each other."""
COUNTED: Final = ("axis_step", "axis_order", "axis_sorted")
"""Axes of whole numbers."""
MARKED: Final = 60
"""Images or epochs, up to which each is a dot."""
TERM_STYLES: Final = ("--", ":", "-.")
"""Of the lines of a loss's terms."""
THIN: Final = "#8f959c"
"""The colour of the curves of single images."""
POINTS: Final = 160
"""Of a curve, evenly along its length."""
AXES: Final = (0.16, 0.16, 0.81, 0.77)
"""Left, bottom, width and height, as shares of a panel: a layout found by drawing once more takes as long again."""

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


Rows = Sequence[Mapping[str, float]]


def training_curves(history: Rows, epochs: Rows, words: Words) -> str:
    """Loss and its terms, mean IoU, learning rate and speed over the steps, as SVGs side by side.

    Args:
        history: A row a validation, of history.csv.
        epochs: A row an epoch, of epochs.csv; without any, what was trained is drawn by validation.
        words: The texts.
    """
    trained = epochs or history
    losses = _both_parts(trained, history, "loss")
    terms = [name.removeprefix("train_") for name in history[0] if name.startswith("train_loss_")]
    if len(terms) > 1:
        for name, style in zip(terms, TERM_STYLES * len(terms), strict=False):
            losses += _both_parts(trained, history, name, style)
    panels = [
        _panel(words, losses, xlabel="axis_step", ylabel="axis_loss", ylim=(0, None)),
        _panel(
            words,
            _both_parts(trained, history, "mean_iou"),
            xlabel="axis_step",
            ylabel="axis_mean_iou",
            ylim=(0, 1),
        ),
    ]
    for rows, name, label in ((trained, "learning_rate", "axis_rate"), (history, "images_per_second", "axis_speed")):
        line = Line([row["step"] for row in rows], [row.get(name, math.nan) for row in rows], BLUE, marker=_dot(rows))
        panels.append(_panel(words, [line], xlabel="axis_step", ylabel=label, ylim=(0, None)))
    return "".join(panels)


def threshold_figure(
    curves: ThresholdCurves,
    thresholds: NDArray[np.float64] | None,
    colours: Mapping[int, tuple[int, int, int]],
    words: Words,
) -> str:
    """ROC, precision and recall, IoU against the threshold, and reliability of some classes, as SVGs side by side.

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
    panels = []
    for (x_name, y_name), (x, y) in pairs.items():
        lines = [Line([0, 1], [0, 1], INK, style=":")] if y_name in ("axis_true", "axis_frequency") else []
        for k, colour in colours.items():
            lines.append(Line(*_thinned(x[:, k], y[:, k]), line_colour(colour)))
            if thresholds is not None and np.isfinite(thresholds[k]) and y_name != "axis_frequency":
                place = round(thresholds[k] * curves.bins)
                lines.append(Line([x[place, k]], [y[place, k]], line_colour(colour), marker="o"))
        panels.append(_panel(words, lines, xlabel=x_name, ylabel=y_name, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02)))
    return "".join(panels)


def image_curves(values: Mapping[str, NDArray[np.float64]], words: Words) -> str:
    """A score of every image, in order and sorted, with its mean, for one run or several, as SVGs side by side.

    Args:
        values: (images,) of each run by its name; NaN where undefined.
        words: The texts.
    """
    in_order: list[Line] = []
    ranked: list[Line] = []
    for each, colour in zip(values.values(), RUN_COLOURS * len(values), strict=False):
        places, marker = np.arange(1, len(each) + 1), "o" if len(each) <= MARKED else ""
        mean = float(np.nanmean(each)) if np.isfinite(each).any() else math.nan
        for lines, shown in ((in_order, each), (ranked, np.sort(each))):
            lines.append(Line(places, shown, colour, marker=marker))
            lines.append(Line([1, len(each)], [mean, mean], colour, style="--"))
    axes = {"ylabel": "axis_mean_iou", "ylim": (0, 1.02)}
    return _panel(words, in_order, xlabel="axis_order", **axes) + _panel(words, ranked, xlabel="axis_sorted", **axes)


def class_curves(values: Mapping[str, tuple[AnyArray, tuple[int, int, int]]], words: Words) -> str:
    """The IoU of each class over the images that have or are given it, with its mean line, as an SVG a class.

    Args:
        values: By the name of the class: (images,) IoU, NaN where undefined, and its colour.
        words: The texts.
    """
    panels = []
    for name, (each, colour) in values.items():
        defined = np.isfinite(each)
        places, mean = np.arange(1, len(each) + 1), float(each[defined].mean()) if defined.any() else math.nan
        lines = [
            Line(places[defined], each[defined], line_colour(colour), marker="o" if len(each) <= MARKED else ""),
            Line([1, len(each)], [mean, mean], INK, style="--", label=f"axis_mean {mean:.3f}"),
        ]
        axes = {"ylabel": f"axis_iou {name}", "ylim": (0, 1.02)}
        panels.append(_panel(words, lines, xlabel="axis_order", **axes))
    return "".join(panels)


def roc_curves(values: Mapping[str, tuple[AnyArray, AnyArray, tuple[int, int, int]]], words: Words) -> str:
    """The ROC curve of every single image, thin, and that of all their pixels, as an SVG a class.

    Args:
        values: By the name of the class: true positive rates (images, points) at even false positive rates, those of
            all pixels (points,), and its colour.
        words: The texts.
    """
    panels = []
    for name, (each, pooled, colour) in values.items():
        rates = np.linspace(0, 1, len(pooled))
        lines = [Line(rates, one, THIN, width=0.6) for one in each if np.isfinite(one).all()]
        lines.append(Line(rates, pooled, line_colour(colour), label="axis_pooled"))
        axes = {"ylabel": f"axis_true {name}", "xlim": (-0.02, 1.02), "ylim": (-0.02, 1.02)}
        panels.append(_panel(words, lines, xlabel="axis_false", **axes))
    return "".join(panels)


def line_colour(colour: tuple[int, int, int]) -> str:
    """The nearest colour that is seen on white and on black.

    >>> line_colour((255, 255, 255)), line_colour((0, 0, 0)), line_colour((0, 114, 178))
    ('#999999', '#666666', '#0083cc')
    """
    hue, light, strength = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    rgb = colorsys.hls_to_rgb(hue, min(max(light, 0.4), 0.6), strength)
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * value) for value in rgb))


@dataclass(frozen=True)
class Line:
    """What is drawn into a panel.

    Args:
        x: Places.
        y: Values; NaN is left out.
        colour: As a page writes it.
        style: "-", "--" or ":".
        marker: "o" for dots.
        label: A key of the texts, for a legend; what follows it after a space stays as it is.
        width: In points; None for that of the style.
    """

    x: Sequence[float] | AnyArray
    y: Sequence[float] | AnyArray
    colour: str
    style: str = "-"
    marker: str = ""
    label: str | None = None
    width: float | None = None


def _panel(words: Words, lines: Sequence[Line], **axes: Any) -> str:
    """One pair of axes as an SVG with the page's ink and words."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.3))
        panel = figure.add_axes(AXES)
        for line in lines:
            width = line.width or (1 if line.style != "-" else 1.5)
            style: Any = {"linestyle": line.style, "marker": line.marker, "markersize": 3.5, "linewidth": width}
            panel.plot(line.x, line.y, color=line.colour, label=line.label, **style)
        panel.set(
            **axes | {"ylabel": axes["ylabel"].replace("$", r"\$")}
        )  # after the lines, which open limits follow
        if axes["xlabel"] in COUNTED:
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.ticklabel_format(axis="y", style="sci", scilimits=(-2, 5))  # wider numbers would push out the label
        if any(line.label for line in lines):
            panel.legend()
        text = io.StringIO()
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    key, _, name = axes["ylabel"].partition(" ")
    return _finished(text.getvalue(), words, f"{words[key]} {name}".strip() + f" / {words[axes['xlabel']]}")


def _finished(svg: str, words: Words, name: str) -> str:
    """The bare <svg>; its words are put in here, since the browser has the fonts of every script."""
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r' id="(figure|axes|patch|line2d|matplotlib\.axis|xtick|ytick|text|legend)_\d+"', "", svg)
    svg = re.sub(r">(axis_\w+)( term_[a-z_]+[a-z])?([^<]*)</text>", partial(_named, words), svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(name)}" ', 1)


def _named(words: Words, found: re.Match[str]) -> str:
    """An axis, with a term of the loss or none, and what stays as it is behind, such as the name of a class."""
    term = (found[2] or "").strip()
    told = [words[found[1]], *([words.get(term, term.removeprefix("term_").replace("_", " "))] if term else [])]
    return f">{escape(' '.join(told))}{found[3].replace('_', ' ') if term else found[3]}</text>"


def _both_parts(trained: Rows, history: Rows, name: str, style: str = "-") -> list[Line]:
    """A score of the training and of the validation images; a term of the loss is named and has its own style."""
    lines, term = [], name.replace("loss_", "term_", 1) if name.startswith("loss_") else ""
    parts = (("train", "axis_train", trained, BLUE), ("validation", "axis_validation", history, ORANGE))
    for part, text, rows, colour in parts:
        values = [row.get(f"{part}_{name}", math.nan) for row in rows]
        if not all(map(math.isnan, values)):
            label = f"{text} {term}".strip()
            steps, marker = [row["step"] for row in rows], "" if term else _dot(rows)
            lines.append(Line(steps, values, colour, style=style, marker=marker, label=label))
    return lines


def _dot(rows: Rows) -> str:
    return "o" if len(rows) <= MARKED else ""


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of a curve evenly along its length; what is undefined is left out."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) <= POINTS:
        return x, y
    length = np.concatenate([[0], np.hypot(np.diff(x), np.diff(y)).cumsum()])
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], POINTS)).clip(max=len(x) - 1))
    return x[kept], y[kept]
