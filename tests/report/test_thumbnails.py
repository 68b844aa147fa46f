import base64
import io

import numpy as np
import pytest
from PIL import Image

from generated import exclusive_labels, overlapping_labels
from perpixel.report.thumbnails import LEAST_PX, WIDTH_PX, overlaid, thumbnail
from perpixel.shapes import IGNORED


def opened(uri):
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_of_every_kind_become_pictures(channels, dtype):
    image = np.random.default_rng(0).integers(0, 200, (200, 190, channels)).astype(dtype)
    assert opened(thumbnail(image)).shape == (200, 190, 3)


def test_large_images_are_reduced_to_the_width_of_a_column():
    assert opened(thumbnail(np.zeros((900, 1800, 3), np.uint8))).shape == (WIDTH_PX // 2, WIDTH_PX, 3)
    assert opened(thumbnail(np.zeros((1, 5000, 3), np.uint8))).shape == (1, WIDTH_PX, 3)


def test_small_images_are_enlarged_by_whole_pixels():
    assert opened(thumbnail(np.zeros((20, 50, 3), np.uint8))).shape == (60, 150, 3)
    assert max(opened(thumbnail(np.zeros((1, 1, 3), np.uint8))).shape) == LEAST_PX


def test_classes_are_coloured_and_ignored_pixels_grey():
    target = np.zeros((200, 200), np.uint8)
    target[:, 70:140], target[:, 140:] = 1, IGNORED
    drawn = opened(overlaid(np.full((200, 200, 3), 100, np.uint8), target, exclusive_labels()))
    np.testing.assert_allclose(drawn[100, 30], (100, 100, 100), atol=3)  # the background shows the image
    np.testing.assert_allclose(drawn[100, 105], (40, 40, 160), atol=3)  # 0.4 · 100 + 0.6 · (0, 0, 200)
    np.testing.assert_allclose(drawn[100, 170], (128, 128, 128), atol=3)


def test_overlapping_classes_are_drawn_one_over_the_other():
    target = np.zeros((2, 200, 200), np.uint8)
    target[0], target[1, :100], target[1, 150:] = 1, 1, IGNORED
    drawn = opened(overlaid(np.zeros((200, 200, 3), np.uint8), target, overlapping_labels()))
    np.testing.assert_allclose(drawn[50, 100], (0, 0, 120), atol=3)
    np.testing.assert_allclose(drawn[125, 100], (120, 0, 0), atol=3)
    np.testing.assert_allclose(drawn[180, 100], (128, 128, 128), atol=3)
