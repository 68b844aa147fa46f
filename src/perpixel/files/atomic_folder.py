"""Nothing half-written, of folders: one is made beside its place and gets its name when it is whole."""

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from perpixel.files.atomic import WRITING, cannot_write

_FROM_HERE: Final = -100  # AT_FDCWD of Linux: relative paths start at the working folder
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of Linux
_SWAP: Final = 2  # RENAME_SWAP of macOS


@contextmanager
def folder_beside(path: Path) -> Iterator[Path]:
    """A temporary folder next to `path`, removed in any case; `give_name` gives it the name when it is whole.

    Raises:
        OutputError: A folder or a file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=path.parent, prefix=WRITING))
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        yield folder
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_name(folder: Path, path: Path) -> None:
    """Give a finished folder its name; a folder that has it already gets that of the other one.

    Linux and macOS swap both names at once, so that whoever looks finds the old folder or the new one. Where a system
    cannot, there is a moment between two renamings; the old folder comes back where the second of them fails.

    Raises:
        OSError: It cannot be renamed.
    """
    folder.chmod(0o755)
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("r+b") as written:
                os.fsync(written.fileno())
    if not path.exists():
        folder.rename(path)
    elif not _swapped(folder, path):
        former = folder.with_name(f"{folder.name}-former")
        path.rename(former)
        try:
            folder.rename(path)
        except OSError:
            former.rename(path)
            raise
        former.rename(folder)


def _swapped(first: Path, second: Path) -> bool:
    """Swap the names of two folders at once; False where the system or its disk cannot."""
    names = os.fsencode(first), os.fsencode(second)
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), "renameat2", None)
        return function is not None and function(_FROM_HERE, names[0], _FROM_HERE, names[1], _EXCHANGE) == 0
    if sys.platform == "darwin":
        function = getattr(ctypes.CDLL(None), "renamex_np", None)
        return function is not None and function(*names, _SWAP) == 0
    return False
