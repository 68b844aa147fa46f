import math
import re
from typing import get_args

import pytest
import yaml

from perpixel.errors import SettingsError
from perpixel.language import speaking
from perpixel.metrics.metric_table import metrics_of
from perpixel.settings import renamed
from perpixel.settings.presets import PRESETS
from perpixel.settings.text import assign, settings_from_file, to_yaml
from perpixel.settings.tree import (
    DEFAULT_MINUTES,
    AugmentSettings,
    LossSettings,
    Request,
    Settings,
    changed,
    decided,
    flat,
    nested,
    over,
    request_from,
    setting_names,
)


def test_without_any_setting_the_budget_is_ten_minutes():
    settings = request_from({})
    assert settings == Request()
    assert settings.train.minutes == DEFAULT_MINUTES == 10
    assert settings.train.steps is settings.train.epochs is None


@pytest.mark.parametrize("budget", ["minutes", "steps", "epochs"])
def test_a_budget_takes_the_place_of_the_default(budget):
    train = request_from({"train": {budget: 3}}).train
    assert {name: getattr(train, name) for name in ("minutes", "steps", "epochs")} == {
        **dict.fromkeys(("minutes", "steps", "epochs")),
        budget: 3,
    }


def test_other_settings_of_train_keep_the_default_budget():
    assert request_from({"train": {"batch_size": 2}}).train.minutes == DEFAULT_MINUTES


def test_two_budgets_are_refused():
    with pytest.raises(
        SettingsError, match="only one of minutes, steps, epochs can be the budget, not steps and epochs"
    ):
        request_from({"train": {"steps": 3, "epochs": 2}})


@pytest.mark.parametrize(
    ("train", "fix"),
    [
        ({"minutes": "one"}, "set train.minutes to a number from 0.05 to 10,000,000."),
        ({"learning_rate": None}, "set train.learning_rate to a number above 0."),
        ({"crop_hw": [0, 3]}, "set train.crop_hw.0 to a whole number from 1 to 65,536."),
        ({"nesterov": "so"}, "set train.nesterov to true or false."),
        ({"minutes": 1, "epochs": 2}, "give only one of them."),
        ({"lerning_rate": 1}, "did you mean train.learning_rate?"),
    ],
)
def test_the_fix_fits_the_problem(train, fix):
    with pytest.raises(SettingsError) as caught:
        request_from({"train": train})
    assert str(caught.value).endswith(f"Fix: {fix}")


@pytest.mark.parametrize("budget", ["minutes", "steps", "epochs"])
def test_a_budget_of_zero_is_refused(budget):
    with pytest.raises(SettingsError, match=rf"train.{budget} = 0 is below .*\nFix: set train.{budget}"):
        request_from({"train": {budget: 0}})


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"train": {"learning_rat": 1}}, "unknown key train.learning_rat.\nFix: did you mean train.learning_rate"),
        ({"learning_rate": 1}, "unknown key learning_rate.\nFix: did you mean train.learning_rate?"),
        ({"sed": 1}, "unknown key sed.\nFix: did you mean seed?"),
        ({"train": {"quux_quux": 1}}, "unknown key train.quux_quux.\nFix: choose one of augment.blur_px, "),
        ({"mdel": {"name": "unet"}}, "unknown key mdel.\nFix: did you mean model?"),
    ],
)
def test_an_unknown_key_gets_the_closest_known_one(tree, told):
    with pytest.raises(SettingsError) as caught:
        request_from(tree)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        ({"seed": -1}, "seed = -1 is below 0."),
        ({"train": {"learning_rate": 0}}, "train.learning_rate = 0 is not above 0."),
        ({"train": {"scale": 1.5}}, "train.scale = 1.5 is above 1."),
        ({"train": {"crop_hw": [0, 64]}}, "train.crop_hw.0 = 0 is below 1."),
        ({"data": {"test_fraction": "some"}}, "data.test_fraction = some is no number."),
        ({"augment": {"zoom": 0.5}}, "augment.zoom = 0.5 is below 1."),
    ],
)
def test_a_value_out_of_its_range_is_told_with_its_range(tree, told):
    with pytest.raises(SettingsError) as caught:
        request_from(tree, "mine.yaml")
    assert str(caught.value).startswith(f"mine.yaml: {told}")
    assert "\nFix: set " in str(caught.value)


