"""Five well-known tutorials as settings: what they train, with their mistakes fixed.

A recipe is part of the settings tree; what the user gives goes over it. Two mistakes that most tutorials share are
fixed by perpixel itself: labels are never resampled except by nearest neighbour, and scores are pooled counts of
unseen images at native size.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from perpixel.errors import SettingsError, did_you_mean
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.settings.tree import BUDGETS, over


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings with a name.

    Args:
        summary: What is trained on what, in one line.
        fixes: What the tutorial gets wrong and this does not.
        settings: Part of the settings tree.
    """

    summary: str
    fixes: str
    settings: JsonMapping


_AS_IT_IS: Final = {
    "horizontal_flip": 0.0,
    "vertical_flip": 0.0,
    "one_flip": False,
    "quarter_turns": False,
    "rotate_degrees": 0.0,
    "zoom": 1.0,
    "translate_px": 0.0,
    "elastic_px": 0.0,
    "brightness": 0.0,
    "contrast": 1.0,
    "gamma": 1.0,
    "saturation": 1.0,
    "colour": 0.0,
    "noise": 0.0,
    "blur_px": 0.0,
}
_TUTORIAL: Final = {
    "optimiser": "adam",
    "learning_rate": 1e-4,
    "encoder_lr_factor": 1.0,
    "encoder_norm": "batch",
    "frozen_stages": 0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "clip_norm": 0.0,
    "scale": 1.0,
    "class_balanced_fraction": 0.0,
    "labelled_crops": False,
    "propagate_strokes": False,
    "class_weights": "none",
}
_ONE_LOOK: Final = {"tta": "none"}
_EIGHT_TO_ONE_TO_ONE: Final = {"validation_fraction": 0.1, "test_fraction": 0.1}

RECIPES: Final[dict[str, Recipe]] = {
    "fcn-resnet-em": Recipe(
        summary="FCN-ResNet50 on electron microscopy (ISBI 2012): membrane and inside",
        fixes="values of 0 … 1 before ImageNet's statistics, scores of unseen slices, ROC from probabilities",
        settings={
            "data": _EIGHT_TO_ONE_TO_ONE,
            "predict": _ONE_LOOK,
            "model": {
                "name": "fcn_resnet50",
                "encoder": "resnet50",
                "weights": "auto",
                "options": {"auxiliary_weight": 0.0},
            },
            "augment": _AS_IT_IS,
            "train": {
                **_TUTORIAL,
                "epochs": 100,
                "batch_size": 8,
                "crop_hw": [512, 512],
                "loss": {"cross_entropy": 1.0},
                "monitor": "mean_iou",
            },
        },
    ),
    "fcn-vgg-pets": Recipe(
        summary="VGG16 with skips on photographs of pets: pet, background and border, a fifth held out",
        fixes="labels by nearest neighbour, scores at native size, the IoU of every class next to the accuracy",
        settings={
            "data": _EIGHT_TO_ONE_TO_ONE,
            "predict": _ONE_LOOK,
            "model": {"name": "fcn_tutorial", "encoder": "vgg16", "weights": "auto", "options": {}},
            "augment": _AS_IT_IS,
            "train": {
                **_TUTORIAL,
                "learning_rate": 1e-3,
                "encoder_lr_factor": 0.0,
                "epochs": 1,
                "batch_size": 3,
                "crop_hw": [224, 224],
                "scale": 0.5,  # most photographs are then some 250 pixels wide
                "loss": {"cross_entropy": 1.0},
                "monitor": "pixel_accuracy",
            },
        },
    ),
    "unet-shapes": Recipe(
        summary="U-Net without normalisation on drawings of six shapes that overlap (`perpixel demo` writes some)",
        fixes="the learning rate drops after 25 whole epochs, scores come from a held-out test set",
        settings={
            "data": _EIGHT_TO_ONE_TO_ONE,
            "predict": _ONE_LOOK,
            "model": {
                "name": "unet",
                "encoder": None,
                "weights": "none",
                "options": {"depth": 3, "upsampling": "bilinear_corners", "norm": "none"},
            },
            "augment": _AS_IT_IS,
            "train": {
                **_TUTORIAL,
                "epochs": 40,
                "batch_size": 25,
                "crop_hw": [192, 192],
                "schedule": "step",
                "step_epochs": 25,
                "step_factor": 0.1,
                "loss": [{"name": "bce", "weight": 0.5}, {"name": "dice", "weight": 0.5, "per_image": True}],
                "monitor": "loss",
            },
        },
    ),
    "unet-cropland": Recipe(
        summary="U-Net with reflected borders on aerial images: field and other",
        fixes="RGB order, the mean loss of each epoch, validation images that choose the weights",
        settings={
            "data": _EIGHT_TO_ONE_TO_ONE,
            "predict": _ONE_LOOK,
            "model": {
                "name": "unet",
                "encoder": None,
                "weights": "none",
                "options": {
                    "padding": "reflect",
                    "norm": "batch",
                    "dropout": 0.3,
                    "activation": "leaky_relu",
                    "bias": True,
                },
            },
            # of 60 % of the images the text adds a copy upside down and a mirrored one: 0.6 of 2.2 views each
            "augment": {
                **_AS_IT_IS,
                "horizontal_flip": 0.6 / 2.2,
                "vertical_flip": 0.6 / 2.2,
                "one_flip": True,
            },
            "train": {
                **_TUTORIAL,
                "epochs": 100,
                "batch_size": 5,
                "crop_hw": [256, 256],
                "weight_decay": 1e-8,
                "schedule": "step",
                "step_epochs": 20,
                "step_factor": 0.5,
                "loss": {"cross_entropy": 1.0},
                "validation_passes": 10,
                "keep_every": 10,
                "monitor": "mean_iou",
            },
        },
    ),
    "unetpp-nuclei": Recipe(
        summary="U-Net++ with deep supervision on nuclei; can be pruned after training",
        fixes="images at native size, test images held out, Lovász (`train.loss=lovasz_hinge`) on logits",
        settings={
            "data": _EIGHT_TO_ONE_TO_ONE,
            "predict": _ONE_LOOK,
            "model": {
                "name": "unetplusplus",
                "encoder": None,
                "weights": "none",
                "options": {"supervision": "last", "upsampling": "bilinear_corners", "bias": True},
            },
            "augment": {
                **_AS_IT_IS,
                "horizontal_flip": 0.5,
                "vertical_flip": 0.5,
                "quarter_turns": True,
                "brightness": 0.1,
                "contrast": 1.2,
            },
            "train": {
                **_TUTORIAL,
                "optimiser": "sgd",
                "momentum": 0.9,
                "nesterov": False,
                "learning_rate": 1e-3,
                "weight_decay": 1e-4,
                "schedule": "cosine",
                "warmup": 0.0,
                "epochs": 10,  # of crops: about the steps of 100 epochs of images shrunk to 96 pixels
                "batch_size": 16,
                "crop_hw": [96, 96],
                "loss": [
                    {"name": "bce", "weight": 0.5},
                    {"name": "dice", "per_image": True, "classes": "pooled", "smooth": 1e-5},
                ],
                "monitor": "mean_iou",
            },
        },
    ),
}
"""Every recipe by name."""


