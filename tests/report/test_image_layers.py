import base64
import io

import numpy as np
import pytest
from PIL import Image

from generated import exclusive_labels, overlapping_labels
from perpixel.report.image_layers import ALL_PX, ERROR_COLOURS, Painter, class_places, error_kinds


def opened(uri):
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.fixture
def painter():
    return Painter(exclusive_labels(), 1)


def test_layers_are_transparent_where_there_is_nothing_to_show(painter):
    truth, said = np.array([[0, 1], [2, 255]], np.uint8), np.array([[0, 0], [2, 1]], np.uint8)
    masks = {"truth": truth.repeat(100, 0).repeat(100, 1), "prediction": said.repeat(100, 0).repeat(100, 1)}
    shown = painter.shown("a", "", np.zeros((200, 200, 3), np.uint8), masks, errors=True)
    assert [key for key, _ in shown.layers] == ["truth", "prediction", "errors"]
    seen = {key: np.asarray(opened(uri).convert("RGBA"))[50::100, 50::100] for key, uri in shown.layers}
    assert (seen["truth"][..., 3] > 0).tolist() == [[False, True], [True, False]]
    assert seen["truth"][0, 1, :3].tolist() == [0, 0, 200]
    assert (seen["errors"][..., 3] > 0).tolist() == [[False, True], [False, True]]
    assert tuple(seen["errors"][0, 1, :3]) == ERROR_COLOURS["missed"]
    assert tuple(seen["errors"][1, 1, :3]) == ERROR_COLOURS["ignored"]


def test_of_overlapping_classes_the_last_shows_and_errors_are_told_apart():
    labels = overlapping_labels()
    truth = np.array([[[1, 1, 0, 255]], [[1, 0, 0, 0]]], np.uint8)
    said = np.array([[[1, 0, 1, 1]], [[1, 1, 0, 0]]], np.uint8)
    assert class_places(said, labels).tolist() == [[2, 2, 1, 1]]
    assert error_kinds(said, truth, labels).tolist() == [[0, 3, 2, 4]]


def test_without_background_every_error_is_another_class():
    labels = exclusive_labels(values=(1, 2, 3))
    assert error_kinds(np.array([[0, 1]], np.uint8), np.array([[0, 2]], np.uint8), labels).tolist() == [[0, 3]]


def test_large_pictures_are_reduced_to_their_share_and_small_ones_enlarged():
    image, mask = np.zeros((3000, 4000, 3), np.uint8), np.zeros((3000, 4000), np.uint8)
    shown = Painter(exclusive_labels(), 18).shown("large", "", image, {"prediction": mask})
    assert shown.reduced
    assert shown.width * shown.height == pytest.approx(ALL_PX / 18, rel=0.01)
    assert opened(shown.image).size == opened(shown.layers[0][1]).size == (shown.width, shown.height)
    small = Painter(exclusive_labels(), 18).shown("small", "", image[:40, :30], {})
    assert (small.width, small.height, small.reduced) == (120, 160, False)


def test_a_page_of_18_photographs_is_under_ten_million_bytes():
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 256, (200, 200, 3), np.uint8)
    photograph = np.clip(coarse.repeat(8, 0).repeat(8, 1) + draw.normal(0, 8, (1600, 1600, 3)), 0, 255).astype(
        np.uint8
    )
    mask = draw.integers(0, 3, (100, 100)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    masks = {"truth": mask, "prediction": np.roll(mask, 7, 1)}
    shown = Painter(exclusive_labels(), 18).shown("a", "", photograph, masks, errors=True)
    assert 18 * (len(shown.image) + sum(len(uri) for _, uri in shown.layers)) < 9_000_000
