"""Weights of torchvision's: by `model.weights`, by fine-tuning, and what happens where there are none."""

import pytest
import torch

from generated import TINY, PlayedTimings, write_cells, write_land
from perpixel import api
from perpixel.errors import RunError, SettingsError
from perpixel.models import build
from perpixel.planning import plan_for
from perpixel.settings.tree import request_from
from perpixel.store.model_file import load_model
from perpixel.training import public_weights, train_run
from perpixel.training.public_weights import with_public_file, with_weights_at_hand
from planning.test_plan import FACTS

TWO_STEPS = {"steps": 2, "batch_size": 2, "crop_hw": [32, 32], "validation_passes": 1, "precision": "32"}


def file_of(path, name="fcn_resnet50", encoder="resnet18", prefix="backbone."):
    """A random network under torchvision's names."""
    torch.manual_seed(3)
    network = build(name, in_channels=3, classes=21, encoder=encoder)
    state = {key.replace("encoder.", prefix): each for key, each in network.state_dict().items()}
    torch.save(state, path)
    return state


def test_fine_tuning_from_a_file_of_torchvisions_is_training_with_its_weights(tmp_path):
    state = file_of(tmp_path / "coco.pth")
    still = {**TINY["train"], "steps": 1, "validation_passes": 1, "learning_rate": 1e-30, "optimiser": "sgd"}
    model = {"name": "fcn_resnet50", "encoder": "resnet18", "fine_tune_from": str(tmp_path / "coco.pth")}
    tree = {"model": model, "train": {**still, "weight_decay": 0}}
    run = train_run(write_cells(tmp_path / "cells"), tmp_path / "run", request_from(tree))
    here = load_model(run.last_weights_path)[0].state_dict()
    torch.testing.assert_close(here["encoder.layer4.0.conv1.weight"], state["backbone.layer4.0.conv1.weight"])
    torch.testing.assert_close(here["classifier.0.weight"], state["classifier.0.weight"])
    assert here["classifier.4.weight"].shape[0] == 2
    assert run.settings.model.weights == str(tmp_path / "coco.pth")
    assert run.settings.model.fine_tune_from is None


def test_a_whole_networks_file_names_its_network(tmp_path):
    torch.save({"backbone.layer3.22.conv1.weight": torch.zeros(1)}, tmp_path / "coco.pth")
    model = with_public_file(request_from({"model": {"fine_tune_from": str(tmp_path / "coco.pth")}})).model
    assert (model.name, model.encoder) == ("fcn_resnet101", "resnet101")


def test_a_file_that_leaves_its_network_open_asks_for_it(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "vgg.pth")
    with pytest.raises(SettingsError, match=r"vgg\.pth does not say which network[\s\S]*Fix: name it by model\.name"):
        with_public_file(request_from({"model": {"fine_tune_from": str(tmp_path / "vgg.pth")}}))


def test_two_files_of_weights_are_one_too_many(tmp_path):
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "vgg.pth")
    tree = {"model": {"name": "fcn8s", "weights": "other.pth", "fine_tune_from": str(tmp_path / "vgg.pth")}}
    with pytest.raises(SettingsError, match=r"both the weights other\.pth and those of [\s\S]*Fix: give only one"):
        with_public_file(request_from(tree))


def test_a_run_is_no_weight_file(tmp_path, cells_run):
    settings = request_from({"model": {"fine_tune_from": str(cells_run.model_path)}})
    assert with_public_file(settings) is settings
    missing = request_from({"model": {"fine_tune_from": str(tmp_path / "nowhere.pth")}})
    with pytest.raises(RunError, match=r"no model file .*nowhere\.pth"):
        train_run(tmp_path, tmp_path / "run", missing)


def test_weights_that_cannot_be_had_are_reported_and_a_frozen_encoder_is_trained(tmp_path, monkeypatch, caplog):
    problem = SettingsError("the hub is not there.", fix="give a file.")
    monkeypatch.setattr(public_weights, "missing_weights", lambda name, encoder: problem)
    model = {"name": "fcn_tutorial", "encoder": "vgg11", "weights": "auto", "options": {}}
    tree = {"model": model, "train": {**TINY["train"], "steps": 1, "validation_passes": 1, "encoder_lr_factor": 0}}
    run = train_run(write_cells(tmp_path / "cells"), tmp_path / "run", request_from(tree))
    assert (run.settings.model.weights, run.settings.train.encoder_lr_factor) == ("none", 1.0)
    assert "the hub is not there.\nFix: give a file.\nThe public weights of vgg11 cannot be had" in caplog.text
    assert any("random weights, and its encoder is trained, too" in note for note in run.notes)


def test_stages_that_were_to_be_frozen_are_trained_where_their_weights_cannot_be_had(monkeypatch):
    problem = SettingsError("the hub is not there.", fix="give a file.")
    monkeypatch.setattr(public_weights, "missing_weights", lambda name, encoder: problem)
    request = request_from({"model": {"encoder": "resnet18"}, "train": {"steps": 3, "frozen_stages": 2}})
    plan = with_weights_at_hand(plan_for(request, FACTS, PlayedTimings(lambda settings: 0.0)))
    assert plan.settings.train.frozen_stages == 0
    assert "its encoder is trained, too" in plan.choices[0].reason


@pytest.mark.parametrize("asked", [{}, {"encoder_norm": "frozen", "encoder_lr_factor": 0.2}])
def test_without_public_weights_the_plan_is_that_of_an_encoder_without_statistics(monkeypatch, asked):
    problem = SettingsError("the hub is not there.", fix="give a file.")
    monkeypatch.setattr(public_weights, "missing_weights", lambda name, encoder: problem)
    request = request_from({"model": {"encoder": "resnet18"}, "train": {"steps": 3, **asked}})
    plan = with_weights_at_hand(plan_for(request, FACTS, PlayedTimings(lambda settings: 0.0)))
    train = plan.settings.train
    assert (train.encoder_norm, train.encoder_lr_factor) == (("frozen", 0.2) if asked else ("batch", 0.5))
    assert {each.key: each.value for each in plan.choices}["train.encoder_norm"] == train.encoder_norm


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "write", "encoder"),
    [("fcn-resnet-em", write_cells, "resnet50"), ("fcn-vgg-pets", write_land, "vgg16")],
)
def test_recipes_1_and_2_train_from_files_of_torchvisions(tmp_path, recipe, write, encoder):
    name, prefix = ("fcn_resnet50", "backbone.") if encoder == "resnet50" else ("fcn_tutorial", "")
    state = file_of(tmp_path / "weights.pth", name, encoder, prefix)
    settings = {"model": {"weights": str(tmp_path / "weights.pth")}, "train": TWO_STEPS}
    run = api.train(write(tmp_path / "data"), tmp_path / "run", recipe=recipe, settings=settings)
    here = load_model(run.last_weights_path)[0].state_dict()
    if encoder == "vgg16":  # frozen, as in the text
        assert torch.equal(here["encoder.features.0.weight"], state["features.0.weight"])
    else:  # trained, by Adam's 1e-4 a step
        moved = (here["encoder.conv1.weight"] - state["backbone.conv1.weight"]).abs().max()
        assert 0 < moved < 3e-4
    mean = load_model(run.last_weights_path)[1].codec.mean
    assert mean == pytest.approx([255 * each for each in (0.485, 0.456, 0.406)])
