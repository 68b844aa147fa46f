"""The range test as a picture."""

from pathlib import Path

from perpixel.files.atomic import replacing
from perpixel.report.svg_curves import BLUE, ORANGE
from perpixel.training import RangeTest


def range_figure(test: RangeTest, path: Path) -> None:
    """Draw the loss over the learning rate, whose axis is logarithmic, as a PNG.

    Args:
        test: Its losses are dots, their mean is a line; the suggested rate is marked.
        path: The file.

    Raises:
        OutputError: It cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    panel = figure.add_subplot()
    panel.plot(test.rates, test.losses, ".", color=BLUE, alpha=0.35, label="loss of a step")
    panel.plot(test.rates, test.smoothed, color=BLUE, label="smoothed")
    if test.suggested is not None:
        panel.axvline(test.suggested, color=ORANGE, linestyle="--", label=f"falls steepest: {test.suggested:.1e}")
    panel.set(xscale="log", xlabel="learning rate", ylabel="loss")
    panel.grid(alpha=0.2)
    panel.legend(frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
