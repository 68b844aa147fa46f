"""The clock: what a step and a validation last here, and so how many steps a budget of minutes holds."""

import copy
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from perpixel.errors import SettingsError
from perpixel.losses import weighted
from perpixel.runtime.hardware import chosen_device, has_bfloat16, is_out_of_memory, process_threads
from perpixel.runtime.json_values import JsonMapping
from perpixel.runtime.progress import Progress, silent
from perpixel.runtime.race import LEAST_ROUNDS, Race, race
from perpixel.settings.tree import Request, Settings, TrainSettings, changed
from perpixel.store.model_file import ModelCard
from perpixel.training.schedule import StepSchedule
from perpixel.training.session import Session
from perpixel.training.step import freeze, hardware_for, loss_of, set_training_mode
from perpixel.training.validation import validate

TIMED_SHARE: Final = 0.01
"""Of the minutes, for a first timing of steps: the trainer times them again as it goes on."""
TIMED_S: Final = 10.0
"""For the first timing, at most."""
TIMED_STEPS: Final = 3
TIMED_MOST: Final = 0.2
"""Of the minutes, after which no further step is timed: where so few steps take so long, they are too slow."""
TICK_S: Final = 1e-3
"""Nothing is taken to last less: there are clocks that tick 64 times a second."""
VALIDATION_SHARE: Final = 0.08
"""Of the minutes, at most so much for scores on the way; at 0.15, two minutes lost 15 s to four of them."""
LEAST_STEPS: Final = 10

TRIED_SIDE: Final = 256
TRIED_CROPS: Final = 4
TRIED_STEPS: Final = 2
TRIED_S: Final = 6.0
"""After so long nothing is tried again: of work as slow, the second or two of warming up are a small part."""
USED_SHARE: Final = 0.85
"""Of the minutes, what is left for training steps; the rest goes to reading, validating and writing."""
FEW_STEPS: Final = 40
"""A budget of so many steps, or of epochs that hold no more, is not timed: it is over soon."""
RACE_S: Final = 2.0
"""How long two ways of a step are compared."""
RACE_SHARE: Final = 0.02
"""Of the minutes, at most so much for comparing two ways of a step."""
LEAST_CROPS: Final = 2
LEAST_SIDE: Final = 64
SIDE_STEP: Final = 32
"""Of the smallest crops that two ways are compared on, where the network is slow for the minutes."""


@dataclass(frozen=True)
class FittedBudget:
    """How the budget is spent.

    Args:
        settings: With steps in place of the budget.
        step_seconds: What a training step lasts; 0 where it was not timed.
        validation_seconds: What a validation lasts; 0 where it was not timed.
    """

    settings: Settings
    step_seconds: float = 0.0
    validation_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """What all steps and validations will last; 0 where they were not timed."""
        train = self.settings.train
        validations = min(train.validation_passes, train.steps or 0)
        return (train.steps or 0) * self.step_seconds + validations * self.validation_seconds


def fit_budget(session: Session, started: float, progress: Progress = silent) -> FittedBudget:
    """Freeze the budget of a session as steps.

    Args:
        session: Its settings hold the budget.
        started: When the minutes began to run, by `time.monotonic`.
        progress: Called while steps are timed.

    Raises:
        SettingsError: The minutes hold too few steps beside one validation.
    """
    settings, train = session.settings, session.settings.train
    if train.minutes is None:
        return _fixed_number(session, progress)
    budget = train.minutes * 60
    step_seconds = time_step(session, min(TIMED_SHARE * budget, TIMED_S), TIMED_MOST * budget, progress)
    validation_seconds = time_validation(session)
    left = session.ranks.first(budget - (time.monotonic() - started))
    validations = max(1, min(train.validation_passes, math.floor(VALIDATION_SHARE * budget / validation_seconds)))
    steps = math.floor((left - validations * validation_seconds) / step_seconds)
    if steps < LEAST_STEPS:
        needed = (budget - left + validation_seconds + 2 * LEAST_STEPS * step_seconds) / 60
        least = f"{math.ceil(needed * 10) / 10:g}"
        are_steps_slow = LEAST_STEPS * step_seconds > validation_seconds
        raise SettingsError(
            f"train.minutes = {train.minutes:g} holds {max(steps, 0)} training steps of {_short(step_seconds)} s "
            f"next to one validation, which lasts {_short(validation_seconds)} s.",
            fix=f"give at least {least} minutes, or smaller crops or batches."
            if are_steps_slow
            else f"give at least {least} minutes, or fewer or smaller validation images.",
        )
    frozen = {"minutes": None, "steps": steps, "validation_passes": validations, "accumulate": session.accumulate}
    fitted = changed(settings, {f"train.{name}": value for name, value in frozen.items()})
    return FittedBudget(fitted, step_seconds, validation_seconds)


