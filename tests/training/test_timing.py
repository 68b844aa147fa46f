import pytest
import torch

from generated import binary_labels
from perpixel.errors import SettingsError
from perpixel.labels.codec import Codec
from perpixel.settings.tree import request_from
from perpixel.store.model_file import ModelCard
from perpixel.training import timing
from perpixel.training.timing import Stopwatch

CARD = ModelCard("unet", None, Codec(binary_labels(), "uint8", (0.0,), (1.0,)), 1.0, {"width": 2, "depth": 1})


def asked(**train):
    return request_from({"train": train})


def within(**train):
    return Stopwatch(lambda settings: CARD).pixels(asked(**train))


def test_steps_see_the_pixels_of_their_batches():
    assert within(steps=10, batch_size=4, crop_hw=[32, 64]) == 10 * 4 * 32 * 64


def test_epochs_see_whatever_it_takes():
    assert within(epochs=1) == float("inf")


def test_minutes_see_what_the_machine_does_in_them(monkeypatch):
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card, progress: 1000.0)
    assert within(minutes=2) == pytest.approx(timing.USED_SHARE * 120 * 1000)


@pytest.mark.parametrize(
    ("clock", "pixels", "seconds"),
    [
        ([0.0, 1.9, 10.0, 11.0, 20.0, 21.5], 4 * 32**2, 1.0),
        ([0.0, 2.3, 10.0, 10.6, 20.0, 20.7], 4 * 32**2, 0.6),
        ([0.0, 9.0], 4 * 32**2, 9.0),
        (None, 2 * 16**2, 1.0),
    ],
    ids=["the fastest of three steps", "a cold start", "one long step", "a first small step that is long already"],
)
def test_the_speed_is_that_of_a_step(monkeypatch, clock, pixels, seconds):
    times = iter([0.0, 1.0] if clock is None else [0.0, 0.5, *clock])
    monkeypatch.setattr(timing, "TRIED_SIDE", 32)
    monkeypatch.setattr(timing.time, "monotonic", lambda: next(times))
    expected = timing.USED_SHARE * 60 * pixels / seconds
    assert within(minutes=1, precision="32") == pytest.approx(expected)


def test_the_speed_is_that_of_the_faster_precision_where_it_is_open(monkeypatch):
    monkeypatch.setattr(timing, "has_bfloat16", lambda device: True)
    speeds = {"32": 100.0, "bf16": 300.0}
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card, progress: speeds[train.precision])
    share = timing.USED_SHARE * 60
    assert within(minutes=1) == pytest.approx(share * 300)
    assert within(minutes=1, precision="32") == pytest.approx(share * 100)


def test_each_network_is_timed_once(monkeypatch):
    timed = []
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card, progress: timed.append(card) or 7.0)
    stopwatch = Stopwatch(lambda settings: settings.model.options["depth"])
    trees = [
        {"model": {"options": {"depth": depth}}, "train": {"minutes": 1, "precision": "32"}} for depth in (2, 3, 2)
    ]
    assert len({stopwatch.pixels(request_from(tree)) for tree in trees}) == 1
    assert timed == [2, 3]


@pytest.fixture
def raced(monkeypatch):
    """What was run against what, without running it."""
    seen = []

    def step(train, card, shape):
        seen.append((train.precision, train.memory_format, shape))

    monkeypatch.setattr(timing, "_step", step)
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card, progress: 1e6)
    monkeypatch.setattr(timing, "race", lambda one, other, seconds: seen.append(seconds) or "race")
    return seen


def test_precisions_are_timed_on_the_shapes_of_the_training(monkeypatch, raced):
    monkeypatch.setattr(timing, "has_bfloat16", lambda device: True)
    shapes = {"batch_size": 8, "accumulate": 2, "crop_hw": [32, 64], "memory_format": "channels_first"}
    assert Stopwatch(lambda settings: CARD).precisions(asked(steps=3, **shapes)) == "race"
    assert raced == [(precision, "channels_first", (4, 32, 64)) for precision in ("32", "bf16")] + [timing.RACE_S]


