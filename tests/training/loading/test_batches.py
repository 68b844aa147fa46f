import time
from collections import Counter
from itertools import islice

import numpy as np
import pytest
import torch

from generated import SIZES, picture_of, save, tiny_settings, write_cells, write_land, write_overlapping
from perpixel.dataset import scan
from perpixel.labels.codec import Codec
from perpixel.settings.tree import AugmentSettings
from perpixel.shapes import IGNORED
from perpixel.training.loading.batches import Batches, PixelStore, batches_ahead, cut, resized, resized_target

STILL = AugmentSettings(
    horizontal_flip=0, vertical_flip=0, quarter_turns=False, rotate_degrees=0, zoom=1, brightness=0, contrast=1
)


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    return scan(write_land(tmp_path_factory.mktemp("land")))


def batches_of(dataset, transforms=AugmentSettings(), seed=0, **train):  # noqa: B008 # it is frozen
    codec = Codec(dataset.labels, dataset.dtype, (100.0,) * 3, (50.0,) * 3)
    settings = tiny_settings(**train).train
    return Batches(PixelStore(dataset, dataset.samples, 1.0, 100), codec, settings, transforms, seed)


def test_a_batch_depends_on_seed_and_step_alone(land):
    first, second = batches_of(land), batches_of(land)
    second(3)  # what was asked before does not matter
    for step in (5, 0, 7):
        one, other = first(step), second(step)
        assert torch.equal(one.image, other.image)
        assert torch.equal(one.target, other.target)
    assert not torch.equal(first(5).image, first(6).image)
    assert not torch.equal(first(5).image, batches_of(land, seed=1)(5).image)


def test_processes_take_their_slots_of_the_same_batch(land):
    batches = batches_of(land, batch_size=5)
    whole = batches(3)
    for slots in ([0, 2, 4], [1, 3]):
        part = batches(3, slots)
        torch.testing.assert_close(part.image, whole.image[slots], rtol=0, atol=1e-6)
        assert torch.equal(part.target, whole.target[slots])


def test_exclusive_batches_have_the_shapes_that_losses_want(land):
    batch = batches_of(land, batch_size=3, crop_hw=(20, 28))(0)
    assert batch.image.shape == (3, 3, 20, 28)
    assert batch.image.dtype == torch.float32
    assert batch.target.shape == (3, 20, 28)
    assert batch.target.dtype == torch.int64
    assert set(batch.target.unique().tolist()) <= {0, 1, 2, IGNORED}


def test_overlapping_batches_have_the_shapes_that_losses_want(tmp_path):
    batch = batches_of(scan(write_overlapping(tmp_path)), batch_size=3)(0)
    assert batch.target.shape == (3, 2, 32, 32)
    assert batch.target.dtype == torch.uint8
    assert set(batch.target.unique().tolist()) <= {0, 1, IGNORED}


def test_without_transforms_a_batch_holds_windows_of_the_images(land):
    batch = batches_of(land, STILL, batch_size=4, crop_hw=(24, 24))(0)
    images = [(land.image(s).astype(np.float32) - 100) / 50 for s in land.samples]
    targets = [land.target(s) for s in land.samples]
    for view, labels in zip(batch.image.numpy(), batch.target.numpy(), strict=True):
        assert any(
            np.allclose(image[y : y + 24, x : x + 24].transpose(2, 0, 1), view)
            and np.array_equal(target[y : y + 24, x : x + 24], labels)
            for image, target in zip(images, targets, strict=True)
            for y in range(image.shape[0] - 23)
            for x in range(image.shape[1] - 23)
        )


def test_beyond_the_border_the_image_is_mirrored_and_the_target_ignored(land):
    batch = batches_of(land, STILL, batch_size=8, crop_hw=(64, 64))(0)
    inside = sorted((labels != IGNORED).any(1).sum().item() for labels in batch.target)
    assert inside == sorted(height - 2 for height, _ in SIZES)  # the last two rows have no label
    assert batch.image.std((2, 3)).min() > 0.1


def test_a_small_image_touches_every_side_of_some_window(tmp_path):
    views = batches_of(scan(write_cells(tmp_path)), STILL, batch_size=8, crop_hw=(44, 44))
    seen = torch.cat([views(step).target for step in range(20)]) != IGNORED
    assert all(side.any() for side in (seen[:, 0], seen[:, -1], seen[..., 0], seen[..., -1]))


def test_an_epoch_shows_every_image_as_often_as_its_area_asks(land):
    batches = batches_of(land, STILL, batch_size=1, crop_hw=(16, 16))
    wanted = {n: max(1, round(h * w / 256)) for n, (h, w) in enumerate(SIZES)}
    views = sum(wanted.values())
    assert batches.steps_per_epoch == views
    for epoch in range(3):
        assert Counter(batches._place(epoch * views + position) for position in range(views)) == wanted
    orders = [[batches._place(epoch * views + position) for position in range(views)] for epoch in range(2)]
    assert orders[0] != orders[1]


