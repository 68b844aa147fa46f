"""The loop: steps, validations, checkpoints, and a schedule that always completes."""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field, replace
from pickle import UnpicklingError
from typing import Any, Final, Self

import numpy as np
import torch

from perpixel.errors import RunError
from perpixel.files.atomic import replacing
from perpixel.loading.batches import Batch
from perpixel.metrics import Counts
from perpixel.runtime.progress import bar
from perpixel.schedule import Pace
from perpixel.store.model_file import save_model
from perpixel.store.run_folder import Run
from perpixel.training.difficulty import Difficulty
from perpixel.training.interrupts import interruption
from perpixel.training.session import Session, Step
from perpixel.training.validation import Validation
from perpixel.training.watching import WATCHERS, Watcher

RETIMED_EVERY: Final = 20
RETIMED_TIMES: Final = 30
"""A training of few steps looks at the clock so many times, one of many after every RETIMED_EVERY."""
RECENT_STEPS: Final = 4
"""The speed is that of so many times the steps between two looks."""
RETIMED_FROM_SHARE: Final = 0.02
SAVED_EVERY_SECONDS: Final = 60.0
SKIPPED_IN_A_ROW: Final = 20
PICTURES_WATCHED: Final = 3
KEPT_AS_THEY_ARE: Final = ("step", "history", "best", "stale", "validation_seconds", "skipped")


@dataclass(frozen=True)
class Interval:
    """Sums since the last validation.

    Args:
        loss: Sum of the losses of all views.
        images: Number of views.
        counts: Their right and wrong pixels.
        seconds: Spent in steps and in waiting.
        waiting: Seconds spent waiting for batches.
    """

    counts: Counts
    loss: float = 0.0
    images: int = 0
    seconds: float = 0.0
    waiting: float = 0.0

    def plus(self, step: Step, seconds: float, waiting: float) -> Self:
        """Add one step; a skipped one counts its time only."""
        timed = replace(self, seconds=self.seconds + seconds + waiting, waiting=self.waiting + waiting)
        if math.isnan(step.loss):
            return timed
        loss, images = self.loss + step.loss * step.images, self.images + step.images
        return replace(timed, loss=loss, images=images, counts=self.counts + step.counts)


@dataclass
class State:
    """What changes while a run goes on; all of it is in every checkpoint.

    Args:
        pace: Number of steps and progress.
        interval: Sums since the last validation.
        difficulty: Of the training images, where views are drawn by it.
        step: Steps taken.
        history: A row a validation.
        best: The best score so far, in the sense of `train.monitor`.
        stale: Validations since then.
        validation_seconds: What a validation lasts, as measured last.
        spent: Seconds of earlier sittings.
        skipped: Steps left out because the loss was not finite.
    """

    pace: Pace
    interval: Interval
    difficulty: Difficulty
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best: float = -math.inf
    stale: int = 0
    validation_seconds: float = 0.0
    spent: float = 0.0
    skipped: int = 0


