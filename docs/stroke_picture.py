"""Draw the picture of the page on strokes: PYTHONPATH=benchmarks python docs/stroke_picture.py IMAGE MASK."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from strokes import UNLABELLED, drawn_strokes

OUT = Path(__file__).parent / "images" / "strokes.webp"
COLOURS = np.array([[230, 159, 0], [0, 114, 178]], np.uint8)
"""Of the background and of the foreground."""
GAP, SCALE, CROP = 8, 2, 200


def main(image: Path, mask: Path) -> None:
    """The image, eight strokes over it, and what is read of them: gray has no label."""
    picture = np.asarray(Image.open(image).convert("RGB"))[:CROP, :CROP]
    strokes = drawn_strokes(
        (np.asarray(Image.open(mask))[:CROP, :CROP] > 0).astype(np.uint8), np.random.default_rng(4)
    )
    known = strokes != UNLABELLED
    painted, target = picture.copy(), np.full_like(picture, 200)
    rows, columns = np.indices(known.shape)
    target[(rows + columns) % 12 < 2] = 170
    for k, colour in enumerate(COLOURS):
        painted[ndimage.binary_dilation(strokes == k)] = colour
        target[strokes == k] = colour
    panels = [np.asarray(Image.fromarray(each).resize((CROP * SCALE,) * 2, 0)) for each in (picture, painted, target)]
    white = np.full((CROP * SCALE, GAP, 3), 255, np.uint8)
    Image.fromarray(np.concatenate([panels[0], white, panels[1], white, panels[2]], axis=1)).save(OUT, quality=80)
    print(f"{known.mean():.1%} of the pixels have a label")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