def test_there_is_a_step_in_every_epoch(land):
    assert batches_of(land, batch_size=1000).steps_per_epoch == 1


def test_batches_made_ahead_are_those_asked_for(land):
    batches = batches_of(land)
    for step, batch in enumerate(islice(batches_ahead(batches, 3), 7), start=3):
        assert torch.equal(batch.image, batches(step).image)
        assert torch.equal(batch.target, batches(step).target)


def test_an_error_while_reading_ahead_reaches_the_one_who_waits():
    def make(step):
        if step == 2:
            raise ValueError("step 2")
        return step

    stream = batches_ahead(make, 0)
    assert [next(stream), next(stream)] == [0, 1]
    with pytest.raises(ValueError, match="step 2"):
        next(stream)


def test_closing_stops_reading_ahead():
    made = []
    stream = batches_ahead(lambda step: made.append(step) or time.sleep(0.01), 0)
    next(stream)
    stream.close()
    count = len(made)
    time.sleep(0.05)
    assert len(made) == count <= 6


class Counting:
    """A data set that counts how often each sample is read."""

    def __init__(self, dataset):
        self.dataset, self.reads = dataset, Counter()

    def image(self, sample):
        self.reads[sample.name] += 1
        return self.dataset.image(sample)

    def target(self, sample):
        return self.dataset.target(sample)

    def labelled_image(self, sample):
        self.reads[sample.name] += 1
        return self.dataset.labelled_image(sample)


def test_images_are_decoded_once(land):
    counting = Counting(land)
    store = PixelStore(counting, land.samples, 1.0, 100)
    first = [store[place] for place in range(len(store))]
    again = [store[place] for place in range(len(store))]
    assert set(counting.reads.values()) == {1}
    assert all(a[0] is b[0] for a, b in zip(first, again, strict=True))


