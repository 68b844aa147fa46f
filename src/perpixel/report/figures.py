"""Curves as SVG that fits light and dark pages."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK: Final = "#808792"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"

STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "grid.color": INK,
    "grid.alpha": 0.2,
    "axes.grid": True,
}


def training_curves(history: Sequence[Mapping[str, float]]) -> str:
    """Loss and mean IoU over the steps, training (views) beside validation (whole images), as one SVG.

    Args:
        history: The rows of history.csv.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9, 3), layout="constrained")
        left, right = figure.subplots(1, 2)
        _pair(left, history, "loss")
        _pair(right, history, "mean_iou")
        left.set(xlabel="step", ylabel="loss", ylim=(0, None))
        right.set(xlabel="step", ylabel="mean IoU", ylim=(0, 1))
        left.legend()
        return _svg(figure)


def _pair(axes: "Axes", history: Sequence[Mapping[str, float]], name: str) -> None:
    steps = [row["step"] for row in history]
    for part, colour in (("train", BLUE), ("validation", ORANGE)):
        values = [row[f"{part}_{name}"] for row in history]
        if not all(map(math.isnan, values)):
            label = "training" if part == "train" else "validation"
            axes.plot(steps, values, color=colour, marker="o", markersize=3, label=label)


def _svg(figure: object) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})  # type: ignore[attr-defined]
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
