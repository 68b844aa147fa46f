from dataclasses import replace

import pytest

from generated import PlayedTimings, write_cells, write_land
from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.models import encoder_statistics
from perpixel.planning import card_of, facts_of, plan_for
from perpixel.settings.tree import request_from


@pytest.fixture(scope="module")
def land(tmp_path_factory):
    dataset = scan(write_land(tmp_path_factory.mktemp("land")))
    return dataset, audit(dataset)


def _planned_card(tree, dataset, figures):
    tree = {"train": {"scale": 1}, **tree}
    settings = plan_for(request_from(tree), facts_of(dataset, figures, dataset.samples), PlayedTimings()).settings
    return card_of(settings, dataset, figures)


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
