"""Training on what was painted, and whether the new model takes the place of the old."""

import time
from dataclasses import replace
from pathlib import Path
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
from perpixel.web.held_out import LEAST_COMPARED, LabelledImage, divided_images, save_held_out
from perpixel.web.training_job import TrainingJob, iou_difference, write_dataset


def labelled(folder, count=8):
    generated.write_cells(folder, count)
    found = []
    for number in range(count):
        target = np.asarray(Image.open(folder / "masks" / f"cell_{number}.png")) // 255
        target = target.astype(np.uint8)
        target[::3] = IGNORED
        path = folder / "images" / f"cell_{number}.png"
        found.append(LabelledImage(f"cell_{number}", path, target, str(number)))
    return found


def answers(images, share):
    """A predictor that is right on a share of the rows."""
    by_shape = iter([image.target for image in images] * 2)

    def next_target(_, __):
        target = next(by_shape)
        wrong = np.where(target == IGNORED, 0, 1 - np.minimum(target, 1))
        right = np.where(target == IGNORED, 0, target)
        rows = np.arange(len(target))[:, None] < share * len(target)
        return np.where(rows, right, wrong).astype(np.uint8)

    return SimpleNamespace(target=next_target, codec=SimpleNamespace(labels=generated.binary_labels()))


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


def nameless(*numbers):
    return [LabelledImage(str(k), Path(str(k)), np.zeros((1, 1), np.uint8), str(k)) for k in numbers]


def names(images):
    return [image.name for image in images]


def learn(folder, images, held_out):
    """What a training leaves behind: the split of its run, and what it held out."""
    rows = [f"{image.digest},{part}" for image, part in zip(images, ("test", *["train", "val"] * 20), strict=False)]
    (folder / "run").mkdir(parents=True)
    (folder / "run" / "split.csv").write_text("\n".join(["image_digest,part", *rows]), encoding="utf-8")
    save_held_out(folder, held_out)


def test_few_images_all_train_and_of_more_a_third_is_held_out(tmp_path):
    assert divided_images(nameless(*range(5)), tmp_path, None) == (nameless(*range(5)), [])
    trained, held_out = divided_images(nameless(*range(18)), tmp_path, None)
    assert (len(trained), names(held_out)) == (12, ["1", "3", "5", "7", "9", "11"])


def test_an_image_keeps_its_part_and_what_a_model_learned_from_is_not_held_out(tmp_path):
    first = divided_images(nameless(*range(9)), tmp_path, None)
    assert names(first[1]) == ["1", "3", "5"]
    learn(tmp_path / "1", *first)
    trained, held_out = divided_images(nameless(20, 21, 22, *range(9)), tmp_path, None)
    assert names(held_out) == ["21", "1", "3", "5"]
    assert set(names(first[0])) < set(names(trained))
    learn(tmp_path / "base", nameless(99, 21), [])
    assert "21" not in names(divided_images(nameless(20, 21, 22, *range(9)), tmp_path, tmp_path / "base" / "run")[1])


def test_half_of_the_new_images_train_at_least(tmp_path):
    learn(tmp_path / "1", nameless(99, *range(18)), [])
    _, held_out = divided_images(nameless(*range(20)), tmp_path, None)
    assert names(held_out) == ["19"]


def test_the_better_model_has_a_positive_interval(tmp_path):
    images = labelled(tmp_path)
    value, low, high = iou_difference(answers(images, 0.6), answers(images, 0.9), images)
    assert 0 < low <= value <= high
    _, low, high = iou_difference(answers(images, 0.9), answers(images, 0.6), images)
    assert high < 0


@pytest.mark.parametrize(
    ("old", "new", "count", "is_better"),
    [
        *((0.6, 0.9, 8, True), (0.9, 0.6, 8, False), (0.9, 0.9, 8, False), (None, 0.1, 8, True)),
        (0.6, 0.9, LEAST_COMPARED - 1, False),
    ],
)
def test_the_new_model_takes_over_where_it_is_better(tmp_path, monkeypatch, old, new, count, is_better):
    images = labelled(tmp_path, count)
    predictor = answers(images, new)
    monkeypatch.setattr(training_job, "load_predictor", lambda _: predictor)
    settled = []
    job = TrainingJob(tmp_path, lambda *what: settled.append(what))
    job._decide(tmp_path / "run", images, None if old is None else answers(images, old))
    assert job.status.is_better is is_better
    assert settled == [(tmp_path / "run", predictor, is_better)]
    assert (job.status.difference is None) == (old is None or count < LEAST_COMPARED)


def test_labels_that_leave_the_score_undefined_decide_nothing(tmp_path):
    images = [replace(image, target=np.full_like(image.target, IGNORED)) for image in labelled(tmp_path, 6)]
    assert iou_difference(answers(images, 0.6), answers(images, 0.9), images) is None


def test_the_model_in_use_is_found_again_with_the_same_base(tmp_path):
    job = TrainingJob(tmp_path, lambda *_: None)
    run = tmp_path / "3" / "run"
    run.mkdir(parents=True)
    job.save_in_use(run, Path("base"))
    assert job.in_use(Path("base")) is None  # it has no model
    (run / "model.safetensors").touch()
    assert job.in_use(Path("base")) == run
    assert job.in_use(None) is None
    job.save_in_use(Path("base"), Path("base"))
    assert job.in_use(Path("base")) is None


def test_one_image_is_too_few(tmp_path):
    job = TrainingJob(tmp_path / "trained", lambda *_: None)
    with pytest.raises(DataError, match="1 images are labelled; a training needs 2"):
        job.start(labelled(tmp_path / "cells", 1), generated.binary_labels(), 1, None, None)


@pytest.mark.slow
def test_a_training_gives_a_model_and_can_be_stopped(tmp_path):
    settled = []
    images = labelled(tmp_path / "cells", 8)
    job = TrainingJob(tmp_path / "trained", lambda run, _, is_better: settled.append((run, is_better)))
    job.start(images, generated.binary_labels(), 0.5, None, None)
    while job.is_running:
        time.sleep(0.2)
    assert (job.status.state, job.status.is_better) == ("done", True), job.status.message
    assert settled == [(tmp_path / "trained" / "1" / "run", True)]
    job.start(images, generated.binary_labels(), 5, None, None)
    time.sleep(1)
    job.stop()
    assert (job.status.state, job.is_running) == ("stopped", False)
