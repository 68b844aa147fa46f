"""Which of two ways is faster here and now: both are run in turns, and their times compared pair by pair."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

LEAST_ROUNDS: Final = 3
MOST_ROUNDS: Final = 50
CLEARLY_FASTER: Final = 1.03
"""Below this ratio two ways count as equally fast: timings of a second or two tell no finer."""


@dataclass(frozen=True)
class Race:
    """What two ways took.

    Args:
        first_seconds: Median of the first.
        second_seconds: Median of the second.
        ratio: Median over the rounds of first / second: how many times as fast the second is. A machine that slows
            down in between slows both of a round, so that this holds where the two medians may not.
    """

    first_seconds: float
    second_seconds: float
    ratio: float

    @property
    def second_wins(self) -> bool:
        """Whether the second is faster by more than the timing may err."""
        return self.ratio > CLEARLY_FASTER


def race(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Race:
    """Time two ways in turns, after one run of each to warm up.

    Args:
        first: Does its work and waits for it to end.
        second: The same in another way.
        seconds: How long to go on; at least `LEAST_ROUNDS` rounds, at most `MOST_ROUNDS`.
        clock: Tells seconds.
    """
    first()
    second()
    start = clock()
    times: list[tuple[float, float]] = []
    while len(times) < MOST_ROUNDS and (len(times) < LEAST_ROUNDS or clock() - start < seconds):
        times.append((_timed(first, clock), _timed(second, clock)))
    firsts, seconds_of_second = zip(*times, strict=True)
    return Race(median(firsts), median(seconds_of_second), median(one / other for one, other in times))


def _timed(run: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return max(clock() - start, 1e-9)
