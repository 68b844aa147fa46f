import logging
import math
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image

import perpixel
from generated import TINY, contents, tiny_settings
from perpixel.errors import OutputError, RunError
from perpixel.language import speaking
from perpixel.report.range_figure import range_figure
from perpixel.training import RangeTest
from perpixel.training.lr_finder import DIVERGED, HIGHEST, LOWEST, STEPS, WINDOW, smoothed_losses, tried
from perpixel.training.schedule import LearningRate
from perpixel.training.setup import prepare_training
from perpixel.training.step import StepResult

RATES = np.geomspace(LOWEST, HIGHEST, STEPS).tolist()


class Told:
    """A session whose losses are known before; remembers the learning rate of each step."""

    def __init__(self, losses):
        self.settings = tiny_settings(learning_rate=7.0, schedule="poly")
        self.losses, self.seen = list(losses), []

    def stream(self, first):
        yield from range(first, 10**6)

    def step(self, number, batch, rate):
        assert number == batch == len(self.seen)
        self.seen.append(rate.value)
        return StepResult(self.losses[number], {}, 2, None, None, 0.0)


def test_the_mean_is_corrected_for_its_beginning():
    losses = np.random.default_rng(0).random(50)
    kept = 0.9 ** np.arange(50)[::-1]
    expected = [(kept[-n:] * losses[:n]).sum() / kept[-n:].sum() for n in range(1, 51)]
    np.testing.assert_allclose(smoothed_losses(losses.tolist()), expected, rtol=1e-12)


def test_every_step_has_its_rate_and_nothing_else_of_the_schedule():
    told = Told([1.0] * STEPS)
    test = tried(told, RATES)
    assert told.seen == list(test.rates) == RATES
    assert told.settings.train.learning_rate == 7.0
    assert (RATES[0], RATES[-1]) == (pytest.approx(LOWEST), pytest.approx(HIGHEST))


def test_it_ends_where_the_loss_diverges():
    losses = [1.0] * 40 + [1.5**n for n in range(60)]
    test = tried(Told(losses), RATES)
    means = smoothed_losses(losses)
    last = next(n for n, mean in enumerate(means) if mean > DIVERGED * min(means[: n + 1]))
    assert test.losses == tuple(losses[: last + 1])
    assert len(test.rates) == len(test.losses) < STEPS


def test_it_ends_where_the_loss_is_not_finite():
    test = tried(Told([1.0] * 30 + [math.nan]), RATES)
    assert test.losses == (1.0,) * 30
    assert test.rates == tuple(RATES[:30])


def test_a_loss_that_is_not_finite_from_the_beginning_is_told():
    message = (
        r"the loss was not finite at a rate of 1.5e-06, in step 4.\nFix: train in full precision \(train.precision=32"
    )
    with pytest.raises(RunError, match=message):
        tried(Told([1.0, 1.0, 1.0, math.nan]), RATES)


@pytest.mark.parametrize("middle", [1e-4, 1e-2])
def test_the_suggestion_is_where_the_mean_falls_steepest(middle):
    losses = 1 / (1 + (np.array(RATES) / middle) ** 2) + 0.1
    test = RangeTest(tuple(RATES), tuple(losses.tolist()))
    lines = [np.polyfit(range(WINDOW), test.smoothed[n : n + WINDOW], 1)[0] for n in range(STEPS - WINDOW + 1)]
    assert test.suggested == RATES[int(np.argmin(lines)) + WINDOW // 2]
    assert middle < test.suggested < 5 * middle  # smoothing lags
    assert f"at a learning rate of {test.suggested:.1e}" in str(test)


@pytest.mark.parametrize("losses", [[1.0] * STEPS, np.linspace(1, 2, STEPS).tolist()])
def test_a_loss_that_never_falls_suggests_nothing(losses):
    test = RangeTest(tuple(RATES), tuple(losses))
    assert test.suggested is None
    assert str(test).endswith("the loss fell at none of these learning rates")


def test_the_steps_are_those_of_training(cells):
    """The first one at its rate is the first of a training with a constant schedule; the rate moves the weights."""
    settings = tiny_settings(learning_rate=0.5, schedule="constant")
    session, other = (prepare_training(cells, settings).session for _ in range(2))
    test = tried(session, [1e-2] * WINDOW)
    losses = [other.step(number, other.batches(number), LearningRate(1e-2)).loss for number in range(WINDOW)]
    assert test.losses == tuple(losses)
    assert other.optimiser.param_groups[0]["lr"] == session.optimiser.param_groups[0]["lr"] == 1e-2


def test_the_verb_writes_its_picture_and_nothing_else(tmp_path, cells):
    before = contents(cells)
    test = perpixel.find_lr(cells, settings=TINY, out=tmp_path / "new" / "rates.png")
    assert WINDOW <= len(test.losses) <= STEPS
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["rates.png"]
    assert contents(cells) == before
    with Image.open(tmp_path / "new" / "rates.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (960, 600))


@pytest.mark.parametrize(
    ("fonts", "labels"), [(["SimHei"], ("学习率", "损失")), (["DejaVu Sans"], ("learning rate", "loss"))]
)
def test_the_picture_is_in_the_language_that_is_spoken_where_a_font_has_its_letters(
    fonts, labels, monkeypatch, tmp_path, caplog
):
    drawn = []
    monkeypatch.setattr("matplotlib.font_manager.fontManager.get_font_names", lambda: fonts)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *_, **__: drawn.extend(figure.axes))
    monkeypatch.setattr("perpixel.report.range_figure.replacing", nullcontext)
    with caplog.at_level(logging.INFO, "perpixel"), speaking("zh"):
        range_figure(RangeTest(tuple(RATES), tuple(np.linspace(1, 0.1, STEPS))), tmp_path / "rates.png")
    assert [(panel.get_xlabel(), panel.get_ylabel()) for panel in drawn] == [labels]
    assert ("图中文字为英文" in caplog.text) == (labels[1] == "loss")


def test_a_place_that_cannot_be_written_is_told_before_the_steps(tmp_path, cells):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*file: Not a directory"):
        perpixel.find_lr(cells, settings=TINY, out=tmp_path / "file" / "rates.png")
