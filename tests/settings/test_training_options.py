import inspect
from pathlib import Path

import pytest

import generated
import perpixel
from perpixel.errors import SettingsError
from perpixel.settings.training_options import OPTIONS, options_tree
from perpixel.settings.tree import Request, changed, flat
from perpixel.training import train_run

BUDGETS = ("minutes", "steps", "epochs")


@pytest.mark.parametrize("verb", ["train", "plan", "find_lr"])
def test_a_signature_shows_the_options_by_name(verb):
    function = getattr(perpixel, verb)
    parameters = inspect.signature(function).parameters
    assert {*BUDGETS, "model", "encoder", "seed", "fine_tune_from"} <= parameters.keys()
    assert all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    assert all(f"{name}:" in inspect.getdoc(function) for name in parameters)


@pytest.mark.parametrize(
    ("given", "fix"),
    [
        ("lr", r"did you mean settings={'train': {'learning_rate': …}}\?"),
        ("learning_rat", "choose one of data, duplicates, encoder"),
        ("max_epochs", r"did you mean epochs\?"),
        ("backbone", r"did you mean encoder\?"),
        ("step", r"did you mean steps\?"),
        ("learning_rate", r"did you mean settings={'train': {'learning_rate': …}}\?"),
        ("overrides", r"did you mean settings\?"),
    ],
)
@pytest.mark.parametrize("verb", ["train", "plan"])
def test_other_names_are_refused(verb, given, fix):
    with pytest.raises(SettingsError, match=f"{verb} takes no {given}.\nFix: {fix}"):
        getattr(perpixel, verb)("data", **{given: 3})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: perpixel.predict("run", "a.png"), r"predict needs out, too.\nFix: .*load\(run\).predict\(image\)"),
        (
            lambda: perpixel.train("a", "b", "c"),
            r"train takes at most 2 .*not 3.\nFix: write perpixel.train\(data\),",
        ),
        (perpixel.load, r"load needs run, too"),
        (lambda: perpixel.load("run", treshold=0.5), r"load takes no treshold.\nFix: did you mean threshold\?"),
        (lambda: perpixel.push(folder="a", privat=True), r"push takes no privat.\nFix: did you mean private\?"),
        (lambda: perpixel.doctor(language="zh"), r"doctor takes no language.\nFix: choose one of progress"),
        (lambda: perpixel.predict("run", "a.png", run="b"), r"predict is given run twice"),
    ],
)
def test_a_call_with_too_few_too_many_or_unknown_values_is_refused(call, message):
    with pytest.raises(SettingsError, match=message):
        call()


def test_dotted_names_are_settings_in_python(cells):
    answer = perpixel.plan(cells, settings={"train.batch_size": 3, "train": {"crop_hw": [32, 32]}}, steps=1)
    assert (answer.settings.train.batch_size, answer.settings.train.crop_hw) == (3, (32, 32))


def test_every_option_is_a_setting():
    settings = flat(Request().model_dump())
    for option in OPTIONS.values():
        assert {option.setting, *option.implied} <= settings.keys()


def test_options_become_settings_as_they_are():
    given = {"fine_tune_from": Path("runs/run #2"), "model": "1e3", "logger": "wandb", "gpus": 2, "folds": None}
    assert options_tree(given) == {
        "model": {"fine_tune_from": str(Path("runs/run #2").resolve()), "name": "1e3"},
        "train": {"loggers": ["wandb"], "devices": 2, "device": "cuda"},
    }


def test_two_budgets_are_refused_in_python(cells):
    with pytest.raises(SettingsError, match="only one of minutes, steps, epochs can be the budget"):
        perpixel.train(cells, steps=3, epochs=2)


def test_an_option_overrides_a_file_of_settings(tmp_path, cells):
    (tmp_path / "mine.yaml").write_text("train: {epochs: 9}\nseed: 3\nmodel: {encoder: null, options: {width: 4}}\n")
    settings = perpixel.plan(cells, settings=tmp_path / "mine.yaml", steps=1, seed=5).settings
    assert (settings.train.steps, settings.train.epochs, settings.seed) == (1, None, 5)
    assert settings.model.options == {"width": 4}


def test_weights_are_taken_from_the_very_path(tmp_path, monkeypatch):
    """Beside a run whose name is what YAML would have made of the path."""
    monkeypatch.chdir(tmp_path)
    name = "run #2: {细胞}"
    data = generated.write_cells(tmp_path / "a: {b} #1")
    for folder, width in (("run", 2), (name, 4)):
        model = {"model.encoder": None, "model.options": {"width": width}}
        train_run(data, tmp_path / folder, changed(generated.tiny_settings(steps=1, validation_passes=1), model))
    settings = {"train": {**generated.TINY["train"], "steps": 1}}
    planned = perpixel.plan(data, settings=settings, fine_tune_from=name).settings
    assert planned.model.options["width"] == 4
    assert planned.model.fine_tune_from == str(tmp_path / name)
