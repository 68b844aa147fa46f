import numpy as np
import pytest
from PIL import Image

from perpixel.dataset import scan
from perpixel.dataset.synthetic import SHAPES, drawing, write_shapes


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("side", [64, 192])
def test_a_drawing_is_white_on_black_with_six_classes(seed, side):
    image, target = drawing(np.random.default_rng(seed), side)
    assert image.shape == (side, side, 3)
    assert image.dtype == np.uint8
    assert set(np.unique(image)) == {0, 255}
    assert (image[..., 0] == image[..., 1]).all()
    assert target.shape == (len(SHAPES), side, side)
    assert target.dtype == np.uint8
    assert set(np.unique(target)) == {0, 1}
    assert target.any((1, 2)).all()


def test_all_ink_belongs_to_a_class_and_only_the_mesh_has_holes():
    for seed in range(20):
        image, target = drawing(np.random.default_rng(seed))
        ink = image[..., 0] == 255
        mesh = target[SHAPES.index("mesh square")] == 1
        assert not (ink & ~target.any(0)).any()
        assert not (~ink & target.any(0) & ~mesh).any()
        assert (~ink & mesh).any()


def test_classes_overlap_in_some_drawings():
    assert any((drawing(np.random.default_rng(seed))[1].sum(0) > 1).any() for seed in range(20))


def test_the_seed_decides_the_drawing():
    first, again, other = (drawing(np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_written_folder_is_understood_as_overlapping_labels(tmp_path):
    write_shapes(tmp_path, 3, seed=5, side=64)
    dataset = scan(tmp_path)
    assert dataset.labels.kind == "multilabel"
    assert set(dataset.labels.names) == set(SHAPES)
    assert len(dataset.samples) == 3
    order = [SHAPES.index(name) for name in dataset.labels.names]
    for number, sample in enumerate(dataset.samples):
        image, target = drawing(np.random.default_rng([5, number]), 64)
        np.testing.assert_array_equal(dataset.image(sample), image)
        np.testing.assert_array_equal(dataset.target(sample), target[order])


def test_masks_are_written_as_0_and_255(tmp_path):
    write_shapes(tmp_path, 1, side=64)
    with Image.open(tmp_path / "masks" / "ring" / "drawing_0000.png") as mask:
        assert set(np.unique(np.asarray(mask))) == {0, 255}
