"""Starting from a trained network: what fits is taken over, what does not is told in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from perpixel.errors import Problem, RunError, SettingsError
from perpixel.models import SegmentationModel, build
from perpixel.models.weights import adapt_first_convolution
from perpixel.runtime.json_values import JsonObject
from perpixel.settings.tree import Request, changed
from perpixel.store.model_file import ModelCard, load_model

CONTINUES: Final = {"fcn16s": ("fcn32s",), "fcn8s": ("fcn32s", "fcn16s")}
"""Networks that start where a coarser one ended. Long, Shelhamer, Darrell (2015), section 4.2."""


@dataclass(frozen=True)
class Base:
    """A trained network to start from.

    Args:
        path: Its run folder or model file.
        card: What it is.
        weights: Its state dict.
    """

    path: Path
    card: ModelCard
    weights: dict[str, Tensor]

    @classmethod
    def load(cls, path: Path) -> "Base":
        """Read it. Raises RunError where there is no model."""
        network, card = load_model(path / "model.safetensors" if path.is_dir() else path)
        return cls(path, card, network.state_dict())


def as_base(request: Request, base: Base) -> Request:
    """Take architecture and working resolution from the base where they are not set.

    Raises:
        SettingsError: Another architecture, or weights of an encoder as well, are asked for.
    """
    card, model = base.card, request.model
    have = {"name": card.name, "encoder": card.encoder, "options": dict(card.options)}
    given = {key: getattr(model, key) for key in have if key in model.model_fields_set}
    if card.name in CONTINUES.get(model.name, ()):
        have["name"] = model.name
    problems = [
        Problem(f"{base.path} has model.{key} = {have[key]}, not {value}.", fix=f"leave model.{key} out.")
        for key, value in given.items()
        if value not in (have[key], "auto")
    ]
    if model.weights not in ("auto", "none"):
        fix = "give only one of model.weights and model.fine_tune_from."
        problems.append(Problem(f"both the weights {model.weights} and those of {base.path} are asked for.", fix=fix))
    if problems:
        raise SettingsError.of(problems)
    changes: JsonObject = {f"model.{key}": value for key, value in have.items()}
    if "scale" not in request.train.model_fields_set:
        changes["train.scale"] = card.scale
    return changed(request, changes)


def normalised_as(card: ModelCard, base: Base) -> ModelCard:
    """Normalise images as the base does, where they are of its kind."""
    ours, theirs = card.codec, base.card.codec
    if (ours.channels, ours.dtype) != (theirs.channels, theirs.dtype):
        return card
    return replace(card, codec=replace(ours, mean=theirs.mean, std=theirs.std))


def take_over(base: Base, network: SegmentationModel, card: ModelCard) -> list[str]:
    """Fill a network with the weights of the base.

    The layers that end in classes keep those of the same name and begin anew for the others; what sees the image
    itself is fitted to the number of channels.

    Args:
        base: What to start from.
        network: As its card builds it; what begins anew stays as it is.
        card: Its classes and channels may be others than those of the base, its architecture not.

    Returns:
        What was done, in sentences.

    Raises:
        RunError: A tensor does not fit.
    """
    fresh = network.state_dict()
    by_class = _class_axes(network, card)
    pairs = _same_classes(base.card, card)
    state, strange = {}, []
    continued = base.card.name != card.name
    weights = _without_last_upsampling(base.weights) if continued else base.weights
    channels = base.card.codec.channels, card.codec.channels
    for name, tensor in fresh.items():
        theirs = weights.get(name, tensor if continued else None)
        fitted = None if theirs is None else _fitted(tensor, theirs, by_class.get(name), pairs, channels)
        if fitted is None:
            strange.append(f"{name}: {tuple(theirs.shape) if theirs is not None else 'missing'} there")
        else:
            state[name] = fitted
    strange += [f"{name}: not here" for name in weights.keys() - fresh.keys()]
    if strange:
        raise RunError(
            f"{len(strange)} tensors of {base.path} do not fit {card.name}.",
            examples=sorted(strange),
            fix="start from a model of the same version of perpixel, or from none.",
        )
    network.load_state_dict(state)
    return _told(base, card, pairs)


def _without_last_upsampling(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights of an FCN without those that double its scores up to every pixel: the next has another factor."""
    last = max((int(name.split(".")[1]) for name in weights if name.startswith("ups.")), default=0)
    return {name: tensor for name, tensor in weights.items() if not name.startswith(f"ups.{last}.")}


