"""Strokes are carried on where the quick learner is sure, and nowhere else."""

from functools import partial

import numpy as np
import pytest
import tifffile

import generated
from folders import save
from perpixel.dataset import scan
from perpixel.errors import SettingsError
from perpixel.models.strokes import Stroked, propagated
from perpixel.runtime.progress import silent
from perpixel.shapes import IGNORED
from perpixel.training import propagating, train_run
from perpixel.training.propagating import propagated_labels
from perpixel.training.session import Session


def stroked(seed, share=0.02):
    """A picture of a disc, its truth, and labels of some of its pixels."""
    draw = np.random.default_rng(seed)
    disc = generated.disc(80, 112, draw)
    truth = (disc > 0).astype(np.uint8)
    labels = np.where(draw.random(truth.shape) < share, truth, IGNORED).astype(np.uint8)
    return generated.picture_of(disc, draw), truth, labels


def carried(pictures):
    images = [
        Stroked(str(number), partial(lambda *each: each, pixels, labels), labels.size)
        for number, (pixels, _, labels) in enumerate(pictures)
    ]
    return dict(propagated(images, 2))


def test_most_of_an_image_is_labelled_and_nearly_all_of_it_is_right():
    pictures = [stroked(seed) for seed in range(3)]
    found = carried(pictures)
    for number, (_, truth, labels) in enumerate(pictures):
        target = found[str(number)]
        sure = target != IGNORED
        assert sure.mean() > 0.7
        assert (target == truth)[sure].mean() > 0.99
        np.testing.assert_array_equal(target[labels != IGNORED], labels[labels != IGNORED])


def test_what_a_person_said_stays_even_where_it_is_odd():
    pixels, truth, labels = stroked(0)
    labels[40, 50] = 1 - truth[40, 50]
    assert carried([(pixels, truth, labels)])["0"][40, 50] == labels[40, 50]


def test_without_strokes_an_image_stays_as_it_is():
    bare = (*stroked(1)[:2], np.full((80, 112), IGNORED, np.uint8))
    assert (carried([stroked(0), bare])["1"] == IGNORED).all()
    assert (carried([bare])["0"] == IGNORED).all()


@pytest.fixture(scope="module")
def strokes(tmp_path_factory):
    """A folder of seven images with strokes of two classes; read only."""
    folder = tmp_path_factory.mktemp("strokes") / "data"
    for number in range(7):
        pixels, _, labels = stroked(number)
        save(folder / f"images/{number}.png", pixels)
        save(folder / f"masks/{number}.png", labels)
    (folder / "dataset.yaml").write_text("perpixel: 1\nignored: [255]\n", encoding="utf-8")
    return folder


def test_training_takes_the_extended_labels_and_validation_those_of_the_person(strokes, tmp_path, monkeypatch):
    seen = []

    def kept(session, *asked, **named):
        seen.append(session)
        return step(session, *asked, **named)

    step = Session.step
    monkeypatch.setattr(Session, "step", kept)
    run = train_run(strokes, tmp_path / "run", generated.tiny_settings(propagate_strokes=True))
    session = seen[0]
    target = session.batches(0).target
    assert (target != IGNORED).float().mean() > 0.5
    for sample in session.validation_samples:
        assert (session.dataset.target(sample) != IGNORED).mean() < 0.05
    assert any("carried on" in note for note in session.notes)
    assert run.settings.train.propagate_strokes


def test_pixels_without_data_get_no_label(tmp_path):
    pixels, _, labels = stroked(0)
    pixels = np.maximum(pixels, 1)
    (tmp_path / "images").mkdir()
    for name, empty in (("whole", 0), ("cut", 30)):
        pixels[:, :empty] = 0
        tag = (42113, "s", 0, "0", True)
        tifffile.imwrite(tmp_path / f"images/{name}.tif", pixels, photometric="rgb", extratags=[tag])
        save(tmp_path / f"masks/{name}.png", labels)
    (tmp_path / "dataset.yaml").write_text("perpixel: 1\nignored: [255]\n", encoding="utf-8")
    dataset = scan(tmp_path)
    for name, target in propagated_labels(dataset, dataset.samples, silent).targets.items():
        assert (target[:, :30] == IGNORED).all() == name.startswith("cut")
        assert (target[:, 30:] != IGNORED).mean() > 0.5


def test_what_the_learner_cannot_see_is_refused(tmp_path):
    dataset = scan(generated.write_overlapping(tmp_path / "data"))
    with pytest.raises(SettingsError, match="one class per pixel"):
        propagated_labels(dataset, dataset.samples, silent)


@pytest.mark.parametrize(("tried", "looked_at"), [(8, [7]), (2, [2])])
def test_where_the_learner_is_unsure_the_strokes_stay_as_they_are(strokes, monkeypatch, tried, looked_at):
    """A few images show it, where there are more."""
    seen = []

    def watched(images, *others):
        seen.append(len(images))
        return propagated(images, *others)

    monkeypatch.setattr(propagating, "propagated", watched)
    monkeypatch.setattr(propagating, "LEAST_SURE", 1.01)
    monkeypatch.setattr(propagating, "TRIED", tried)
    dataset = scan(strokes)
    labels = propagated_labels(dataset, dataset.samples, silent)
    assert not labels.targets
    assert "so the strokes are not carried on" in labels.notes[0]
    assert seen == looked_at
