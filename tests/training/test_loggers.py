import os
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from generated import binary_labels, tiny_settings
from perpixel.errors import RunError, SettingsError
from perpixel.training import loggers, resume_run, train_run
from perpixel.training.trainer import Trainer


class Notebook:
    """Writes down what it is told."""

    told: ClassVar = []

    def __init__(self, folder, step):
        self.told.append(("opened", folder.name, step))

    def scores(self, row, step):
        self.told.append((step, row["step"]))

    def pictures(self, pictures, step):
        self.told.append((step, {name: shown.shape for name, shown in pictures.items()}))

    def close(self):
        self.told.append("closed")


def test_watchers_are_told_after_each_validation(tmp_path, cells, monkeypatch):
    monkeypatch.setitem(loggers.LOGGERS, "tensorboard", Notebook)
    monkeypatch.setattr(Notebook, "told", [])
    run = train_run(cells, tmp_path / "run", tiny_settings(loggers=["tensorboard"], steps=4, validation_passes=2))
    rows = [line.split(",") for line in run.split_path.read_text().splitlines() if ",val," in line]
    shapes = Notebook.told[2][1]
    assert sorted(shapes) == sorted(row[0] for row in rows)
    assert all(shape[1] % 3 == 0 and shape[2] == 3 for shape in shapes.values())
    assert Notebook.told == [("opened", "run", 0), (2, 2), (2, shapes), (4, 4), (4, shapes), "closed"]


def test_tensorboard_shows_curves_and_pictures_and_a_resumed_run_goes_on(tmp_path, cells, monkeypatch):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    settings = tiny_settings(loggers=["tensorboard"], steps=4, validation_passes=2)
    save = Trainer._save

    def dying(self):
        if self._state.step == 4:
            raise RunError("killed.", fix="resume.")
        save(self)

    monkeypatch.setattr(Trainer, "_save", dying)
    with pytest.raises(RunError, match="killed"):
        train_run(cells, tmp_path / "run", settings)
    monkeypatch.setattr(Trainer, "_save", save)
    run = resume_run(tmp_path / "run", {})
    events = reading.EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    for name in ("train_loss", "validation_mean_iou"):
        assert [event.step for event in events.Scalars(name)] == [2, 4]  # 4 was told twice, and counts once
        told = [event.value for event in events.Scalars(name)]
        assert told == pytest.approx([row[name] for row in run.history()], rel=1e-6)
    assert all([event.step for event in events.Images(name)] == [2, 4] for name in events.Tags()["images"])


@pytest.mark.parametrize("name", loggers.LOGGERS)
def test_what_is_not_installed_is_told_before_the_work(tmp_path, cells, monkeypatch, name):
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    message = rf"train.loggers asks for {name}, which is not installed.\nFix: pip install 'perpixel\[{name}\]'."
    with pytest.raises(SettingsError, match=message):
        train_run(cells, tmp_path / "run", tiny_settings(loggers=[name]))
    assert not (tmp_path / "run").exists()


def test_every_watcher_can_be_asked_for_and_is_an_extra():
    names = list(loggers.LOGGERS)
    assert tiny_settings(loggers=names).train.loggers == tuple(names)
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    assert loggers.LOGGERS.keys() <= project["optional-dependencies"].keys()


def test_a_picture_is_image_truth_and_prediction():
    image = np.full((4, 6, 3), 100, np.uint8)
    truth, prediction = np.zeros((4, 6), np.uint8), np.ones((4, 6), np.uint8)
    shown = loggers.watched(image, truth, prediction, binary_labels())
    assert shown.shape == (4, 18, 3)
    assert (shown[:, :6] == 100).all()
    assert not np.array_equal(shown[:, 6:12], shown[:, 12:])
    large = loggers.watched(np.zeros((1025, 10, 1), np.uint8), *np.zeros((2, 1025, 10), np.uint8), binary_labels())
    assert large.shape == (342, 12, 3)


