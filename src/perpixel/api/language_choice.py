"""Which language results, messages and pages are in."""

from typing import TYPE_CHECKING

from perpixel.language import use
from perpixel.settings.known_language import refuse_unknown_language

if TYPE_CHECKING:
    from perpixel.language.choice import Language


def use_language(language: "Language | None") -> None:
    """Choose the language of what results, errors, progress and pages say in this process.

    Names, keys, columns and JSON are the same in every language.

    Args:
        language: "en" or "zh"; None for that of the system (LC_ALL, LC_MESSAGES or LANG), which is spoken at first.

    Raises:
        SettingsError: There is no such language.
    """
    refuse_unknown_language(language)
    use(language)
