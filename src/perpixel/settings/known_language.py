"""Refuse a language that there is not."""

from perpixel.errors import SettingsError, did_you_mean
from perpixel.language import LANGUAGES


def refuse_unknown_language(language: str | None) -> None:
    """Raise SettingsError for a language that is not spoken; None is no choice."""
    if language is not None and language not in LANGUAGES:
        raise SettingsError(f"there is no language {language}.", fix=did_you_mean(str(language), LANGUAGES))
