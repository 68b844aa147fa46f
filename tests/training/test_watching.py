from typing import ClassVar

import numpy as np
import pytest

from generated import binary_labels, tiny_settings
from perpixel.errors import RunError, SettingsError
from perpixel.training import resume, train, watching
from perpixel.training.loop import Loop


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
    monkeypatch.setitem(watching.WATCHERS, "tensorboard", Notebook)
    monkeypatch.setattr(Notebook, "told", [])
    run = train(cells, tmp_path / "run", tiny_settings(watch=["tensorboard"], steps=4, validations=2))
    rows = [line.split(",") for line in run.split_path.read_text().splitlines() if ",val," in line]
    shapes = Notebook.told[2][1]
    assert sorted(shapes) == sorted(row[0] for row in rows)
    assert all(shape[1] % 3 == 0 and shape[2] == 3 for shape in shapes.values())
    assert Notebook.told == [("opened", "run", 0), (2, 2), (2, shapes), (4, 4), (4, shapes), "closed"]


def test_tensorboard_shows_curves_and_pictures_and_a_resumed_run_goes_on(tmp_path, cells, monkeypatch):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    settings = tiny_settings(watch=["tensorboard"], steps=4, validations=2)
    save = Loop._save

    def dying(self):
        if self._state.step == 4:
            raise RunError("killed.", fix="resume.")
        save(self)

    monkeypatch.setattr(Loop, "_save", dying)
    with pytest.raises(RunError, match="killed"):
        train(cells, tmp_path / "run", settings)
    monkeypatch.setattr(Loop, "_save", save)
    run = resume(tmp_path / "run", {})
    events = reading.EventAccumulator(str(run.folder / "tensorboard"))
    events.Reload()
    for name in ("train_loss", "validation_mean_iou"):
        assert [event.step for event in events.Scalars(name)] == [2, 4]  # 4 was told twice, and counts once
        told = [event.value for event in events.Scalars(name)]
        assert told == pytest.approx([row[name] for row in run.history()], rel=1e-6)
    assert all([event.step for event in events.Images(name)] == [2, 4] for name in events.Tags()["images"])


def test_what_is_not_installed_is_told_before_the_work(tmp_path, cells, monkeypatch):
    monkeypatch.setattr(watching, "find_spec", lambda name: None)
    message = (
        r"train.watch asks for tensorboard, which is not installed.\nFix: pip install 'perpixel\[tensorboard\]'."
    )
    with pytest.raises(SettingsError, match=message):
        train(cells, tmp_path / "run", tiny_settings(watch=["tensorboard"]))
    assert not (tmp_path / "run").exists()


def test_a_picture_is_image_truth_and_prediction():
    image = np.full((4, 6, 3), 100, np.uint8)
    truth, prediction = np.zeros((4, 6), np.uint8), np.ones((4, 6), np.uint8)
    shown = watching.watched(image, truth, prediction, binary_labels())
    assert shown.shape == (4, 18, 3)
    assert (shown[:, :6] == 100).all()
    assert not np.array_equal(shown[:, 6:12], shown[:, 12:])
    large = watching.watched(np.zeros((1025, 10, 1), np.uint8), *np.zeros((2, 1025, 10), np.uint8), binary_labels())
    assert large.shape == (342, 12, 3)