def _class_axes(network: SegmentationModel, card: ModelCard) -> dict[str, tuple[int, int]]:
    """The axis of every tensor that grows with the number of classes, and how many places of it a class takes."""
    codec = card.codec
    one_more = build(
        card.name, in_channels=codec.channels, classes=len(codec.labels) + 1, encoder=card.encoder, **card.options
    )
    larger = one_more.state_dict()
    grown: dict[str, tuple[int, int]] = {}
    for name, tensor in network.state_dict().items():
        more = [size - before for size, before in zip(larger[name].shape, tensor.shape, strict=True)]
        if any(more):
            axis = next(axis for axis, places in enumerate(more) if places)
            grown[name] = axis, more[axis]
    return grown


def _same_classes(theirs: ModelCard, ours: ModelCard) -> list[tuple[int, int]]:
    """Places, here and there, of the classes of equal names; none where the labels are of another kind."""
    there = theirs.codec.labels
    if there.kind != ours.codec.labels.kind:
        return []
    return [(k, there.names.index(name)) for k, name in enumerate(ours.codec.labels.names) if name in there.names]


def _fitted(
    fresh: Tensor,
    theirs: Tensor,
    by_class: tuple[int, int] | None,
    pairs: Sequence[tuple[int, int]],
    channels: tuple[int, int],
) -> Tensor | None:
    """A tensor of the base in the shape of the fresh one; None where it cannot be had. Channels there and here."""
    if by_class is not None:
        axis, places = by_class
        is_alike = _without(fresh, axis) == _without(theirs, axis)
        if not pairs or not is_alike:  # where two axes count classes, nothing is alike
            return fresh
        here, there = ((each[:, None] * places + torch.arange(places)).flatten() for each in torch.tensor(pairs).T)
        return fresh.index_copy(axis, here, theirs.index_select(axis, there))
    if fresh.shape == theirs.shape:
        return theirs
    return _for_channels(theirs, fresh.shape, *channels)


def _for_channels(theirs: Tensor, shape: Sequence[int], there: int, here: int) -> Tensor | None:
    """A tensor of which an axis ends in an equal part for every channel of the image, for another number of channels.

    None where it is not of that kind.
    """
    axes = [k for k, (one, other) in enumerate(zip(theirs.shape, shape, strict=False)) if one != other]
    if here == there or len(theirs.shape) != len(shape) or len(axes) != 1 or axes[0] > 1:
        return None
    (axis,) = axes
    part, rest = divmod(shape[axis] - theirs.shape[axis], here - there)
    others = theirs.shape[axis] - part * there
    if rest or part < 1 or others < 0:
        return None
    first = theirs.narrow(axis, 0, others)
    image = theirs.narrow(axis, others, part * there)
    image = image.reshape(*theirs.shape[:axis], there, part, *theirs.shape[axis + 1 :])
    if axis == 1:
        image = adapt_first_convolution(image, here)
    else:  # each channel has kernels of its own
        image = image.mean(0, keepdim=True) if here == 1 else image[[index % there for index in range(here)]]
    return torch.cat([first, image.flatten(axis, axis + 1)], axis)


def _without(tensor: Tensor, axis: int) -> tuple[int, ...]:
    return tuple(tensor.shape[:axis] + tensor.shape[axis + 1 :])


def _told(base: Base, card: ModelCard, pairs: Sequence[tuple[int, int]]) -> list[str]:
    there, here = base.card, card
    sentences = [f"The weights of {base.path} ({there.name}, {there.encoder or 'plain'}) are taken over."]
    if here.name != there.name:
        sentences.append(f"{here.name} continues from it: what it adds scores zero at first.")
    ours, theirs = here.codec.labels, there.codec.labels
    if ours.kind != theirs.kind:
        sentences.append(f"Its labels are {theirs.kind}, these {ours.kind}: the last layer is re-initialised.")
    elif ours.names != theirs.names:
        kept = {name for k, name in enumerate(ours.names) if k in dict(pairs)}
        parts = {
            "keeps": [name for name in ours.names if name in kept],
            "is re-initialised for": [name for name in ours.names if name not in kept],
            "drops": [name for name in theirs.names if name not in kept],
        }
        told = ", ".join(f"{verb} {' and '.join(names)}" for verb, names in parts.items() if names)
        sentences.append(f"The classes are others: the last layer {told}.")
    if here.codec.channels != there.codec.channels:
        sentences.append(
            f"Its images have {there.codec.channels} channels, these {here.codec.channels}: what sees the image "
            "is fitted to them."
        )
    elif here.codec.dtype != there.codec.dtype:
        sentences.append(
            f"Its images are {there.codec.dtype}, these {here.codec.dtype}: they are normalised by their own mean."
        )
    if here.scale != there.scale:
        sentences.append(f"It works at {there.scale:g} of the native resolution, this run at {here.scale:g}.")
    return sentences
