"""The range test as a picture."""

from pathlib import Path
from typing import Any, Final

from perpixel.files.atomic import replacing
from perpixel.language import current, say
from perpixel.language.choice import Language
from perpixel.language.notices import LOGGER
from perpixel.report.svg_curves import BLUE, ORANGE
from perpixel.training import RangeTest

CHINESE_FONTS: Final = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Noto Sans CJK JP",  # the first of the collection that Linux installs; it has the letters of all
    "Source Han Sans SC",
    "Microsoft YaHei",
    "SimHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Heiti SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Arial Unicode MS",
)
"""Fonts with Chinese letters that Linux, Windows and macOS have, the first found is taken."""


def range_figure(test: RangeTest, path: Path) -> None:
    """Draw the loss over the learning rate, whose axis is logarithmic, as a PNG.

    In the language that is spoken; in English where no font here has its letters, which is reported.

    Args:
        test: Its losses are dots, their mean is a line; the suggested rate is marked.
        path: The file.

    Raises:
        OutputError: It cannot be written.
    """
    import matplotlib as mpl

    language, style = _letters()
    with mpl.rc_context(style), replacing(path) as temporary:
        _drawn(test, language).savefig(temporary, format="png")


def _drawn(test: RangeTest, language: Language) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    panel = figure.add_subplot()
    panel.plot(test.rates, test.losses, ".", color=BLUE, alpha=0.35, label=say("loss of a step", language=language))
    panel.plot(test.rates, test.smoothed, color=BLUE, label=say("smoothed loss", language=language))
    if test.suggested is not None:
        falls = say("falls steepest: {rate}", language=language, rate=f"{test.suggested:.1e}")
        panel.axvline(test.suggested, color=ORANGE, linestyle="--", label=falls)
    panel.set(xscale="log", xlabel=say("learning rate", language=language), ylabel=say("loss", language=language))
    panel.grid(alpha=0.2)
    panel.legend(frameon=False)
    return figure


def _letters() -> tuple[Language, Any]:
    """The language that can be drawn here, and the font for it."""
    from matplotlib.font_manager import fontManager

    if current() == "en":
        return "en", {}
    known = set(fontManager.get_font_names())
    found = next((name for name in CHINESE_FONTS if name in known), None)
    if found is None:
        LOGGER.info("no font with Chinese letters is installed here: the picture is labelled in English.")
        return "en", {}
    return current(), {"font.family": [found, "DejaVu Sans"], "axes.unicode_minus": False}
