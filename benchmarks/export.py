"""Sizes of exports, and the time for an image by PyTorch, ONNX Runtime and OpenVINO: `benchmarks/export.py RUN`.

The same raw pixels through the same steps on one machine and as many threads as OMP_NUM_THREADS says, in turns.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from perpixel.exporting import TARGETS, export_run
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.prediction.onnx_engine import GRAPHS
from perpixel.store.bundle import Bundle
from perpixel.store.run_folder import Run

SIDES = (512, 1024)
ROUNDS = 5


def timed(ways: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of the fastest of several rounds, in each of which every way has its turn."""
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(each) for name, each in seconds.items()}


def sizes(run: Run, folder: Path) -> None:
    print("| target | MB | largest difference |\n|---|---|---|")
    for target in TARGETS:
        exported = export_run(run, folder / target, target=target)
        largest = max(each.largest_difference for each in exported.parities)
        print(f"| {target} | {exported.megabytes:.1f} | {largest:.1e} |", flush=True)


def speeds(run: Run, folder: Path) -> None:
    predictor = load_predictor(run.folder, PredictOptions(tta="none", precision="32", device="cpu"))
    content = Bundle.open(folder / "onnx").model()
    graphs = {name: graph(content) for name, graph in GRAPHS.items()}
    print("\n| image | PyTorch | ONNX Runtime | OpenVINO |\n|---|---|---|---|")
    for side in SIDES:
        image = np.random.default_rng(0).integers(0, 256, (side, side, predictor.codec.channels), np.uint8)
        batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
        ways: dict[str, Callable[[], Any]] = {"torch": lambda image=image: predictor.probabilities(image)}  # type: ignore[misc]
        ways |= {name: lambda graph=graph, batch=batch: graph(batch) for name, graph in graphs.items()}  # type: ignore[misc]
        found = timed(ways)
        cells = [f"{found['torch'] / found[name]:.2f} × ({found[name]:.3f} s)" for name in GRAPHS]
        print(f"| {side}² | 1 ({found['torch']:.3f} s) | " + " | ".join(cells) + " |", flush=True)


def first_masks(run: Run, folder: Path) -> None:
    """Seconds from the start of the command to the mask of one image of 512²."""
    from PIL import Image

    image = folder / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)).save(image)
    for name, model in (("run (PyTorch)", run.folder), ("bundle (ONNX Runtime)", folder / "onnx")):
        seconds = []
        for number in range(3):
            out = folder / f"{number}-{model.name}"
            command = [sys.executable, "-m", "perpixel", "predict", str(model), str(image), "--out", str(out)]
            start = time.perf_counter()
            subprocess.run([*command, "--tta", "none"], check=True, capture_output=True)
            seconds.append(time.perf_counter() - start)
        print(f"\nfirst mask of 512² from a {name}: {min(seconds):.2f} s", flush=True)


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        opened = Run.open(Path(sys.argv[1]))
        sizes(opened, Path(temporary))
        speeds(opened, Path(temporary))
        first_masks(opened, Path(temporary))