class Loop:
    """Runs a session to its end.

    Args:
        session: What takes the steps.
        run: Where everything is written.
        state: A fresh one, or one from a checkpoint.
        started: When the budget began to run, by `time.monotonic`.
    """

    def __init__(self, session: Session, run: Run, state: State, started: float) -> None:
        self._session = session
        self._ranks = session.ranks
        self._run = run
        self._state = state
        self._started = started
        self._saved = time.monotonic()
        self._in_a_row = 0
        self._watchers: list[Watcher] = []
        self._step_seconds: deque[float] = deque(maxlen=RECENT_STEPS * RETIMED_EVERY)

    def finish(self) -> bool:
        """Go on to the last step. False where the user stopped it; then a checkpoint waits for `--resume`."""
        state = self._state
        with ExitStack() as stack:
            stop, show = stack.enter_context(interruption()), stack.enter_context(bar("training"))
            batches = stack.enter_context(closing(self._batches()))
            self._watchers = self._watchers_from(stack)
            while not self._is_over:
                step = self._next_step(batches)
                self._watch(step)
                if state.pace.due(state.step, self._run.settings.train.validation_passes):
                    self._validate(step)
                elif time.monotonic() - self._saved > SAVED_EVERY_SECONDS:
                    self._save()
                self._keep()
                self._retime()
                show(state.pace.progress(state.step), 1.0, self._note(step))
                if self._ranks.any(stop()) and not self._is_over:
                    self._save()
                    return False
        if self._ranks.is_first:
            save_model(self._run.last_weights_path, self._session.card, self._weights())
        return True

    def _keep(self) -> None:
        """Write a model file after every `train.keep_every` epochs; any of them predicts."""
        epochs, step = self._run.settings.train.keep_every, self._state.step
        if not epochs or not self._ranks.is_first or step % (epochs * self._session.batches.steps_per_epoch):
            return
        epoch = step // self._session.batches.steps_per_epoch
        save_model(self._run.kept_path(epoch), self._session.card, self._weights())

    def _watchers_from(self, stack: ExitStack) -> list[Watcher]:
        """Open what watches, in the one process that tells."""
        names = self._run.settings.train.loggers if self._ranks.is_first else ()
        opened = [WATCHERS[name](self._run.folder, self._state.step) for name in names]
        return [stack.enter_context(closing(each)) for each in opened]

    @property
    def _is_over(self) -> bool:
        """Whether the last step is taken, or `train.early_stopping` is at its end."""
        patience = self._run.settings.train.early_stopping
        return self._state.step >= self._state.pace.steps or 0 < patience <= self._state.stale

    def _batches(self) -> Generator[Batch]:
        """Batches read ahead, anew after a validation that tells which images are hard."""
        while True:
            difficulty = self._state.difficulty
            with closing(self._session.stream(self._state.step, difficulty.errors)) as batches:
                for batch in batches:
                    yield batch
                    if not torch.equal(self._state.difficulty.known, difficulty.known):
                        break

    def _next_step(self, batches: Iterator[Batch]) -> Step:
        """Wait for a batch, take a step, and add both up."""
        state, before = self._state, time.monotonic()
        batch = next(batches)
        ready = time.monotonic()
        step = self._session.step(state.step, batch, state.pace)
        seconds = time.monotonic() - ready
        state.step += 1
        state.interval = state.interval.plus(step, seconds, ready - before)
        if not math.isnan(step.loss):
            state.difficulty = state.difficulty.plus(step.tally)
        self._step_seconds.append(time.monotonic() - before)
        if self._session.accumulate != self._run.settings.train.accumulate:
            self._change(accumulate=self._session.accumulate)
            self._save()  # from here on it is another computation
        return step

    def _change(self, **train: Any) -> None:
        """Write down a setting that turned out otherwise."""
        settings = self._run.settings
        settings = settings.model_copy(update={"train": settings.train.model_copy(update=train)})
        self._run = replace(self._run, settings=settings)
        if self._ranks.is_first:
            self._run.save_settings()

    def _weights(self) -> dict[str, Any]:
        weights: dict[str, Any] = self._session.judged.state_dict()
        return weights

    def _watch(self, step: Step) -> None:
        """Count steps whose loss is not finite, and stop where there are only such."""
        if not math.isnan(step.loss):
            self._in_a_row = 0
            return
        self._state.skipped += 1
        self._in_a_row += 1
        if self._in_a_row >= SKIPPED_IN_A_ROW:
            raise RunError(
                f"the loss was not finite in the last {self._in_a_row} steps, up to step {self._state.step}.",
                fix=f"lower the rate (--set train.learning_rate={self._session.settings.train.learning_rate / 10:g}) "
                "or train in full precision (--set train.precision=32); the best weights so far are kept.",
            )

    def _retime(self) -> None:
        """Where minutes are the budget, fit the rest of the schedule into what is left of them."""
        state, minutes = self._state, self._run.budget.get("minutes")
        every = max(1, min(RETIMED_EVERY, state.pace.steps // RETIMED_TIMES))
        recent = list(self._step_seconds)[-RECENT_STEPS * every :]
        if minutes is None or self._is_over or state.step % every or len(recent) < RECENT_STEPS * every:
            return
        validations = self._run.settings.train.validation_passes
        progress = state.pace.progress(state.step)
        validating = state.validation_seconds * math.ceil((1 - progress) * validations)
        left = minutes * 60 - self._elapsed() - validating
        step_seconds = float(np.mean(recent))
        steps = self._ranks.first(state.step + max(1, round(left / step_seconds)))
        if abs(steps - state.pace.steps) > RETIMED_FROM_SHARE * (state.pace.steps - state.step):
            state.pace = state.pace.retimed(state.step, steps)
            self._change(steps=state.pace.steps)

    def _elapsed(self) -> float:
        return self._state.spent + time.monotonic() - self._started

    def _validate(self, step: Step) -> None:
        before = time.monotonic()
        validation = self._session.validate()
        self._state.validation_seconds = time.monotonic() - before
        self._record(validation, step)
        score = validation.scores[self._run.settings.train.monitor]
        score = -score if self._run.settings.train.monitor == "loss" else score
        is_better = score > self._state.best
        self._state.stale = 0 if is_better else self._state.stale + 1
        if is_better:
            self._state.best = score
        if self._ranks.is_first and (is_better or not self._run.model_path.exists()):
            save_model(self._run.model_path, self._session.card, self._weights())
        self._save()

    def _record(self, validation: Validation, step: Step) -> None:
        state, interval = self._state, self._state.interval
        state.history.append(
            {
                "step": state.step,
                "epoch": state.step / self._session.batches.steps_per_epoch,
                "seconds": self._elapsed(),
                "learning_rate": step.rate,
                "train_loss": interval.loss / interval.images if interval.images else math.nan,
                "train_mean_iou": float(interval.counts.mean_iou),
                **{f"validation_{name}": score for name, score in validation.scores.items()},
                "images_per_second": interval.images / interval.seconds,
                "waiting_share": interval.waiting / interval.seconds,
                "skipped_steps": state.skipped,
            }
        )
        labels = self._session.card.codec.labels
        state.interval = Interval(Counts.zero(len(labels), labels.kind))
        state.difficulty = state.difficulty.made_known()
        if self._ranks.is_first:
            self._run.save_history(state.history)
        for watcher in self._watchers:
            watcher.scores(state.history[-1], state.step)
            watcher.pictures(self._session.pictures(PICTURES_WATCHED), state.step)

    def _save(self) -> None:
        """Write a checkpoint from which the run goes on to the same bits; one of several processes does."""
        self._saved = time.monotonic()
        if not self._ranks.is_first:
            return
        state = self._state
        stored = {
            **self._session.state(),
            "state": {
                **{key: getattr(state, key) for key in KEPT_AS_THEY_ARE},
                "spent": self._elapsed(),
                "pace": asdict(state.pace),
                "interval": {**vars(state.interval), "counts": state.interval.counts.to_dict()},
                "difficulty": vars(state.difficulty),
            },
        }
        with replacing(self._run.checkpoint_path(state.step)) as temporary:
            torch.save(stored, temporary)
        self._run.drop_old_checkpoints()

    def _note(self, step: Step) -> str:
        last = self._state.history[-1]["validation_mean_iou"] if self._state.history else math.nan
        speed = step.images / self._step_seconds[-1]
        return f"loss {step.loss:.3f}  validation IoU {last:.3f}  {speed:.0f} images/s"


def restored(session: Session, run: Run) -> State:
    """Load the newest whole checkpoint into the session. Raises RunError where none is whole."""
    for path in run.checkpoints:
        try:
            stored = torch.load(path, weights_only=True, map_location="cpu")
        except (OSError, RuntimeError, EOFError, UnpicklingError):
            continue
        session.load(stored)
        kept = stored["state"]
        interval = Interval(**{**kept["interval"], "counts": Counts.from_dict(kept["interval"]["counts"])})
        difficulty = Difficulty(**kept["difficulty"])
        return State(**{**kept, "pace": Pace(**kept["pace"]), "interval": interval, "difficulty": difficulty})
    raise RunError(f"every checkpoint of {run.folder} is damaged.", fix="train it anew with --overwrite.")
