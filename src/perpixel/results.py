"""What every result of the API can do: a short repr, a card in a notebook, a table for pandas, and plain numbers.

A result is a frozen dataclass that inherits from `Result` and says of itself only what it has: a headline, tables,
pictures, the page that tells more. How that looks is decided here, once.
"""

import base64
import html
import io
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, Self, TypeAlias, TypeVar, overload
from urllib.parse import quote

from perpixel.errors import SettingsError, did_you_mean
from perpixel.language import say, translated
from perpixel.language.plain_text import printable
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

T = TypeVar("T")
Row: TypeAlias = JsonMapping

MAX_ROWS: Final = 12
"""Of a table in a notebook; the frame has all."""
TINY: Final = 1e-3
"""A number below it is shown by its exponent: three decimals would say 0."""
MAX_PICTURES: Final = 4
PICTURE_PX: Final = 150
"""Longer side of a picture in a notebook."""
BAR_COLOUR: Final = "#0072b2"


class Score(float):
    """A figure, NaN where it is undefined, and where it may lie: an ordinary float that knows its interval.

    >>> score = Score(0.8, (0.7, 0.9))
    >>> score > 0.5, score.interval, f"{score:.3f}"
    (True, (0.7, 0.9), '0.800')
    >>> score
    0.8000 [0.7000, 0.9000]
    """

    interval: tuple[float, float] | None

    def __new__(cls, value: float, interval: tuple[float, float] | None = None) -> Self:
        """Make a float of it.

        Args:
            value: The figure.
            interval: Low and high end; None where there is none.
        """
        score = super().__new__(cls, value)
        score.interval = interval
        return score

    def __reduce__(self) -> tuple[type[Self], tuple[float, tuple[float, float] | None]]:
        """What makes a copy of it."""
        return type(self), (float(self), self.interval)

    def __repr__(self) -> str:
        if math.isnan(self):
            return "undefined"
        return f"{self:.4f}" + (f" [{self.interval[0]:.4f}, {self.interval[1]:.4f}]" if self.interval else "")


class Picture(NamedTuple):
    """A picture with its caption.

    Args:
        caption: What it shows.
        pixels: (H, W, 3) uint8.
    """

    caption: str
    pixels: "NDArray[np.uint8]"


class Result:
    """What every result of the API inherits; a subclass overrides what it has to say."""

    bar: ClassVar[str] = ""
    """The column of the first table whose values in 0..1 are drawn as bars."""

    @property
    def headline(self) -> str:
        """The result in one line."""
        raise NotImplementedError

    @property
    def page(self) -> Path | None:
        """The page that tells more, where one was written."""
        return None

    def to_dict(self) -> JsonObject:
        """Plain numbers, strings, lists and dicts, ready for JSON."""
        raise NotImplementedError

    def tables(self) -> dict[str, Sequence[Row]]:
        """Its tables by name, the main one first; rows of one table have the same keys."""
        return {}

    def pictures(self) -> Sequence[Picture]:
        """Pictures worth showing, the best first."""
        return ()

    def to_frame(self, table: str | None = None) -> "pd.DataFrame":
        """One of its tables as a pandas frame.

        Args:
            table: A name of `tables`; None for the main one.

        Raises:
            SettingsError: There is no such table, or pandas is not installed.
        """
        try:
            import pandas as pd
        except ModuleNotFoundError:
            raise SettingsError(
                "pandas is not installed.", fix="pip install pandas, or take the rows of .tables()."
            ) from None
        tables = self.tables()
        name = next(iter(tables), "") if table is None else table
        if name not in tables:
            raise SettingsError(f"there is no table {name!r}.", fix=did_you_mean(name, tables))
        return pd.DataFrame([dict(row) for row in tables[name]])

    def text(self) -> str:
        """The result in lines; what of them is in English, `str` and `print` translate."""
        return self.headline

    def __str__(self) -> str:
        return translated(self.text())

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {translated(self.headline)}>"

    def _repr_html_(self) -> str:
        """The card of a notebook: headline, main table with bars, pictures, link to the page."""
        rows = next(filter(None, self.tables().values()), ())
        shown = (_pictures_html(self.pictures()), _link_html(self.page))
        return f"<div><b>{_escaped(self.headline)}</b>{_table_html(rows, self.bar)}{''.join(shown)}</div>"