@pytest.mark.parametrize(
    ("tree", "told", "fix"),
    [
        ({"seed": "x"}, "seed = x is no whole number.", "set seed to a whole number from 0, below 2,147,483,648."),
        ({"seed": 1.5}, "seed = 1.5 is no whole number.", "set seed to a whole number from 0, below 2,147,483,648."),
        ({"seed": 1e20}, "seed = 1e+20 is too large a number.", "set seed to a whole number from 0"),
        ({"seed": 2**31}, "seed = 2147483648 is not below 2,147,483,648.", "set seed to a whole number from 0"),
        ({"train": {"learning_rate": []}}, "train.learning_rate = [] is no number.", "set train.learning_rate to a"),
        (
            {"train": {"nesterov": 3}},
            "train.nesterov = 3 is neither true nor false.",
            "set train.nesterov to true or",
        ),
        ({"model": {"name": 3}}, "model.name = 3 is no text.", "give model.name as text, in quotes."),
        ({"model": {3: 4}}, "model.3 is a key that is no text.", "put the key in quotes."),
        ({"model": {"options": {3: 4}}}, "model.options.3 is a key that is no text.", "put the key in quotes."),
        (
            {"model": {"options": 3}},
            "model.options = 3 is no mapping of keys to values.",
            "give model.options as KEY",
        ),
        ({"train": [1]}, "train = [1] is no mapping of keys to values.", "give train as KEY: VALUE pairs."),
        (
            {"train": {"crop_hw": 3}},
            "train.crop_hw = 3 is no list.",
            "write train.crop_hw as a list: [value, value].",
        ),
        ({"train": {"crop_hw": [3]}}, "train.crop_hw.1 is missing.", "give train.crop_hw.1 a value."),
        (
            {"train": {"crop_hw": [3, 4, 5]}},
            "train.crop_hw = [3, 4, 5] holds more than 2 values.",
            "leave 2 values in",
        ),
        (
            {"data": {"unlabelled": [1]}},
            "data.unlabelled = [1] is neither a number nor a text.",
            "give data.unlabelled",
        ),
        (
            {"data": {"unlabelled": {}}},
            "data.unlabelled = {} is neither a number nor a text.",
            "give data.unlabelled",
        ),
        (
            {"train": {"monitor": {"name": "iou", "class": []}}},
            "train.monitor.class = [] is neither a number nor a text.",
            "give train.monitor.class a number or a text.",
        ),
        (
            {"train": {"class_weights": 3}},
            'train.class_weights is refused: neither "none" nor "balanced" nor weights from 0 up by class',
            "change train.class_weights as it says.",
        ),
        ({"model": {"name": ["x" * 99]}}, f"model.name = ['{'x' * 58}… is no text.", "give model.name as text"),
    ],
)
def test_a_wrong_value_is_told_in_our_words(tree, told, fix):
    with pytest.raises(SettingsError) as caught:
        request_from(tree)
    (problem,) = caught.value.problems
    assert problem.what.startswith(f"the settings: {told}")
    assert problem.fix.startswith(fix)


ODD = ("x", "", -1, 1.5, 1e20, 10**300, math.nan, math.inf, None, True, [], [1, 2, 3], ["x"], {}, {"x": []}, {3: 4})


def refusal_of(tree):
    """What is wrong with the settings; None where nothing is."""
    try:
        request_from(tree)
    except SettingsError as error:
        return error
    return None


@pytest.mark.parametrize("key", ["data", "train", *setting_names(Request)])
def test_every_setting_tells_odd_values_in_our_words_in_both_languages(key):
    errors = list(filter(None, (refusal_of(nested({key: value})) for value in ODD)))
    assert errors
    for error in errors:
        assert not re.search("nput should|a valid|unable to|required|instance of", str(error))
        with speaking("zh"):
            in_chinese = str(error)
        assert not re.search("[a-z]{2,} [a-z]+ [a-z]{2,}", in_chinese), in_chinese
        assert in_chinese.count("修正：") == len(error.problems)


@pytest.mark.parametrize("key", ["minutes", "steps", "batch_size", "threads", "devices", "keep_every", "accumulate"])
def test_numbers_are_of_this_world(key):
    """A batch of 10^400 images ended in an OverflowError."""
    with pytest.raises(SettingsError, match=rf"train.{key} = 1e?\+?[0-9]*…? is above"):
        request_from({"train": {key: 10**300}})


