"""From a folder to a model, numbers, a page and masks, through the command line alone."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import generated
import perpixel
from generated import SIZES, TINY_OPTIONS, contents, picture_of, save
from perpixel.api import demo_verb
from perpixel.cli import main
from perpixel.settings.tree import changed
from perpixel.training import setup
from perpixel.training.timing import FittedBudget


def read(path):
    with Image.open(path) as image:
        return np.asarray(image)


def trained(data, run, *more):
    assert main(["train", str(data), "--out", str(run), "--steps", "6", *TINY_OPTIONS, *more]) == 0
    return str(run)


@pytest.fixture(scope="module")
def cells_line(tmp_path_factory, cells):
    """A run on the cells with two unlabelled images beside, evaluated."""
    folder = tmp_path_factory.mktemp("line")
    return trained(cells, folder / "run")


KINDS = {
    "0 and 255": (generated.write_cells, {0, 255}),
    "indices": (generated.write_land, {0, 1, 2}),
    "multilabel": (generated.write_overlapping, {0, 255}),
}


@pytest.mark.parametrize(("write", "values"), KINDS.values(), ids=KINDS)
def test_a_folder_becomes_a_model_numbers_a_page_and_masks(tmp_path, capsys, write, values):
    data = write(tmp_path / "data")
    run = trained(data, tmp_path / "run")
    told = capsys.readouterr()
    assert told.out.splitlines()[1].split() == ["run:", run]
    assert told.err.count("validation ") == 2 + 2  # plain lines where nobody looks: each validation, and its loss
    assert "\r" not in told.err

    assert main(["evaluate", run]) == 0
    table = capsys.readouterr().out
    figures = json.loads((tmp_path / "run" / "evaluation" / "metrics.json").read_text())
    assert figures["split"] == "test"
    for name, scores in figures["classes"].items():
        assert name in table
        assert scores["iou"] is None or 0 <= scores["iou"] <= 1
    with (tmp_path / "run" / "evaluation" / "images.csv").open() as file:
        assert len(list(csv.DictReader(file))) == figures["images"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert all(name in page for name in figures["classes"])

    out = tmp_path / "masks"
    assert (
        main(["predict", run, str(data / "images"), "--out", str(out), "--overlay", "--probabilities", "uint8"]) == 0
    )
    told = capsys.readouterr().out
    assert told.startswith("8 images predicted; found ")
    assert f": {out}\noverlays: {out / 'overlays'}\nNext: perpixel next " in told
    classes = sorted(path.name for path in (data / "masks").iterdir() if path.is_dir())
    for image in (data / "images").iterdir():
        with Image.open(image) as opened:
            size = opened.size[::-1]
        for mask in [out / name / image.name for name in classes] if classes else [out / image.name]:
            assert read(mask).shape == size
            assert set(np.unique(read(mask))) <= values
        assert read(out / "overlays" / image.name).shape == (*size, 3)
        assert (out / "probabilities" / f"{image.stem}.tif").is_file()


def test_settings_yaml_tells_everything(cells_line, cells):
    with open(f"{cells_line}/settings.yaml", encoding="utf-8") as file:
        stored = yaml.safe_load(file)
    assert stored["data"] == str(cells.resolve())
    assert stored["settings"]["train"]["steps"] == 6
    assert stored["settings"]["model"]["options"] == {"width": 4, "depth": 2}
    names = [(term["name"], term["weight"]) for term in stored["settings"]["train"]["loss"]]
    assert names == [("cross_entropy", 1.0), ("dice", 1.0)]


@pytest.mark.parametrize("part", ["val", "all"])
def test_another_part_can_be_scored_into_a_folder(tmp_path, cells_line, part):
    before = contents(Path(cells_line))
    assert main(["evaluate", cells_line, "--split", part, "--out", str(tmp_path / "out")]) == 0
    assert set(contents(tmp_path / "out")) == {"metrics.json", "images.csv", "report.html"}
    assert contents(Path(cells_line)) == before


def test_another_folder_is_scored_whole(tmp_path, cells_line, capsys):
    other = generated.write_cells(tmp_path / "other", count=5, seed=9)
    assert main(["evaluate", cells_line, str(other), "--out", str(tmp_path / "out")]) == 0
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert (figures["split"], figures["images"]) == ("data", 5)
    assert "5 images (data)" in capsys.readouterr().out


def test_the_model_file_alone_predicts_any_size(tmp_path, cells_line):
    draw = np.random.default_rng(0)
    for name, size in (("tiny", (1, 1)), ("odd", (37, 53)), ("long", (3, 200))):
        save(tmp_path / "in" / f"{name}.png", picture_of(np.zeros(size, np.uint8), draw))
    alone = tmp_path / "elsewhere.safetensors"
    alone.write_bytes((Path(cells_line) / "model.safetensors").read_bytes())
    globbed = str(tmp_path / "in" / "*.png")
    assert main(["predict", str(alone), globbed, "--out", str(tmp_path / "out")]) == 0
    for name, size in (("tiny", (1, 1)), ("odd", (37, 53)), ("long", (3, 200))):
        assert read(tmp_path / "out" / f"{name}.png").shape == size


def test_files_folders_and_globs_are_predicted_once_each(tmp_path, cells_line, cells, capsys):
    images = cells / "images"
    given = [str(images / "cell_1.png"), str(images), str(images / "cell_[12].png")]
    assert main(["predict", cells_line, *given, "--out", str(tmp_path)]) == 0
    assert "8 images predicted" in capsys.readouterr().out


def test_the_five_lines_of_the_readme(tmp_path, cells):
    run = perpixel.train(cells, tmp_path / "run", settings=generated.TINY)
    assert "pixel accuracy" in str(perpixel.evaluate(run))
    image = read(cells / "images" / "cell_0.png")
    mask = perpixel.load(run).predict(image).mask
    assert mask.shape == image.shape[:2] == SIZES[0]
    assert mask.dtype == np.uint8


def test_a_grey_image_may_come_without_channels(tmp_path):
    data = generated.write_cells(tmp_path / "data", channels=1)
    run = perpixel.train(data, tmp_path / "run", settings=generated.TINY)
    image = read(data / "images" / "cell_0.png")
    assert image.ndim == 2
    assert perpixel.load(run).predict(image).mask.shape == image.shape


def test_a_palette_is_kept(tmp_path):
    data = generated.write_land(tmp_path / "data")
    colours = [0, 0, 0, 200, 0, 0, 0, 0, 200]
    for path in (data / "masks").iterdir():
        mask = Image.fromarray(np.minimum(read(path), 2))
        mask.putpalette(colours)
        mask.save(path)
    run = trained(data, tmp_path / "run")
    assert main(["predict", run, str(data / "images"), "--out", str(tmp_path / "out")]) == 0
    with Image.open(tmp_path / "out" / "land_0.png") as mask:
        assert mask.mode == "P"
        assert mask.getpalette()[:9] == colours
        assert set(np.unique(np.asarray(mask))) <= {0, 1, 2}


def test_colours_are_kept(tmp_path):
    data = generated.write_land(tmp_path / "data")
    for path in (data / "masks").iterdir():
        save(path, np.array(generated.COLOURS, np.uint8)[np.minimum(read(path), 2)])
    run = trained(data, tmp_path / "run")
    assert main(["predict", run, str(data / "images"), "--out", str(tmp_path / "out")]) == 0
    colours = {tuple(colour) for colour in read(tmp_path / "out" / "land_0.png").reshape(-1, 3).tolist()}
    assert colours <= set(generated.COLOURS)


def test_a_file_of_settings_and_options_over_it(tmp_path, cells):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({**generated.TINY, "seed": 4}))
    arguments = ["train", str(cells), "--out", str(tmp_path / "run"), "--config", str(tmp_path / "mine.yaml")]
    assert main([*arguments, "--epochs", "1", "--seed", "5", "--set", "train.learning_rate=3e-4"]) == 0
    with (tmp_path / "run" / "settings.yaml").open() as file:
        settings = yaml.safe_load(file)["settings"]
    assert settings["seed"] == 5
    assert settings["train"]["learning_rate"] == 3e-4
    assert settings["train"]["steps"] == 2  # five training images in batches of two
    assert settings["model"]["options"]["width"] == 4


def test_the_written_settings_train_the_same_model(tmp_path, cells, cells_line):
    with open(f"{cells_line}/settings.yaml", encoding="utf-8") as file:
        (tmp_path / "again.yaml").write_text(yaml.safe_dump(yaml.safe_load(file)["settings"], sort_keys=False))
    assert main(["train", str(cells), "--out", str(tmp_path / "run"), "--config", str(tmp_path / "again.yaml")]) == 0
    again = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert again == (Path(cells_line) / "model.safetensors").read_bytes()


def test_without_out_a_run_is_named_after_the_data(tmp_path, cells, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", str(cells), "--steps", "1", *TINY_OPTIONS]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["cells", "cells-2"]


def test_overwrite_replaces_a_run_and_masks(tmp_path, cells):
    run = str(tmp_path / "run")
    train = ["train", str(cells), "--out", run, "--steps", "1", *TINY_OPTIONS]
    assert main(train) == 0
    assert main(train) == 1
    assert main([*train, "--overwrite"]) == 0
    predict = ["predict", run, str(cells / "images" / "cell_0.png"), "--out", str(tmp_path / "out")]
    assert main(predict) == 0
    assert main(predict) == 1
    assert main([*predict, "--overwrite"]) == 0


def test_the_models_are_listed(capsys):
    assert main(["models"]) == 0
    listed = capsys.readouterr().out
    for name in ("unet", "unetplusplus", "fcn8s", "efficientnet_lite0"):
        assert name in listed


def test_the_demo_needs_no_data(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo_verb, "DEMO_DRAWINGS", 8)
    monkeypatch.setattr(demo_verb, "DEMO_UNSEEN", 2)
    train = {key: value for key, value in generated.TINY["train"].items() if key != "steps"}
    monkeypatch.setattr(demo_verb, "DEMO_SETTINGS", {**generated.TINY, "train": train})

    def two_steps(session, started, progress):
        return FittedBudget(changed(session.settings, {"train.minutes": None, "train.steps": 2}))

    monkeypatch.setattr(setup, "fit_budget", two_steps)
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    told = capsys.readouterr().out
    assert "filled circle" in told
    assert str(tmp_path / "demo" / "run" / "report.html") in told
    assert (tmp_path / "demo" / "run" / "evaluation" / "metrics.json").is_file()
    overlays = sorted(path.name for path in (tmp_path / "demo" / "predictions" / "overlays").iterdir())
    assert overlays == ["drawing_0000.png", "drawing_0001.png"]
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 1
    assert "already holds a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["trian", "cells"],
        ["train", "cells", "--stepps", "3"],
        ["train", "cells", "--steps", "many"],
        ["train", "cells", "--steps", "3", "--epochs", "2"],
        ["evaluate", "run", "--split", "tset"],
        ["predict", "run", "image.png"],
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(arguments, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "perpixel" in told.err or "Error" in told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_is_no_error(arguments, capsys):
    assert main(arguments) == 0
    assert "Semantic segmentation" in capsys.readouterr().out or arguments[0] == "train"
