"""Pictures of an evaluation, and what the page says of them."""

from types import SimpleNamespace

import numpy as np

from perpixel.labels.labels import Labels
from perpixel.report import image_gallery
from perpixel.report.densest_window import densest_window
from perpixel.report.image_gallery import CROP_PX, ImageGallery, _nearest, confused_pairs
from perpixel.report.image_layers import page_colours, reduced_size
from perpixel.report.sections import error_legend

LABELS = Labels("multiclass", ("background", "cat", "dog"), (0, 1, 2), ((0, 0, 0), (230, 159, 0), (0, 0, 9)))


def test_the_worst_window_holds_the_most_errors():
    wrong = np.zeros((400, 600), bool)
    wrong[10:20, 10:20] = True
    wrong[300:330, 500:560] = True
    errors, rows, columns = densest_window(wrong, CROP_PX)
    assert errors == 1800
    assert rows.stop - rows.start == columns.stop - columns.start == CROP_PX
    assert rows.start <= 300
    assert rows.stop >= 330
    assert columns.start <= 500
    assert columns.stop >= 560


def test_an_image_smaller_than_a_crop_is_its_own_window():
    wrong = np.zeros((20, 30), bool)
    wrong[3, 4] = True
    assert densest_window(wrong, CROP_PX) == (1, slice(0, 20), slice(0, 30))
    assert densest_window(np.zeros((20, 30), bool), CROP_PX) is None


def test_large_images_are_searched_coarsely_and_counted_finely():
    wrong = np.zeros((3000, 3000), bool)
    wrong[2000:2100, 1000:1100] = True
    errors, rows, columns = densest_window(wrong, CROP_PX)
    assert errors == 10_000
    assert rows.start <= 2000
    assert columns.start <= 1000


def test_the_lowest_and_the_highest_scores_keep_their_pictures(monkeypatch):
    monkeypatch.setattr(image_gallery, "MOST_PICTURES", 14)
    labels = Labels("multiclass", ("background", "field"), (0, 1), ((0, 0, 0), (9, 9, 9)))
    truth, pictures = np.zeros((4, 10), np.uint8), ImageGallery()
    truth[0] = 1
    for wrong in np.random.default_rng(0).permutation(40):  # from 30 on, an image without field
        target = truth if wrong < 30 else np.zeros_like(truth)
        said = target.copy()
        said[2:].flat[:wrong] = 1
        data = SimpleNamespace(
            labels=labels, image=lambda _: np.zeros((4, 10, 3), np.uint8), target=lambda _, t=target: t
        )
        pictures.add(data, SimpleNamespace(sample=SimpleNamespace(name=str(wrong)), prediction=said), 40)
    names = [int(shot.name) for shot in pictures.shots(labels, [])]
    assert len(names) == 14
    assert names[-6:] == [5, 4, 3, 2, 1, 0]
    assert set(names[:8]) <= set(range(10, 30))
    assert max(names) < 30


def test_the_most_confused_pairs_come_first_and_the_diagonal_never():
    table = np.array([[100, 5, 0], [7, 100, 9], [0, 0, 100]])
    assert confused_pairs(table) == [(1, 2), (1, 0), (0, 1)]
    assert confused_pairs(None) == []


def test_a_foreground_class_is_not_black_on_a_page():
    assert page_colours(LABELS)[0] == (0, 0, 0)
    assert page_colours(LABELS)[1] == (230, 159, 0)
    assert max(page_colours(LABELS)[2]) > 100


def test_errors_are_named_by_what_was_predicted_as_what():
    assert list(error_legend(LABELS, [(1, 2)])) == ["cat → dog", "other_errors", "ignored"]
    assert list(error_legend(LABELS, [])) == ["missed", "invented", "confused", "ignored"]


def test_masks_are_reduced_like_their_image():
    mask = np.repeat(np.repeat(np.arange(6, dtype=np.uint8).reshape(2, 3), 50, 0), 50, 1)
    assert _nearest(mask, (3, 2)).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert reduced_size(400, 600, 600) == (30, 20)
