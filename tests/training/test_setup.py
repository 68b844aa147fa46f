import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import generated
import perpixel
from generated import contents, tiny_settings
from perpixel.cli.flags import with_flags
from perpixel.dataset import scan
from perpixel.errors import DataError, OutputError, RunError, SettingsError
from perpixel.evaluation import calibrate
from perpixel.language import translated
from perpixel.losses import weighted
from perpixel.prediction import PredictOptions
from perpixel.prediction.load import load_predictor
from perpixel.settings.tree import changed, request_from
from perpixel.split import Split
from perpixel.store.model_file import load_model
from perpixel.store.run_folder import Run
from perpixel.training import resume_run, setup, timing, train_run
from perpixel.training.announcements import how_long, opening_lines
from perpixel.training.setup import prepare_training, reopen_training
from perpixel.training.timing import FittedBudget
from perpixel.training.validation import validate


def test_a_run_holds_settings_split_history_and_both_weights(cells_run, cells):
    names = {path.relative_to(cells_run.folder).as_posix() for path in cells_run.folder.rglob("*") if path.is_file()}
    assert names == {
        *("settings.yaml", "split.csv", "history.csv", "epochs.csv", "model.safetensors"),
        *("checkpoints/last.safetensors", "checkpoints/step-000000002.ckpt", "checkpoints/step-000000004.ckpt"),
    }
    assert Run.open(cells_run.folder) == cells_run
    assert cells_run.data == cells.resolve()
    assert cells_run.settings.train.steps == 4


def test_the_history_has_a_row_for_each_validation(cells_run):
    rows = cells_run.history()
    assert [row["step"] for row in rows] == [2, 4]
    assert rows[-1]["learning_rate"] < rows[0]["learning_rate"]
    for row in rows:
        assert 0 <= row["validation_mean_iou"] <= 1
        assert 0 <= row["waiting_share"] <= 1
        assert row["skipped_steps"] == 0
        assert row["train_loss"] > 0


def test_model_safetensors_holds_the_weights_of_the_best_validation(tmp_path, cells):
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=6, validation_passes=6))
    scores = [row["validation_mean_iou"] for row in run.history()]
    dataset = scan(cells)
    samples = Split.load(run.split_path, dataset.samples).part("val")
    loss = weighted({term.name: term.weight for term in run.settings.train.loss}, "multiclass")
    for path, score in ((run.model_path, max(scores)), (run.last_weights_path, scores[-1])):
        predictor = load_predictor(path, PredictOptions(precision="32", tta="none"))
        assert validate(predictor, dataset, samples, loss).scores["mean_iou"] == score


def test_equal_settings_train_to_equal_bits(tmp_path, cells, cells_run):
    again = train_run(cells, tmp_path / "again", tiny_settings())
    calibrate(again, load_predictor(again.folder))
    assert again.model_path.read_bytes() == cells_run.model_path.read_bytes()
    assert again.last_weights_path.read_bytes() == cells_run.last_weights_path.read_bytes()


def test_another_seed_trains_to_other_weights(tmp_path, cells, cells_run):
    settings = request_from({**generated.TINY, "seed": 1})
    other = train_run(cells, tmp_path / "other", settings)
    assert other.last_weights_path.read_bytes() != cells_run.last_weights_path.read_bytes()


def test_options_of_a_loss_change_the_training_and_are_resumed(tmp_path, cells):
    asked = {"loss": [{"name": "tversky", "weight": 2, "alpha": 0.3, "beta": 0.7}], "monitor": "mean_accuracy"}
    run = train_run(cells, tmp_path / "run", tiny_settings(**asked))
    weights = run.last_weights_path.read_bytes()
    other = train_run(cells, tmp_path / "other", tiny_settings(loss={"tversky": 2.0}, monitor="mean_accuracy"))
    assert other.last_weights_path.read_bytes() == weights  # these are its defaults
    asked["loss"][0]["beta"] = 0.5
    other = train_run(cells, tmp_path / "another", tiny_settings(**asked))
    assert other.last_weights_path.read_bytes() != weights
    assert Run.open(other.folder).settings.train.loss[0].options == {"alpha": 0.3, "beta": 0.5}
    other.last_weights_path.unlink()
    assert resume_run(other.folder, {"train": asked}).is_finished
    with pytest.raises(SettingsError, match=r"train.loss: .*'beta': 0.5.* there, .*'weight': 1.0.* asked for"):
        resume_run(other.folder, {"train": {"loss": {"dice": 1}}})


