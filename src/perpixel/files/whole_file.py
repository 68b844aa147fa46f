"""Files that are read whole: settings, tables, annotations, cards. Plain files of a bounded size, or an OSError."""

from pathlib import Path
from stat import S_ISREG

from perpixel.files.limits import MAX_BYTES


def content_of(path: Path) -> bytes:
    """The bytes of a file. Raises OSError as `refuse_irregular`, or where it cannot be read."""
    refuse_irregular(path)
    return path.read_bytes()


def text_of(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file, its line ends as line feeds. Raises OSError as `content_of`, and UnicodeDecodeError."""
    return content_of(path).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def refuse_irregular(path: Path) -> None:
    """Raise OSError unless this is a plain file within the limit.

    Opening a named pipe would wait for its writer, and a device may have no end.
    """
    status = path.stat()
    if not S_ISREG(status.st_mode):
        raise OSError("it is a folder, a pipe or a device")
    if status.st_size > MAX_BYTES:
        raise OSError(f"it holds more than {MAX_BYTES:,} bytes (PERPIXEL_MAX_BYTES allows more)")
