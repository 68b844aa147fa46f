"""Which language is spoken: one for the process, that of the system unless somebody chose."""

import locale
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where a system says its language, the first that is set decides."""

_chosen: list[Language | None] = [None]


def current() -> Language:
    """The language that is spoken."""
    return _chosen[0] or language_of(os.environ)


def use(language: Language | None) -> None:
    """Speak a language from now on; None is that of the system."""
    _chosen[0] = language


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak a language for the length of a block."""
    before = _chosen[0]
    use(language)
    try:
        yield
    finally:
        use(before)


def language_of(environment: Mapping[str, str]) -> Language:
    """The language of a system, from its environment; on Windows, which sets none of the variables, from its locale.

    >>> language_of({"LANG": "zh_CN.UTF-8"}), language_of({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"})
    ('zh', 'en')
    """
    named = next((environment[name] for name in VARIABLES if environment.get(name)), None)
    if named is None:
        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"
