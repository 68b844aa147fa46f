import math
import signal
from dataclasses import dataclass, field, fields

import pytest
import torch

from generated import tiny_settings
from perpixel.errors import OutputError, RunError
from perpixel.losses import WeightedLoss
from perpixel.store.model_file import load_model
from perpixel.store.run_folder import Run
from perpixel.training import checkpoint, resume_run, runs, session, setup, timing, train_run, trainer
from perpixel.training.difficulty import Difficulty
from perpixel.training.schedule import StepSchedule
from perpixel.training.session import Session
from perpixel.training.trainer import Trainer

TIMED = ("seconds", "images_per_second", "waiting_share")
SIX = {"steps": 6, "validation_passes": 3}  # validations after 2, 4 and 6 steps


def figures(run):
    """The history without what the clock decides."""
    return [{key: value for key, value in row.items() if key not in TIMED} for row in run.history()]


@pytest.fixture(scope="module")
def straight(tmp_path_factory, cells):
    """A run that nobody stopped."""
    return train_run(cells, tmp_path_factory.mktemp("straight") / "run", tiny_settings(**SIX))


def at_step(monkeypatch, number, act):
    """Do something within step `number` (from 0), once."""
    take, done = Session.step, []

    def step(self, now, batch, rate):
        if now == number and not done:
            done.append(now)
            act()
        return take(self, now, batch, rate)

    monkeypatch.setattr(Session, "step", step)


def same(run, straight):
    assert figures(run) == figures(straight)
    assert run.model_path.read_bytes() == straight.model_path.read_bytes()
    assert run.last_weights_path.read_bytes() == straight.last_weights_path.read_bytes()
    assert run.epochs() == straight.epochs()


def test_every_epoch_is_a_row_with_the_terms_of_its_loss(tmp_path, cells):
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=None, epochs=3, validation_passes=1))
    rows, per_epoch = run.epochs(), run.settings.train.steps // 3
    assert [(row["epoch"], row["step"]) for row in rows] == [(n, n * per_epoch) for n in (1, 2, 3)]
    for row in rows:
        assert row["train_loss"] == pytest.approx(row["train_loss_cross_entropy"] + row["train_loss_dice"], rel=1e-5)
    (validated,) = run.history()  # one validation over all three epochs
    assert validated["train_loss"] == pytest.approx(sum(row["train_loss"] for row in rows) / 3, rel=1e-5)
    terms = validated["validation_loss_cross_entropy"] + validated["validation_loss_dice"]
    assert validated["validation_loss"] == pytest.approx(terms, rel=1e-5)


@pytest.mark.parametrize(
    ("number", "step"),
    [
        *((signal.SIGTERM, step) for step in (0, 2, 3)),
        (signal.SIGINT, 2),
        *(pytest.param(signal.SIGINT, step, marks=pytest.mark.slow) for step in (0, 3)),
    ],
)
def test_a_run_that_was_stopped_and_resumed_is_the_same_to_the_bit(
    tmp_path, cells, straight, monkeypatch, number, step
):
    at_step(monkeypatch, step, lambda: signal.raise_signal(number))
    message = rf"the training was stopped after step {step + 1} of 6.\nFix: resume the run in .*run."
    with pytest.raises(RunError, match=message):
        train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    assert not (tmp_path / "run" / "checkpoints" / "last.safetensors").exists()
    same(resume_run(tmp_path / "run", {}), straight)


