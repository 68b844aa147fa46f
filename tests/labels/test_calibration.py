"""Temperature: the known one is found, and torch's optimum is the same."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from perpixel.labels.calibration import draw_pixels, fit_temperature
from perpixel.shapes import IGNORED


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3 * temperature, (40_000, 4))
    probs = np.exp(logits / temperature)
    probs /= probs.sum(1, keepdims=True)
    target = (probs.cumsum(1) < rng.random((len(probs), 1))).sum(1).clip(max=3).astype(np.uint8)
    target[::10] = IGNORED
    assert fit_temperature(logits, target) == pytest.approx(temperature, rel=0.03)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_the_optimum_is_torchs(kind):
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, (500, 3))
    noisy = logits + rng.normal(0, 2, logits.shape)
    target = (noisy.argmax(1) if kind == "multiclass" else noisy > 0).astype(np.uint8)
    z, y = torch.from_numpy(logits), torch.from_numpy(target)
    inverse = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([inverse], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimiser.zero_grad()
        if kind == "multiclass":
            loss = F.cross_entropy(z * inverse, y.long())
        else:
            loss = F.binary_cross_entropy_with_logits(z * inverse, y.double())
        loss.backward()
        return loss

    optimiser.step(closure)
    assert fit_temperature(logits, target) == pytest.approx(1 / inverse.item(), rel=1e-3)


def test_drawn_pixels_are_known_ones_and_no_more_than_asked():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(3, 8, 9)).astype(np.float32)
    target = rng.integers(0, 3, (8, 9)).astype(np.uint8)
    target[:4] = IGNORED
    drawn, answers = draw_pixels(logits, target, 20, rng)
    assert drawn.shape == (20, 3)
    assert IGNORED not in answers
    everything, answers = draw_pixels(logits, target, 1000, rng)
    assert len(everything) == len(answers) == 36
    known = logits[:, 4:].reshape(3, -1).T.tolist()
    pairs = {(tuple(z), y) for z, y in zip(known, target[4:].ravel().tolist(), strict=True)}
    assert {(tuple(z), y) for z, y in zip(everything.tolist(), answers.tolist(), strict=True)} == pairs
    layers = np.stack([target == k for k in range(3)]).astype(np.uint8)
    layers[:, target == IGNORED] = IGNORED
    assert draw_pixels(logits, layers, 10, rng)[1].shape == (10, 3)


def test_no_known_pixel_has_no_temperature():
    assert np.isnan(fit_temperature(np.zeros((3, 2)), np.full(3, IGNORED, np.uint8)))
