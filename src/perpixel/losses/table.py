"""The losses by name, and how a network is trained on several of them."""

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

from perpixel.errors import Problem, SettingsError, did_you_mean
from perpixel.losses.lovasz import lovasz_hinge, lovasz_softmax
from perpixel.losses.pixels import bce, cross_entropy, focal
from perpixel.losses.regions import bce_dice_nuclei, bce_dice_shapes, dice, focal_tversky, jaccard, tversky
from perpixel.losses.sums import Reduce, here
from perpixel.shapes import LabelKind

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""(logits (N, K, H, W), target) → scalar."""

_BOTH: Final[dict[str, Callable[..., Tensor]]] = {
    "bce": bce,
    "dice": dice,
    "jaccard": jaccard,
    "tversky": tversky,
    "focal_tversky": focal_tversky,
    "focal": focal,
    "lovasz_hinge": lovasz_hinge,
    "bce_dice_shapes": bce_dice_shapes,
    "bce_dice_nuclei": bce_dice_nuclei,
}

LOSSES: Final[dict[LabelKind, dict[str, Callable[..., Tensor]]]] = {
    "multiclass": {"cross_entropy": cross_entropy, "lovasz_softmax": lovasz_softmax, **_BOTH},
    "multilabel": _BOTH,
}
"""Every loss by its name in the settings, for each kind of label."""

WEIGHED: Final[dict[LabelKind, dict[str, str]]] = {
    "multiclass": {"cross_entropy": "class_weights", "focal": "alpha"},
    "multilabel": {"bce": "positive_weights"},
}
"""The option of a loss that is a weight for every class."""


def weighted(
    terms: Mapping[str, float],
    kind: LabelKind,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    class_weights: Sequence[float] | None = None,
    reduce: Reduce = here,
) -> Loss:
    """Build the weighted sum of named losses.

    Args:
        terms: The weight of every loss by its name, as in the settings: {"bce": 0.5, "dice": 1.0}.
        kind: The kind of the labels, which decides what names there are.
        options: Keyword options of a term by its name: {"dice": {"per_image": True}}.
        class_weights: (K,) handed to every term that is in WEIGHED.
        reduce: Differentiable sum over ranks, handed to every term.

    Returns:
        A function (logits, target) → scalar.

    Raises:
        SettingsError: A name or an option is unknown; a weight is negative, not finite, or all are zero; or no term
            weighs classes.

    >>> import torch
    >>> loss = weighted({"cross_entropy": 1.0, "dice": 0.5}, "multiclass", {"dice": {"smooth": 0.0}})
    >>> logits = torch.tensor([-1e4, 1e4]).view(1, 2, 1, 1)
    >>> loss(logits, torch.ones(1, 1, 1, dtype=torch.int64))
    tensor(0.)
    """
    options = options or {}
    problems = [*_name_problems(terms, kind, options), *_weight_problems(terms)]
    if class_weights is not None:
        problems += _class_weight_problems(terms, kind, class_weights)
        classwise = {name: {WEIGHED[kind][name]: class_weights} for name in terms if name in WEIGHED[kind]}
        options = {name: {**classwise.get(name, {}), **options.get(name, {})} for name in terms}
    if problems:
        raise SettingsError.of(problems)
    chosen = [
        (float(weight), functools.partial(LOSSES[kind][name], **options.get(name, {}), reduce=reduce))
        for name, weight in terms.items()
        if weight > 0
    ]

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        return _sum(weight * term(logits, target) for weight, term in chosen)

    return loss


def supervised(outputs: Mapping[str, Tensor], target: Tensor, loss: Loss, weights: Mapping[str, float]) -> Tensor:
    """Weigh the losses of a network's named outputs: deep supervision and auxiliary heads.

    Args:
        outputs: Logits (N, K, H, W) by name.
        target: The target that all of them are compared with.
        loss: (logits, target) → scalar.
        weights: The weight of every output by its name; outputs with weight 0 are not looked at.

    Returns:
        A scalar, Σ weight · loss(output, target).

    Raises:
        SettingsError: The names of the outputs and of the weights differ.

    >>> import torch
    >>> out = {"main": torch.zeros(1, 1, 2, 2), "auxiliary": torch.zeros(1, 1, 2, 2)}
    >>> supervised(out, torch.ones(1, 1, 2, 2), bce, {"main": 1.0, "auxiliary": 0.4})  # 1.4 · log 2
    tensor(0.9704)
    """
    if strangers := sorted(outputs.keys() ^ weights.keys()):
        raise SettingsError(
            "The network's outputs and the loss weights of outputs have different names.",
            examples=[f"{name}: {'no weight' if name in outputs else 'no such output'}" for name in strangers],
            fix=f"give one weight for each of {', '.join(sorted(outputs))}.",
        )
    return _sum(weight * loss(outputs[name], target) for name, weight in weights.items() if weight > 0)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return functools.reduce(torch.add, terms)


def _name_problems(
    terms: Mapping[str, float], kind: LabelKind, options: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    table = LOSSES[kind]
    for name in terms:
        if name not in table:
            yield Problem(f"There is no loss {name!r} for {kind} labels.", fix=did_you_mean(name, table))
    for name, given in options.items():
        if name not in terms:
            yield Problem(
                f"Options are given for {name!r}, which is no term of the loss.", fix=did_you_mean(name, terms)
            )
        elif name in table:
            known = [
                word
                for word in inspect.signature(table[name]).parameters
                if word not in ("logits", "target", "reduce")
            ]
            for word in given:
                if word not in known:
                    fix = did_you_mean(word, known) if known else "leave the options out."
                    yield Problem(f"The loss {name!r} has no option {word!r}.", fix=fix)


def _weight_problems(terms: Mapping[str, float]) -> Iterator[Problem]:
    wrong = [f"{name}: {weight}" for name, weight in terms.items() if not (math.isfinite(weight) and weight >= 0)]
    if wrong:
        yield Problem(
            "A weight of the loss is negative or not finite.", fix="use weights from 0 up.", examples=tuple(wrong)
        )
    elif not any(terms.values()):
        yield Problem("The loss has no term with a weight above 0.", fix='write one, such as {"cross_entropy": 1.0}.')


def _class_weight_problems(
    terms: Mapping[str, float], kind: LabelKind, class_weights: Sequence[float]
) -> Iterator[Problem]:
    if not any(class_weights):
        yield Problem("Every class weighs 0.", fix="give one of them a weight above 0.")
    if not any(weight > 0 and name in WEIGHED[kind] for name, weight in terms.items()):
        yield Problem(
            f"No term of the loss weighs classes: {', '.join(terms)}.",
            fix=f"add {' or '.join(WEIGHED[kind])}, or leave the weights of the classes out.",
        )