def test_what_does_not_fit_into_memory_is_decoded_again(tmp_path):
    for number, side in enumerate((300, 600, 250)):  # 360 kB, 1.4 MB, 250 kB with their masks
        draw = np.random.default_rng(number)
        target = np.zeros((side, side), np.uint8)
        target[:9] = 255
        save(tmp_path / "images" / f"{number}.png", picture_of(target // 255, draw))
        save(tmp_path / "masks" / f"{number}.png", target)
    dataset = scan(tmp_path)
    counting = Counting(dataset)
    store = PixelStore(counting, dataset.samples, 1.0, 1)
    for _ in range(2):
        for place, sample in enumerate(dataset.samples):
            np.testing.assert_array_equal(store[place][0], dataset.image(sample).transpose(2, 0, 1))
    assert counting.reads == {"0": 1, "1": 2, "2": 1}


def test_the_store_holds_the_working_resolution(tmp_path):
    dataset = scan(write_cells(tmp_path))
    store = PixelStore(dataset, dataset.samples, 0.5, 100)
    for place, (height, width) in enumerate(SIZES):
        image, target = store[place]
        assert image.shape == (3, height // 2, width // 2)
        assert image.dtype == np.uint8
        assert target.shape == (height // 2, width // 2)
        assert set(np.unique(target)) <= {0, 1}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_resized_image_keeps_its_mean_and_dtype(dtype):
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 48)).astype(dtype)
    small = resized(image, 0.25)
    assert small.shape == (2, 8, 12)
    assert small.dtype == dtype
    assert small.mean() == pytest.approx(image.mean(), rel=0.02)
    flat = resized(np.full((1, 30, 20), 200, dtype), 0.3)
    np.testing.assert_allclose(flat, 200, rtol=1e-6)


@pytest.mark.parametrize("lead", [(), (3,)])
def test_a_resized_target_holds_the_pixel_at_the_centre(lead):
    target = np.random.default_rng(0).integers(0, 256, (*lead, 27, 18)).astype(np.uint8)
    small = resized_target(target, 1 / 3)
    np.testing.assert_array_equal(small, target[..., 1::3, 1::3])
    assert small.dtype == np.uint8


def test_a_cut_inside_is_the_window():
    array = np.arange(60).reshape(2, 5, 6)
    np.testing.assert_array_equal(cut(array, (1, 2), (3, 4), mirror=True), array[:, 1:4, 2:6])


def test_a_cut_beyond_the_border_mirrors_or_ignores():
    array = np.arange(1, 7, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(
        cut(array, (-1, -2), (4, 5), mirror=True),
        [[2, 1, 1, 2, 3], [2, 1, 1, 2, 3], [5, 4, 4, 5, 6], [5, 4, 4, 5, 6]],
    )
    np.testing.assert_array_equal(cut(array, (1, 1), (2, 4), mirror=False), [[5, 6, IGNORED, IGNORED], [IGNORED] * 4])


def test_a_cut_many_times_larger_than_the_image_mirrors_again_and_again():
    array = np.array([[1, 2]])
    np.testing.assert_array_equal(cut(array, (0, -3), (1, 8), mirror=True), [[2, 2, 1, 1, 2, 2, 1, 1]])


def test_rare_views_are_centred_on_a_class_drawn_by_rarity(land):
    """With crops of one pixel each view is its centre; the shares are those of 1 / √pixels."""
    still = AugmentSettings(
        horizontal_flip=0, vertical_flip=0, quarter_turns=False, rotate_degrees=0, zoom=1, brightness=0, contrast=1
    )
    batches = batches_of(land, still, crop_hw=(1, 1), batch_size=500, class_balanced_fraction=1.0)
    seen = np.bincount(batches(0).target.ravel(), minlength=256)
    chances = 1 / np.sqrt(np.sum([sample.pixels[:-1] for sample in land.samples], axis=0))
    expected = 500 * chances / chances.sum()
    assert seen.sum() == seen[:3].sum()
    assert np.abs(seen[:3] - expected).max() < 4 * np.sqrt(500 / 4)  # four standard deviations at most


def test_a_view_of_a_rare_class_keeps_within_its_image(land):
    batches = batches_of(land, crop_hw=(24, 24), class_balanced_fraction=1.0)
    assert batches(0).image.shape[-2:] == (24, 24)
    assert torch.equal(batches(3).target, batches(3).target)


def test_a_batch_says_which_image_each_view_shows(land):
    batch = batches_of(
        land, STILL, crop_hw=(8, 8), batch_size=20, hard_example_fraction=0.0, class_balanced_fraction=0.5
    )(0)
    for view, place in zip(batch.image.numpy(), batch.places, strict=True):
        image = (land.image(land.samples[place]).astype(np.float32).transpose(2, 0, 1) - 100) / 50
        windows = np.lib.stride_tricks.sliding_window_view(image, (8, 8), (1, 2))
        assert np.isclose(windows, view[:, None, None]).all((0, 3, 4)).any()


def test_hard_views_show_images_by_crops_times_error(land):
    errors = np.linspace(0, 1, len(land.samples))
    batches = batches_of(
        land, crop_hw=(16, 16), batch_size=500, class_balanced_fraction=0.0, hard_example_fraction=1.0
    )
    seen = np.bincount(batches(0, errors=errors).places, minlength=len(errors))
    hardness = errors * [max(1, round(height * width / 256)) for height, width in SIZES]
    assert np.abs(seen - 500 * hardness / hardness.sum()).max() < 4 * np.sqrt(500 / 4)  # four standard deviations
    assert seen[0] == 0


def test_a_share_of_the_views_is_hard_and_the_others_are_what_they_were(land):
    alone, mixed = (
        batches_of(land, crop_hw=(16, 16), batch_size=400, class_balanced_fraction=0.25, hard_example_fraction=share)
        for share in (0.0, 0.5)
    )
    errors = np.eye(len(land.samples))[0]
    before, after = alone(0).places, mixed(0, errors=errors).places
    chances = np.array([np.random.default_rng([0, 0, slot]).random() for slot in range(400)])
    hard = (chances >= 0.25) & (chances < 0.75)
    assert np.array_equal(before[~hard], after[~hard])
    assert (after[hard] == 0).all()


@pytest.mark.parametrize("errors", [None, np.zeros(len(SIZES))])
def test_without_known_errors_no_view_is_hard(land, errors):
    without, asked = (batches_of(land, hard_example_fraction=share) for share in (0.0, 1.0))
    assert torch.equal(asked(2, errors=errors).image, without(2).image)


@pytest.fixture(scope="module")
def stroked(tmp_path_factory):
    """Large images with two strokes each, a long one of class 0 and a short one of class 1."""
    folder = tmp_path_factory.mktemp("stroked")
    random = np.random.default_rng(0)
    for number in range(6):
        mask = np.full((160, 200), IGNORED, np.uint8)
        row, column = random.integers(20, 130, 2)
        mask[row : row + 3, column : column + 50] = 0
        mask[row - 10, column : column + 5] = 1
        save(folder / "images" / f"{number}.png", random.integers(0, 255, (160, 200, 3), np.uint8))
        save(folder / "masks" / f"{number}.png", mask)
    return scan(folder)


def test_views_of_strokes_show_labels_of_each_class_alike(stroked):
    batches = batches_of(stroked, STILL, batch_size=4, crop_hw=(16, 16), labelled_crops=True)
    targets = torch.cat([batches(step).target for step in range(60)])
    assert all((target != IGNORED).any() for target in targets)
    short = float(torch.tensor([(target == 1).any() for target in targets]).float().mean())
    assert 0.4 < short < 0.8
    centres = torch.stack([(target != IGNORED).float() for target in targets]).mean(0)
    assert centres[8, 8] < 0.5  # a label is not always at the centre
    without = batches_of(stroked, STILL, batch_size=4, crop_hw=(16, 16))
    assert not all((target != IGNORED).any() for step in range(5) for target in without(step).target)
