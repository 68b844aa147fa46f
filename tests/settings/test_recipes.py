"""Each recipe resolves, is the tutorial's network, and trains; what is given goes over it."""

import re
from pathlib import Path

import pytest

import generated
from perpixel import api
from perpixel.api import catalogue
from perpixel.errors import SettingsError
from perpixel.language import say
from perpixel.planning.rules import RULES
from perpixel.settings.recipes import RECIPES, with_recipe
from perpixel.settings.tree import request_from
from perpixel.settings.tutorials import TUTORIALS, tutorial_table
from perpixel.store.run_folder import Run

KINDS = {  # the folder like the tutorial's, and its classes
    "fcn-resnet-em": (generated.write_cells, 2),
    "fcn-vgg-pets": (generated.write_land, 3),
    "unet-shapes": (generated.write_overlapping, 6),
    "unet-cropland": (generated.write_cells, 2),
    "unetpp-nuclei": (generated.write_cells, 2),
}
PAGES = {
    "membranes": "fcn-resnet-em",
    "pets": "fcn-vgg-pets",
    "shapes": "unet-shapes",
    "cropland": "unet-cropland",
    "nuclei": "unetpp-nuclei",
}
SMALL = {"steps": 2, "batch_size": 2, "crop_hw": [32, 32], "validation_passes": 1, "precision": "32"}
COSTLY = {"fcn-resnet-em", "fcn-vgg-pets", "unet-cropland", "unetpp-nuclei"}  # 9 to 33 million parameters


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in COSTLY)) for name in RECIPES]
)
def test_a_recipe_trains_on_data_of_its_kind(name, tmp_path):
    data = KINDS[name][0](tmp_path / "data")
    run = api.train(data, tmp_path / "run", recipe=name, settings={"train": SMALL})
    stored = Run.open(run.folder).settings
    assert run.last_weights_path.exists()
    assert (stored.train.steps, stored.train.epochs) == (2, None)
    recipe = RECIPES[name].settings
    assert stored.train.loss == request_from(recipe).train.loss
    assert stored.train.learning_rate == recipe["train"]["learning_rate"]
    assert stored.model == request_from(recipe).model
    assert stored.augment == request_from(recipe).augment


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_leaves_nothing_to_the_plan_but_what_is_the_machines(name):
    settings = request_from(RECIPES[name].settings)
    for key in RULES.keys() - {"train.precision", "train.threads", "train.memory_format"}:
        section, _, setting = key.partition(".")
        assert setting in getattr(settings, section).model_fields_set, key


def test_what_is_given_goes_over_the_recipe():
    tree = with_recipe("unet-cropland", {"seed": 3, "train": {"batch_size": 2}, "model": {"options": {"width": 8}}})
    assert tree["seed"] == 3
    assert (tree["train"]["batch_size"], tree["train"]["step_epochs"]) == (2, 20)
    assert tree["model"]["options"] == {**RECIPES["unet-cropland"].settings["model"]["options"], "width": 8}


def test_a_budget_takes_the_place_of_the_recipes():
    train = with_recipe("unet-shapes", {"train": {"minutes": 3.0, "steps": None, "epochs": None}})["train"]
    assert {key: train[key] for key in ("minutes", "steps", "epochs")} == {
        "minutes": 3.0,
        "steps": None,
        "epochs": None,
    }
    assert with_recipe("unet-shapes", {})["train"]["epochs"] == 40


def test_a_step_schedule_drops_at_its_shares_of_another_budget():
    shares = {
        "unet-shapes": 25 / 40,
        "unet-cropland": 20 / 100,
    }
    for name, share in shares.items():
        assert with_recipe(name, {"train": {"minutes": 3.0}})["train"]["step_share"] == share
        assert "step_share" not in with_recipe(name, {})["train"]
    assert "step_share" not in with_recipe("unetpp-nuclei", {"train": {"steps": 3}})["train"]


