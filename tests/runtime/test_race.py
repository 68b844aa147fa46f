"""The faster of two ways is found on a clock that slows down, in either direction."""

import pytest

from perpixel.runtime.race import LEAST_ROUNDS, MOST_ROUNDS, race


class Machine:
    """Work takes the seconds that it is told; the machine slows down by a factor after every piece."""

    def __init__(self, slowing=1.0):
        self.now, self.speed, self.slowing, self.runs = 0.0, 1.0, slowing, 0

    def work(self, seconds):
        def run():
            self.now += seconds * self.speed
            self.speed *= self.slowing
            self.runs += 1

        return run

    def clock(self):
        return self.now


@pytest.mark.parametrize(("first", "second", "wins"), [(0.2, 0.1, True), (0.1, 0.2, False), (0.1, 0.099, False)])
def test_the_second_wins_only_where_it_is_clearly_faster(first, second, wins):
    machine = Machine()
    result = race(machine.work(first), machine.work(second), seconds=2, clock=machine.clock)
    assert result.second_wins is wins
    assert (result.first_seconds, result.second_seconds) == pytest.approx((first, second))
    assert result.ratio == pytest.approx(first / second)


def test_a_machine_that_slows_down_slows_both_of_a_round():
    machine = Machine(slowing=1.02)
    result = race(machine.work(0.11), machine.work(0.1), seconds=5, clock=machine.clock)
    assert result.ratio == pytest.approx(1.1 / 1.02)


@pytest.mark.parametrize(("seconds", "rounds"), [(0, LEAST_ROUNDS), (1.0, 5), (1e9, MOST_ROUNDS)])
def test_it_ends_in_time(seconds, rounds):
    machine = Machine()
    race(machine.work(0.1), machine.work(0.1), seconds=seconds, clock=machine.clock)
    assert machine.runs == 2 * (rounds + 1)
