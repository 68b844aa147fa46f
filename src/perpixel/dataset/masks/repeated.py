"""One mask under the names of many images."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.inventory import MaskFacts, Page
from perpixel.dataset.sample import Finding, warning
from perpixel.files.whole_file import content_of

LEAST: Final = 3
"""So many masks that are the same are told; two may be those of a copy."""


def repeated_masks(facts: Mapping[Page, MaskFacts]) -> list[Finding]:
    """Warn of masks that hold several values and are the same file, byte for byte."""
    alike: dict[tuple[int, frozenset[tuple[int, int]]], list[Path]] = defaultdict(list)
    for (path, page), fact in facts.items():
        if len(fact.values) > 1 and page == 0 and fact.pages == 1:
            alike[fact.width, frozenset(fact.values.items())].append(path)
    same: dict[bytes, list[str]] = defaultdict(list)
    for paths in alike.values():
        for path in paths if len(paths) >= LEAST else ():
            with suppress(OSError):  # too large to be read at once, or gone: then nothing is said of it
                same[blake2b(content_of(path), digest_size=16).digest()].append(str(path))
    found = [paths for paths in same.values() if len(paths) >= LEAST]
    if not found:
        return []
    count = sum(map(len, found))
    return [
        warning(
            f"{count} of {len(facts)} masks are the same as others: one mask has the names of several images.",
            "put each image's own mask in its place; nothing to fix where the images show the same scene.",
            [path for paths in found for path in paths],
        )
    ]
