"""Predict one generated GeoTIFF with a tiny network: what `benchmarks/predict.py` runs under /usr/bin/time.

python benchmarks/predict_file.py SIDE FOLDER
"""

import sys
import time
import zlib
from itertools import cycle, islice
from pathlib import Path

from perpixel.runtime.allocator import one_arena

one_arena()  # before torch is loaded, as `perpixel predict` does

import numpy as np  # noqa: E402
import tifffile  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

from perpixel.labels.codec import Codec, Labels  # noqa: E402
from perpixel.prediction import Outputs, PredictOptions, Predictor  # noqa: E402

BLOCK = 256
UTM = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 500_000.0, 4_100_000.0, 0.0), True),
    (34735, 3, 16, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32618), True),
]


class Tiny(nn.Module):
    """One 3×3 convolution."""

    stride = 1

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 2, 3, padding=1)

    def forward(self, image):
        return self.layer(image)


def generate(path, side):
    """A tiled, compressed three-channel GeoTIFF of smooth noise; 64 different blocks take turns."""
    random = np.random.default_rng(0)
    blocks = []
    for _ in range(64):
        coarse = random.integers(0, 256, (BLOCK // 8, BLOCK // 8, 3), np.uint8)
        blocks.append(zlib.compress(coarse.repeat(8, 0).repeat(8, 1).tobytes(), 1))
    count = (-(-side // BLOCK)) ** 2
    tifffile.imwrite(
        path, islice(cycle(blocks), count), shape=(side, side, 3), dtype=np.uint8, tile=(BLOCK, BLOCK),
        compression="zlib", photometric="rgb", bigtiff=True, extratags=UTM, metadata=None,
    )  # fmt: skip


def main():
    side, folder = int(sys.argv[1]), Path(sys.argv[2])
    path = folder / f"{side}.tif"
    if not path.exists():
        generate(path, side)
        return
    labels = Labels("multiclass", ("a", "b"), (0, 1), ((0, 0, 0), (255, 0, 0)))
    codec = Codec(labels, "uint8", (127.0,) * 3, (60.0,) * 3)
    predictor = Predictor(Tiny(), codec, options=PredictOptions(whole_px=0))
    start = time.perf_counter()
    predictor.predict_file(path, folder / "out", Outputs(existing="replace"))
    print(f"{side} {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
