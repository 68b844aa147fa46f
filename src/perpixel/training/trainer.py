"""The loop: steps, validations, checkpoints, and a schedule that always completes."""

import math
import time
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from perpixel.errors import RunError
from perpixel.language import say
from perpixel.language.notices import LOGGER
from perpixel.runtime.json_values import JsonMapping
from perpixel.runtime.progress import Progress
from perpixel.settings.tree import changed
from perpixel.store.model_file import save_model
from perpixel.store.run_folder import Run
from perpixel.training.announcements import validation_line
from perpixel.training.averaging import StateDict
from perpixel.training.checkpoint import RunningSums, TrainingState, save_checkpoint
from perpixel.training.interrupts import interruption
from perpixel.training.loading.batches import Batch
from perpixel.training.loggers import LOGGERS, Logger
from perpixel.training.session import Session
from perpixel.training.step import StepResult
from perpixel.training.validation import Validation

RETIMED_EVERY: Final = 20
RETIMED_TIMES: Final = 30
"""A training of few steps looks at the clock so many times, one of many after every RETIMED_EVERY."""
RECENT_STEPS: Final = 4
"""The speed is that of so many times the steps between two looks."""
RETIMED_FROM_SHARE: Final = 0.02
SAVED_EVERY_SECONDS: Final = 60.0
SKIPPED_IN_A_ROW: Final = 20
PICTURES_WATCHED: Final = 3


