"""What people read, in their language: English sentences are the keys, `zh.po` holds the Chinese ones.

Whoever speaks to people calls `say` with a sentence and its values. What other rooms have written in English, such as
errors and findings, is recognised again by `translated`, so that they need to know nothing of languages.
"""

from perpixel.language.choice import LANGUAGES, current, language_of, speaking, use
from perpixel.language.sentences import columns, counted, say, subset, translated

__all__ = [
    "LANGUAGES",
    "columns",
    "counted",
    "current",
    "language_of",
    "say",
    "speaking",
    "subset",
    "translated",
    "use",
]
