import numpy as np
import pytest
from PIL import Image

from generated import write_cells, write_overlapping
from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.planning import facts_of
from perpixel.planning.facts import SCALES


def found(folder):
    dataset = scan(folder)
    return facts_of(dataset, audit(dataset), dataset.samples)


def write_pairs(folder, masks):
    draw = np.random.default_rng(0)
    for number, mask in enumerate(masks):
        for name, pixels in (("images", draw.integers(0, 255, (*mask.shape, 3), np.uint8)), ("masks", mask)):
            (folder / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def test_the_facts_are_those_of_the_training_images(tmp_path):
    dataset = scan(write_cells(tmp_path, channels=1))
    facts = facts_of(dataset, audit(dataset), dataset.samples[:3])
    assert facts.images == 3
    assert facts.pixels == sum(sample.height * sample.width for sample in dataset.samples[:3])
    assert facts.kind == "multiclass"
    assert not facts.is_georeferenced
    assert sum(facts.shares) == pytest.approx(1)


def test_frequencies_are_of_the_images_that_hold_the_class(tmp_path):
    """As Eigen and Fergus (2015) have them; what is covered is of all pixels with a label."""
    masks = [np.zeros((10, 10), np.uint8), np.zeros((20, 10), np.uint8), np.zeros((10, 20), np.uint8)]
    masks[0][:5] = 1
    masks[1][0] = 1
    masks[1][1, :4] = 2
    masks[1][-2:] = 255
    facts = found(write_pairs(tmp_path, masks))
    assert facts.frequencies == pytest.approx(((50 + 166 + 200) / 500, 60 / 300, 4 / 200))
    assert facts.covered == pytest.approx((416 / 480, 60 / 480, 4 / 480))


def test_layers_cover_each_for_itself(tmp_path):
    dataset = scan(write_overlapping(tmp_path))
    targets = [dataset.target(sample) for sample in dataset.samples]
    expected = [sum(int(target[k].sum()) for target in targets) / sum(t[0].size for t in targets) for k in range(2)]
    assert facts_of(dataset, audit(dataset), dataset.samples).covered == pytest.approx(expected)


def test_sky_above_and_road_below_are_seen(tmp_path):
    mask = np.zeros((30, 40), np.uint8)
    mask[20:] = 1
    facts = found(write_pairs(tmp_path, [mask, mask, mask]))
    assert facts.tilt == pytest.approx((1.0, 0.0))


def test_left_and_right_are_seen_too(tmp_path):
    mask = np.zeros((30, 42), np.uint8)
    mask[:, 35:] = 1
    assert found(write_pairs(tmp_path, [mask, mask, mask])).tilt == pytest.approx((0.0, 0.5))


def test_large_blocks_survive_a_coarser_resolution_and_thin_lines_do_not(tmp_path):
    blocks, lines = np.zeros((2, 64, 64), np.uint8)
    blocks[:32, :32] = 1
    lines[::8] = 1
    large = found(write_pairs(tmp_path / "large", [blocks] * 3)).iou_after_rescale
    thin = found(write_pairs(tmp_path / "thin", [lines] * 3)).iou_after_rescale
    assert set(large) == set(SCALES)
    assert large[0.5] > 0.99  # a corner is rounded
    assert thin[0.5] < 0.5
    assert thin[0.5] <= thin[0.75]


def test_overlapping_layers_are_kept_one_by_one(tmp_path):
    facts = found(write_overlapping(tmp_path))
    assert facts.kind == "multilabel"
    assert all(0 < kept <= 1 for kept in facts.iou_after_rescale.values())
