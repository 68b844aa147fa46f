from dataclasses import replace

import pytest

from generated import write_cells, write_land, write_overlapping
from perpixel.audit import audit
from perpixel.config import settings_from
from perpixel.dataset import scan
from perpixel.models import encoder_statistics
from perpixel.planning import card_of, planned


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    dataset = scan(write_land(tmp_path_factory.mktemp("land")))
    return dataset, audit(dataset)


def _planned_card(tree, dataset, figures):
    return card_of(planned(settings_from(tree), dataset, figures), dataset, figures)


@pytest.mark.parametrize(
    ("name", "encoder"), [("unet", "efficientnet_lite0"), ("unetplusplus", "efficientnet_lite0"), ("fcn8s", None)]
)
def test_a_network_that_can_be_plain_takes_the_encoder_whose_weights_are_at_hand(land, name, encoder):
    assert planned(settings_from({"model": {"name": name}}), *land).model.encoder == encoder


def test_exclusive_labels_are_trained_on_cross_entropy_and_dice(land):
    assert dict(planned(settings_from({}), *land).train.loss) == {"cross_entropy": 1, "dice": 1}


def test_overlapping_labels_are_trained_on_bce_and_dice(tmp_path):
    dataset = scan(write_overlapping(tmp_path))
    assert dict(planned(settings_from({}), dataset, audit(dataset)).train.loss) == {"bce": 1, "dice": 1}


@pytest.mark.parametrize(
    ("heights", "widths", "crop_hw"),
    [
        ((24, 40), (32, 28), (64, 32)),
        ((256,), (256,), (256, 256)),
        ((200,), (4000,), (224, 256)),
        ((1,), (1,), (32, 32)),
    ],
)
def test_the_crop_holds_the_largest_image_up_to_256(land, heights, widths, crop_hw):
    dataset, figures = land
    settings = planned(settings_from({}), dataset, replace(figures, heights=heights, widths=widths))
    assert settings.train.crop_hw == crop_hw


def test_what_was_set_is_kept(land):
    given = settings_from(
        {"train": {"loss": {"focal": 2.0}, "crop_hw": [48, 16], "steps": 5}, "model": {"encoder": None}}
    )
    assert planned(given, *land) == given


def test_the_plan_changes_nothing_else(land):
    given = settings_from({"seed": 3, "train": {"steps": 5}})
    before, after = given.model_dump(), planned(given, *land).model_dump()
    for each in (before, after):
        del each["train"]["loss"], each["train"]["crop_hw"], each["model"]["encoder"]
    assert before == after


def test_the_card_names_the_network_and_the_working_resolution(land):
    tree = {"model": {"name": "unet", "encoder": None, "options": {"width": 4}}, "train": {"scale": 0.5}}
    card = _planned_card(tree, *land)
    assert (card.name, card.encoder, card.scale, card.options) == ("unet", None, 0.5, {"width": 4})
    assert card.codec.labels == land[0].labels
    assert card.codec.dtype == "uint8"


def test_images_of_a_network_without_encoder_are_normalised_by_their_own_figures(land):
    codec = _planned_card({"model": {"encoder": None}}, *land).codec
    assert (codec.mean, codec.std) == (land[1].mean, land[1].std)


def test_images_of_a_fresh_encoder_are_normalised_by_their_own_figures(land):
    codec = _planned_card({"model": {"weights": "none"}}, *land).codec
    assert (codec.mean, codec.std) == (land[1].mean, land[1].std)


def test_images_of_a_pretrained_encoder_are_normalised_as_it_wants(land):
    codec = _planned_card({}, *land).codec
    mean, std = encoder_statistics("efficientnet_lite0")
    assert codec.mean == pytest.approx([255 * value for value in mean])
    assert codec.std == pytest.approx([255 * value for value in std])


def test_grey_images_of_a_pretrained_encoder_take_the_mean_of_its_channels(tmp_path):
    dataset = scan(write_cells(tmp_path, channels=1))
    codec = _planned_card({}, dataset, audit(dataset)).codec
    mean, std = encoder_statistics("efficientnet_lite0")
    assert codec.mean == pytest.approx([255 * sum(mean) / 3])
    assert codec.std == pytest.approx([255 * sum(std) / 3])


def test_images_of_other_depth_are_normalised_by_their_own_figures(land):
    dataset, figures = land
    codec = _planned_card({}, replace(dataset, dtype="uint16"), figures).codec
    assert codec.mean == figures.mean


def test_a_channel_without_spread_is_only_shifted(land):
    dataset, figures = land
    figures = replace(figures, std=(0.0, 3.0, 4.0))
    assert _planned_card({"model": {"encoder": None}}, dataset, figures).codec.std == (1.0, 3.0, 4.0)
