"""Which language is spoken: one for the process, English unless somebody chose."""

import locale
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from perpixel.errors import SettingsError, did_you_mean

Language: TypeAlias = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")
VARIABLES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
"""Where a system says its language, the first that is set decides."""

_chosen: list[Language] = ["en"]


def current() -> Language:
    """The language that is spoken."""
    return _chosen[0]


def use(language: Language) -> None:
    """Speak a language from now on."""
    _chosen[0] = language


def known_language(language: str | None) -> None:
    """Raise SettingsError for a language that is not spoken; None is no choice."""
    if language is not None and language not in LANGUAGES:
        raise SettingsError(f"there is no language {language}.", fix=did_you_mean(language, LANGUAGES))


def language_of(environment: Mapping[str, str]) -> Language:
    """The language of a system, from its environment; on Windows, which sets none of the variables, from its locale.

    >>> language_of({"LANG": "zh_CN.UTF-8"}), language_of({"LC_ALL": "C", "LANG": "zh_CN.UTF-8"})
    ('zh', 'en')
    """
    named = next((environment[name] for name in VARIABLES if environment.get(name)), None)
    if named is None:
        named = locale.getlocale()[0] or ""
    return "zh" if named.lower().startswith(("zh", "chinese")) else "en"
