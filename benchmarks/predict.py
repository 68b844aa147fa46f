"""Tiled prediction beside the bare network and beside MONAI's sliding window, in one run.

    python benchmarks/predict.py [--side 2048] [--rounds 10] [--encoder efficientnet_lite0] [--allocator default]
    python benchmarks/predict.py --run runs/cells

All see the same image in memory, the same network (the plain U-Net, or the light one on an encoder, which the plan
takes), tiles and overlap, in float32 on the CPU; and all keep the memory that they free, as the `perpixel` command
does, or leave that to the allocator. A run, trained at native resolution, has its own network, and validation images
on which `--backend auto` may find that int8 holds.
"""

import argparse
import time
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path

from perpixel.runtime.allocator import keep_freed_memory, one_arena

one_arena()  # before torch is loaded, as `perpixel predict` does

import numpy as np  # noqa: E402
import torch  # noqa: E402

from perpixel.errors import SettingsError  # noqa: E402
from perpixel.labels.codec import Codec, Labels  # noqa: E402
from perpixel.models import build  # noqa: E402
from perpixel.models.torchvision_shim import prepare_torchvision  # noqa: E402
from perpixel.prediction import PredictOptions, Predictor  # noqa: E402
from perpixel.prediction.load import load_predictor  # noqa: E402

prepare_torchvision()
from monai.inferers import sliding_window_inference  # noqa: E402

CLASSES, TILE, OVERLAP = 5, 512, 64


def seconds(rounds, *runs):
    """The wall-clock and the processor seconds (run, round, 2) of each in turns; the first round is not counted."""
    times = np.empty((len(runs), rounds + 1, 2))
    for number in range(rounds + 1):
        for run, taken in zip(runs, times, strict=True):
            wall, processor = time.perf_counter(), time.process_time()
            run()
            taken[number] = time.perf_counter() - wall, time.process_time() - processor
    return times[:, 1:]


def line(what, seconds, ratios):
    """Print the medians."""
    wall, processor = np.median(seconds, axis=0)
    print(f"{what:32} {wall:7.2f} s {processor:7.2f} s   {ratios}")


def ratio(one, other):
    """Of the two that ran one soon after the other in each round: a machine whose speed drifts slows down both."""
    wall, processor = np.median(one / other, axis=0)
    return f"{wall:.2f} by the clock, {processor:.2f} by the processor"


def of_run(run, options, fastest):
    """The predictors of a run, once its layers are searched for int8."""
    searching = load_predictor(run, replace(options, backend="int8"))
    try:
        searching.probabilities(np.zeros((4 * TILE, 4 * TILE, 3), np.uint8))
    except SettingsError as error:
        print(error)
    return load_predictor(run, options), load_predictor(run, fastest)


def built(encoder, options, fastest):
    """Predictors of a network that was not trained."""
    torch.manual_seed(0)
    size = {"decoder": "light"} if encoder else {"width": 16}
    network = build("unet", in_channels=3, classes=CLASSES, encoder=encoder, **size).eval()
    labels = Labels("multiclass", tuple("abcde"), tuple(range(CLASSES)), ((0, 0, 0),) * CLASSES)
    codec = Codec(labels, "uint8", (127.0,) * 3, (60.0,) * 3)
    return Predictor(network, codec, options=options), Predictor(network, codec, options=fastest)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--encoder")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--allocator", choices=["kept", "default"], default="kept")
    asked = parser.parse_args()
    if asked.allocator == "kept":
        keep_freed_memory()
    side = asked.side
    options = PredictOptions(tile_px=TILE, overlap_px=OVERLAP, whole_px=0, precision="32", tta="none")
    fastest = replace(options, backend="auto")
    predictor, compiled = of_run(asked.run, options, fastest) if asked.run else built(asked.encoder, options, fastest)
    (network,), codec = predictor.inference.networks, predictor.codec
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    as_built = deepcopy(network).to(memory_format=torch.contiguous_format)
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

    whole, quick = partial(predictor.probabilities, image), partial(compiled.probabilities, image)
    plain, base, ours, theirs, fast = seconds(asked.rounds, eager, bare, whole, monai, quick)
    print(f"{side}² pixels, {tiles} tiles of {TILE}², {torch.get_num_threads()} threads, {asked.rounds} rounds")
    line("bare network, channels first", plain, "")
    line("bare network, channels last", base, "")
    line("perpixel", ours, f"bare network / perpixel: {ratio(base, ours)}")
    line("MONAI sliding_window_inference", theirs, f"MONAI / perpixel: {ratio(theirs, ours)}")
    line("perpixel, backend auto", fast, f"perpixel / this: {ratio(ours, fast)}")
    line("", fast, f"bare network, channels first / this: {ratio(plain, fast)}")
    print(compiled.backend)


if __name__ == "__main__":
    main()
