"""Training on what was painted, and whether the new model takes the place of the old."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import generated
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED
from perpixel.web import training_job
from perpixel.web.training_job import LabelledImage, TrainingJob, compared, divided, write_dataset


def labelled(folder, count=8):
    generated.write_cells(folder, count)
    found = []
    for number in range(count):
        target = np.asarray(Image.open(folder / "masks" / f"cell_{number}.png")) // 255
        target = target.astype(np.uint8)
        target[::3] = IGNORED
        found.append(LabelledImage(f"cell_{number}", folder / "images" / f"cell_{number}.png", target))
    return found


def answers(images, share):
    """A predictor that is right on a share of the rows."""
    by_shape = iter([image.target for image in images] * 2)

    def predict(_, __):
        target = next(by_shape)
        wrong = np.where(target == IGNORED, 0, 1 - np.minimum(target, 1))
        right = np.where(target == IGNORED, 0, target)
        rows = np.arange(len(target))[:, None] < share * len(target)
        return np.where(rows, right, wrong).astype(np.uint8)

    return SimpleNamespace(predict=predict, codec=SimpleNamespace(labels=generated.binary_labels()))


@pytest.mark.parametrize(
    "labels", [generated.binary_labels(), Labels("multiclass", ("a", "b"), (0, 1), ((0, 0, 0), (9, 9, 9)), (255,))]
)
def test_the_written_folder_is_read_as_it_was_painted(tmp_path, labels):
    images = labelled(tmp_path / "cells", 3)
    write_dataset(tmp_path / "data", images, labels)
    dataset = scan(tmp_path / "data")
    assert dataset.labels.names == labels.names
    for sample, image in zip(dataset.samples, images, strict=True):
        assert sample.image == image.path.resolve()
        np.testing.assert_array_equal(dataset.target(sample), image.target)


def test_every_fourth_image_is_held_out_from_eight_on():
    images = [LabelledImage(str(k), None, np.zeros((1, 1), np.uint8)) for k in range(9)]
    trained, held_out = divided(images)
    assert [image.name for image in held_out] == ["3", "7"]
    assert len(trained) == 7
    assert divided(images[:7]) == (images[:7], [])


def test_the_better_model_has_a_positive_interval(tmp_path):
    images = labelled(tmp_path)
    value, low, high = compared(answers(images, 0.6), answers(images, 0.9), images)
    assert 0 < low <= value <= high
    _, low, high = compared(answers(images, 0.9), answers(images, 0.6), images)
    assert high < 0


@pytest.mark.parametrize(
    ("old", "new", "is_better"), [(0.6, 0.9, True), (0.9, 0.6, False), (0.9, 0.9, False), (None, 0.1, True)]
)
def test_the_new_model_takes_over_where_it_is_better(tmp_path, monkeypatch, old, new, is_better):
    images = labelled(tmp_path)
    predictor = answers(images, new)
    monkeypatch.setattr(training_job, "load", lambda _: predictor)
    adopted = []
    job = TrainingJob(tmp_path, lambda *what: adopted.append(what))
    job._decide(tmp_path / "run", images, None if old is None else answers(images, old))
    assert job.status.is_better is is_better
    assert adopted == ([(tmp_path / "run", predictor)] if is_better else [])
    assert (job.status.difference is None) == (old is None)


def test_one_image_is_too_few(tmp_path):
    job = TrainingJob(tmp_path / "trained", lambda *_: None)
    with pytest.raises(DataError, match="1 images are labelled; a training needs 2"):
        job.start(labelled(tmp_path / "cells", 1), generated.binary_labels(), 1, None, None)


@pytest.mark.slow
def test_a_training_gives_a_model_and_can_be_stopped(tmp_path):
    adopted = []
    images = labelled(tmp_path / "cells", 8)
    job = TrainingJob(tmp_path / "trained", lambda run, _: adopted.append(run))
    job.start(images, generated.binary_labels(), 0.2, None, None)
    while job.is_running:
        time.sleep(0.2)
    assert (job.status.state, job.status.is_better) == ("done", True), job.status.message
    assert adopted == [tmp_path / "trained" / "1" / "run"]
    job.start(images, generated.binary_labels(), 5, None, None)
    time.sleep(1)
    job.stop()
    assert (job.status.state, job.is_running) == ("stopped", False)