@pytest.mark.parametrize("write", [generated.write_land, generated.write_overlapping])
def test_other_kinds_of_labels_train(tmp_path, write):
    run = train_run(write(tmp_path / "data"), tmp_path / "run", tiny_settings())
    _network, card = load_model(run.model_path)
    assert len(card.codec.labels) in (2, 3)
    assert run.history()[-1]["validation_loss"] > 0


def test_epochs_become_steps(tmp_path, cells):
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=None, epochs=3))
    images = len([1 for line in run.split_path.read_text().splitlines() if ",train," in line])
    assert run.settings.train.epochs is None
    assert run.settings.train.steps == 3 * round(images / 2)
    assert run.history()[-1]["step"] == run.settings.train.steps
    assert run.history()[-1]["epoch"] == 3


def test_minutes_become_steps_that_fit(tmp_path, cells, monkeypatch, caplog):
    monkeypatch.setattr(timing, "time_step", lambda session, *_, **__: 5.2)
    monkeypatch.setattr(timing, "time_validation", lambda session: 2.0)
    monkeypatch.setattr("perpixel.training.trainer.Trainer._retime", lambda self: None)
    caplog.set_level("INFO", "perpixel")
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=None, minutes=1, validation_passes=8))
    assert run.budget == {"minutes": 1}
    assert f"about {run.settings.train.steps} steps of " in caplog.text
    assert run.settings.train.minutes is None
    assert run.settings.train.validation_passes == 2  # within 8 % of the minute
    assert run.settings.train.steps == 10  # (a minute, less two validations and what the start took) / 5.2 s


@pytest.mark.parametrize(
    ("step", "validation", "message"),
    [
        (
            60.0,
            90.0,
            r"train.minutes = 5 holds 3 training steps of 60 s next to one validation, which lasts 90 s.\n"
            r"Fix: give at least 2[12][.\d]* minutes, or smaller crops or batches.",
        ),
        (
            3.0,
            330.0,
            r"train.minutes = 5 holds 0 training steps of 3 s next to one validation, which lasts 330 s.\n"
            r"Fix: give at least [67][.\d]* minutes, or fewer or smaller validation images.",
        ),
    ],
)
def test_a_budget_too_small_says_how_much_is_needed(tmp_path, cells, monkeypatch, step, validation, message):
    monkeypatch.setattr(timing, "time_step", lambda session, *_, **__: step)
    monkeypatch.setattr(timing, "time_validation", lambda session: validation)
    with pytest.raises(SettingsError, match=message):
        train_run(cells, tmp_path / "run", tiny_settings(steps=None, minutes=5))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("data", [{}, {"folds": 2}])
def test_a_budget_too_small_leaves_the_run_that_it_was_to_replace(tmp_path, cells, cells_run, monkeypatch, data):
    monkeypatch.setattr(timing, "time_step", lambda session, *_, **__: 100.0)
    shutil.copytree(cells_run.folder, tmp_path / "run")
    settings = tiny_settings(steps=None, minutes=1)
    settings = changed(settings, {f"data.{name}": value for name, value in data.items()})
    with pytest.raises(SettingsError, match="holds 0 training steps"):
        train_run(cells, tmp_path / "run", settings, overwrite=True)
    assert contents(tmp_path / "run") == contents(cells_run.folder)


def timed_steps(monkeypatch):
    """What a step lasts is known; the list tells how often it was asked for."""
    asked = []
    monkeypatch.setattr(timing, "time_step", lambda session, *_, **__: asked.append(session) or 400.0)
    monkeypatch.setattr(timing, "time_validation", lambda session: 30.0)
    return asked


def test_a_number_of_steps_that_lasts_hours_is_announced_before_it_begins(cells, monkeypatch):
    timed_steps(monkeypatch)
    setup = prepare_training(cells, tiny_settings(steps=250, validation_passes=8)).fitted()
    assert setup.budget.seconds == 250 * 400 + 8 * 30
    assert how_long(setup) == (
        "this training lasts about 28 h on this machine, at 400 s a step; for a shorter one try `minutes=30`."
    )
    assert any(line.startswith("ready at 2") for line in opening_lines(setup))
    assert any(line.startswith("250 steps of ") for line in opening_lines(setup))
    assert with_flags(how_long(setup)).endswith("try --minutes 30.")
    assert "大约需要 28 h" in translated(how_long(setup), "zh")


def test_what_is_over_soon_is_neither_timed_nor_announced(cells, monkeypatch):
    asked = timed_steps(monkeypatch)
    setup = prepare_training(cells, tiny_settings(steps=timing.FEW_STEPS)).fitted()
    assert (asked, how_long(setup)) == ([], "")