def recipe_named(name: str) -> Recipe:
    """The recipe of a name. Raises SettingsError where there is none."""
    if name not in RECIPES:
        raise SettingsError(f"there is no recipe {name!r}.", fix=did_you_mean(name, RECIPES))
    return RECIPES[name]


def with_recipe(name: str, given: JsonMapping) -> JsonObject:
    """Lay settings over those of a recipe.

    A budget takes the place of the recipe's budget, a loss that of its loss and a preset that of its augmentation;
    another network or encoder comes without the recipe's options.

    Args:
        name: A name in `RECIPES`.
        given: Part of the settings tree; not looked at but for what it replaces.

    Raises:
        SettingsError: There is no such recipe.

    >>> with_recipe("unet-shapes", {"train": {"minutes": 5}})["train"]["minutes"]
    5
    >>> with_recipe("unet-shapes", {"model": {"name": "fcn8s"}})["model"]
    {'name': 'fcn8s'}
    """
    base = dict(recipe_named(name).settings)
    train, model, augment = (given.get(part) for part in ("train", "model", "augment"))
    if isinstance(augment, Mapping) and augment.get("preset"):
        del base["augment"]
    if isinstance(train, Mapping):
        replaced = {"loss"} & train.keys()
        replaced |= set(BUDGETS) if any(train.get(budget) is not None for budget in BUDGETS) else set()
        recipe = base["train"]
        base["train"] = {key: value for key, value in recipe.items() if key not in replaced}
        if "epochs" in replaced and recipe.get("schedule") == "step":
            base["train"]["step_share"] = recipe["step_epochs"] / recipe["epochs"]
    network = base["model"]
    if isinstance(model, Mapping) and any(
        model.get(key, network[key]) != network[key] for key in ("name", "encoder")
    ):
        base["model"] = {"name": network["name"]}
    return over(base, given)