@pytest.mark.parametrize(
    ("optimiser", "memory_format"),
    [
        ("adam", "channels_last"),
        ("sgd", "channels_last"),
        ("muon", "channels_last"),
        *((optimiser, "channels_first") for optimiser in ("adam", "adamw", "muon", "sgd")),
    ],
)
def test_every_optimiser_is_resumed_to_the_bit(tmp_path, cells, monkeypatch, optimiser, memory_format):
    settings = tiny_settings(**SIX, optimiser=optimiser, memory_format=memory_format)
    whole = train_run(cells, tmp_path / "whole", settings)
    at_step(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(RunError, match="stopped"):
        train_run(cells, tmp_path / "run", settings)
    same(resume_run(tmp_path / "run", {}), whole)


@pytest.mark.parametrize("step", [1, 2])
def test_hard_views_follow_the_errors_and_are_resumed_to_the_bit(tmp_path, cells, monkeypatch, step):
    """Validations after 2, 4 and 6 steps; the run is stopped at the first of them, and between two."""
    settings, streams = tiny_settings(**SIX, hard_example_fraction=1.0), []
    stream = Session.stream

    def told(self, first, errors=None):
        streams.append((first, errors))
        return stream(self, first, errors)

    monkeypatch.setattr(Session, "stream", told)
    whole = train_run(cells, tmp_path / "whole", settings)
    assert [first for first, _ in streams] == [0, 2, 4]
    assert streams[0][1] is None
    assert all(errors.min() >= 0 and errors.max() > 0 for _, errors in streams[1:])
    at_step(monkeypatch, step, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(RunError, match="stopped"):
        train_run(cells, tmp_path / "run", settings)
    same(resume_run(tmp_path / "run", {}), whole)


def test_without_hard_views_batches_are_read_ahead_without_a_break(tmp_path, cells, monkeypatch):
    streams, stream = [], Session.stream
    monkeypatch.setattr(Session, "stream", lambda self, *given: streams.append(given) or stream(self, *given))
    train_run(cells, tmp_path / "run", tiny_settings(**SIX, hard_example_fraction=0.0))
    assert streams == [(0, None)]


@pytest.mark.parametrize("step", [0, 3])
def test_the_running_mean_of_the_weights_is_kept_and_resumed_to_the_bit(tmp_path, cells, straight, monkeypatch, step):
    settings = tiny_settings(**SIX, ema=0.9)
    whole = train_run(cells, tmp_path / "whole", settings)
    stored = torch.load(whole.checkpoints[0], weights_only=True)
    last, _ = load_model(whole.last_weights_path)
    for name, tensor in last.state_dict().items():
        assert torch.equal(tensor, stored["average"]["network"][name])
    assert stored["average"]["steps"] == 6
    network = torch.load(straight.checkpoints[0], weights_only=True)["network"]
    assert all(torch.equal(tensor, stored["network"][name]) for name, tensor in network.items())  # no step changes
    assert not torch.equal(last.head.weight, network["head.weight"])
    at_step(monkeypatch, step, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(RunError, match="stopped"):
        train_run(cells, tmp_path / "run", settings)
    same(resume_run(tmp_path / "run", {}), whole)


class Crash(BaseException):
    """Nothing that the loop could expect, like the loss of power."""


def crash():
    raise Crash


@pytest.mark.parametrize("damage", [0, 1])
def test_a_run_that_crashed_goes_on_from_its_last_whole_checkpoint(tmp_path, cells, straight, monkeypatch, damage):
    at_step(monkeypatch, 5, crash)
    with pytest.raises(Crash):
        train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    run = Run.open(tmp_path / "run")
    assert [path.name for path in run.checkpoints] == ["step-000000004.ckpt", "step-000000002.ckpt"]
    for path in run.checkpoints[:damage]:
        path.write_bytes(path.read_bytes()[:1000])
    same(resume_run(tmp_path / "run", {}), straight)


def test_a_run_whose_checkpoints_are_all_damaged_is_told(tmp_path, cells, monkeypatch):
    at_step(monkeypatch, 5, crash)
    with pytest.raises(Crash):
        train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    for path in Run.open(tmp_path / "run").checkpoints:
        path.write_bytes(b"nothing")
    with pytest.raises(
        RunError, match=r"every checkpoint of .*run is damaged, or of another version.\nFix: train it"
    ):
        resume_run(tmp_path / "run", {})


def test_a_run_that_crashed_before_its_first_checkpoint_starts_again(tmp_path, cells, straight, monkeypatch):
    at_step(monkeypatch, 1, crash)
    with pytest.raises(Crash):
        train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    same(resume_run(tmp_path / "run", {}), straight)


def test_a_run_may_be_stopped_in_its_last_step(tmp_path, cells, straight, monkeypatch):
    at_step(monkeypatch, 5, lambda: signal.raise_signal(signal.SIGTERM))
    same(train_run(cells, tmp_path / "run", tiny_settings(**SIX)), straight)


def spoiled(monkeypatch, numbers, value=math.nan):
    """Make the loss of some steps not finite."""
    take = Session.step

    def step(self, now, batch, rate):
        sound = self.loss
        if now in numbers:
            parts = {name: (1.0, lambda logits, target: sound(logits, target) * value) for name in sound.names}
            self.loss = WeightedLoss(parts)
        try:
            return take(self, now, batch, rate)
        finally:
            self.loss = sound

    monkeypatch.setattr(Session, "step", step)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_skipped_and_counted(tmp_path, cells, monkeypatch, value):
    spoiled(monkeypatch, {1, 2}, value)
    run = train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    assert [row["skipped_steps"] for row in run.history()] == [1, 2, 2]
    assert all(math.isfinite(row["train_loss"]) for row in run.history())
    network, _ = load_model(run.last_weights_path)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_a_gradient_that_is_not_finite_is_skipped_too(tmp_path, cells, monkeypatch):
    def norm(parameters, limit):
        next(iter(parameters)).grad.fill_(math.inf)
        return torch.tensor(math.inf)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", norm)
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=2, validation_passes=1))
    assert run.history()[-1]["skipped_steps"] == 2
    assert math.isnan(run.history()[-1]["train_loss"])
    network, _ = load_model(run.last_weights_path)
    assert all(tensor.isfinite().all() for tensor in network.state_dict().values())


def test_a_training_that_diverges_is_stopped_with_what_helps(tmp_path, cells, monkeypatch):
    monkeypatch.setattr(trainer, "SKIPPED_IN_A_ROW", 3)
    spoiled(monkeypatch, {1, 3, 4, 5})  # step 2 begins the count anew
    message = (
        r"the loss was not finite in the last 3 steps, up to step 6.\n"
        r"Fix: lower the learning rate \(train.learning_rate=0.0002\) or train in full precision "
        r"\(train.precision=32\); the best weights so far are kept."
    )
    with pytest.raises(RunError, match=message):
        train_run(cells, tmp_path / "run", tiny_settings(steps=9, validation_passes=3))
    load_model(tmp_path / "run" / "model.safetensors")


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, cells, straight, monkeypatch):
    save, calls = torch.save, []

    def full(stored, path):
        calls.append(path)
        if len(calls) == 2:
            path.write_bytes(b"half of it")
            raise OSError(28, "No space left on device")
        save(stored, path)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(
        OutputError, match=r"cannot write .*step-000000004.ckpt: No space left on device.\nFix: free some"
    ):
        train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert names == ["step-000000002.ckpt"]
    same(resume_run(tmp_path / "run", {}), straight)