@pytest.mark.parametrize("key", ["minutes", "learning_rate", "weight_decay", "clip_norm", "encoder_lr_factor"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_numbers_are_finite(key, value):
    """A budget of infinite minutes trained until the machine was switched off."""
    with pytest.raises(SettingsError, match=rf"train.{key} = {value} is no finite number"):
        request_from({"train": {key: value}})


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (
            {"train": {"optimiser": "adm"}},
            "train.optimiser = adm is none of muon, adamw, adam, sgd.\nFix: did you mean adam or adamw?",
        ),
        (
            {"augment": {"preset": "microscope"}},
            "augment.preset = microscope is none of microscopy, aerial, natural.\nFix: did you mean microscopy?",
        ),
        ({"augment": {"preset": ["aerial"]}}, "Fix: did you mean aerial?"),
        ({"train": {"device": "gpu"}}, "Fix: did you mean cuda?"),
        ({"augment": {"preset": 3}}, "Fix: choose one of aerial, microscopy, natural."),
    ],
)
def test_a_wrong_word_gets_the_closest_right_one(tree, told):
    with pytest.raises(SettingsError) as caught:
        request_from(tree)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", get_args(get_args(AugmentSettings.model_fields["preset"].annotation)[0]))
def test_a_preset_gives_what_is_not_set(name):
    given = {"preset": name, "zoom": 1.1, "horizontal_flip": 0}
    augment = request_from({"augment": given}).augment
    assert augment.model_dump() == {**PRESETS[name], **given}  # a preset has them all
    assert request_from(yaml.safe_load(to_yaml(request_from({"augment": given})))).augment == augment


def test_without_a_preset_nothing_is_filled_in():
    assert request_from({"augment": {"preset": None}}).augment.model_fields_set == {"preset"}


def test_all_problems_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        request_from({"seed": "x", "train": {"step": 3, "batch_size": 0}})
    assert len(caught.value.problems) == 3


def test_a_precision_of_32_may_be_a_number():
    assert request_from(assign({}, ["train.precision=32"])).train.precision == "32"


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        request_from({}).seed = 3


def test_yaml_holds_every_setting():
    settings = request_from({"train": {"steps": 3, "crop_hw": [32, 64]}, "model": {"options": {"width": 8}}})
    tree = yaml.safe_load(to_yaml(settings))
    assert request_from(tree) == settings
    assert {"seed", "train.steps", "model.encoder", "augment.zoom", "data.folds"} <= flat(tree).keys()


def test_assignments_are_yaml_and_the_later_wins():
    tree = assign({"train": {"steps": 1}}, ["train.crop_hw=[64, 32]", "model.encoder=null", "seed=1", "seed=2"])
    assert tree == {"train": {"steps": 1, "crop_hw": [64, 32]}, "model": {"encoder": None}, "seed": 2}


def test_an_assignment_leaves_the_tree_it_is_put_over_alone():
    tree = {"train": {"steps": 1}}
    assign(tree, ["train.batch_size=2"])
    assert tree == {"train": {"steps": 1}}


def test_a_budget_that_is_set_replaces_another():
    tree = assign({"train": {"epochs": 4}}, ["train.steps=3"])
    assert request_from(tree).train.steps == 3
    assert request_from(tree).train.epochs is None


def test_an_assignment_without_value_is_refused():
    with pytest.raises(
        SettingsError, match=r"seed has no value.\nFix: write KEY=VALUE, as train.learning_rate=3e-4."
    ):
        assign({}, ["seed"])


def test_an_assignment_below_a_value_is_refused():
    with pytest.raises(SettingsError, match=r"seed.x: seed is a value.\nFix: write seed=…."):
        assign({"seed": 1}, ["seed.x=2"])


def test_a_value_that_is_not_yaml_is_refused():
    with pytest.raises(SettingsError, match=r"train.crop_hw=\[64: \[64 is not YAML.\nFix: close its brackets"):
        assign({}, ["train.crop_hw=[64"])


