from collections import Counter

import numpy as np
import pytest
import torch

from perpixel.settings.tree import AugmentSettings
from perpixel.shapes import IGNORED
from perpixel.training.loading.augment import augment, window_hw

NOTHING = {
    **dict.fromkeys(("horizontal_flip", "vertical_flip", "rotate_degrees", "elastic_px"), 0),
    **dict.fromkeys(("brightness", "noise", "blur_px"), 0),
    **dict.fromkeys(("zoom", "contrast", "gamma"), 1),
    "quarter_turns": False,
}
MOVES = {
    "nothing": {},
    "mirror": {"horizontal_flip": 1},
    "flip": {"vertical_flip": 1},
    "quarter turns": {"quarter_turns": True},
    "rotation": {"rotate_degrees": 180},
    "zoom": {"zoom": 2},
    "bend": {"elastic_px": 3},
    "all": {"horizontal_flip": 0.5, "vertical_flip": 0.5, "quarter_turns": True, "rotate_degrees": 40, "zoom": 1.5},
}
SHADES = {
    "brightness": {"brightness": 0.5},
    "contrast": {"contrast": 2},
    "gamma": {"gamma": 2},
    "noise": {"noise": 0.5},
    "blur": {"blur_px": 2},
}
moves = pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
shades = pytest.mark.parametrize("shade", SHADES.values(), ids=SHADES)


def settings_with(**some):
    return AugmentSettings(**{**NOTHING, **some})


def draws(count, seed=0):
    return [np.random.default_rng([seed, slot]) for slot in range(count)]


def halves(count, crop_hw, settings, classes=2):
    """Windows of smooth regions, as an image (N, 1, H, W) whose value is the class, and the target."""
    size = window_hw(crop_hw, settings)
    y, x = np.mgrid[: size[0], : size[1]]
    target = np.stack([(np.sin(y / 9 + n) + np.cos(x / 11 - n) > 0) * (classes - 1) for n in range(count)])
    target = torch.from_numpy(target.astype(np.uint8))
    return target[:, None].float(), target


@moves
@pytest.mark.parametrize("crop_hw", [(32, 32), (31, 45)])
def test_the_target_moves_with_the_image(move, crop_hw):
    settings = settings_with(**move)
    image, target = halves(6, crop_hw, settings)
    shown, labels = augment(image, target, crop_hw, settings, draws(6))
    assert shown.shape == (6, 1, *crop_hw)
    assert labels.shape == (6, *crop_hw)
    certain = ((shown[:, 0] < 1e-3) | (shown[:, 0] > 1 - 1e-3)) & (labels != IGNORED)  # no other class within a pixel
    assert certain.float().mean() > 0.5
    assert torch.equal(shown[:, 0][certain].round(), labels[certain].float())
    assert labels[certain].unique().tolist() == [0, 1]


@moves
def test_the_target_comes_from_the_pixel_nearest_to_that_of_the_image(move):
    """Of ramps a bilinear value is the exact place, so that a shift of a part of a pixel shows."""
    settings = settings_with(**move)
    size, _ = window_hw((40, 40), settings)
    ramps = torch.stack(torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij"))[None].repeat(
        4, 1, 1, 1
    )
    shown, labels = augment(ramps.float(), ramps.to(torch.uint8), (40, 40), settings, draws(4))
    assert ((shown - labels)[labels != IGNORED].abs() <= 0.5 + 1e-3).all()


@pytest.mark.parametrize("move", ["nothing", "mirror", "flip", "quarter turns"])
@pytest.mark.parametrize("crop_hw", [(16, 16), (15, 24)])
def test_flips_and_turns_move_every_pixel_as_it_is(move, crop_hw):
    settings = settings_with(**MOVES[move])
    target = (torch.arange(crop_hw[0] * crop_hw[1]) % 251).to(torch.uint8).view(1, *crop_hw)
    shown, labels = augment(target[:, None].float(), target, crop_hw, settings, draws(1))
    assert torch.equal(shown[:, 0].to(torch.uint8), labels)
    assert torch.equal(labels.flatten().sort().values, target.flatten().sort().values)


def test_a_certain_mirror_is_a_mirror():
    image, target = halves(2, (12, 20), settings_with())
    shown, labels = augment(image, target, (12, 20), settings_with(horizontal_flip=1), draws(2))
    assert torch.equal(shown, image.flip(-1))
    assert torch.equal(labels, target.flip(-1))