def test_the_best_by_loss_is_the_least(tmp_path, cells, monkeypatch):
    run = train_run(cells, tmp_path / "run", tiny_settings(**SIX, monitor="loss"))
    checkpoint = torch.load(run.checkpoints[0], weights_only=True)
    assert checkpoint["state"]["best"] == -min(row["validation_loss"] for row in run.history())


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize(
    ("timed", "real", "slowed", "steps", "last_rate"),
    [
        (0.05, 0.1, 0.1, 56, 0.01),  # (6 s − 2 × 0.2 s) / 0.1 s; 112 were planned
        (0.4, 0.4, 0.4, 14, 0.02),
        (0.4, 0.4, 0.8, 10, 0.2),  # 6 steps of 0.4 s; (6 s − 2.4 s − 2 × 0.2 s) / 0.8 s more
    ],
)
def test_minutes_are_kept_where_steps_take_longer_than_they_were_timed(
    tmp_path, cells, monkeypatch, timed, real, slowed, steps, last_rate
):
    clock = Clock()
    for module in (trainer, setup, timing):
        monkeypatch.setattr(module, "time", clock)
    take, validate = Session.step, Session.validate

    def step(self, now, *arguments):
        clock.now += real if now < 6 else slowed
        return take(self, now, *arguments)

    def scored(self):
        clock.now += 0.2
        return validate(self)

    monkeypatch.setattr(timing, "time_step", lambda session, *_, **__: timed)
    monkeypatch.setattr(timing, "time_validation", lambda session: 0.2)
    monkeypatch.setattr(Session, "step", step)
    monkeypatch.setattr(Session, "validate", scored)
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=None, minutes=0.1, validation_passes=2))
    last = run.history()[-1]
    assert last["step"] == run.settings.train.steps == steps
    assert clock.now == pytest.approx(6)
    assert len(run.history()) == 2
    assert last["learning_rate"] < last_rate * run.settings.train.learning_rate


