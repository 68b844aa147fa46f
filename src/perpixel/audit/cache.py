"""Figures of data sets kept from earlier runs, outside the user's folders."""

import contextlib
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Final

from perpixel.audit.summary import Audit, from_dict
from perpixel.dataset import Dataset
from perpixel.errors import DataError, OutputError
from perpixel.files.atomic import write_text
from perpixel.files.parse import parse_json
from perpixel.files.whole_file import text_of

CACHE_VERSION: Final = 4


def cache_folder() -> Path:
    """Where perpixel keeps what it can work out again: $PERPIXEL_CACHE, else the user's cache folder."""
    given = os.environ.get("PERPIXEL_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(given) if given else Path(home) / "perpixel"


def recall(dataset: Dataset, file: Path) -> Audit | None:
    """The figures kept in a file by an earlier run, if they can be read; a damaged file is as good as none."""
    try:
        data = parse_json(text_of(file), "the cache")
        return from_dict(data, dataset.findings)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DataError):
        return None


def remember(dataset: Dataset, file: Path, result: Audit) -> None:
    """Keep the figures in a file for a later `recall`."""
    own = replace(result, findings=result.findings[len(dataset.findings) :])
    with contextlib.suppress(OutputError, OSError):  # a cache that cannot be written costs time, nothing else
        write_text(file, json.dumps(own.to_dict()))


def cache_file(dataset: Dataset) -> Path:
    """Where its figures are kept: a name that changes with any file (path, size, times) and with the reading."""
    digest = hashlib.blake2b(digest_size=16)
    understood = (dataset.labels, dataset.reading, dataset.channels, dataset.dtype, dataset.overrides.duplicates)
    digest.update(repr((CACHE_VERSION, *understood)).encode())
    for sample in (*dataset.samples, *dataset.unlabelled):
        digest.update(
            repr((sample.name, sample.page, sample.corner, sample.group, sample.split, sample.shapes)).encode()
        )
        for path in (sample.image, *sample.masks):
            digest.update(f"{os.path.abspath(path)}|{_state(path)}".encode())
    return cache_folder() / f"audit-{digest.hexdigest()}.json"


def _state(path: Path) -> str:
    try:
        status = os.stat(path)
    except OSError:  # told when it is read
        return "gone"
    return f"{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"