@pytest.mark.parametrize(
    ("text", "told"),
    [("a: [", "is not YAML"), ("- 1\n- 2", "holds no settings.\nFix: write lines like `train: {steps: 100}`.")],
)
def test_a_file_that_holds_no_settings_is_refused(tmp_path, text, told):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        settings_from_file(path)
    assert f"{path} {told}" in str(caught.value)


def test_a_missing_file_of_settings_is_named(tmp_path):
    with pytest.raises(
        SettingsError, match=r"cannot read .*none.yaml: No such file or directory.\nFix: give an existing"
    ):
        settings_from_file(tmp_path / "none.yaml")


def test_an_empty_file_of_settings_changes_nothing(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert settings_from_file(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize("given", ["none", "balanced"])
def test_weights_of_classes_are_a_word_or_numbers_by_name(given):
    assert request_from({"train": {"class_weights": given}}).train.class_weights == given
    numbers = request_from({"train": {"class_weights": {"cell": 2, 255: 0.5}}}).train
    assert numbers.class_weights == {"cell": 2.0, "255": 0.5}
    assert request_from({"train": numbers.model_dump(mode="json")}).train == numbers


@pytest.mark.parametrize("given", ["balansed", 3, {}, {"cell": -1}, {"cell": float("inf")}, {"cell": "much"}, None])
def test_weights_of_classes_that_are_none_are_refused_once(given):
    message = r'neither "none" nor "balanced" nor weights from 0 up by class, such as \{cell: 2\}'
    with pytest.raises(SettingsError, match=message) as caught:
        request_from({"train": {"class_weights": given}})
    assert len(caught.value.problems) == 1
    assert "the settings: train.class_weights" in str(caught.value)


RENAMED = {
    "train.rare_views": "train.class_balanced_fraction", "train.hard_views": "train.hard_example_fraction",
    "train.encoder_rate": "train.encoder_lr_factor", "train.best_by": "train.monitor",
    "train.patience": "train.early_stopping", "train.validations": "train.validation_passes",
    "train.watch": "train.loggers", "model.start_from": "model.fine_tune_from", "predict.views": "predict.tta",
    "data.validation_share": "data.validation_fraction", "data.test_share": "data.test_fraction",
    "lr": "train.learning_rate", "train.bs": "train.batch_size", "imgsz": "train.crop_hw", "tta": "predict.tta",
    "epochs": "train.epochs", "optimizer": "train.optimiser", "model.backbone": "model.encoder",
}  # fmt: skip


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_another_name_of_a_setting_is_answered_with_ours(old, new):
    with pytest.raises(SettingsError, match=rf"unknown key {old}.\nFix: did you mean {new}\?"):
        request_from(assign({}, [f"{old}=1"]))


def test_every_other_name_stands_for_a_setting():
    assert set(renamed.RENAMED.values()) <= flat(Request().model_dump()).keys()
    assert not renamed.RENAMED.keys() & {key.rpartition(".")[2] for key in flat(Request().model_dump())}


@pytest.mark.parametrize(("old", "new"), [pair for pair in renamed.RENAMED_VALUES.items() if pair[1] != "cuda"])
def test_another_word_for_a_value_is_answered_with_ours(old, new):
    with pytest.raises(SettingsError, match=rf"predict.tta = {old} .*\nFix: did you mean {new}\?"):
        request_from({"predict": {"tta": old}})


def test_changed_settings_are_checked_and_leave_open_what_was_open():
    settings = request_from({"train": {"minutes": 3, "batch_size": 2}})
    other = changed(settings, {"train.minutes": None, "train.steps": 7, "seed": 4})
    assert (other.train.steps, other.train.minutes, other.seed) == (7, None, 4)
    assert other.train.model_fields_set == {"minutes", "steps", "batch_size"}
    assert settings.train.minutes == 3
    with pytest.raises(SettingsError, match=r"train.batch_size = 0 is below 1"):
        changed(settings, {"train.batch_size": 0})
    with pytest.raises(SettingsError, match=r"unknown key train.batchsize.\nFix: did you mean train.batch_size"):
        changed(settings, {"train.batchsize": 1})


def test_settings_leave_nothing_open():
    request = request_from({"seed": 3, "train": {"steps": 7, "momentum": 0}, "augment": {"preset": "aerial"}})
    settings = decided(request)
    assert settings.model_dump() == request.model_dump()
    assert decided(request_from(yaml.safe_load(to_yaml(settings)))) == settings
    assert isinstance(changed(settings, {"seed": 4}), Settings)
    with pytest.raises(ValueError, match=r"settings state everything, and accumulate, augment, .* is left open"):
        Settings.model_validate({"seed": 3, "train": {"steps": 7}})


def test_trees_are_laid_over_each_other_without_changing_them():
    base, more = (
        {"train": {"epochs": 3, "loss": {"dice": 1}}, "seed": 1},
        {"train": {"steps": 5}, "model": {"name": "u"}},
    )
    expected = {"train": {"epochs": None, "steps": 5, "loss": {"dice": 1}}, "seed": 1, "model": {"name": "u"}}
    assert over(base, more) == expected
    assert base == {"train": {"epochs": 3, "loss": {"dice": 1}}, "seed": 1}


@pytest.mark.parametrize("word", ["none", None])
def test_the_plain_network_has_a_word(word):
    assert request_from({"model": {"encoder": word}}).model.encoder is None


@pytest.mark.parametrize(
    "given",
    [
        {"tversky": 1.0},
        "tversky",
        ["tversky"],
        {"name": "tversky"},
        [{"name": "tversky", "weight": 1}],
    ],
)
def test_a_loss_may_be_a_name_weights_by_name_or_a_list(given):
    assert request_from({"train": {"loss": given}}).train.loss == (LossSettings(name="tversky"),)


def test_a_loss_has_options_from_the_command_line_and_from_a_file(tmp_path):
    text = (
        "[{name: tversky, weight: 1, alpha: 3e-1, beta: 0.7}, {name: dice, per_image: true, classes: present}, bce]"
    )
    train = request_from(assign({}, [f"train.loss={text}"])).train
    assert [(each.name, each.weight, each.options) for each in train.loss] == [
        ("tversky", 1.0, {"alpha": 0.3, "beta": 0.7}),
        ("dice", 1.0, {"per_image": True, "classes": "present"}),
        ("bce", 1.0, {}),
    ]
    (tmp_path / "mine.yaml").write_text(to_yaml(request_from({"train": {"loss": yaml.safe_load(text)}})))
    again = request_from(settings_from_file(tmp_path / "mine.yaml")).train
    assert [str(each) for each in again.loss] == ["tversky(alpha=0.3, beta=0.7)", *map(str, train.loss[1:])]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"dice": -1}, "train.loss.0.weight = -1 is below 0."),
        ([{"weight": 1}], "train.loss.0.name is missing."),
        (3, "train.loss = 3 is no list."),
        ([{"name": "tversky", "alpha": [1, 2]}], "train.loss.0.alpha"),
    ],
)
def test_a_loss_that_is_none_is_told(given, told):
    with pytest.raises(SettingsError, match=told):
        request_from({"train": {"loss": given}})


