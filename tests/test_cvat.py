"""The function for CVAT against CVAT's own SDK."""

import numpy as np
import pytest
from PIL import Image

from perpixel.errors import SettingsError
from perpixel.integrations.cvat import create, encoded
from perpixel.prediction.load import load_predictor

masks = pytest.importorskip("cvat_sdk.masks", reason="cvat-sdk is not installed")


@pytest.mark.parametrize("seed", range(8))
def test_masks_are_encoded_as_the_sdk_does(seed):
    draw = np.random.default_rng(seed)
    mask = draw.random((7, 9)) < draw.uniform(0.05, 0.9)
    mask[draw.integers(7), draw.integers(9)] = True
    assert encoded(mask) == masks.encode_mask(mask)


def test_instances_come_back_as_the_mask(cells, cells_run):
    function = create(str(cells_run.folder))
    assert [label.name for label in function.spec.labels] == ["foreground"]
    with Image.open(cells / "images" / "cell_0.png") as image:
        found = function.detect(None, image)
        expected = load_predictor(cells_run.folder).target(np.asarray(image)) == 1
    union = np.zeros(expected.shape, int)
    for shape in found:
        union += masks.decode_mask(shape.points, image_width=expected.shape[1], image_height=expected.shape[0])
    np.testing.assert_array_equal(union, expected)


def test_a_missing_sdk_is_told(cells_run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cvat_sdk.auto_annotation", None)
    with pytest.raises(SettingsError, match="cvat-sdk is not installed"):
        create(str(cells_run.folder))