def test_smaller_parts_are_written_down_and_resumed_to_the_bit(tmp_path, cells, monkeypatch):
    """The memory runs out in step 3; a kill in step 4 does not change what comes out."""
    settings = tiny_settings(**SIX, accumulate=1)

    def run_out(session):
        if session.accumulate == 1:
            session._take_smaller_parts()

    take = Session.step

    def stepping(crash_at):
        def step(self, now, batch, rate):
            if now == crash_at:
                raise Crash
            if now == 3:
                run_out(self)
            return take(self, now, batch, rate)

        monkeypatch.setattr(Session, "step", step)

    stepping(None)
    whole = train_run(cells, tmp_path / "whole", settings)
    assert whole.settings.train.accumulate == 2
    stepping(4)
    with pytest.raises(Crash):
        train_run(cells, tmp_path / "run", settings)
    assert Run.open(tmp_path / "run").settings.train.accumulate == 2
    stepping(None)
    same(resume_run(tmp_path / "run", {}), whole)


@dataclass
class Grown(checkpoint.TrainingState):
    """A state that somebody added a field to."""

    losses: list[float] = field(default_factory=list)


def test_a_field_that_is_added_to_the_state_is_resumed(tmp_path, cells, monkeypatch):
    for module in (checkpoint, runs):
        monkeypatch.setattr(module, "TrainingState", Grown)
    count, states = Trainer._count_skipped, []

    def noted(self, step):
        self._state.losses.append(step.loss)
        states.append(self._state)
        count(self, step)

    monkeypatch.setattr(Trainer, "_count_skipped", noted)
    train_run(cells, tmp_path / "whole", tiny_settings(**SIX))
    whole = states[-1].losses
    at_step(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(RunError, match="stopped after step 3"):
        train_run(cells, tmp_path / "run", tiny_settings(**SIX))
    resume_run(tmp_path / "run", {})
    assert states[-1].losses == whole
    assert len(whole) == 6


def test_every_field_of_the_state_is_in_a_checkpoint(straight):
    stored = torch.load(straight.checkpoints[0], weights_only=True)["state"]
    assert stored.keys() == {each.name for each in fields(checkpoint.TrainingState)}
    for name, kind in (("schedule", StepSchedule), ("sums", checkpoint.RunningSums), ("difficulty", Difficulty)):
        assert stored[name].keys() == {each.name for each in fields(kind)}


SCORES = [0.5, 0.6, 0.6, 0.7, 0.65, 0.7, 0.9]


@pytest.mark.parametrize(("patience", "validations"), [(0, 7), (1, 3), (2, 6), (3, 7)])
def test_patience_ends_a_run_that_gets_no_better(tmp_path, cells, monkeypatch, patience, validations):
    scores = iter(SCORES)
    monkeypatch.setattr(session, "monitored", lambda *_: lambda _: next(scores))
    monkeypatch.setattr(Trainer, "_record", lambda self, *_: self._state.history.append(HISTORY))
    settings = tiny_settings(steps=7, validation_passes=7, early_stopping=patience, monitor="mean_iou")
    run = train_run(cells, tmp_path / "run", settings)
    state = torch.load(run.checkpoints[0], weights_only=True)["state"]
    assert state["step"] == len(state["history"]) == validations
    assert state["best"] == max(SCORES[:validations])
    expected = run.last_weights_path.read_bytes()
    run.last_weights_path.unlink()  # killed at the very end
    assert resume_run(run.folder, {}).last_weights_path.read_bytes() == expected


HISTORY = {"step": 1, "validation_mean_iou": 0.5, "validation_loss": 1.0, "train_loss": 1.0}


def test_a_model_file_is_kept_after_every_so_many_epochs_and_predicts(tmp_path, cells):
    run = train_run(cells, tmp_path / "run", tiny_settings(keep_every=1, batch_size=2, **SIX))
    kept = sorted(path.name for path in (run.folder / "kept").iterdir())
    assert kept == [f"epoch-{epoch:04d}.safetensors" for epoch in range(1, len(kept) + 1)]
    assert kept
    network, card = load_model(run.kept_path(1))
    assert network(torch.zeros(1, card.codec.channels, 32, 32)).shape[1] == 2
