"""The features of pixels and the quick learner on them, as the page shows them."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

import generated
from perpixel.models.strokes import pixel_head
from perpixel.models.strokes.pixel_features import COLOURS, FILTERS, SIGMAS, extracted, feature_groups, frozen_encoder
from perpixel.models.strokes.stroke_learner import StrokeLearner
from perpixel.shapes import IGNORED


@pytest.fixture(scope="module")
def encoder():
    return frozen_encoder()


def picture(height, width, seed=0):
    draw = np.random.default_rng(seed)
    truth = generated.disc(height, width, draw)
    return generated.picture_of(truth, draw), (truth > 0).astype(np.uint8)


def test_the_filters_are_gaussians_gradients_and_hessians(encoder):
    pixels, _ = picture(64, 96)
    maps = extracted(encoder, pixels, (slice(0, 64), slice(0, 96)))
    found = maps.levels[0][0].float().numpy()
    for number, sigma in enumerate(SIGMAS[0]):
        ours = found[number * FILTERS :][:FILTERS]
        smooth = np.stack(
            [gaussian_filter(each / 255, sigma, mode="nearest", truncate=3) for each in np.moveaxis(pixels, 2, 0)]
        )
        np.testing.assert_allclose(ours[:COLOURS], smooth, atol=2e-3)
        down, across = np.gradient(smooth.mean(0))
        np.testing.assert_allclose(ours[3][1:-1, 1:-1], np.hypot(down, across)[1:-1, 1:-1], atol=2e-3)
        grey, mixed = smooth.mean(0), np.gradient(across, axis=0)
        hessian = np.empty((62, 94, 2, 2))
        hessian[..., 0, 0] = np.diff(grey, 2, 0)[:, 1:-1]
        hessian[..., 1, 1] = np.diff(grey, 2, 1)[1:-1]
        hessian[..., 0, 1] = hessian[..., 1, 0] = mixed[1:-1, 1:-1]
        values = np.linalg.eigvalsh(hessian)
        np.testing.assert_allclose(ours[4][1:-1, 1:-1], values[..., 1], atol=2e-3)
        np.testing.assert_allclose(ours[5][1:-1, 1:-1], values[..., 0], atol=2e-3)


def test_no_group_sees_what_another_level_holds(encoder):
    groups, (maps,) = feature_groups(encoder), [extracted(encoder, picture(64, 64)[0], (slice(0, 64), slice(0, 64)))]
    widths = [each.shape[1] for each in maps.levels]
    assert groups.every.tolist() == list(range(widths[0], sum(widths)))
    assert len(groups.filters) == FILTERS * sum(map(len, SIGMAS))
    assert set(groups.fine.tolist()) == set(range(widths[0], sum(widths[:3])))


@pytest.mark.parametrize("hw", [(97, 131), (300, 64)])
def test_a_few_strokes_find_the_rest_strip_by_strip_as_at_once(encoder, monkeypatch, hw):
    pixels, truth = picture(*hw)
    labels = np.full(hw, IGNORED, np.uint8)
    for k in (0, 1):
        y, x = np.argwhere(truth == k)[:: (truth == k).sum() // 40].T
        labels[y, x] = k
    learner = StrokeLearner(encoder, 2)

    def read(top, left, height, width):
        return pixels[top : top + height, left : left + width]

    head = learner.learn("a", labels, read)
    maps = learner.maps(("a", 0, 0), hw, read)
    found = head.predict(maps)
    assert (found == truth).mean() > 0.95
    shares = head.probabilities(maps)
    torch.testing.assert_close(shares.sum(0), torch.ones(hw))
    monkeypatch.setattr(pixel_head, "STRIP_PX", 10)
    torch.testing.assert_close(head.probabilities(maps), shares, atol=1e-5, rtol=0)


def test_means_are_those_of_the_encoder_and_none_of_the_filters(encoder):
    maps = extracted(encoder, picture(64, 96)[0], (slice(0, 64), slice(0, 96)))
    filters = feature_groups(encoder).filters
    assert (maps.means[filters] == 0).all()
    others = torch.cat([each.float().mean((0, 2, 3)) for each in maps.levels])
    others[filters] = 0
    torch.testing.assert_close(maps.means, others, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("mixed", [True, False])
def test_the_look_of_a_block_tells_nothing_where_each_holds_every_class(encoder, mixed):
    """Light and dark images: with both classes in each, or one class in the light and one in the dark."""
    light, truth = picture(96, 96)
    pictures = {"light": light, "dark": light // 3}
    learner = StrokeLearner(encoder, 2)
    for k, (name, pixels) in enumerate(pictures.items()):
        labels = np.full(truth.shape, IGNORED, np.uint8)
        labels[::5, ::5] = truth[::5, ::5] if mixed else k
        head = learner.learn(name, labels, lambda y, x, h, w, p=pixels: p[y : y + h, x : x + w])
    assert head.centred is mixed
    for k, name in enumerate(pictures):
        found = head.predict(learner.maps((name, 0, 0), truth.shape, None))
        assert (found == (truth if mixed else k)).mean() > 0.95


def test_steps_are_those_of_adamw():
    torch.manual_seed(0)
    ours = [torch.randn(3, 4), torch.randn(5)]
    theirs = [each.clone().requires_grad_() for each in ours]
    adam = pixel_head._AdamW(ours)
    reference = torch.optim.AdamW(theirs, lr=pixel_head.LEARNING_RATE, weight_decay=pixel_head.WEIGHT_DECAY)
    for _ in range(5):
        gradients = tuple(torch.randn_like(each) for each in ours)
        adam.step(gradients)
        for each, gradient in zip(theirs, gradients, strict=True):
            each.grad = gradient
        reference.step()
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected.detach())
