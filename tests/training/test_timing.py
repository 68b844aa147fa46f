import pytest

from generated import binary_labels
from perpixel.labels.codec import Codec
from perpixel.settings.tree import settings_from
from perpixel.store.model_file import ModelCard
from perpixel.training import timing

CARD = ModelCard("unet", None, Codec(binary_labels(), "uint8", (0.0,), (1.0,)), 1.0, {"width": 2, "depth": 1})


def within(**train):
    return timing.pixels_within_budget(settings_from({"train": train}).train, CARD)


def test_steps_see_the_pixels_of_their_batches():
    assert within(steps=10, batch_size=4, crop_hw=[32, 64]) == 10 * 4 * 32 * 64


def test_epochs_see_whatever_it_takes():
    assert within(epochs=1) == float("inf")


def test_minutes_see_what_the_machine_does_in_them(monkeypatch):
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card: 1000.0)
    assert within(minutes=2) == pytest.approx(timing.USED_SHARE * 120 * 1000)


@pytest.mark.parametrize(
    ("clock", "seconds"),
    [([0.0, 1.9, 10.0, 11.0, 20.0, 21.5], 1.0), ([0.0, 2.3, 10.0, 10.6, 20.0, 20.7], 0.6), ([0.0, 9.0], 9.0)],
    ids=["the fastest of three steps", "a cold start", "one long step"],
)
def test_the_speed_is_that_of_a_step(monkeypatch, clock, seconds):
    times = iter(clock)
    monkeypatch.setattr(timing, "TRIED_SIDE", 32)
    monkeypatch.setattr(timing.time, "monotonic", lambda: next(times))
    assert within(minutes=1) == pytest.approx(timing.USED_SHARE * 60 * timing.TRIED_CROPS * 32**2 / seconds)


def test_each_network_is_timed_once(monkeypatch):
    timed = []
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card: timed.append(card) or 7.0)
    pixels = timing.measured_once(lambda settings: settings.model.options["depth"])
    trees = [{"model": {"options": {"depth": depth}}, "train": {"minutes": 1}} for depth in (2, 3, 2)]
    assert len({pixels(settings_from(tree)) for tree in trees}) == 1
    assert timed == [2, 3]
