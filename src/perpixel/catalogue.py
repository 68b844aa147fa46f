"""What there is to choose from: networks, encoders and recipes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perpixel.models import Description


def models() -> str:
    """List the networks, their size for three channels and two classes, what each is for, and our own encoders."""
    from perpixel.models import ENCODERS, MODELS, describe

    width = max(map(len, MODELS))
    lines = [
        f"{name:<{width}}  {describe(name, (64, 64), classes=2).parameters / 1e6:>6.1f} M  {entry.summary}"
        for name, entry in MODELS.items()
    ]
    own = ", ".join(ENCODERS)
    return "\n".join([*lines, "", f"encoders: {own}; and every other name of timm, where it is installed"])


def recipes() -> str:
    """List the recipes: what each trains on what, and what it mends of the tutorial that it follows."""
    from perpixel.settings.recipes import RECIPES

    width = max(map(len, RECIPES))
    return "\n".join(
        f"{name:<{width}}  {recipe.summary}\n{'':<{width}}  mended: {recipe.mends}"
        for name, recipe in RECIPES.items()
    )


def describe(
    model: str, size_hw: tuple[int, int], *, encoder: str | None = None, channels: int = 3, classes: int = 2
) -> "Description":
    """Describe a network: layers, output shapes, parameters, multiply-adds, memory for training.

    Args:
        model: A name of `models`.
        size_hw: Height and width of the image, in pixels.
        encoder: Instead of the plain network.
        channels: Of the image.
        classes: Number of classes.
    """
    from perpixel.models import describe as described

    return described(model, size_hw, in_channels=channels, classes=classes, encoder=encoder)
