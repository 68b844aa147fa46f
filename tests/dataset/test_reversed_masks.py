"""Single masks in which background and foreground have changed places are told; large objects are not."""

import numpy as np
import pytest

from folder_kinds import numbers, photo, save, shapes
from perpixel.dataset import scan
from perpixel.dataset.masks import evidence

NAMES = numbers(8)


def told(root, altered, mask=lambda target: 1 - target, look=lambda target: target, scale=255):
    """The files that are said to be reversed, where some masks (and what the images show) are altered."""
    for k, name in enumerate(NAMES):
        target = shapes(k, 2)
        shown = mask(target) if k in altered else target
        save(root / "images" / f"{name}.png", photo(look(target if k in altered else shown), k))
        save(root / "masks" / f"{name}.png", shown * np.uint8(scale))
    found = [f.problem for f in scan(root).findings if "look like the reverse of the others" in f.problem.what]
    return [example.rsplit("/", 1)[-1].rsplit("\\", 1)[-1] for problem in found for example in problem.examples]


@pytest.mark.parametrize("altered", [(), (3,), (2, 5)])
@pytest.mark.parametrize("scale", [1, 255])
def test_reversed_masks_are_named(tmp_path, altered, scale):
    assert told(tmp_path, altered, scale=scale) == [f"{NAMES[k]}.png" for k in altered]


def test_of_large_images_the_middle_is_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(evidence, "LARGEST_SIDE", shapes(0, 2).shape[0] - 10)
    assert told(tmp_path, (3,)) == [f"{NAMES[3]}.png"]


def test_masks_of_the_background_among_which_one_is_reversed_are_told_alike(tmp_path):
    """Where the foreground lies around: membranes, fields."""
    for k, name in enumerate(NAMES):
        target = 1 - shapes(k, 2)
        save(tmp_path / "images" / f"{name}.png", photo(target, k))
        save(tmp_path / "masks" / f"{name}.png", (target if k != 4 else 1 - target) * np.uint8(255))
    (found,) = [f.problem for f in scan(tmp_path).findings if "reverse" in f.problem.what]
    assert [example[-8:] for example in found.examples] == ["0004.png"]


def test_images_that_show_nothing_of_the_classes_do_not_hide_it(tmp_path):
    assert told(tmp_path, (6,), look=lambda target: target * 0) == ["0006.png"]


def test_an_object_that_fills_its_image_is_not_reversed(tmp_path):
    def large(target):
        whole = np.ones_like(target)
        whole[:3, :30] = 0
        return whole

    for k, name in enumerate(NAMES):
        target = large(shapes(k, 2)) if k == 3 else shapes(k, 2)
        save(tmp_path / "images" / f"{name}.png", photo(target, k))
        save(tmp_path / "masks" / f"{name}.png", target * np.uint8(255))
    assert not [f for f in scan(tmp_path).findings if "reverse" in f.problem.what]


def test_where_many_masks_cover_most_nothing_is_said(tmp_path):
    assert told(tmp_path, (0, 1, 2, 3)) == []