@dataclass(frozen=True, repr=False)
class ResultList(Result, Sequence[T]):
    """A result that is a list of others.

    Args:
        items: What it holds.
    """

    items: tuple[T, ...]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> Self: ...
    def __getitem__(self, place: int | slice) -> T | Self:
        """One of them, or several."""
        return replace(self, items=self.items[place]) if isinstance(place, slice) else self.items[place]

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def to_dict(self) -> JsonObject:
        """The rows of the main table."""
        name, rows = next(iter(self.tables().items()))
        return {"schema": 1, name: [{key: plain(value) for key, value in row.items()} for row in rows]}

    def text(self) -> str:
        """An item a line."""
        return "\n".join(map(str, self.items))


def plain(value: Json) -> Json:
    """A value as JSON holds it: undefined figures are None, paths are text.

    >>> plain(float("nan")), plain(Path("a"))
    (None, 'a')
    """
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str(value) if isinstance(value, Path) else value


def picture_uri(pixels: "NDArray[np.uint8]", side_px: int = PICTURE_PX) -> str:
    """A picture (H, W, 3) uint8 as a JPEG in a URI, its longer side `side_px`; a small one grows by whole pixels."""
    from PIL import Image

    drawn = Image.fromarray(pixels)
    share = side_px / max(drawn.size)
    if share >= 1:
        drawn = drawn.resize([side * int(share) for side in drawn.size], Image.Resampling.NEAREST)
    else:
        drawn = drawn.resize([max(1, round(side * share)) for side in drawn.size], Image.Resampling.BOX)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def how_many(number: int, what: str) -> str:
    """A number and its noun.

    >>> how_many(1, "image"), how_many(1200, "image"), how_many(2, "class")
    ('1 image', '1,200 images', '2 classes')
    """
    plural = what if number == 1 else f"{what}es" if what.endswith("s") else f"{what}s"
    return f"{number:,} {plural}"


def duration(seconds: float) -> str:
    """How long something lasts, in the unit that suits it.

    >>> duration(42.3), duration(600), duration(100_000), duration(1_000_000)
    ('42 s', '10 min', '28 h', '12 d')
    """
    for unit, length, least in (("d", 86_400, 3), ("h", 3_600, 2), ("min", 60, 2)):
        if seconds >= least * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _table_html(rows: Sequence[Row], bar: str) -> str:
    if not rows:
        return ""
    heads = "".join(f"<th>{html.escape(printable(key.replace('_', ' ')))}</th>" for key in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell_html(value, is_bar=key == bar)}</td>" for key, value in row.items()) + "</tr>"
        for row in rows[:MAX_ROWS]
    )
    more = len(rows) - MAX_ROWS
    rest = f"<div>{say('… and {more} more', more=f'{more:,}')}</div>" if more > 0 else ""
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _cell_html(value: Json, *, is_bar: bool) -> str:
    text = _escaped(_spelled(value))
    if not is_bar or not isinstance(value, float) or math.isnan(value):
        return text
    width = 100 * min(max(value, 0.0), 1.0)
    drawn = f"background:{BAR_COLOUR};width:{width:.0f}%;height:.7em"
    side = f'<div style="width:6em"><div style="{drawn}"></div></div>'
    return f'<div style="display:flex;gap:.5em;align-items:center">{text}{side}</div>'


def _spelled(value: Json) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        if 0 < abs(value) < TINY:
            return f"{float(value):.1e}"
        return f"{float(value):.4g}" if abs(value) >= 1 else f"{float(value):.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _pictures_html(pictures: Sequence[Picture]) -> str:
    shown = [
        f'<figure style="margin:.4em"><img alt="{_escaped(each.caption)}" src="{picture_uri(each.pixels)}">'
        f'<figcaption style="font-size:smaller">{_escaped(each.caption)}</figcaption></figure>'
        for each in pictures[:MAX_PICTURES]
    ]
    return f'<div style="display:flex;flex-wrap:wrap">{"".join(shown)}</div>' if shown else ""


def _link_html(page: Path | None) -> str:
    """A notebook opens what lies below its own folder by a relative address, everything else by an absolute one."""
    if page is None:
        return ""
    absolute, here = page.resolve(), Path.cwd().resolve()
    is_below = absolute.is_relative_to(here)
    address = quote(absolute.relative_to(here).as_posix()) if is_below else absolute.as_uri()
    return f'<a href="{_escaped(address)}" target="_blank">{_escaped(os.fspath(page))}</a>'


def _escaped(text: str) -> str:
    """A text for a page, in the language that is spoken; a word alone is a name and stays."""
    return html.escape(translated(text) if " " in text else printable(text))


__all__ = ["Picture", "Result", "ResultList", "Row", "Score", "how_many", "picture_uri", "plain"]