def test_bfloat16_is_not_timed_where_it_is_emulated(monkeypatch, raced):
    monkeypatch.setattr(timing, "has_bfloat16", lambda device: False)
    assert Stopwatch(lambda settings: CARD).precisions(asked(minutes=3)) is None
    assert raced == []


def test_few_minutes_are_timed_on_fewer_crops(raced):
    stopwatch = Stopwatch(lambda settings: CARD)
    assert stopwatch.memory_formats(asked(steps=3)) is None
    assert stopwatch.memory_formats(asked(minutes=0.5, batch_size=32, crop_hw=[128, 128])) == "race"
    crops = raced[0][2][0]
    assert crops * 128 * 128 / 1e6 * 2 * (timing.LEAST_ROUNDS + 1) <= timing.RACE_SHARE * 30
    assert [each[1] for each in raced[:2]] == ["channels_last", "channels_first"]
    assert crops > 2


@pytest.mark.parametrize(("speed", "shape"), [(4e5, (2, 64, 64)), (1e6, (2, 96, 128)), (2.2e6, (2, 160, 192))])
def test_a_slow_network_is_timed_on_smaller_crops(monkeypatch, raced, speed, shape):
    monkeypatch.setattr(timing, "_pixels_per_second", lambda train, card, progress: speed)
    Stopwatch(lambda settings: CARD).memory_formats(asked(minutes=0.2, batch_size=8, crop_hw=[256, 320]))
    assert raced[0][2] == shape
    held = speed * timing.RACE_SHARE * 12 / 2 / (timing.LEAST_ROUNDS + 1)
    assert shape[0] * shape[1] * shape[2] <= max(held, 2 * timing.LEAST_SIDE**2)


def test_half_of_the_threads_are_timed_where_there_are_some(monkeypatch, raced):
    before = torch.get_num_threads()
    stopwatch = Stopwatch(lambda settings: CARD)
    assert stopwatch.threads(asked(minutes=3, batch_size=4, crop_hw=[32, 32])) is None  # one thread
    try:
        torch.set_num_threads(4)
        assert stopwatch.threads(asked(steps=3)) is None
        assert stopwatch.threads(asked(minutes=3, batch_size=4, crop_hw=[32, 32])) == "race"
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)


def test_a_step_that_the_memory_does_not_hold_is_told(monkeypatch):
    def full(*_):
        raise RuntimeError("could not create a primitive")

    step = timing._step(asked(steps=3).train, CARD, (2, 16, 24))
    monkeypatch.setattr(timing, "loss_of", full)
    with pytest.raises(SettingsError, match=r"(?s)2 crops of 16 × 24 pixels.*Fix: give steps or epochs"):
        step()


def test_a_step_computes_with_the_threads_it_is_asked_to():
    before = torch.get_num_threads()
    try:
        timing._step(asked(threads=before + 1).train, CARD, (2, 16, 16))()
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_a_step_is_taken_in_either_way():
    for way in ({"precision": "bf16"}, {"memory_format": "channels_first"}):
        timing._step(asked(**way).train, CARD, (2, 16, 16))()


class _Ranks:
    first = staticmethod(lambda value: value)
    any = staticmethod(bool)


class _SlowSession:
    """Each step of it lasts ten seconds of the faked clock."""

    ranks = _Ranks()

    def __init__(self, monkeypatch):
        self.now, self.taken = 0.0, 0
        monkeypatch.setattr(timing.time, "monotonic", lambda: self.now)

    def state(self):
        return {}

    def load(self, state):
        self.loaded = state

    def stream(self, start):
        return (number for number in range(100))

    def learning_rate(self, number, schedule):
        return 0.1

    def step(self, number, batch, rate):
        self.now, self.taken = self.now + 10.0, self.taken + 1


@pytest.mark.parametrize(("seconds", "most", "taken"), [(0.0, 1e9, 4), (55.0, 1e9, 6), (0.0, 15.0, 2), (0.0, 5.0, 1)])
def test_steps_are_timed_until_the_time_for_it_is_over(monkeypatch, seconds, most, taken):
    session = _SlowSession(monkeypatch)
    assert timing.time_step(session, seconds, most) == 10.0
    assert session.taken == taken
    assert session.loaded == {}
