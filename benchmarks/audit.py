"""The audit of a folder beside the bare decoding of the same files, and the memory that it takes.

python benchmarks/audit.py FOLDER            a folder of yours
python benchmarks/audit.py --generate N DIR  N pairs of 512 × 512, written to DIR first (JPEG and PNG)
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from perpixel.audit import audit
from perpixel.dataset import Dataset, scan

SIDE = 512


def generate(count: int, folder: Path) -> None:
    """Smooth random scenes with noise, and masks of their bright parts."""

    def write(number: int) -> None:
        random = np.random.default_rng(number)
        scene = ndimage.zoom(random.normal(size=(20, 20)), SIDE / 20, order=1)
        scene = (scene - scene.min()) / np.ptp(scene) * 220
        image = (scene[..., None] + random.integers(0, 35, (SIDE, SIDE, 3))).astype(np.uint8)
        Image.fromarray(image).save(folder / "images" / f"{number:05}.jpg", quality=90)
        Image.fromarray(((scene > 120) * 255).astype(np.uint8)).save(folder / "masks" / f"{number:05}.png")

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, (n for n in range(count) if not (folder / "masks" / f"{n:05}.png").exists())))


def files_of(dataset: Dataset) -> list[Path]:
    samples = (*dataset.samples, *dataset.unlabelled)
    return [path for sample in samples for path in (sample.image, *sample.masks)]


def decode(files: list[Path]) -> float:
    """Seconds to decode every file into an array, with Pillow, in as many threads as the audit has."""
    start = time.perf_counter()

    def read(path: Path) -> int:
        with Image.open(path) as image:
            return np.asarray(image).size

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        sum(pool.map(read, files))
    return time.perf_counter() - start


def examine(folder: Path) -> tuple[float, float, float]:
    """Seconds of scan and audit, with nothing kept from before; and of the second run, from the cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PERPIXEL_CACHE"] = cache
        start = time.perf_counter()
        dataset = scan(folder)
        scanned = time.perf_counter()
        audit(dataset)
        audited = time.perf_counter()
        audit(dataset)
        return scanned - start, audited - scanned, time.perf_counter() - audited


def peak_mb() -> float:
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--generate", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if given.generate:
        generate(given.generate, given.folder)
    print(f"before: {peak_mb():.0f} MB")
    examined = min((examine(given.folder) for _ in range(given.rounds)), key=sum)
    print(f"after the audit: {peak_mb():.0f} MB")
    files = files_of(scan(given.folder))
    size = sum(path.stat().st_size for path in files) / 1e6
    bare = min(decode(files) for _ in range(given.rounds))
    print(f"{len(files):,} files, {size:.1f} MB")
    print(f"bare decoding   {bare:7.2f} s  {size / bare:7.1f} MB/s")
    scanned, audited, again = examined
    whole = scanned + audited
    print(f"scan and audit  {whole:7.2f} s  {size / whole:7.1f} MB/s  ratio {whole / bare:.2f}")
    print(f"  of which scan {scanned:7.2f} s, audit {audited:.2f} s; the audit again, from its cache {again:.3f} s")


if __name__ == "__main__":
    main()