@pytest.mark.parametrize("name", ["loss", *metrics_of("dataset"), *metrics_of("class")])
def test_every_validation_metric_can_be_monitored(name):
    for given in (name, {"name": name}):
        assert request_from({"train": {"monitor": given}}).train.monitor == name


def test_a_monitored_metric_keeps_its_options():
    settings = request_from({"train": {"monitor": {"name": "iou", "class": "nuclei"}}})
    assert (settings.train.monitored.name, settings.train.monitored.options) == ("iou", {"class": "nuclei"})
    assert request_from(yaml.safe_load(to_yaml(settings))) == settings
    numbered = request_from({"train": {"monitor": {"name": "iou", "class": 3}}})
    assert str(numbered.train.monitored.options["class"]) == "3"


@pytest.mark.parametrize("given", [3, {"class": "nuclei"}, ["iou"]])
def test_what_names_no_metric_is_refused(given):
    with pytest.raises(SettingsError, match=r"train\.monitor.*: neither a metric nor a mapping such as {name: iou"):
        request_from({"train": {"monitor": given}})


@pytest.mark.parametrize("given", ["mean_iuo", {"name": "mean_iuo", "class": "nuclei"}])
def test_a_metric_that_cannot_be_monitored_is_refused(given):
    with pytest.raises(SettingsError, match=r"(?s)train\.monitor.*did you mean mean_iou"):
        request_from({"train": {"monitor": given}})
