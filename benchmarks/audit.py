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


class Clock:
    """Seconds on the wall, and of all cores, since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def __call__(self) -> tuple[float, float]:
        return time.perf_counter() - self._wall, time.process_time() - self._cpu


def decode(files: list[Path]) -> tuple[float, float]:
    """Time to decode every file into an array, with Pillow, in as many threads as the audit has."""
    clock = Clock()

    def read(path: Path) -> int:
        with Image.open(path) as image:
            return np.asarray(image).size

    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        sum(pool.map(read, files))
    return clock()


def examine(folder: Path) -> tuple[tuple[float, float], float]:
    """Time of scan and audit, with nothing kept from before; and seconds of the second audit, from the cache."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["PERPIXEL_CACHE"] = cache
        clock = Clock()
        dataset = scan(folder)
        audit(dataset)
        first = clock()
        again = Clock()
        audit(dataset)
        return first, again()[0]


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
    examine(given.folder) if not given.generate else None  # warm the disk's cache, and import what is imported late
    before = peak_mb()
    files = files_of(scan(given.folder))
    size = sum(path.stat().st_size for path in files) / 1e6
    rounds = [(examine(given.folder), decode(files)) for _ in range(given.rounds)]
    wall, cpu = (min(first[k] for (first, _), _ in rounds) for k in (0, 1))
    bare_wall, bare_cpu = (min(bare[k] for _, bare in rounds) for k in (0, 1))
    print(f"{len(files):,} files, {size:.1f} MB, {os.cpu_count()} cores, {given.rounds} rounds, the least of each")
    print(f"bare decoding   {bare_wall:7.2f} s  {size / bare_wall:6.1f} MB/s  {bare_cpu:7.2f} s of all cores")
    print(f"scan and audit  {wall:7.2f} s  {size / wall:6.1f} MB/s  {cpu:7.2f} s of all cores")
    print(f"ratio           {wall / bare_wall:7.2f}                 {cpu / bare_cpu:7.2f}")
    print(f"audit from its cache {min(again for (_, again), _ in rounds):.3f} s")
    print(f"most memory: {before:.0f} MB before the rounds, {peak_mb():.0f} MB after them")


if __name__ == "__main__":
    main()
