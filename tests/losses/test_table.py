"""Losses by name: weighted sums, their options, and what is refused."""

import re

import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.losses import LOSSES, LossTerm, bce, cross_entropy, dice, focal, supervised, tversky, weighted

LOGITS = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
TARGET = torch.arange(40).view(2, 4, 5) % 3


def test_a_weighted_sum_is_the_sum_of_its_terms():
    loss = weighted(
        [LossTerm("cross_entropy", 0.5), LossTerm("dice", 2.0, {"per_image": True}), LossTerm("bce", 0.0)],
        "multiclass",
    )
    expected = 0.5 * cross_entropy(LOGITS, TARGET) + 2 * dice(LOGITS, TARGET, per_image=True)
    torch.testing.assert_close(loss(LOGITS, TARGET), expected)


def test_the_reduction_reaches_every_term():
    calls = []

    def count(sums):
        calls.append(sums)
        return sums

    for kind, table in LOSSES.items():
        target = TARGET if kind == "multiclass" else torch.ones_like(LOGITS, dtype=torch.uint8)
        for name in table:
            before = len(calls)
            weighted({name: 1.0}, kind, reduce=count)(LOGITS, target)
            assert len(calls) > before, name


def test_unknown_names_and_options_are_answered_with_the_nearest():
    with pytest.raises(SettingsError, match=r"(?s)no loss 'dise' for multiclass labels.*Fix: did you mean dice\?"):
        weighted({"dise": 1.0}, "multiclass")
    with pytest.raises(SettingsError, match="no loss 'lovasz_softmax' for multilabel labels"):
        weighted({"lovasz_softmax": 1.0}, "multilabel")
    with pytest.raises(SettingsError, match=r"(?s)'dice' has no option 'smoth'.*did you mean smooth\?"):
        weighted([LossTerm("dice", 1.0, {"smoth": 1.0})], "multiclass")


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("tversky", {"alpha": -0.1}, "a number from 0 up"),
        ("tversky", {"alpha": "0.3"}, "a number from 0 up"),
        ("tversky", {"smooth": float("nan")}, "a number from 0 up"),
        ("focal_tversky", {"gamma": 4}, "a number in 1..3"),
        ("cross_entropy", {"label_smoothing": 2}, "a number in 0..1"),
        ("cross_entropy", {"class_weights": 2.0}, "a list with a number for each class"),
        ("dice", {"per_image": 1}, "true or false"),
        ("dice", {"classes": "some"}, "one of present, all, pooled"),
        ("lovasz_hinge", {"classes": "pooled"}, "one of present, all"),
        ("focal", {"alpha": 3}, "a number in 0..1"),
        ("focal", {"gamma": True}, "a number from 0 up"),
    ],
)
def test_an_option_of_a_wrong_value_is_told_with_what_it_must_be(name, options, wanted):
    ((option, value),) = options.items()
    message = f"{name!r} has {option} = {value!r}, which is not {wanted}.\nFix: give {wanted}, or leave it out"
    with pytest.raises(SettingsError, match=re.escape(message)):
        weighted([LossTerm(name, 1.0, options)], "multiclass")


def test_options_reach_their_loss():
    terms = [LossTerm("tversky", 2.0, {"alpha": 0.1, "beta": 0.9}), LossTerm("focal", 1.0, {"gamma": 0.5})]
    expected = 2 * tversky(LOGITS, TARGET, alpha=0.1, beta=0.9) + focal(LOGITS, TARGET, gamma=0.5)
    torch.testing.assert_close(weighted(terms, "multiclass")(LOGITS, TARGET), expected)


def test_one_alpha_of_focal_weighs_every_class_but_the_first():
    expected = focal(LOGITS, TARGET, alpha=[0.75, 0.25, 0.25])
    torch.testing.assert_close(focal(LOGITS, TARGET, alpha=0.25), expected)
    several = torch.ones_like(LOGITS, dtype=torch.uint8)
    torch.testing.assert_close(focal(LOGITS, several, alpha=0.25), focal(LOGITS, several, alpha=[0.25] * 3))


def test_weights_of_classes_reach_the_terms_that_take_them():
    weights = [1.0, 2.0, 4.0]
    loss = weighted({"cross_entropy": 1.0, "focal": 0.5, "dice": 1.0}, "multiclass", class_weights=weights)
    terms = cross_entropy(LOGITS, TARGET, class_weights=weights), focal(LOGITS, TARGET, alpha=weights)
    torch.testing.assert_close(loss(LOGITS, TARGET), terms[0] + 0.5 * terms[1] + dice(LOGITS, TARGET))
    given = LossTerm("cross_entropy", 1.0, {"class_weights": [1.0, 1.0, 9.0]})  # the option of a term goes first
    loss = weighted([given], "multiclass", class_weights=weights)
    torch.testing.assert_close(loss(LOGITS, TARGET), cross_entropy(LOGITS, TARGET, class_weights=[1.0, 1.0, 9.0]))


def test_weights_of_classes_that_weigh_nothing_are_refused():
    message = "No term of the loss weighs classes: dice, bce.\nFix: add cross_entropy or focal, or leave"
    with pytest.raises(SettingsError, match=message):
        weighted({"dice": 1.0, "bce": 1.0}, "multiclass", class_weights=[1.0, 2.0])
    with pytest.raises(SettingsError, match="No term of the loss weighs classes: bce, dice"):
        weighted({"bce": 0.0, "dice": 1.0}, "multilabel", class_weights=[1.0, 2.0])
    with pytest.raises(SettingsError, match=r"Every class weighs 0.\nFix: give one of them a weight above 0."):
        weighted({"cross_entropy": 1.0}, "multiclass", class_weights=[0.0, 0.0])


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_that_make_no_loss_are_refused(weight):
    with pytest.raises(
        SettingsError, match=rf"(?s)negative or not finite.*- dice: {weight}.*Fix: use weights from 0"
    ):
        weighted({"dice": weight, "bce": 1.0}, "multiclass")


@pytest.mark.parametrize("terms", [{}, {"dice": 0.0}])
def test_a_loss_needs_a_term(terms):
    with pytest.raises(SettingsError, match="The loss has no term with a weight above 0"):
        weighted(terms, "multiclass")


def test_every_problem_is_told_at_once():
    with pytest.raises(SettingsError) as caught:
        weighted({"dise": 1.0, "bce": -1.0}, "multiclass")
    assert len(caught.value.problems) == 2


def test_named_outputs_are_weighed():
    outputs = {"main": LOGITS, "early": LOGITS / 2, "unused": LOGITS.new_full(LOGITS.shape, float("nan"))}
    weights = {"main": 1.0, "early": 0.3, "unused": 0.0}
    expected = bce(LOGITS, TARGET) + 0.3 * bce(LOGITS / 2, TARGET)
    torch.testing.assert_close(supervised(outputs, TARGET, bce, weights), expected)
    with pytest.raises(
        SettingsError, match=r"(?s)different names.*- erly: no such output.*one weight for each of main"
    ):
        supervised({"main": LOGITS}, TARGET, bce, {"main": 1.0, "erly": 0.3})
    with pytest.raises(SettingsError, match="- early: no weight"):
        supervised({"main": LOGITS, "early": LOGITS}, TARGET, bce, {"main": 1.0})