def test_a_run_that_is_resumed_is_not_timed_again(cells_run, monkeypatch):
    asked = timed_steps(monkeypatch)
    run = replace(cells_run, settings=changed(cells_run.settings, {"train.steps": 250}))
    assert reopen_training(run).fitted().budget.settings == run.settings
    assert asked == []


def test_timing_leaves_network_and_optimiser_as_they_were(tmp_path, cells, cells_run, monkeypatch):
    """The steps that minutes turn into give the weights that so many steps give."""

    def timed(session, started, progress):
        timing.time_step(session, 0.01)
        timing.time_validation(session)
        return FittedBudget(changed(session.settings, {"train.minutes": None, "train.steps": 4}))

    monkeypatch.setattr(setup, "fit_budget", timed)
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=None, minutes=1))
    assert run.last_weights_path.read_bytes() == cells_run.last_weights_path.read_bytes()


def test_a_folder_with_a_run_is_refused_before_the_data_are_read(tmp_path, cells_run):
    before = contents(cells_run.folder)
    with pytest.raises(OutputError, match="already holds a run"):
        train_run(tmp_path / "no such data", cells_run.folder, tiny_settings())
    assert contents(cells_run.folder) == before


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"model": {"name": "unett"}}, "unett"),
        ({"train": {"scale": 1, "loss": {"dise": 1}}}, "did you mean dice"),
    ],
)
def test_what_cannot_be_built_leaves_no_folder_behind(tmp_path, cells, tree, told):
    with pytest.raises(SettingsError, match=told):
        train_run(cells, tmp_path / "run", request_from(tree))
    assert not (tmp_path / "run").exists()


