import shutil

import numpy as np
import pytest

import perpixel
from generated import contents, tiny_settings, write_cells
from perpixel.dataset import scan
from perpixel.errors import DataError, OutputError, RunError, SettingsError
from perpixel.prediction.load import load_predictor
from perpixel.settings.tree import changed, request_from
from perpixel.split import Split
from perpixel.store.run_folder import Run
from perpixel.training import resume_run, train_run


def of_folds(number, **train):
    settings = tiny_settings(**{"validation_passes": 1, "steps": 2, **train})
    return changed(settings, {"data.folds": number})


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory, cells):
    return train_run(cells, tmp_path_factory.mktemp("ensemble") / "run", of_folds(2))


def test_every_fold_is_a_whole_run_and_validates_other_images(ensemble, cells):
    samples = scan(cells).samples
    folds = [Run.open(folder) for folder in ensemble.fold_folders]
    assert [fold.folder.name for fold in folds] == ["fold-0", "fold-1"]
    assert [fold.settings.data.fold for fold in folds] == [0, 1]
    validating = [set(Split.load(fold.split_path, samples).part("val")) for fold in folds]
    assert validating[0].isdisjoint(validating[1])
    assert validating[0] | validating[1] == set(samples)
    for fold in folds:
        assert fold.last_weights_path.exists()
        assert len(fold.history()) == 1


def test_an_ensemble_predicts_the_mean_of_its_folds(ensemble, cells):
    dataset = scan(cells)
    image = dataset.image(dataset.samples[0])
    singles = [load_predictor(folder).probabilities(image) for folder in ensemble.fold_folders]
    assert not np.allclose(*singles)
    np.testing.assert_allclose(
        load_predictor(ensemble.folder).probabilities(image), np.mean(singles, axis=0), atol=1e-6
    )


def test_an_ensemble_is_evaluated_on_other_images_alone(ensemble, tmp_path):
    other = write_cells(tmp_path / "other", count=3, seed=5)
    evaluation = perpixel.evaluate(ensemble, other, out=tmp_path / "out")
    assert len(evaluation.images) == 3
    assert (tmp_path / "out" / "report.html").exists()
    with pytest.raises(DataError, match=r"no image of .* is in the val part"):
        perpixel.evaluate(ensemble, split="val", out=tmp_path / "val")


def test_a_resumed_ensemble_trains_what_is_left(ensemble, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(ensemble.folder, folder)
    (folder / "fold-0" / "checkpoints" / "last.safetensors").unlink()  # killed before its end
    shutil.rmtree(folder / "fold-1")
    with pytest.raises(
        RunError, match=r"1 of 2 folds of .* have no model.\n  - .*fold-1\nFix: train on .* into .* with `resume`"
    ):
        load_predictor(folder)
    resume_run(folder, {"data": {"folds": 2}})
    for name in ("fold-0", "fold-1"):
        for file in ("model.safetensors", "checkpoints/last.safetensors"):
            assert (folder / name / file).read_bytes() == (ensemble.folder / name / file).read_bytes()
    with pytest.raises(RunError, match="is finished"):
        resume_run(folder, {})
    with pytest.raises(SettingsError, match=r"data.folds: 2 there, 3 asked for"):
        resume_run(folder, {"data": {"folds": 3}})


def test_an_ensemble_is_not_overwritten_unless_asked(ensemble, cells):
    before = contents(ensemble.folder)
    with pytest.raises(OutputError, match="already holds a run"):
        train_run(cells, ensemble.folder, of_folds(2))
    assert contents(ensemble.folder) == before


def test_what_replaces_an_ensemble_leaves_none_of_its_folds(ensemble, cells, tmp_path):
    shutil.copytree(ensemble.folder, tmp_path / "run")
    train_run(cells, tmp_path / "run", tiny_settings(steps=2, validation_passes=1), overwrite=True)
    assert not list((tmp_path / "run").glob("fold-*"))


def test_folds_that_differ_are_told(ensemble, tmp_path):
    shutil.copytree(ensemble.folder, tmp_path / "run")
    other = train_run(
        write_cells(tmp_path / "other", seed=9), tmp_path / "single", tiny_settings(steps=2, validation_passes=1)
    )
    shutil.copy(other.model_path, tmp_path / "run" / "fold-1" / "model.safetensors")
    with pytest.raises(
        RunError, match=r"the folds of .* differ in classes, normalisation or .*\nFix: train it again"
    ):
        load_predictor(tmp_path / "run")


def test_folds_share_the_minutes(tmp_path, cells):
    few = request_from({"data": {"folds": 4}, "train": {"minutes": 0.15}})
    with pytest.raises(
        SettingsError, match=r"train.minutes = 0.15 are shared by 4 folds.\nFix: give at least 0.2 minutes"
    ):
        train_run(cells, tmp_path / "run", few)
    assert not (tmp_path / "run").exists()
