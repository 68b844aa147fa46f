"""Masks of outlines are told; vessels, membranes, rings and areas are not."""

import numpy as np
import pytest
from scipy import ndimage

from folder_kinds import numbers, photo, save, shapes
from perpixel.dataset import scan


def _outline(target):
    return target & ~ndimage.binary_erosion(target, np.ones((3, 3)))


def _net(target):
    grid = np.zeros_like(target)
    grid[::8], grid[:, ::8] = 1, 1
    return grid


def _ring(target):
    rows, columns = np.mgrid[: target.shape[0], : target.shape[1]]
    away = np.hypot(rows - 20, columns - 28)
    return ((away < 16) & (away > 10)).astype(np.uint8)


def _line(target):
    line = np.zeros_like(target)
    line[20, 5:50] = line[5:30, 25] = 1
    return line


@pytest.mark.parametrize(
    ("drawn", "is_told"),
    [(_outline, True), (_net, False), (_ring, False), (_line, False), (lambda target: target, False)],
    ids=["outlines", "membranes", "rings", "lines", "areas"],
)
def test_closed_curves_are_told(tmp_path, drawn, is_told):
    for name in numbers(4):
        target = shapes(int(name), 2)
        save(tmp_path / "images" / f"{name}.png", photo(target))
        save(tmp_path / "masks" / f"{name}.png", drawn(target) * np.uint8(255))
    assert any("thin closed curves" in f.problem.what for f in scan(tmp_path).findings) == is_told
