"""Instances in memory, from rows, as `evaluate` scores them and as `predict` writes them: one and the same."""

import numpy as np
import pytest
import tifffile
from skimage.measure import label as skimage_label

from perpixel.dataset import Sample
from perpixel.errors import SettingsError
from perpixel.evaluation.image_score import ImageAnswer, predicted_instances
from perpixel.geometry.components import RegionFinder
from perpixel.instances import METHODS, find_instances, label
from perpixel.prediction import Outputs, Predictor
from perpixel.shapes import IGNORED
from prediction.networks import ReadsPixels, codec_for

MASKS = 200


def blobs(seed, values=3, shape=None):
    """A map of class indices in which discs touch, overlap and meet at corners."""
    random = np.random.default_rng(seed)
    height, width = shape or random.integers(12, 44, 2)
    y, x = np.ogrid[:height, :width]
    classes = np.zeros((height, width), np.uint8)
    for _ in range(random.integers(0, 12)):
        row, column, radius = random.uniform((0, 0, 1), (height, width, 9))
        classes[(y - row) ** 2 + (x - column) ** 2 <= radius**2] = random.integers(1, values)
    noise = random.random(classes.shape) < 0.04
    classes[noise] = random.integers(0, values, noise.sum())
    return classes


def mosaics():
    """All masks, twenty on a page with background between them."""
    tiles = np.zeros((MASKS // 20, 4, 5, 28, 36), np.uint8)
    for seed, tile in enumerate(tiles.reshape(MASKS, 28, 36)):
        tile[1:-1, 1:-1] = blobs(seed, shape=(26, 34))
    return tiles.swapaxes(2, 3).reshape(-1, 4 * 28, 5 * 36)


def streamed(classes, how, cuts, **options):
    finder = RegionFinder(classes.shape[1])
    for rows in np.split(classes, cuts):
        finder.add(rows)
    return find_instances(finder.finish(), how, **options).painted(0, len(classes))


@pytest.mark.parametrize("how", METHODS)
def test_instances_in_memory_are_those_of_rows_that_come_one_after_the_other(how):
    for seed in range(60):
        classes = blobs(seed, values=4)
        classes[classes == 3] = IGNORED
        options = {"skip": (0,), "least_px": seed % 4}
        expected = streamed(classes, how, sorted({seed % len(classes), 3}), **options)
        np.testing.assert_array_equal(label(classes, how, **options), expected)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
@pytest.mark.parametrize("how", METHODS)
def test_evaluate_scores_the_instances_that_predict_writes(tmp_path, how, kind):
    masks = mosaics()
    stack = np.stack([255 * (mask[..., None] == np.arange(3)).astype(np.uint8) for mask in masks])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="rgb")
    predictor = Predictor(ReadsPixels(), codec_for(kind))
    outputs = Outputs(mask=False, instances=how)
    written = predictor.predict_file(tmp_path / "a.tif", tmp_path / "out", outputs)
    files = [tifffile.imread(path) for path in written.paths]
    assert len(files) == predictor.codec.labels.layers
    for page, image in enumerate(stack):
        prediction = predictor.target(image)
        unknown = np.full_like(prediction, IGNORED)
        probabilities = np.zeros((3, *image.shape[:2]), np.float32)
        answer = ImageAnswer(
            Sample("a", tmp_path / "a.tif"), predictor.codec.labels, probabilities, prediction, unknown
        )
        for file, scored in zip(files, predicted_instances(answer, how), strict=True):
            np.testing.assert_array_equal(file[page], scored)


def test_connected_is_connected_by_sides_as_in_scikit_image():
    assert label(np.eye(6, dtype=bool)).max() == 6
    for seed in range(20):
        mask = blobs(seed) > 0
        np.testing.assert_array_equal(label(mask), skimage_label(mask, connectivity=1))


def test_the_numbers_follow_the_first_pixels_whatever_the_class():
    classes = np.array([[2, 0, 1, 1], [2, 0, 0, 0], [0, 1, 0, 2]], np.uint8)
    np.testing.assert_array_equal(label(classes, skip=(0,)), [[1, 0, 2, 2], [1, 0, 0, 0], [0, 3, 0, 4]])


def test_another_method_is_refused():
    with pytest.raises(SettingsError, match=r"there is no method watershde to find instances.\nFix: did you mean"):
        label(np.ones((2, 2), bool), "watershde")
    with pytest.raises(SettingsError, match="no method split"):
        streamed(np.ones((2, 2), np.uint8), "split", [])


def test_a_mask_without_instances_has_none():
    assert not label(np.zeros((3, 4), bool), "watershed").any()
    assert not label(np.full((3, 4), IGNORED, np.uint8)).any()
