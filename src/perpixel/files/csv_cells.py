"""Cells of CSV that a spreadsheet shows instead of running them."""

import csv
import re
from typing import Final

_RUN: Final = re.compile(r"'*[=+\-@\t\r]")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")
CSV_ERRORS: Final = (csv.Error, ValueError, KeyError, TypeError, AttributeError)
"""What a damaged CSV file of perpixel's own makes its readers raise."""


def safe_cell(value: object) -> object:
    """The value as a cell; text that a spreadsheet would run as a formula gets an apostrophe before it.

    Source: OWASP, CSV injection.

    >>> safe_cell("=1+1"), safe_cell("-0.5"), safe_cell(-0.5), safe_cell("a-b")
    ("'=1+1", '-0.5', -0.5, 'a-b')
    """
    text = value if isinstance(value, (int, float)) else str(value)
    return f"'{text}" if isinstance(text, str) and _RUN.match(text) and not _NUMBER.fullmatch(text) else value


def plain_cell(text: str) -> str:
    """The inverse of `safe_cell` for text.

    >>> plain_cell("'=1+1"), plain_cell("'tis")
    ('=1+1', "'tis")
    """
    return text[1:] if text.startswith("'") and _RUN.match(text[1:]) else text
