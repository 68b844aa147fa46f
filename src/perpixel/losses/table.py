"""The losses by name, and how a network is trained on several of them."""

import functools
import itertools
import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import torch
from torch import Tensor

from perpixel.errors import Problem, SettingsError, did_you_mean
from perpixel.losses.loss_term import LossTerm
from perpixel.losses.lovasz import lovasz_hinge, lovasz_softmax
from perpixel.losses.pixels import bce, cross_entropy, focal
from perpixel.losses.regions import dice, focal_tversky, jaccard, tversky
from perpixel.losses.sums import Reduce, here
from perpixel.runtime.function_options import option_problems
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


class WeightedLoss:
    """A weighted sum of losses, (logits, target) → scalar, whose terms can be had one by one.

    Args:
        parts: Weight and function of each term, by its name.
    """

    def __init__(self, parts: Mapping[str, tuple[float, Loss]]) -> None:
        self._parts = dict(parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the terms: "dice"; a second one of the same kind is "dice_2"."""
        return tuple(self._parts)

    def terms(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Each term by itself, before its weight."""
        return {name: function(logits, target) for name, (_, function) in self._parts.items()}

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of `terms`."""
        return _sum(weight * terms[name] for name, (weight, _) in self._parts.items())

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The weighted sum of all terms."""
        return self.total(self.terms(logits, target))


def weighted(
    terms: Mapping[str, float] | Iterable[LossTerm],
    kind: LabelKind,
    *,
    class_weights: Sequence[float] | None = None,
    reduce: Reduce = here,
) -> WeightedLoss:
    """Build the weighted sum of named losses.

    Args:
        terms: The losses with their weights and options; or weights by name, {"bce": 0.5, "dice": 1.0}.
        kind: The kind of the labels, which decides what names there are.
        class_weights: (K,) handed to every term that is in WEIGHED and does not have them among its options.
        reduce: Differentiable sum over ranks, handed to every term.

    Raises:
        SettingsError: A name, an option or its value is unknown; a weight is negative, not finite, or all are zero;
            or no term weighs classes.

    >>> import torch
    >>> loss = weighted([LossTerm("cross_entropy"), LossTerm("dice", 0.5, {"smooth": 0.0})], "multiclass")
    >>> logits = torch.tensor([-1e4, 1e4]).view(1, 2, 1, 1)
    >>> loss(logits, torch.ones(1, 1, 1, dtype=torch.int64))
    tensor(0.)
    """
    listed = [LossTerm(*each) for each in terms.items()] if isinstance(terms, Mapping) else list(terms)
    problems = [*_term_problems(listed, kind), *_weight_problems(listed)]
    classwise: Mapping[str, str] = {}
    if class_weights is not None:
        problems += _class_weight_problems(listed, kind, class_weights)
        classwise = WEIGHED[kind]
    if problems:
        raise SettingsError.of(problems)
    chosen: dict[str, tuple[float, Loss]] = {}
    for term in listed:
        balanced = {classwise[term.name]: class_weights} if term.name in classwise else {}
        function = functools.partial(LOSSES[kind][term.name], **{**balanced, **term.options}, reduce=reduce)
        if term.weight > 0:
            chosen[_free_name(term.name, chosen)] = (float(term.weight), function)
    return WeightedLoss(chosen)


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


def _free_name(name: str, taken: Container[str]) -> str:
    numbered = (f"{name}_{number}" for number in itertools.count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return functools.reduce(torch.add, terms)


def _term_problems(terms: Iterable[LossTerm], kind: LabelKind) -> Iterator[Problem]:
    table = LOSSES[kind]
    for term in terms:
        if term.name in table:
            yield from option_problems(term.name, term.options, table[term.name])
        else:
            fix = did_you_mean(term.name, table)
            yield Problem(f"There is no loss {term.name!r} for {kind} labels.", fix=fix)


def _weight_problems(terms: Sequence[LossTerm]) -> Iterator[Problem]:
    wrong = [f"{term.name}: {term.weight}" for term in terms if not (math.isfinite(term.weight) and term.weight >= 0)]
    if wrong:
        yield Problem(
            "A weight of the loss is negative or not finite.", fix="use weights from 0 up.", examples=tuple(wrong)
        )
    elif not any(term.weight for term in terms):
        yield Problem("The loss has no term with a weight above 0.", fix='write one, such as {"cross_entropy": 1.0}.')


def _class_weight_problems(
    terms: Sequence[LossTerm], kind: LabelKind, class_weights: Sequence[float]
) -> Iterator[Problem]:
    if not any(class_weights):
        yield Problem("Every class weighs 0.", fix="give one of them a weight above 0.")
    if not any(term.weight > 0 and term.name in WEIGHED[kind] for term in terms):
        yield Problem(
            f"No term of the loss weighs classes: {', '.join(term.name for term in terms)}.",
            fix=f"add {' or '.join(WEIGHED[kind])}, or leave the weights of the classes out.",
        )
