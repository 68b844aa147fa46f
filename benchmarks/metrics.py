"""Metrics side by side in one run: python benchmarks/metrics.py > benchmarks/metrics.md."""

import os

os.environ["OMP_NUM_THREADS"] = "1"

import platform
import resource
import time
import timeit
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from perpixel.metrics import Counts, ThresholdCurves, count, threshold_curves

IMAGES, SIDE = 1000, 512


def main() -> None:
    print("# Metrics, side by side in one run\n")
    print(f"numpy {np.__version__}, Python {platform.python_version()}, one thread of a shared x86-64 machine.\n")
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"Other work ran beside it ({load}): times are the processor's, and to be compared within a table only.\n")
    curves()  # first, so that nothing else is in memory
    for classes in (2, 21):
        confusion(classes)


def curves(pixels: int = 500_000_000, tile: int = 2048) -> None:
    """Stream more pixels than fit into memory and watch the process."""
    rng = np.random.default_rng(0)
    probs = rng.random((1, tile, tile), dtype=np.float32)
    target = (rng.random((1, tile, tile), dtype=np.float32) < probs).astype(np.uint8)
    before, total, tiles = resident_mib(), ThresholdCurves.zero(1), -(-pixels // tile**2)
    seconds = timeit.default_timer()
    for _ in range(tiles):
        total = total + threshold_curves(probs, target)
    seconds = timeit.default_timer() - seconds
    print("## Threshold curves\n")
    each = seconds / tiles / tile**2 * 1e9
    print(f"{tiles * tile**2:,} pixels in tiles of {tile}²: {seconds:.0f} s, {each:.1f} ns a pixel.")
    print(f"The process held at most {resident_mib():.0f} MiB ({before:.0f} before, the tile included; aim: 200).")
    print(f"AUC {total.auc[0]:.5f} ± {total.auc_error[0]:.5f} by binning.\n")


def confusion(classes: int) -> None:
    """Count masks made of regions, and masks of noise, which no image looks like."""
    rng = np.random.default_rng(1)
    print(f"## Confusion and every class's scores, {classes} classes, {SIDE}×{SIDE}, ms an image\n")
    print("| | regions | times ours | regions, 5 % ignored | noise | times ours |")
    print("|---|---|---|---|---|---|")
    pairs = {"regions": regions(rng, classes), "noise": noise(rng, classes)}
    ignored = [(p, np.where(np.arange(SIDE) < SIDE // 20, 255, t).astype(np.uint8)) for p, t in pairs["regions"]]

    def ours(pair: list[tuple[Any, Any]], images: int) -> None:
        total = Counts.zero(classes, "multiclass")
        for n in range(images):
            p, t = pair[n % len(pair)]
            one = count(p, t, classes=classes, kind="multiclass")
            total = total + one
        assert total.iou.shape == (classes,)

    mine = {name: milliseconds(lambda n, pair=pair: ours(pair, n), IMAGES) for name, pair in pairs.items()}
    print(row("perpixel", mine, mine, milliseconds(lambda n: ours(ignored, n), IMAGES)))
    for name, (peer, images) in peers(classes).items():
        theirs = {}
        for kind, pair in pairs.items():

            def run(n: int, pair: Any = pair, peer: Any = peer) -> None:
                for i in range(n):
                    peer(*pair[i % len(pair)])

            theirs[kind] = milliseconds(run, images)
        print(row(name, theirs, mine, None))
    changes = np.mean([np.mean(p[:, 1:] != p[:, :-1]) for p, _ in pairs["regions"]])
    agree = np.mean([np.mean(p == t) for p, t in pairs["regions"]])
    print(f"\nRegions: {changes:.1%} of neighbours differ, {agree:.1%} of pixels agree with the truth.\n")


def peers(classes: int) -> dict[str, tuple[Callable[[Any, Any], Any], int]]:
    """What the same is done with elsewhere, and on how many images to time it."""
    import torch
    from sklearn.metrics import confusion_matrix

    from perpixel.models.torchvision_shim import prepare_torchvision

    prepare_torchvision()
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    torch.set_num_threads(1)

    def loop(prediction: Any, target: Any) -> np.ndarray:
        table = np.zeros((classes, classes), int)
        for row in range(SIDE):
            for column in range(SIDE):
                table[target[row, column], prediction[row, column]] += 1
        return table

    def tutorial(prediction: Any, target: Any) -> float:  # get_iou of the tutorials' U-Net collection
        said, true = prediction.copy(), target.copy()
        for row in range(SIDE):
            for column in range(SIDE):
                true[row, column] = 1 if true[row, column] >= 0.5 else 0
        for row in range(SIDE):
            for column in range(SIDE):
                said[row, column] = 1 if said[row, column] >= 0.5 else 0
        both = np.multiply(said, true).sum()
        return float(both / (said.sum() + true.sum() - both))

    def torchmetrics(p: Any, t: Any) -> Any:
        return multiclass_confusion_matrix(torch.from_numpy(p), torch.from_numpy(t), classes)

    return {
        "plain bincount": (lambda p, t: np.bincount(t.ravel().astype(np.int64) * classes + p.ravel()), 50),
        "torchmetrics": (torchmetrics, 50),
        "scikit-learn": (lambda p, t: confusion_matrix(t.ravel(), p.ravel(), labels=np.arange(classes)), 20),
        "per-pixel loop": (tutorial if classes == 2 else loop, 2),
        "one read of both": (lambda p, t: (np.count_nonzero(p), np.count_nonzero(t)), 200),
    }


def regions(rng: np.random.Generator, classes: int, images: int = 4) -> list[tuple[np.ndarray, np.ndarray]]:
    """Smooth regions, and a prediction whose outlines wander."""
    pairs = []
    for _ in range(images):
        field = np.stack([gaussian_filter(rng.normal(size=(SIDE, SIDE)), 20) for _ in range(classes)])
        wander = np.stack([gaussian_filter(rng.normal(size=(SIDE, SIDE)), 10) for _ in range(classes)])
        pairs.append(((field + 0.2 * wander).argmax(0).astype(np.uint8), field.argmax(0).astype(np.uint8)))
    return pairs


def noise(rng: np.random.Generator, classes: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [tuple(rng.integers(0, classes, (2, SIDE, SIDE)).astype(np.uint8))]


def milliseconds(run: Callable[[int], Any], images: int) -> float:
    """The best of five runs, an image, in seconds of the processor: all is one thread, and the wall counts others."""
    return min(timeit.repeat(lambda: run(images), number=1, repeat=5, timer=time.process_time)) / images * 1e3


def row(name: str, theirs: dict[str, float], mine: dict[str, float], ignored: float | None) -> str:
    cells = [name]
    for kind in ("regions", "noise"):
        cells += [
            f"{theirs[kind]:.3f}",
            f"{theirs[kind] / mine[kind]:.2g}"
            if theirs[kind] < 100 * mine[kind]
            else f"{theirs[kind] / mine[kind]:,.0f}",
        ]
        if kind == "regions":
            cells.append(f"{ignored:.3f}" if ignored else "")
    return f"| {' | '.join(cells)} |"


def resident_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
