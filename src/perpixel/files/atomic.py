"""Nothing half-written: a file is written beside its place and renamed when it is whole."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from perpixel.errors import OutputError
from perpixel.language.plain_text import is_plain

WRITING: Final = ".writing-"
"""How the name of a file begins that is not whole yet."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it takes its place, on any error it is removed.

    The data are on the disk before the name is, so that a power loss leaves the old file or the new one.

    Args:
        path: The file to write; its folder is made where it is missing.

    Yields:
        The path to write to, in the same folder, with the same ending.

    Raises:
        OutputError: The folder or the file cannot be written (no permission, no space, not a folder).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = mkstemp(dir=path.parent, prefix=WRITING, suffix=path.suffix)
        os.close(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("r+b") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all. Raises OutputError."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def refuse_unwritable(folder: Path) -> None:
    """Raise OutputError before the work where a folder cannot be made or written; nothing is made yet."""
    if not is_plain(str(folder.absolute())):
        raise OutputError(
            f"the path {folder} is not UTF-8, or holds line breaks or other control characters.",
            fix="choose another folder.",
        )
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise cannot_write(folder, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(there, os.W_OK | os.X_OK):
        raise cannot_write(folder, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error to raise for an OSError met while writing `path`."""
    return OutputError(
        f"cannot write {path}: {error.strerror or error}.",
        fix="free some space, change the permissions, or choose another folder with `out`.",
    )


def _umask() -> int:
    """The umask of this process; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