def test_data_that_cannot_be_used_leave_no_folder_behind(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        train_run(tmp_path / "none", tmp_path / "run", tiny_settings())
    assert not (tmp_path / "run").exists()


def test_a_single_image_cannot_be_divided(tmp_path):
    with pytest.raises(DataError, match=r"1 labelled image: training and validation need at least one each"):
        train_run(generated.write_cells(tmp_path / "one", count=1), tmp_path / "run", tiny_settings())


def test_overwriting_replaces_the_run(tmp_path, cells):
    train_run(cells, tmp_path / "run", tiny_settings(steps=3))
    run = train_run(cells, tmp_path / "run", tiny_settings(steps=2, validation_passes=1), overwrite=True)
    assert [row["step"] for row in run.history()] == [2]
    assert [path.name for path in run.checkpoints] == ["step-000000002.ckpt"]


def test_a_finished_run_is_not_resumed(cells_run):
    with pytest.raises(RunError, match=r"is finished.\nFix: train into another folder, or overwrite it."):
        resume_run(cells_run.folder, {})


def test_no_run_is_not_resumed(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        resume_run(tmp_path, {})


def test_a_run_is_not_resumed_with_other_settings(cells_run):
    asked = {"train": {"steps": 4, "batch_size": 3}, "seed": 7, "model": {"encoder": None}}
    with pytest.raises(SettingsError) as caught:
        resume_run(cells_run.folder, asked)
    assert str(caught.value) == (
        f"{cells_run.folder} was trained with other settings.\n"
        "  - train.batch_size: 2 there, 3 asked for\n"
        "  - seed: 0 there, 7 asked for\n"
        "Fix: resume without them, or train from scratch into another folder."
    )


def test_a_run_may_be_resumed_on_another_machine(tmp_path, cells_run):
    shutil.copytree(cells_run.folder, tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "last.safetensors").unlink()
    run = resume_run(tmp_path / "run", {"train": {"device": "cpu"}, "data": {"cache_mb": 7}})
    assert (run.settings.train.device, run.settings.data.cache_mb) == ("auto", 4096)  # as it was planned
    assert run.last_weights_path.read_bytes() == cells_run.last_weights_path.read_bytes()


def test_a_finished_run_that_has_no_report_gets_one_by_resuming(tmp_path, cells_run):
    shutil.copytree(cells_run.folder, tmp_path / "run")
    run = perpixel.train(cells_run.data, tmp_path / "run", resume=True)
    assert run.report_path.exists()
    with pytest.raises(RunError, match="is finished"):
        perpixel.train(cells_run.data, tmp_path / "run", resume=True)


def test_a_run_may_be_resumed_with_the_settings_it_has(cells_run):
    """It gets as far as being finished; 32 and (32, 32) are what "32" and [32, 32] are."""
    asked = {**generated.TINY, "train": {**generated.TINY["train"], "precision": 32, "crop_hw": (32, 32)}}
    with pytest.raises(RunError, match="is finished"):
        resume_run(cells_run.folder, asked)


@pytest.mark.parametrize(("name", "value"), [("encoder_lr_factor", 0), ("frozen_stages", 3)])
def test_a_frozen_encoder_needs_weights(tmp_path, cells, name, value):
    settings = request_from({"model": {"weights": "none"}, "train": {name: value, "steps": 2}})
    message = (
        rf'train.{name} = {value} freezes an encoder that has learnt nothing: model.weights = "none".\n'
        r"Fix: set model.weights to auto, fine-tune from a run, or train the encoder, too."
    )
    with pytest.raises(SettingsError, match=message):
        train_run(cells, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_a_class_that_is_in_validation_images_only_is_told(tmp_path, caplog):
    data = generated.write_land(tmp_path / "land")
    for part in ("train", "val"):
        for kind in ("images", "masks"):
            (data / part / kind).mkdir(parents=True)
    for number in range(8):
        part = "val" if number < 2 else "train"
        mask = np.array(Image.open(data / "masks" / f"land_{number}.png"))
        if part == "train":
            mask[mask == 2] = 0
        generated.save(data / part / "masks" / f"land_{number}.png", mask)
        shutil.move(data / "images" / f"land_{number}.png", data / part / "images")
    shutil.rmtree(data / "images")
    shutil.rmtree(data / "masks")
    train_run(data, tmp_path / "run", tiny_settings(steps=1, validation_passes=1))
    told = (
        "1 class occurs in validation images only, and cannot be learnt: the IoU there is 0.\n  - class 2\n"
        "Fix: label them in more images, or move one of these to the training images."
    )
    assert told in [record.message for record in caplog.records]


def test_a_run_killed_between_its_first_files_is_divided_again(tmp_path, cells, cells_run):
    shutil.copytree(cells_run.folder, tmp_path / "run")
    before = (tmp_path / "run" / "split.csv").read_bytes()
    for name in ("split.csv", "history.csv", "model.safetensors"):
        (tmp_path / "run" / name).unlink()
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "run" / ".writing-split.csv").write_text("hal")
    run = resume_run(tmp_path / "run", {})
    assert run.split_path.read_bytes() == before
    assert run.last_weights_path.read_bytes() == cells_run.last_weights_path.read_bytes()
    assert not list(run.folder.glob(".writing*"))


def test_balanced_classes_are_frozen_as_weights_with_their_reason(tmp_path, cells):
    settings = tiny_settings(class_weights="balanced", loss={"cross_entropy": 1.0}, steps=1, validation_passes=1)
    run = train_run(cells, tmp_path / "run", settings)
    weights = run.settings.train.class_weights
    assert list(weights) == list(scan(cells).labels.names)
    assert weights["background"] < 1 < weights["foreground"]
    note = next(note for note in run.notes if note.startswith("train.class_weights"))
    assert note.endswith("balanced: the classes' median frequency over that of each, within 1/50 and 50.")
    assert Run.open(run.folder) == run
    expected = run.last_weights_path.read_bytes()
    again = tiny_settings(class_weights=weights, loss={"cross_entropy": 1.0}, steps=1, validation_passes=1)
    assert train_run(cells, tmp_path / "again", again).last_weights_path.read_bytes() == expected
    run.last_weights_path.unlink()
    asked = {"train": {"class_weights": "balanced"}}  # the same command with --resume
    assert resume_run(run.folder, asked).last_weights_path.read_bytes() == expected
    with pytest.raises(SettingsError, match=r"class_weights: {'background': 0.* there, none asked for"):
        resume_run(run.folder, {"train": {"class_weights": "none"}})


def test_an_unknown_class_is_told_before_anything_is_written(tmp_path, cells):
    settings = tiny_settings(class_weights={"backgruond": 2.0}, loss={"cross_entropy": 1.0})
    with pytest.raises(SettingsError, match=r"'backgruond', which there is not.\nFix: did you mean background\?"):
        train_run(cells, tmp_path / "run", settings)
    assert not (tmp_path / "run").exists()


def test_an_unknown_network_is_refused_before_the_data_are_looked_at(tmp_path):
    with pytest.raises(SettingsError, match=r"there is no model 'unett'.\nFix: did you mean unet\?"):
        train_run(tmp_path / "missing", tmp_path / "run", request_from({"model": {"name": "unett"}}))
