"""Tiled prediction beside the bare network and beside MONAI's sliding window, in one run.

    python benchmarks/predict.py [--side 2048] [--encoder efficientnet_lite0]

All see the same image in memory, the same network (the plain U-Net, or the light one on an encoder, which the plan
takes), tiles and overlap, in float32 on the CPU.
"""

import argparse
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--encoder")
    asked = parser.parse_args()
    side, size = asked.side, {"decoder": "light"} if asked.encoder else {"width": 16}
    torch.manual_seed(0)
    network = build("unet", in_channels=3, classes=CLASSES, encoder=asked.encoder, **size).eval()
    names = tuple("abcde")
    labels = Labels("exclusive", names, tuple(range(CLASSES)), ((0, 0, 0),) * CLASSES)
    codec = Codec(labels, "uint8", (127.0,) * 3, (60.0,) * 3)
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    options = PredictOptions(tile_px=TILE, overlap_px=OVERLAP, whole_px=0, precision="32")
    as_built = deepcopy(network)
    predictor = Predictor(network, codec, options=options)
    tiles = len(predictor.tiling(side, side))
    tile = torch.randn(1, 3, TILE, TILE)
    last = tile.to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def eager():
        for _ in range(tiles):
            as_built(tile)

    @torch.inference_mode()
    def bare():
        for _ in range(tiles):
            network(last)

    @torch.inference_mode()
    def monai():
        batch = codec.normalise(torch.from_numpy(image).permute(2, 0, 1)[None])
        share = OVERLAP / TILE
        logits = sliding_window_inference(batch, (TILE, TILE), 1, as_built, overlap=share, mode="gaussian")
        return logits.softmax(1)

    compiled = Predictor(network, codec, options=replace(options, backend="auto"))
    plain, base, ours, theirs, fast = seconds(
        eager, bare, lambda: predictor.probabilities(image), monai, lambda: compiled.probabilities(image)
    )
    print(f"{side}² pixels, {tiles} tiles of {TILE}², {torch.get_num_threads()} threads, least of {ROUNDS} rounds")
    line("bare network, channels first", plain, "")
    line("bare network, channels last", base, "")
    line("perpixel", ours, f"bare network / perpixel: {ratio(base, ours)}")
    line("MONAI sliding_window_inference", theirs, f"MONAI / perpixel: {ratio(theirs, ours)}")
    line("perpixel, backend auto", fast, f"perpixel / this: {ratio(ours, fast)}")
    line("", fast, f"bare network, channels first / this: {ratio(plain, fast)}")
    print(compiled.backend)


if __name__ == "__main__":
    main()
