"""One process at a time in a folder; the system opens the lock of a process that dies."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from perpixel.errors import OutputError
from perpixel.files.atomic import cannot_write

LOCK: Final = ".training"
"""The file that is locked; it is there while somebody works in the folder, or was killed there."""


class FolderLock:
    """Keeps a folder for this process until it is released.

    Args:
        folder: It is made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: BinaryIO | None = None

    def take(self) -> None:
        """Raise OutputError where another process has it, or the folder cannot be written."""
        path = self._folder / LOCK
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+b")
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        if not (_locked(file) and path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())):
            file.close()  # of another process, or of one that has just left
            raise OutputError(
                f"another process is writing {self._folder}.",
                fix="wait for it or stop it; or choose another folder.",
            )
        self._file = file

    def release(self) -> None:
        """Let others in; nothing where it was not taken."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with suppress(OSError):  # Windows removes no open file: then it stays, and locks nobody out
            (self._folder / LOCK).unlink(missing_ok=True)  # before others can lock it
        file.close()


def _locked(file: BinaryIO) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