def test_a_loss_takes_the_place_of_the_recipes():
    train = with_recipe("unetpp-nuclei", {"train": {"loss": {"lovasz_hinge": 1}}})["train"]
    assert train["loss"] == {"lovasz_hinge": 1}


@pytest.mark.parametrize("given", [{"name": "fcn8s"}, {"encoder": "resnet34"}])
def test_another_network_comes_without_the_recipes_options(given):
    assert with_recipe("unet-cropland", {"model": given})["model"] == {"name": "unet", **given}


def test_a_preset_takes_the_place_of_the_recipes_augmentation():
    given = {"preset": "aerial", "zoom": 2}
    assert with_recipe("unet-cropland", {"augment": given})["augment"] == given
    assert with_recipe("unet-cropland", {"augment": {"zoom": 2}})["augment"]["one_flip"]


def test_a_recipe_is_not_changed_by_what_goes_over_it():
    before = repr(RECIPES)
    with_recipe("unet-shapes", {"train": {"loss": {"bce": 1}, "minutes": 1}, "augment": {"zoom": 2}})
    assert repr(RECIPES) == before


def test_an_unknown_recipe_gets_the_closest(tmp_path):
    with pytest.raises(SettingsError, match=r"no recipe 'unet-shape'[\s\S]*Fix: did you mean unet-shapes"):
        api.train(tmp_path, recipe="unet-shape")


def test_the_list_names_every_recipe():
    assert all(f"{name} " in catalogue.recipes() for name in RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_compared_with_its_tutorial_line_by_line(name):
    lines, text = TUTORIALS[name], " ".join(catalogue.recipes(name).split())
    assert {line.verdict for line in lines} == {"same", "fixed", "different"}
    assert all(line.here for line in lines if line.verdict != "same")
    assert all(" ".join(line.text.split()) in text for line in lines)
    learning_rate = RECIPES[name].settings["train"]["learning_rate"]
    assert f"train.learning_rate = {learning_rate}" in text


@pytest.mark.parametrize(("ending", "language"), [(".md", "en"), (".zh.md", "zh")])
@pytest.mark.parametrize(("page", "name"), PAGES.items())
def test_the_page_of_a_walk_shows_the_comparison(page, name, ending, language):
    text = (Path(__file__).parents[2] / "docs" / "walks" / f"{page}{ending}").read_text(encoding="utf-8")
    table = tutorial_table(name, language)
    assert table in text, f"put into {page}{ending}:\n{table}"


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_compared_in_chinese(name):
    for line in TUTORIALS[name]:
        for cell in (line.verdict, line.text, line.here):
            has_words = " " in re.sub("`[^`]*`", "", cell).strip(" ,;")
            assert not has_words or say(cell, language="zh") != cell, cell


def test_a_recipe_is_described_as_its_network():
    assert catalogue.describe((32, 32), settings={}, recipe="unet-shapes", classes=6).parameters == 7_783_238
    assert catalogue.describe((64, 64), settings={}, recipe="fcn-vgg-pets", classes=3).parameters == 24_010_179
    over = {"model": {"options": {"depth": 1}}}
    assert catalogue.describe((32, 32), settings=over, recipe="unet-shapes").parameters < 1_000_000
    with pytest.raises(SettingsError, match="no network is named"):
        catalogue.describe((32, 32), settings={})


def test_the_croplands_flips_are_the_texts_shares_and_exclude_each_other():
    augment = request_from(RECIPES["unet-cropland"].settings).augment
    assert augment.one_flip
    assert augment.horizontal_flip == augment.vertical_flip == pytest.approx(0.6 / 2.2)


def test_a_recipe_is_shown_with_values_as_yaml_has_them():
    lines = catalogue.recipes("unetpp-nuclei").splitlines()
    assert "  model.encoder = null" in lines
    assert "  augment.quarter_turns = true" in lines
    assert not [line for line in lines if line.endswith("×")]  # whoever prints breaks the lines