def _fixed_number(session: Session, progress: Progress) -> FittedBudget:
    """A budget of steps or epochs, timed where it is not over at once."""
    settings, train = session.settings, session.settings.train
    if train.steps is None:
        assert train.epochs is not None
        steps = train.epochs * session.batches.steps_per_epoch
        settings = changed(settings, {"train.epochs": None, "train.steps": steps})
    if (settings.train.steps or 0) <= FEW_STEPS:
        return FittedBudget(settings)
    return FittedBudget(settings, time_step(session, progress=progress), time_validation(session))


def time_step(
    session: Session, seconds: float = 0.0, most_seconds: float = math.inf, progress: Progress = silent
) -> float:
    """Seconds of a training step, the median of real steps; the session is left as it was.

    Args:
        session: Takes the steps.
        seconds: How long to measure, and TIMED_STEPS after the first even if they last longer.
        most_seconds: After so long no further step is taken.
        progress: Called after each step.
    """
    state = copy.deepcopy(session.state())
    times: list[float] = []
    start = time.monotonic()
    with closing(session.stream(0)) as batches:
        for number, batch in enumerate(batches):
            before = time.monotonic()
            session.step(number, batch, session.learning_rate(number, StepSchedule(10**6)))
            times.append(time.monotonic() - before)
            passed, enough = time.monotonic() - start, len(times) > TIMED_STEPS
            progress("timing steps", min(len(times) / (TIMED_STEPS + 1), passed / max(seconds, 1e-9), 1), 1)
            if session.ranks.any((enough and passed > seconds) or passed > most_seconds):
                break
    session.load(state)
    return session.ranks.first(max(float(np.median(times[1:] or times)), TICK_S))


def time_validation(session: Session) -> float:
    """Seconds that a validation will last, from one image of the largest size; the lesser of two, warmed up."""
    areas = [sample.height * sample.width for sample in session.validation_samples]
    largest = session.validation_samples[int(np.argmax(areas))]
    times: list[float] = []
    while len(times) < TIMED_STEPS and sum(times) < TRIED_S:
        start = time.monotonic()
        validate(session.predictor(), session.dataset, [largest], session.validation_loss)
        times.append(time.monotonic() - start)
    seconds = max(min(times[1:] or times), TICK_S)
    return session.ranks.first(seconds * sum(areas) / max(areas) / session.ranks.number)


