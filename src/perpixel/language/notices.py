"""What is told in passing, in the language that is spoken, whoever shows it."""

import logging
from typing import Final

from perpixel.language.agreement import agreed
from perpixel.language.sentences import translated


def _spoken(record: logging.LogRecord) -> bool:
    """Put the message of a record into the language that is spoken; all records pass."""
    record.msg, record.args = translated(agreed(record.getMessage())), ()
    return True


LOGGER: Final = logging.getLogger("perpixel")
LOGGER.addFilter(_spoken)