def without(monkeypatch, *names):
    """Take variables out of the environment until the test is over, also where it sets them."""
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.fixture
def wandb(monkeypatch):
    """A stand-in for the package; what it is told."""
    calls = []

    class Run:
        def __init__(self, **named):
            calls.append(("init", named))

        def define_metric(self, name, step_metric):
            calls.append(("metric", name, step_metric))

        def log(self, row):
            calls.append(("log", row))

        def finish(self):
            calls.append("finish")

    stand_in = SimpleNamespace(init=Run, Image=lambda pixels: pixels.shape, Settings=dict)
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    without(monkeypatch, "WANDB_MODE", "WANDB_PROJECT", "WANDB_ERROR_REPORTING")
    return calls


def test_weights_and_biases_writes_into_the_run_and_sends_nothing(tmp_path, wandb):
    watcher = loggers.WeightsAndBiases(tmp_path, 0)
    watcher.scores({"step": 2, "train_loss": 0.5}, 2)
    watcher.pictures({"a": np.zeros((4, 12, 3), np.uint8)}, 2)
    watcher.close()
    (_, asked), *told = wandb
    assert (asked["dir"], asked["name"], asked["project"]) == (tmp_path, tmp_path.name, "perpixel")
    assert asked["mode"] == "offline"
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"
    assert told == [
        ("metric", "*", "step"),
        ("log", {"step": 2, "train_loss": 0.5}),
        ("log", {"step": 2, "a": (4, 12, 3)}),
        "finish",
    ]


def test_weights_and_biases_go_where_they_are_asked_to_and_on_under_one_id(tmp_path, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("WANDB_PROJECT", "nuclei")
    for folder in ("a", "a", "b"):
        (tmp_path / folder).mkdir(exist_ok=True)
        loggers.WeightsAndBiases(tmp_path / folder, 0)
    first, again, other = (call[1] for call in wandb if call[0] == "init")
    assert (first["mode"], first["project"], first["resume"]) == ("online", "nuclei", "allow")
    assert first["id"] == again["id"] != other["id"]


@pytest.fixture
def mlflow(monkeypatch):
    """A stand-in for the package; what it is told."""
    calls = []

    class MlflowClient:
        def __init__(self, uri):
            calls.append(("client", uri))

        def get_experiment_by_name(self, name):
            return next((SimpleNamespace(experiment_id="7") for call in calls if call[:2] == ("made", name)), None)

        def create_experiment(self, name, place):
            calls.append(("made", name, place))
            return "7"

        def create_run(self, experiment, run_name):
            calls.append(("began", experiment, run_name))
            return SimpleNamespace(info=SimpleNamespace(run_id=f"run {len(calls)}"))

        def log_metric(self, run, name, value, step):
            calls.append((run, name, value, step))

        def log_image(self, run, pixels, artifact_file):
            calls.append((run, pixels.shape, artifact_file))

        def set_terminated(self, run):
            calls.append(("ended", run))

    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=MlflowClient))
    without(monkeypatch, "MLFLOW_TRACKING_URI", "MLFLOW_DISABLE_TELEMETRY")
    return calls


def test_mlflow_writes_into_the_run(tmp_path, mlflow):
    watcher = loggers.MLflow(tmp_path, 0)
    watcher.scores({"step": 2, "train_loss": 0.5}, 2)
    watcher.pictures({"a": np.zeros((4, 12, 3), np.uint8)}, 2)
    watcher.close()
    assert mlflow == [
        ("client", f"sqlite:///{tmp_path}/mlflow/mlflow.db"),
        ("made", "perpixel", (tmp_path / "mlflow" / "artifacts").as_uri()),
        ("began", "7", tmp_path.name),
        ("run 3", "step", 2, 2),
        ("run 3", "train_loss", 0.5, 2),
        ("run 3", (4, 12, 3), "a/000002.png"),
        ("ended", "run 3"),
    ]
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    loggers.MLflow(tmp_path, 2).scores({"train_loss": 0.4}, 4)
    assert mlflow[-1] == ("run 3", "train_loss", 0.4, 4)  # a resumed run goes on


def test_mlflow_goes_to_the_server_that_is_asked_for(tmp_path, mlflow, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    loggers.MLflow(tmp_path, 0)
    assert mlflow[:2] == [("client", "http://localhost:5000"), ("made", "perpixel", None)]
    assert [path.name for path in (tmp_path / "mlflow").iterdir()] == ["run-id"]
