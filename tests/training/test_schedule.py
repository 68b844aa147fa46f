import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, PolynomialLR, StepLR

from perpixel.training.schedule import ONE_CYCLE_START, StepSchedule, learning_rate_share

SCHEDULES = ("one-cycle", "cosine", "poly", "step", "constant")


def rates_of(scheduler, optimiser, steps):
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.fixture
def optimiser():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_one_cycle_is_torchs(optimiser):
    """OneCycleLR with 101 steps takes its last at 100, which is our progress 1; it falls to 1/25 · 1e-12."""
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=101, pct_start=0.31, div_factor=25, final_div_factor=1e12, cycle_momentum=False
    )
    warmup = (0.31 * 101 - 1) / 100  # torch counts its warm-up in steps less one
    expected = rates_of(theirs, optimiser, 101)
    assert [learning_rate_share(step / 100, "one-cycle", warmup) for step in range(101)] == pytest.approx(
        expected, abs=1e-9
    )


def test_cosine_is_torchs(optimiser):
    expected = rates_of(CosineAnnealingLR(optimiser, 50), optimiser, 51)
    assert [learning_rate_share(step / 50, "cosine", warmup=0) for step in range(51)] == pytest.approx(
        expected, abs=1e-9
    )


def test_poly_is_torchs(optimiser):
    expected = rates_of(PolynomialLR(optimiser, 50, power=0.9), optimiser, 51)
    assert [learning_rate_share(step / 50, "poly", warmup=0) for step in range(51)] == pytest.approx(
        expected, abs=1e-9
    )


def test_steps_are_torchs(optimiser):
    expected = rates_of(StepLR(optimiser, 7, gamma=0.3), optimiser, 30)
    assert [learning_rate_share(0, "step", drops=step // 7, factor=0.3) for step in range(30)] == pytest.approx(
        expected, abs=1e-9
    )


@pytest.mark.parametrize("schedule", ["cosine", "poly"])
def test_the_warm_up_is_a_straight_line(schedule):
    assert learning_rate_share(0, schedule, 0.2) == ONE_CYCLE_START
    assert learning_rate_share(0.1, schedule, 0.2) == pytest.approx((1 + ONE_CYCLE_START) / 2)
    assert learning_rate_share(0.2, schedule, 0.2) == 1


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [0, 0.1, 1])
@given(progress=st.floats(0, 1))
def test_every_rate_is_a_share_of_the_highest(schedule, warmup, progress):
    assert 0 <= learning_rate_share(progress, schedule, warmup) <= 1


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "poly"])
def test_the_rate_ends_at_0(schedule):
    assert learning_rate_share(1.0, schedule) == pytest.approx(0, abs=1e-12)


@given(steps=st.integers(1, 10_000))
def test_progress_goes_evenly_from_0_to_1(steps):
    pace = StepSchedule(steps)
    assert pace.progress(0) == 0
    assert pace.progress(steps) == 1
    assert pace.progress(1) == pytest.approx(1 / steps)


@given(data=st.data(), steps=st.integers(2, 5_000))
def test_retiming_goes_on_where_it_was_and_completes(data, steps):
    pace = StepSchedule(steps)
    for _ in range(3):
        step = data.draw(st.integers(pace.anchor_step, pace.steps - 1))
        before = pace.progress(step)
        pace = pace.retimed(step, data.draw(st.integers(1, 10_000)))
        assert pace.steps > step
        assert pace.progress(step) == pytest.approx(before)
        assert pace.progress(pace.steps) == pytest.approx(1)
        assert pace.progress(step) <= pace.progress(step + 1)


@given(steps=st.integers(1, 400), times=st.integers(1, 40))
def test_so_many_events_are_due_and_one_at_the_end(steps, times):
    pace = StepSchedule(steps)
    due = [step for step in range(1, steps + 1) if pace.due(step, times)]
    assert due[-1] == steps
    assert len(due) == min(steps, times)
    assert max(b - a for a, b in zip([0, *due], due, strict=False)) <= math.ceil(steps / times)


def test_the_end_is_due_after_a_retiming():
    pace = StepSchedule(100).retimed(50, 60)
    assert [step for step in range(51, 61) if pace.due(step, 4)] == [55, 60]
