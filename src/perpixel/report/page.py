"""From a template and its values to one page that needs no other file."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def rendered(template: str, words: dict[str, str], language: str, **values: Any) -> str:
    """Fill a template of this package; `t` are the words, `lang` their language."""
    return (
        _environment()
        .get_template(template)
        .render(t=words, lang="zh-CN" if language == "zh" else language, **values)
    )


@cache
def _environment() -> Environment:
    """Holds the templates that it has compiled, which takes as long as filling them."""
    environment = Environment(
        loader=PackageLoader("perpixel.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"score": _score, "figure": _figure, "signed": _signed}
    return environment


def _score(value: float | None) -> str:
    """A figure in 0..1."""
    return "–" if value is None else f"{value:.3f}"


def _figure(value: float | None) -> str:
    """Any figure: whole numbers whole, others to three figures.

    >>> _figure(12), _figure(0.91234), _figure(12.3456), _figure(None)
    ('12', '0.912', '12.3', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def _signed(value: float | None) -> str:
    """A difference of figures."""
    return "–" if value is None else f"{value:+.3f}"
