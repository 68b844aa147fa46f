"""Every mistake that a user can mend: exit code 1, a message with file, value and Fix, and nothing touched."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import generated
from generated import TINY_OPTIONS, contents, save
from perpixel.cli import main


@pytest.fixture
def data(tmp_path):
    return generated.write_cells(tmp_path / "data")


@pytest.fixture
def refused(capsys):
    """Run a command that must fail; every one of the words has to be in its message."""

    def run(arguments, *words):
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert "Traceback" not in told.err
        assert "\nFix: " in told.err
        for word in words:
            assert str(word) in told.err, told.err
        return told.err

    return run


@pytest.fixture
def train_refused(tmp_path, refused):
    """A training that must fail, and leave no run folder."""

    def run(data, *words, more=()):
        told = refused(["train", data, "--out", tmp_path / "run", "--steps", "2", *TINY_OPTIONS, *more], *words)
        assert not (tmp_path / "run").exists()
        return told

    return run


def truncate(path, share=0.6):
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


# The folder.


def test_a_folder_that_does_not_exist(tmp_path, train_refused):
    train_refused(tmp_path / "nowhere", tmp_path / "nowhere", "does not exist")


def test_an_empty_folder(tmp_path, train_refused):
    (tmp_path / "empty").mkdir()
    train_refused(tmp_path / "empty", tmp_path / "empty", "holds no images")


def test_a_folder_without_masks(data, train_refused):
    shutil.rmtree(data / "masks")
    train_refused(data, "no masks were found", "cell_0.png")


def test_an_image_without_mask(data, train_refused):
    (data / "masks" / "cell_3.png").rename(data / "masks" / "cell_33.png")
    train_refused(data, "1 of 8 images", "has no mask", "cell_3.png: closest mask is cell_33.png")


def test_a_mask_of_another_size(data, train_refused):
    save(data / "masks" / "cell_1.png", np.full((7, 9), 255, np.uint8))
    train_refused(data, "cell_1.png is 32 × 32, its mask 7 × 9")


@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_truncated_png(data, train_refused, kind):
    path = data / kind / "cell_2.png"
    truncate(path)
    train_refused(data, path, "cannot be read", "truncated")


def test_an_image_with_other_channels(data, train_refused):
    save(data / "images" / "cell_4.png", np.random.default_rng(0).integers(0, 256, (28, 36, 4), np.uint8))
    train_refused(data, "cell_4.png: 4 channels of uint8")


def test_all_that_is_wrong_is_told_at_once(data, train_refused):
    (data / "masks" / "cell_3.png").unlink()
    save(data / "masks" / "cell_1.png", np.full((7, 9), 255, np.uint8))
    truncate(data / "masks" / "cell_2.png")
    told = train_refused(data, "cell_3.png", "cell_1.png", "cell_2.png")
    assert told.count("Fix: ") >= 3


# The budget and the settings.


@pytest.mark.parametrize("budget", ["steps", "minutes", "epochs"])
def test_a_budget_of_zero(data, tmp_path, refused, budget):
    refused(["train", data, "--out", tmp_path / "run", f"--{budget}", "0"], f"train.{budget} = 0", "is below")
    assert not (tmp_path / "run").exists()


def test_an_unknown_setting(data, train_refused):
    train_refused(
        data,
        "unknown key train.learning_rat",
        "did you mean train.learning_rate",
        more=["--set", "train.learning_rat=1"],
    )


def test_an_unknown_network(data, train_refused):
    train_refused(data, "unett", "did you mean unet", more=["--model", "unett"])


def test_a_file_of_settings_that_does_not_exist(data, train_refused):
    train_refused(data, "cannot read nowhere.yaml", more=["--config", "nowhere.yaml"])


def test_resuming_nothing(data, tmp_path, refused):
    refused(["train", data, "--resume"], "resume needs the run", "give its folder as --out")
    refused(["train", data, "--out", tmp_path / "nothing", "--resume"], tmp_path / "nothing", "not a run folder")


# The run.


@pytest.fixture
def run(tmp_path, cells_run):
    """A copy of a run, to be damaged."""
    return Path(shutil.copytree(cells_run.folder, tmp_path / "copy"))


def test_an_output_folder_that_holds_a_run(data, run, refused):
    before = contents(run)
    refused(["train", data, "--out", run, "--steps", "2", *TINY_OPTIONS], run, "already holds a run", "--overwrite")
    assert contents(run) == before


def test_an_output_folder_that_holds_something_else(data, tmp_path, refused):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    arguments = ["train", data, "--out", tmp_path / "thesis", "--steps", "2", "--overwrite", *TINY_OPTIONS]
    refused(arguments, tmp_path / "thesis", "is not a run")
    assert contents(tmp_path / "thesis") == {"chapter.txt": b"years of work"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("settings.yaml", ("is not a run folder", "settings.yaml")),
        ("model.safetensors", ("there is no model file", "model.safetensors")),
        ("split.csv", ("split.csv", "cannot be read as a split")),
    ],
)
def test_a_run_folder_with_a_missing_file(run, refused, name, words):
    (run / name).unlink()
    before = contents(run)
    refused(["evaluate", run], run, *words)
    assert contents(run) == before


def test_a_damaged_model(run, cells, tmp_path, refused):
    truncate(run / "model.safetensors")
    refused(["evaluate", run], run / "model.safetensors", "is not a safetensors file")
    refused(["predict", run, cells / "images", "--out", tmp_path / "out"], run / "model.safetensors")
    assert not (tmp_path / "out").exists()


def test_a_run_whose_data_are_gone(run, tmp_path, refused):
    text = (run / "settings.yaml").read_text().splitlines(keepends=True)
    (run / "settings.yaml").write_text("".join([f"data: {tmp_path / 'gone'}\n", *text[1:]]))
    refused(["evaluate", run], tmp_path / "gone", "does not exist")


def test_a_folder_that_is_no_run(tmp_path, refused):
    refused(["evaluate", tmp_path], tmp_path, "is not a run folder")
    refused(["evaluate", tmp_path / "nothing"], tmp_path / "nothing", "is not a run folder")


# Evaluation.


def test_unknown_class_values_at_evaluation(run, tmp_path, refused):
    other = generated.write_cells(tmp_path / "other", count=2)
    save(other / "masks" / "cell_1.png", np.full((32, 32), 7, np.uint8))
    refused(
        ["evaluate", run, other, "--out", tmp_path / "out"],
        other / "masks" / "cell_1.png",
        "7 (1,024 pixels)",
        "= 255",
    )
    assert not (tmp_path / "out").exists()


def test_wrong_channels_at_evaluation(run, tmp_path, refused):
    other = generated.write_cells(tmp_path / "other", count=2, channels=4)
    refused(["evaluate", run, other, "--out", tmp_path / "out"], "cell_0.png has 4 channels", "trained on 3")
    assert not (tmp_path / "out").exists()


# Prediction.


@pytest.fixture
def predict_refused(run, tmp_path, refused):
    """A prediction that must fail, into OUT."""

    def predict(inputs, *words):
        return refused(["predict", run, *inputs, "--out", tmp_path / "out", "--overlay"], *words)

    return predict


def masks_in(out):
    return sorted(name for name in contents(out) if "/" not in name) if out.exists() else []


def test_no_image_to_predict(data, tmp_path, predict_refused):
    (tmp_path / "empty").mkdir()
    told = predict_refused([tmp_path / "empty", tmp_path / "nowhere.png", tmp_path / "*.gif"])
    assert f"{tmp_path / 'empty'} holds no image" in told
    assert f"{tmp_path / 'nowhere.png'} does not exist" in told
    assert f"{tmp_path / '*.gif'} does not exist" in told
    assert not (tmp_path / "out").exists()


def test_wrong_channels_at_prediction(data, tmp_path, predict_refused):
    deep = data / "images" / "cell_0.png"
    save(deep, np.arange(256, dtype=np.uint8).reshape(8, 8, 4))
    predict_refused([data / "images"], f"{deep} has 4 channels; the model was trained on 3")
    assert masks_in(tmp_path / "out") == [f"cell_{n}.png" for n in range(1, 8)]  # the others are written


def test_sixteen_bits_at_prediction(data, tmp_path, predict_refused):
    np.save(data / "deep.npy", np.zeros((8, 8, 3), np.uint16))
    predict_refused([data / "deep.npy"], "deep.npy is uint16; the model was trained on uint8")
    assert masks_in(tmp_path / "out") == []


def test_a_truncated_png_at_prediction(data, tmp_path, predict_refused):
    path = data / "images" / "cell_5.png"
    truncate(path)
    predict_refused([data / "images"], path, "truncated")
    assert masks_in(tmp_path / "out") == [f"cell_{n}.png" for n in (0, 1, 2, 3, 4, 6, 7)]


def test_a_text_that_is_called_an_image(data, tmp_path, predict_refused):
    (data / "images" / "cell_0.png").write_text("no image")
    predict_refused([data / "images" / "cell_0.png"], "cell_0.png cannot be read", "not those of an image")
    assert masks_in(tmp_path / "out") == []


def test_masks_that_would_take_the_place_of_images(data, run, refused):
    before = contents(data)
    refused(["predict", run, data / "images", "--out", data / "images"], "could take their place")
    assert contents(data) == before


def test_masks_that_are_there_already(data, run, tmp_path, refused):
    out = tmp_path / "out"
    save(out / "cell_0.png", np.zeros((2, 2), np.uint8))
    before = contents(out)
    refused(["predict", run, data / "images" / "cell_0.png", "--out", out], out / "cell_0.png", "--overwrite")
    assert contents(out) == before


# The disk.


def is_left_behind(folder):
    return [name for name in contents(folder) if ".writing-" in name]


@pytest.fixture
def full_disk(monkeypatch):
    """Let the disk be full from the first write of a file whose name ends so."""

    def fill(ending):
        fsync, replace = os.fsync, Path.replace

        def full(self, target):
            if str(target).endswith(ending):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", full)
        return fsync

    return fill


@pytest.mark.parametrize(
    "ending", ["settings.yaml", "split.csv", "model.safetensors", ".ckpt", "history.csv", "report.html"]
)
def test_a_disk_that_fills_up_while_training(data, tmp_path, refused, full_disk, ending):
    full_disk(ending)
    refused(
        ["train", data, "--out", tmp_path / "run", "--steps", "2", *TINY_OPTIONS],
        tmp_path / "run",
        ending,
        "No space left on device",
        "Fix: free some space",
    )
    assert not is_left_behind(tmp_path / "run")
    assert not any(name.endswith(ending) for name in contents(tmp_path / "run"))


@pytest.mark.parametrize("ending", ["metrics.json", "images.csv", "report.html"])
def test_a_disk_that_fills_up_while_evaluating(run, refused, full_disk, ending):
    (run / "evaluation").mkdir()
    for name in ("evaluation/metrics.json", "evaluation/images.csv", "report.html"):
        (run / name).write_text("of the last evaluation")
    full_disk(ending)
    refused(["evaluate", run], ending, "No space left on device")
    assert not is_left_behind(run)
    path = run / ending if ending == "report.html" else run / "evaluation" / ending
    assert path.read_text() == "of the last evaluation"


def test_a_disk_that_fills_up_while_predicting(data, tmp_path, predict_refused, full_disk):
    full_disk("cell_3.png")
    predict_refused([data / "images"], tmp_path / "out", "No space left on device")
    assert not is_left_behind(tmp_path / "out")
    assert "cell_3.png" not in masks_in(tmp_path / "out")


def test_a_picture_that_is_half_written_leaves_nothing(data, tmp_path, predict_refused, monkeypatch):
    def save_half(self, file, *arguments, **more):
        Path(file).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Image.Image, "save", save_half)
    predict_refused([data / "images" / "cell_0.png"], "No space left on device")
    assert not any(path.is_file() for path in (tmp_path / "out").rglob("*"))


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="nothing is forbidden to root")
def test_a_folder_without_permission(data, tmp_path, refused):
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(["train", data, "--out", tmp_path / "locked" / "run", "--steps", "2", *TINY_OPTIONS], "Permission denied")
