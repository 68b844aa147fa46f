"""Outputs in the making: in a folder of their own inside OUT, from which they are moved when all are whole."""

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from perpixel.files.atomic import cannot_write
from perpixel.runtime.operating_system import is_running

WRITING: Final = ".writing"
"""How the folder begins in which an image's outputs are made; machine and process follow."""


@contextmanager
def staging(out: Path) -> Iterator[Path]:
    """A folder inside `out` for one image's outputs, removed in any case."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=out, prefix=f"{WRITING}-{platform.node()}-{os.getpid()}-"))
    except OSError as error:
        raise cannot_write(out, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(out: Path) -> None:
    """Remove what processes of this machine left in `out` that are no more."""
    for folder in out.glob(f"{WRITING}-{platform.node()}-*"):
        process = int(number) if (number := folder.name.split("-")[-2]).isdecimal() else 0
        if not is_running(process):
            shutil.rmtree(folder, ignore_errors=True)


def move(folder: Path, out: Path, names: Sequence[Path]) -> tuple[Path, ...]:
    """Give the finished files their names, the mask last: where it is, the others are."""
    try:
        for name in reversed(names):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            if (out / name).is_dir():
                shutil.rmtree(out / name)
            (folder / name).replace(out / name)
    except OSError as error:
        raise cannot_write(out, error) from error
    return tuple(out / name for name in names)