@moves
def test_no_class_appears_that_was_not_there(move):
    settings = settings_with(**move)
    image, target = halves(4, (24, 24), settings, classes=201)
    _, labels = augment(image, target, (24, 24), settings, draws(4))
    assert labels.dtype == torch.uint8
    assert set(labels.unique().tolist()) <= {0, 200, IGNORED}


@moves
def test_overlapping_classes_move_together(move):
    settings = settings_with(**move)
    image, target = halves(3, (20, 20), settings)
    both = torch.stack([target, 1 - target], 1)  # (3, 2, H, W)
    _, labels = augment(image, both, (20, 20), settings, draws(3))
    assert labels.shape == (3, 2, 20, 20)
    _, alone = augment(image, target, (20, 20), settings, draws(3))
    assert torch.equal(labels[:, 0], alone)
    inside = alone != IGNORED
    assert torch.equal(labels[:, 1][inside], 1 - alone[inside])
    assert (labels[:, 1][~inside] == IGNORED).all()


def test_what_was_outside_the_image_stays_ignored():
    settings = settings_with(rotate_degrees=30, zoom=1.3)
    image, target = halves(4, (24, 24), settings)
    target[:] = IGNORED
    _, labels = augment(image, target, (24, 24), settings, draws(4))
    assert (labels == IGNORED).all()


def test_what_lies_beyond_the_window_is_ignored():
    settings = settings_with(zoom=4)
    image, target = torch.zeros(8, 1, 16, 16), torch.zeros(8, 16, 16, dtype=torch.uint8)  # smaller than window_hw
    _, labels = augment(image, target, (16, 16), settings, draws(8))
    assert set(labels.unique().tolist()) == {0, IGNORED}


@pytest.mark.parametrize("move", ["rotation", "zoom", "all"])
def test_windows_hold_every_crop_of_a_square(move):
    settings = settings_with(**MOVES[move])
    size, _ = window_hw((33, 33), settings)
    target = torch.zeros(16, size, size, dtype=torch.uint8)
    _, labels = augment(target[:, None].float(), target, (33, 33), settings, draws(16))
    assert (labels == 0).all()


def test_without_moves_the_window_is_the_crop():
    assert window_hw((37, 21), settings_with(horizontal_flip=1, quarter_turns=True)) == (37, 21)


@shades
def test_shades_change_the_image_and_not_the_target(shade):
    settings = settings_with(**shade)
    image, target = halves(3, (24, 24), settings)
    image = image + torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    shown, labels = augment(image, target, (24, 24), settings, draws(3))
    assert torch.equal(labels, target)
    assert shown.shape == image.shape
    assert shown.isfinite().all()
    assert not torch.equal(shown, image)


def test_contrast_keeps_the_mean_and_gamma_the_extremes():
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(2, 16, 16, dtype=torch.uint8)
    shown, _ = augment(image, target, (16, 16), settings_with(contrast=2), draws(2))
    torch.testing.assert_close(shown.mean((2, 3)), image.mean((2, 3)))
    shown, _ = augment(image, target, (16, 16), settings_with(gamma=2), draws(2))
    torch.testing.assert_close(shown.amax((1, 2, 3)), image.amax((1, 2, 3)))
    torch.testing.assert_close(shown.amin((1, 2, 3)), image.amin((1, 2, 3)))


def test_a_flat_image_survives_every_shade():
    settings = AugmentSettings(gamma=2, contrast=4, blur_px=8, noise=1)
    size, _ = window_hw((16, 16), settings)
    image, target = torch.zeros(4, 1, size, size), torch.zeros(4, size, size, dtype=torch.uint8)
    shown, _ = augment(image, target, (16, 16), settings, draws(4))
    assert shown.isfinite().all()