class Stopwatch:
    """Answers what the rules ask of the machine, see `planning.Timings`; the speed of each network is timed once.

    Answers differ from machine to machine, and a little from time to time.

    Args:
        card_for: What the network of some settings is.
        progress: Called after each network that is timed.
    """

    def __init__(self, card_for: Callable[[Request], ModelCard], progress: Progress = silent) -> None:
        self._card_for = card_for
        self._progress = progress
        self._speeds: dict[str, float] = {}

    def pixels(self, request: Request) -> float:
        """Pixels that training sees before the budget ends; infinite where epochs are the budget."""
        train = request.train
        if train.epochs is not None:
            return float("inf")
        if train.steps is not None:
            return float(train.steps * train.batch_size * train.crop_hw[0] * train.crop_hw[1])
        assert train.minutes is not None
        return USED_SHARE * train.minutes * 60 * self._speed(request)

    def precisions(self, request: Request) -> Race | None:
        """A training step in float32, then in bfloat16; None where the device would emulate bfloat16."""
        if not has_bfloat16(chosen_device(request.train.device)):
            return None
        return self._race(request, {"train.precision": "32"}, {"train.precision": "bf16"})

    def threads(self, request: Request) -> Race | None:
        """A training step with all threads of this process, then with half; None for one, or without minutes."""
        every = process_threads()
        if request.train.minutes is None or every == 1 or chosen_device(request.train.device) != "cpu":
            return None
        try:
            return self._race(request, {"train.threads": every}, {"train.threads": every // 2})
        finally:
            torch.set_num_threads(every)

    def memory_formats(self, request: Request) -> Race | None:
        """A training step with channels last, then with channels first; None where minutes are not the budget."""
        if request.train.minutes is None or chosen_device(request.train.device) == "mps":
            return None
        last, first = ({"train.memory_format": name} for name in ("channels_last", "channels_first"))
        return self._race(request, last, first)

    def _race(self, request: Request, *ways: JsonMapping) -> Race:
        """Steps of the network in turns, on its own shapes; on fewer, smaller crops where they would last long."""
        card = self._card_for(request)
        shape = (request.train.batch_size // request.train.accumulate, *request.train.crop_hw)
        seconds = RACE_S
        if request.train.minutes is not None:
            seconds = min(RACE_S, RACE_SHARE * request.train.minutes * 60)
            longest = seconds / (LEAST_ROUNDS + 1) / len(ways)
            shape = _within(shape, longest * self._speed(request))
        one, other = (_step(changed(request, way).train, card, shape) for way in ways)
        return race(one, other, seconds=seconds)

    def _speed(self, request: Request) -> float:
        """Pixels a second that the network of some settings trains on."""
        name = str((request.model, request.train.encoder_norm, request.train.frozen_stages))
        if name not in self._speeds:
            self._speeds[name] = _speed_of(request, self._card_for(request), self._progress)
        return self._speeds[name]


def _within(shape: tuple[int, int, int], pixels: float) -> tuple[int, int, int]:
    """As many crops (N, H, W) as so many pixels hold, at least LEAST_CROPS, which are smaller where they must be."""
    crops, *sides = shape
    fewest, area = min(LEAST_CROPS, crops), math.prod(sides)
    if pixels >= fewest * area:
        return min(crops, int(pixels // area)), *shape[1:]
    shrunk = math.sqrt(pixels / fewest / area)
    height, width = (min(side, max(LEAST_SIDE, int(shrunk * side) // SIDE_STEP * SIDE_STEP)) for side in sides)
    return fewest, height, width


def _speed_of(request: Request, card: ModelCard, progress: Progress = silent) -> float:
    """Pixels a second that a network trains on; in the faster precision, where it is open."""
    train = request.train
    if train.precision == "auto" and has_bfloat16(chosen_device(train.device)):
        tried = [changed(request, {"train.precision": precision}).train for precision in ("32", "bf16")]
    else:
        tried = [train]
    return max(_pixels_per_second(each, card, progress) for each in tried)


def _pixels_per_second(train: TrainSettings, card: ModelCard, progress: Progress) -> float:
    """By steps on TRIED_CROPS; by one on fewer, smaller crops, which warms up too, where they would last long."""
    few, many = (LEAST_CROPS, TRIED_SIDE // 2, TRIED_SIDE // 2), (TRIED_CROPS, TRIED_SIDE, TRIED_SIDE)
    seconds = _seconds_of(train, card, few, 1, progress)
    if seconds * math.prod(many) / math.prod(few) > TRIED_S:
        return math.prod(few) / seconds
    return math.prod(many) / _seconds_of(train, card, many, TRIED_STEPS, progress)


def _seconds_of(
    train: TrainSettings, card: ModelCard, shape: tuple[int, int, int], most: int, progress: Progress
) -> float:
    """The least that a step on crops of this shape (N, H, W) lasts, of so many."""
    step, seconds = _step(train, card, shape), list[float]()
    while len(seconds) < most and sum(seconds) < TRIED_S:
        start = time.monotonic()
        step()
        seconds.append(time.monotonic() - start)
        progress("timing networks", max(len(seconds) / TRIED_STEPS, min(sum(seconds) / TRIED_S, 1)), 1)
    return max(min(seconds), TICK_S)


def _step(train: TrainSettings, card: ModelCard, shape: tuple[int, int, int]) -> Callable[[], None]:
    """The costly part of a training step, on crops (N, H, W) of nothing: the loss and its gradients."""
    hardware = hardware_for(train)
    network = hardware.placed(card.build("none"))
    freeze(network, train, card.codec.channels)
    set_training_mode(network, train)
    crops, height, width = shape
    image = hardware.placed(torch.zeros(crops, card.codec.channels, height, width))
    target = torch.zeros(crops, len(card.codec.labels), height, width, dtype=torch.uint8).to(hardware.device)

    bce = weighted({"bce": 1.0}, "multilabel")

    def step() -> None:
        if train.threads is not None:
            torch.set_num_threads(train.threads)
        try:
            value, *_ = loss_of(network.training_outputs, image, target, bce, network.loss_weights, hardware)
            value.backward()  # type: ignore[no-untyped-call] # of torch
            float(value.detach())  # waits for the device
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise SettingsError(
                f"the memory does not hold {crops} crops of {height} × {width} pixels to time the network on.",
                fix="give steps or epochs in place of minutes, or choose a smaller network.",
            ) from error

    return step


def _short(seconds: float) -> str:
    """Two digits that count.

    >>> _short(0.1734), _short(334.0)
    ('0.17', '330')
    """
    return f"{float(f'{seconds:.2g}'):g}"