class Trainer:
    """Runs a session to its end.

    Args:
        session: What takes the steps.
        run: Where everything is written.
        state: A fresh one, or one from a checkpoint.
        started: When the budget began to run, by `time.monotonic`.
        progress: Called after every step.
    """

    def __init__(self, session: Session, run: Run, state: TrainingState, started: float, progress: Progress) -> None:
        self._session = session
        self._ranks = session.ranks
        self._run = run
        self._state = state
        self._started = started
        self._saved = time.monotonic()
        self._progress = progress
        self._loggers: list[Logger] = []
        self._step_seconds: deque[float] = deque(maxlen=RECENT_STEPS * RETIMED_EVERY)

    def finish(self) -> bool:
        """Go on to the last step. False where the user stopped it; then a checkpoint is there to resume from."""
        state = self._state
        with ExitStack() as stack:
            stop = stack.enter_context(interruption())
            batches = stack.enter_context(closing(self._batches()))
            self._loggers = self._opened_loggers(stack)
            while not self._is_over:
                step = self._next_step(batches)
                self._count_skipped(step)
                self._end_epoch(step)
                if state.schedule.due(state.step, self._run.settings.train.validation_passes):
                    self._validate(step)
                elif time.monotonic() - self._saved > SAVED_EVERY_SECONDS:
                    self._save()
                self._keep()
                self._retime()
                self._progress("training", state.schedule.progress(state.step), 1.0, self._note(step))
                if self._ranks.any(stop()) and not self._is_over:
                    self._stop()
                    return False
        if self._ranks.is_first:
            save_model(self._run.last_weights_path, self._session.card, self._weights())
        return True

    def _stop(self) -> None:
        """Leave a checkpoint to resume from, and a model that predicts even before the first validation."""
        self._save()
        if self._ranks.is_first and not self._run.model_path.exists():
            save_model(self._run.model_path, self._session.card, self._weights())

    def _keep(self) -> None:
        """Write a model file after every `train.keep_every` epochs; any of them predicts."""
        epochs, step = self._run.settings.train.keep_every, self._state.step
        if not epochs or not self._ranks.is_first or step % (epochs * self._session.batches.steps_per_epoch):
            return
        epoch = step // self._session.batches.steps_per_epoch
        save_model(self._run.kept_path(epoch), self._session.card, self._weights())

    def _opened_loggers(self, stack: ExitStack) -> list[Logger]:
        """Open the loggers, in the one process that writes; a progress may have one, too."""
        if not self._ranks.is_first:
            return []
        opened = [LOGGERS[name](self._run.folder, self._state.step) for name in self._run.settings.train.loggers]
        if isinstance(logger := getattr(self._progress, "logger", None), Logger):
            opened.append(logger)
        return [stack.enter_context(closing(each)) for each in opened]

    @property
    def _is_over(self) -> bool:
        """Whether the last step is taken, or `train.early_stopping` is at its end."""
        patience = self._run.settings.train.early_stopping
        return self._state.step >= self._state.schedule.steps or 0 < patience <= self._state.stale

    def _batches(self) -> Generator[Batch]:
        """Batches read ahead, anew after a validation that tells which images are hard."""
        while True:
            difficulty = self._state.difficulty
            with closing(self._session.stream(self._state.step, difficulty.errors)) as batches:
                for batch in batches:
                    yield batch
                    if not torch.equal(self._state.difficulty.known, difficulty.known):
                        break

    def _next_step(self, batches: Iterator[Batch]) -> StepResult:
        """Wait for a batch, take a step, and add both up."""
        state, before = self._state, time.monotonic()
        batch = next(batches)
        ready = time.monotonic()
        step = self._session.step(state.step, batch, self._session.learning_rate(state.step, state.schedule))
        seconds = time.monotonic() - ready
        state.step += 1
        state.sums = state.sums.plus(step, seconds, ready - before)
        state.epoch_sums = state.epoch_sums.plus(step, seconds, ready - before)
        if not math.isnan(step.loss):
            state.difficulty = state.difficulty.plus(step.tally)
        self._step_seconds.append(time.monotonic() - before)
        if self._session.accumulate != self._run.settings.train.accumulate:
            self._change({"train.accumulate": self._session.accumulate})
            self._save()  # from here on it is another computation
        return step

    def _change(self, changes: JsonMapping) -> None:
        """Write down a setting that turned out otherwise."""
        self._run = replace(self._run, settings=changed(self._run.settings, changes))
        if self._ranks.is_first:
            self._run.save_settings()

    def _weights(self) -> StateDict:
        weights: StateDict = self._session.judged.state_dict()
        return weights

    def _count_skipped(self, step: StepResult) -> None:
        """Count steps whose loss is not finite, and stop where there are only such."""
        state = self._state
        if not math.isnan(step.loss):
            state.skipped_in_a_row = 0
            return
        state.skipped += 1
        state.skipped_in_a_row += 1
        if state.skipped_in_a_row >= SKIPPED_IN_A_ROW:
            lower = self._session.settings.train.learning_rate / 10
            raise RunError(
                f"the loss was not finite in the last {state.skipped_in_a_row} steps, up to step {state.step}.",
                fix=f"lower the learning rate (train.learning_rate={lower:g}) or train in full precision "
                "(train.precision=32); the best weights so far are kept.",
            )

    def _retime(self) -> None:
        """Where minutes are the budget, fit the rest of the schedule into what is left of them."""
        state, minutes = self._state, self._run.budget.get("minutes")
        every = max(1, min(RETIMED_EVERY, state.schedule.steps // RETIMED_TIMES))
        recent = list(self._step_seconds)[-RECENT_STEPS * every :]
        if minutes is None or self._is_over or state.step % every or len(recent) < RECENT_STEPS * every:
            return
        validations = self._run.settings.train.validation_passes
        progress = state.schedule.progress(state.step)
        validating = state.validation_seconds * math.ceil((1 - progress) * validations)
        left = minutes * 60 - self._elapsed() - validating
        step_seconds = float(np.mean(recent))
        steps = self._ranks.first(state.step + max(1, round(left / step_seconds)))
        if abs(steps - state.schedule.steps) > RETIMED_FROM_SHARE * (state.schedule.steps - state.step):
            state.schedule = state.schedule.retimed(state.step, steps)
            self._change({"train.steps": state.schedule.steps})

    def _elapsed(self) -> float:
        return self._state.spent + time.monotonic() - self._started

    def _validate(self, step: StepResult) -> None:
        before = time.monotonic()
        validation = self._session.validate()
        self._state.validation_seconds = time.monotonic() - before
        score = self._session.monitored(validation)
        self._record(validation, step, score)
        is_better = score > self._state.best
        self._state.stale = 0 if is_better else self._state.stale + 1
        if is_better:
            self._state.best = score
        if self._ranks.is_first:
            passes, row = self._run.settings.train.validation_passes, self._state.history[-1]
            LOGGER.info("%s", validation_line(row, len(self._state.history), passes, is_best=is_better))
        if self._ranks.is_first and (is_better or not self._run.model_path.exists()):
            save_model(self._run.model_path, self._session.card, self._weights())
        self._save()

    def _record(self, validation: Validation, step: StepResult, score: float) -> None:
        state, sums = self._state, self._state.sums
        scores, monitor = validation.scores, str(self._run.settings.train.monitor)
        scores |= {} if monitor in scores else {"monitored": score}
        state.history.append(
            {
                "step": state.step,
                "epoch": state.step / self._session.batches.steps_per_epoch,
                "seconds": self._elapsed(),
                "learning_rate": step.learning_rate,
                **sums.scores,
                **{f"validation_{name}": each for name, each in scores.items()},
                "images_per_second": sums.images / sums.seconds,
                "waiting_share": sums.waiting / sums.seconds,
                "skipped_steps": state.skipped,
            }
        )
        state.sums = RunningSums.none_of(self._session)
        state.difficulty = state.difficulty.made_known()
        if self._ranks.is_first:
            self._run.save_history(state.history)
            self._run.save_epochs(state.epochs)
        for logger in self._loggers:
            logger.scores(state.history[-1], state.step)
            logger.pictures(self._session.pictures(PICTURES_WATCHED), state.step)

    def _end_epoch(self, step: StepResult) -> None:
        """Note the means of a pass over the training images, whether images are validated then or not."""
        state = self._state
        epoch, left = divmod(state.step, self._session.batches.steps_per_epoch)
        if not left:
            row = {"step": state.step, "epoch": epoch, "learning_rate": step.learning_rate}
            state.epochs.append({**row, **state.epoch_sums.scores})
            state.epoch_sums = RunningSums.none_of(self._session)

    def _save(self) -> None:
        """Write a checkpoint from which the run goes on to the same bits; one of several processes does."""
        self._saved = time.monotonic()
        if not self._ranks.is_first:
            return
        state = replace(self._state, spent=self._elapsed())
        save_checkpoint(self._run.checkpoint_path(state.step), self._session, state)
        self._run.drop_old_checkpoints()

    def _note(self, step: StepResult) -> str:
        speed = step.images / self._step_seconds[-1]
        told = [] if math.isnan(step.loss) else [f"{say('loss')} {step.loss:.3f}"]
        if self._state.history and math.isfinite(last := self._state.history[-1]["validation_mean_iou"]):
            told.append(f"IoU {last:.3f}")
        return "  ".join([*told, say("{speed} images/s", speed=f"{speed:.0f}")])