@pytest.mark.parametrize("some", [*MOVES.values(), *SHADES.values()], ids=[*MOVES, *SHADES])
def test_equal_draws_give_equal_views_and_others_others(some):
    settings = settings_with(**some)
    image, target = halves(4, (24, 24), settings)
    image = image + torch.rand(image.shape, generator=torch.Generator().manual_seed(0))
    first, second = (augment(image, target, (24, 24), settings, draws(4)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    certain = all(chance in (0, 1) for chance in some.values())
    other, _ = augment(image, target, (24, 24), settings, draws(4, seed=1))
    assert torch.equal(first[0], other) == (certain and some != {"quarter_turns": True})


@pytest.mark.parametrize("some", [MOVES["all"], *SHADES.values()])
def test_a_view_does_not_depend_on_its_neighbours_in_the_batch(some):
    settings = settings_with(**some)
    image, target = halves(4, (24, 24), settings)
    together, _ = augment(image, target, (24, 24), settings, draws(4))
    alone, _ = augment(image[2:3], target[2:3], (24, 24), settings, draws(4)[2:3])
    torch.testing.assert_close(together[2:3], alone)


@pytest.mark.parametrize("degrees", [0, 20, 45, 90, 180])
@pytest.mark.parametrize("crop_hw", [(16, 16), (12, 40), (41, 11)])
def test_no_rotated_crop_leaves_its_window(degrees, crop_hw):
    """The window is as large as the image, so nothing of a crop comes from outside."""
    settings = settings_with(rotate_degrees=degrees, zoom=1.3)
    size = window_hw(crop_hw, settings)
    image, target = torch.zeros(24, 1, *size), torch.ones(24, *size, dtype=torch.uint8)
    _, labels = augment(image, target, crop_hw, settings, draws(24))
    assert (labels == 1).all()


def flipped_like(image, view):
    """Which flip of the image the view is."""
    names = {"none": [], "sideways": [-1], "upward": [-2], "both": [-1, -2]}
    return next(name for name, dims in names.items() if torch.equal(image.flip(dims), view))


def test_with_one_flip_views_are_flipped_in_one_direction_at_most():
    image = torch.arange(16.0).view(1, 1, 4, 4).expand(400, 1, 4, 4)
    target = torch.zeros(400, 4, 4, dtype=torch.uint8)
    settings = settings_with(horizontal_flip=0.3, vertical_flip=0.2, one_flip=True)
    views, _ = augment(image, target, (4, 4), settings, draws(400))
    shares = Counter(flipped_like(image[0], view) for view in views)
    assert shares["both"] == 0
    assert 90 < shares["sideways"] < 150
    assert 55 < shares["upward"] < 105


def test_with_one_flip_both_shares_are_of_the_same_views():
    with pytest.raises(ValueError, match="1 at most"):
        AugmentSettings(horizontal_flip=0.6, vertical_flip=0.6, one_flip=True)


def test_a_translated_view_is_the_window_shifted():
    settings = settings_with(translate_px=3.0)
    assert window_hw((8, 8), settings) == (14, 14)
    ramp = torch.arange(14.0).view(1, 1, 1, 14).expand(1, 1, 14, 14)
    target = torch.zeros(1, 14, 14, dtype=torch.uint8)
    view, labels = augment(ramp, target, (8, 8), settings, draws(1))
    shift = view[0, 0, 0, 0] - 3
    assert 0 < abs(shift) <= 3
    torch.testing.assert_close(view[0, 0], (torch.arange(8.0) + 3 + shift).expand(8, 8), rtol=0, atol=1e-4)
    assert (labels == 0).all()


def test_colour_shifts_channels_apart_and_saturation_spreads_them_about_their_mean():
    image, target = torch.randn(2, 3, 5, 5), torch.zeros(2, 5, 5, dtype=torch.uint8)
    shifted, _ = augment(image, target, (5, 5), settings_with(colour=0.2), draws(2))
    shifts = (shifted - image).flatten(2)
    torch.testing.assert_close(shifts, shifts[..., :1].expand_as(shifts))
    assert shifts[:, 0, 0].ne(shifts[:, 1, 0]).all()
    assert shifts.abs().max() <= 0.4
    spread, _ = augment(image, target, (5, 5), settings_with(saturation=2.0), draws(2))
    torch.testing.assert_close(spread.mean(1), image.mean(1))
    before, after = (each - each.mean(1, keepdim=True) for each in (image, spread))
    ratio = after.abs().sum((1, 2, 3), keepdim=True) / before.abs().sum((1, 2, 3), keepdim=True)
    torch.testing.assert_close(after, ratio * before)
    assert 0.5 <= ratio.min() <= ratio.max() <= 2
