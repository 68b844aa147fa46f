"""What image and label files hold, as short digests, so that a later change is seen."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from perpixel.dataset import Sample

DIGEST_BYTES = 8


def digests_of(samples: Sequence[Sample]) -> dict[str, tuple[str, str]]:
    """The digests of image and label by a sample's name; each file is read once, whichever samples share it."""
    paths = sorted({path for sample in samples for path in (sample.image, *sample.masks)})
    with ThreadPoolExecutor() as pool:
        of_file = dict(zip(paths, pool.map(file_digest, paths), strict=True))

    def joined(*parts: str) -> str:
        return hashlib.blake2b("|".join(parts).encode(), digest_size=DIGEST_BYTES).hexdigest()

    return {
        sample.name: (
            of_file[sample.image],
            joined(*(of_file[path] for path in sample.masks), repr(sample.shapes) if sample.shapes else ""),
        )
        for sample in samples
    }


def file_digest(path: Path) -> str:
    """Of the bytes of a file, or of all files of a folder by their names; empty where it cannot be read."""
    digest = hashlib.blake2b(digest_size=DIGEST_BYTES)
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    try:
        for file in files:
            digest.update(b"" if file is path else str(file.relative_to(path)).encode())
            with file.open("rb") as opened:
                while piece := opened.read(2**20):
                    digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()
