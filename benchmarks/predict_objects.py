"""Objects that touch: told apart from their true foreground, scored against the true objects of dsb2018.

    python benchmarks/predict_objects.py FOLDER

FOLDER holds instances/*, maps of object numbers. Every sixth one counts.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt
from skimage.feature import peak_local_max
from skimage.measure import label
from skimage.segmentation import watershed

from perpixel.files.read import read_mask
from perpixel.geometry.components import RegionFinder
from perpixel.instances import separation


def ours(foreground, neck):
    separation.NECK = neck
    finder = RegionFinder(foreground.shape[1])
    finder.add(foreground.astype(np.uint8))
    regions = finder.finish()
    parts, _ = separation.separated(regions, regions.numbers(skip=(0,)))
    return parts.painted(parts.numbers(), 0, len(foreground))


def theirs(foreground, distance_px):
    height = distance_transform_edt(foreground)
    peaks = peak_local_max(height, min_distance=distance_px, labels=label(foreground))
    markers = np.zeros(foreground.shape, int)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-height, markers, mask=foreground)


METHODS = {
    "connected pixels": lambda foreground: label(foreground, connectivity=1),
    **{f"scikit-image, peaks {px} pixels apart": lambda f, px=px: theirs(f, px) for px in (5, 7, 10)},
    **{f"perpixel, neck {neck}": lambda f, neck=neck: ours(f, neck) for neck in (0.6, 0.7, 0.75, 0.8, 0.9)},
}


def matched(truth, found):
    """Objects matched at an IoU above one half, true objects, found objects."""
    shape = truth.max() + 1, found.max() + 1
    table = np.bincount((truth * shape[1] + found).ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    both, true_px, found_px = table[1:, 1:], table.sum(1)[1:, None], table.sum(0)[None, 1:]
    return np.array([(2 * both > true_px + found_px - both).sum(), (true_px > 0).sum(), (found_px > 0).sum()])


def main():
    sums = dict.fromkeys(METHODS, 0)
    for path in sorted(Path(sys.argv[1], "instances").iterdir())[::6]:
        values = read_mask(path).values
        truth = np.unique(values, return_inverse=True)[1].reshape(values.shape).astype(np.int64)
        for name, method in METHODS.items():
            sums[name] = sums[name] + matched(truth, method(truth > 0))
    for name, (match, true, found) in sums.items():
        print(f"{name:40} {true:6} objects, {found:6} found, {match:6} matched, F1 {2 * match / (true + found):.4f}")


if __name__ == "__main__":
    main()
