"""Tiled prediction beside the bare network and beside MONAI's sliding window, in one run.

    python benchmarks/predict.py [SIDE]

All three see the same image in memory, the same network, tiles and overlap, in float32 on the CPU.
"""

import sys
import time
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch

from perpixel.codec import Codec, Labels
from perpixel.models import build
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.prediction import PredictOptions, Predictor

prepare_torchvision()
from monai.inferers import sliding_window_inference  # noqa: E402

CLASSES, TILE, OVERLAP, ROUNDS = 5, 512, 64, 3


def seconds(*runs):
    """The least wall-clock and the least processor seconds of several rounds of each, in turns, after a first one."""
    times = [[] for _ in runs]
    for number in range(ROUNDS + 1):
        for run, taken in zip(runs, times, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            run()
            if number:
                taken.append((time.perf_counter() - wall, time.process_time() - processor))
    return [tuple(min(column) for column in zip(*taken, strict=True)) for taken in times]


def line(what, seconds, ratios):
    print(f"{what:32} {seconds[0]:7.2f} s {seconds[1]:7.2f} s   {ratios}")


def ratio(one, other):
    return f"{one[0] / other[0]:.2f} by the clock, {one[1] / other[1]:.2f} by the processor"


def main():
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    torch.manual_seed(0)
    network = build("unet", in_channels=3, classes=CLASSES, width=16).eval()
    names = tuple("abcde")
    labels = Labels("exclusive", names, tuple(range(CLASSES)), ((0, 0, 0),) * CLASSES)
    codec = Codec(labels, "uint8", (127.0,) * 3, (60.0,) * 3)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    options = PredictOptions(tile_px=TILE, overlap_px=OVERLAP, whole_px=0, precision="32")
    as_built = deepcopy(network)
    predictor = Predictor(network, codec, options=options)
    tiles = len(predictor.tiling(side, side))
    one = torch.randn(1, 3, TILE, TILE).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def bare():
        for _ in range(tiles):
            network(one)

    @torch.inference_mode()
    def monai():
        batch = codec.normalise(torch.from_numpy(image).permute(2, 0, 1)[None])
        share = OVERLAP / TILE
        logits = sliding_window_inference(batch, (TILE, TILE), 1, as_built, overlap=share, mode="gaussian")
        return logits.softmax(1)

    compiled = Predictor(network, codec, options=replace(options, backend="auto"))
    base, ours, theirs, fast = seconds(
        bare, lambda: predictor.probabilities(image), monai, lambda: compiled.probabilities(image)
    )
    print(f"{side}² pixels, {tiles} tiles of {TILE}², {torch.get_num_threads()} threads, least of {ROUNDS} rounds")
    line("bare network on as many tiles", base, "")
    line("perpixel", ours, f"bare network / perpixel: {ratio(base, ours)}")
    line("MONAI sliding_window_inference", theirs, f"MONAI / perpixel: {ratio(theirs, ours)}")
    line("perpixel, backend auto", fast, f"perpixel / this: {ratio(ours, fast)}")
    print(compiled.backend)


if __name__ == "__main__":
    main()
