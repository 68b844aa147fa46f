"""Eight strokes an image beside dense masks: the same images, the same minutes, one thread; scored on dense masks.

python benchmarks/strokes.py FOLDER [--images 60] [--test 40] [--minutes 1.5 | --steps N] [--foreground NAME]

FOLDER holds images/ and masks/ of a background and a foreground; pixels of a third class have no label in either
set. Strokes are drawn as a person would: inside the classes, never along their borders, four of each class, until
about 0.9 % of the pixels are labelled.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SHARE = 0.009
STROKES_A_CLASS = 4
MARGIN_PX = 3
THICK_PX = 3
UNLABELLED = 255


def main() -> None:
    """Train twice, score both on the dense masks of other images, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--test", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--steps", type=int, help="instead of the minutes, on a machine that others use, too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--foreground", help="the class to find, where it is not the last of two")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from perpixel import evaluate, train
    from perpixel.dataset import scan

    dataset = scan(asked.folder, whole=True)
    background, foreground = shown_classes(dataset.labels.names, asked.foreground)
    order = np.random.default_rng(0).permutation(len(dataset.samples))
    chosen = [dataset.samples[int(place)] for place in order[: asked.images + asked.test]]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for number, sample in enumerate(chosen):
            image, indices = dataset.image(sample), dataset.target(sample)
            target = np.select([indices == background, indices == foreground], [0, 1], UNLABELLED).astype(np.uint8)
            strokes = drawn_strokes(target, np.random.default_rng(number))
            parts = {"dense": target, "strokes": strokes} if number < asked.images else {"test": target}
            for part, mask in parts.items():
                write(root / part, f"{number:03}.png", image, mask)
        for part in ("dense", "strokes", "test"):
            (root / part / "dataset.yaml").write_text(f"perpixel: 1\nignored: [{UNLABELLED}]\n", encoding="utf-8")
        budget = {"minutes": asked.minutes} if asked.steps is None else {"steps": asked.steps}
        print(f"{asked.folder.name}: {asked.images} images, {asked.test} for the test, {budget}, seed {asked.seed}")
        reached = {}
        for part in ("dense", "strokes"):
            before = time.process_time()
            run = train(root / part, root / f"run-{part}", seed=asked.seed, **budget)
            seconds = time.process_time() - before
            said = evaluate(run, split="val")
            true = evaluate(run, root / "test")
            reached[part] = float(true.stacked.pooled.iou[1])
            print(
                f"{part:8} labelled {said.labelled_share:7.2%}   foreground IoU {reached[part]:.3f}   "
                f"mean IoU {true.mean_iou:.3f}   its own validation said {said.mean_iou:.3f}   "
                f"{seconds:.0f} s of the processor",
                flush=True,
            )
        print(f"strokes reach {reached['strokes'] / reached['dense']:.1%} of the foreground IoU of dense masks")


def shown_classes(names: tuple[str, ...], foreground: str | None) -> tuple[int, int]:
    """The places of the background and of the foreground: of two classes in their order, or by name."""
    if foreground is None:
        return 0, 1
    return names.index("background"), names.index(foreground)


def drawn_strokes(target: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Four wandering strokes of each class inside it, UNLABELLED elsewhere."""
    strokes = np.full(target.shape, UNLABELLED, np.uint8)
    length = max(4, round(SHARE * target.size / (2 * STROKES_A_CLASS * THICK_PX)))
    for k in (0, 1):
        inside = target == k
        for margin in (MARGIN_PX, 1, 0):
            core = ndimage.binary_erosion(inside, iterations=margin) if margin else inside
            if core.any():
                break
        for _ in range(STROKES_A_CLASS):
            path = wandering(core, length, random)
            thick = ndimage.binary_dilation(path, iterations=(THICK_PX - 1) // 2)
            strokes[thick & inside] = k
    return strokes


def wandering(core: NDArray[np.bool_], length: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """The pixels of a walk of at most so many steps that stays in a region, and turns where it would leave it."""
    path = np.zeros(core.shape, bool)
    places = np.flatnonzero(core)
    if not places.size:
        return path
    row, column = (float(each) for each in divmod(int(random.choice(places)), core.shape[1]))
    angle = random.uniform(0, 2 * np.pi)
    for _ in range(length):
        path[round(row), round(column)] = True
        for _ in range(8):
            angle += random.normal(0, 0.4)
            down, across = row + np.sin(angle), column + np.cos(angle)
            is_inside = 0 <= round(down) < core.shape[0] and 0 <= round(across) < core.shape[1]
            if is_inside and core[round(down), round(across)]:
                row, column = down, across
                break
            angle += random.uniform(0.5, 2.5)
    return path


def write(folder: Path, name: str, image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> None:
    """An image and its mask."""
    for kind, pixels in (("images", image), ("masks", mask)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(
            folder / kind / name
        )


if __name__ == "__main__":
    main()
