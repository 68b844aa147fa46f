from dataclasses import replace

import pytest
import torch
import yaml

from generated import TINY, write_cells, write_land, write_overlapping
from perpixel.errors import RunError, SettingsError
from perpixel.labels.labels import Labels
from perpixel.settings.tree import request_from
from perpixel.store.model_file import load_model
from perpixel.training import resume_run, train_run
from perpixel.training.fine_tuning import Base, as_base, take_over

FROZEN_TIME = {"steps": 1, "validation_passes": 1, "learning_rate": 1e-30, "optimiser": "sgd", "weight_decay": 0}
"""A training that leaves the weights as they were."""


def of_run(run, **train):
    return request_from(
        {"model": {"fine_tune_from": str(run.folder)}, "train": {**TINY["train"], **FROZEN_TIME, **train}}
    )


@pytest.fixture(scope="module")
def base(cells_run):
    return Base.load(cells_run.folder)


def weights_of(path):
    return load_model(path)[0].state_dict()


def parameters(weights):
    """Without batch statistics, which follow the images in every step."""
    return {name: tensor for name, tensor in weights.items() if "running" not in name and "num_batches" not in name}


def test_the_same_classes_take_over_everything(tmp_path, cells, cells_run):
    run = train_run(cells, tmp_path / "run", of_run(cells_run))
    there, here = (parameters(weights_of(path)) for path in (cells_run.model_path, run.last_weights_path))
    for name, tensor in there.items():
        torch.testing.assert_close(here[name], tensor, rtol=0, atol=1e-7)
    assert run.settings.model.options == {"width": 4, "depth": 2}
    assert load_model(run.model_path)[1].codec == load_model(cells_run.model_path)[1].codec


def test_what_was_done_is_said_and_kept(tmp_path, cells_run, base, caplog):
    caplog.set_level("INFO", "perpixel")
    run = train_run(write_land(tmp_path / "land"), tmp_path / "run", of_run(cells_run, scale=0.25))
    told = [
        f"The weights of {cells_run.folder} (unet, plain) are taken over.",
        "The classes are others: the last layer is re-initialised for class 0 and class 1 and class 2, "
        "drops background and foreground.",
        f"It works at {base.card.scale:g} of the native resolution, this run at 0.25.",
    ]
    stored = yaml.safe_load((run.folder / "settings.yaml").read_text())["notes"]
    assert stored[:3] == told
    assert [record.message for record in caplog.records if record.message in told] == told


def relabelled(card, names):
    """The card with other classes."""
    count = len(names)
    labels = Labels("multiclass", tuple(names), tuple(range(count)), tuple((k, k, k) for k in range(count)))
    return replace(card, codec=replace(card.codec, labels=labels))


def test_classes_of_the_same_name_keep_their_row(base):
    there = relabelled(base.card, ["sky", "road", "car"])
    network = there.build()
    trained = Base(base.path, there, network.state_dict())
    here = relabelled(base.card, ["road", "tree", "sky"])
    fresh = here.build()
    before = fresh.head.weight.clone()
    told = take_over(trained, fresh, here)
    weight = trained.weights["head.weight"]
    assert torch.equal(fresh.head.weight[0], weight[1])
    assert torch.equal(fresh.head.weight[1], before[1])
    assert torch.equal(fresh.head.weight[2], weight[0])
    assert torch.equal(fresh.head.bias[[0, 2]], trained.weights["head.bias"][[1, 0]])
    expected = "The classes are others: the last layer keeps road and sky, is re-initialised for tree, drops car."
    assert told[1] == expected
    body = {name for name in trained.weights if not name.startswith("head.")}
    assert all(torch.equal(fresh.state_dict()[name], trained.weights[name]) for name in body)


def as_fcn(base, name):
    """A base of another architecture, with random weights everywhere."""
    card = replace(base.card, name=name, encoder="resnet18", options={})
    torch.manual_seed(len(name) + int(name[3]))
    return Base(
        base.path, card, {key: torch.rand_like(each.float()) for key, each in card.build().state_dict().items()}
    )


@pytest.mark.parametrize(("coarser", "finer"), [("fcn32s", "fcn16s"), ("fcn16s", "fcn8s"), ("fcn32s", "fcn8s")])
def test_a_finer_fcn_continues_from_a_coarser_one(base, coarser, finer):
    start = as_fcn(base, coarser)
    settings = as_base(request_from({"model": {"name": finer}}), start)
    assert (settings.model.name, settings.model.encoder) == (finer, "resnet18")
    here = as_fcn(base, finer).card
    network = here.build()
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    told = take_over(start, network, here)
    assert told[1] == f"{finer} continues from it: what it adds scores zero at first."
    state, kept = network.state_dict(), {"fcn32s": 0, "fcn16s": 1}[coarser]
    for name, tensor in state.items():
        part, _, number = name.rpartition(".")[0].partition(".")
        is_new = part in ("skip_scores", "ups") and int(number.split(".")[0]) >= kept
        there = fresh[name] if is_new else start.weights[name]
        torch.testing.assert_close(tensor, there.to(tensor.dtype))
        assert not (is_new and part == "skip_scores" and tensor.any())


def test_a_coarser_fcn_does_not_continue_from_a_finer_one(base):
    with pytest.raises(SettingsError, match=r"has model\.name = fcn8s, not fcn16s\.\nFix: leave model\.name out"):
        as_base(request_from({"model": {"name": "fcn16s"}}), as_fcn(base, "fcn8s"))


def test_labels_of_another_kind_begin_the_last_layer_anew(tmp_path, cells_run):
    run = train_run(write_overlapping(tmp_path / "shapes"), tmp_path / "run", of_run(cells_run))
    assert run.notes[1] == "Its labels are multiclass, these multilabel: the last layer is re-initialised."


def test_other_channels_fit_the_first_convolution(tmp_path, cells_run):
    run = train_run(write_cells(tmp_path / "grey", channels=1), tmp_path / "run", of_run(cells_run))
    there, here = weights_of(cells_run.model_path), weights_of(run.last_weights_path)
    first = next(iter(there))
    torch.testing.assert_close(here[first], there[first].sum(1, keepdim=True))  # a grey image is three equal channels
    assert "Its images have 3 channels, these 1: what sees the image is fitted to them." in run.notes


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
@pytest.mark.parametrize("decoder", ["light", "full"])
def test_the_default_network_takes_other_channels(base, decoder, channels):
    def of_channels(number):
        codec = base.card.codec
        codec = replace(codec, mean=codec.mean[:1] * number, std=codec.std[:1] * number)
        return replace(base.card, encoder="efficientnet_lite0", options={"decoder": decoder}, codec=codec)

    torch.manual_seed(0)
    there, here = of_channels(3), of_channels(channels)
    first, second = there.build("none").eval(), here.build("none").eval()
    take_over(Base(base.path, there, first.state_dict()), second, here)
    weights = ("head.weight", "head.bias")
    assert all(torch.equal(second.state_dict()[name], first.state_dict()[name]) for name in weights)
    if channels == 6:  # the same image twice, each time half as bright
        image = torch.rand(1, 3, 64, 64)
        torch.testing.assert_close(second(image.repeat(1, 2, 1, 1)), first(image), atol=1e-5, rtol=1e-4)


def test_a_run_that_started_from_another_is_resumed(tmp_path, cells, cells_run):
    run = train_run(cells, tmp_path / "run", of_run(cells_run, steps=2))
    expected = run.last_weights_path.read_bytes()
    run.last_weights_path.unlink()
    for path in run.checkpoints:
        path.unlink()
    assert resume_run(run.folder, {}).last_weights_path.read_bytes() == expected


def test_the_working_resolution_is_taken_over_unless_set(base):
    half = replace(base, card=replace(base.card, scale=0.5))
    assert as_base(request_from({}), half).train.scale == 0.5
    assert as_base(request_from({"train": {"scale": 0.25}}), half).train.scale == 0.25


def test_another_architecture_is_refused(base):
    asked = request_from(
        {"model": {"name": "fcn8s", "encoder": "vgg16", "options": {"width": 8}, "weights": "a.pth"}}
    )
    with pytest.raises(SettingsError) as caught:
        as_base(asked, base)
    path = base.path
    assert str(caught.value).split("\n\n") == [
        f"{path} has model.name = unet, not fcn8s.\nFix: leave model.name out.",
        f"{path} has model.encoder = None, not vgg16.\nFix: leave model.encoder out.",
        f"{path} has model.options = {{'width': 4, 'depth': 2}}, not {{'width': 8}}.\nFix: leave model.options out.",
        f"both the weights a.pth and those of {path} are asked for.\n"
        "Fix: give only one of model.weights and model.fine_tune_from.",
    ]


def test_weights_that_do_not_fit_are_told(base):
    weights = {name: tensor for name, tensor in base.weights.items() if not name.startswith("head.")}
    weights["strange"] = torch.zeros(1)
    with pytest.raises(RunError) as caught:
        take_over(Base(base.path, base.card, weights), base.card.build(), base.card)
    assert str(caught.value) == (
        f"3 tensors of {base.path} do not fit unet.\n"
        "  - head.bias: missing there\n  - head.weight: missing there\n  - strange: not here\n"
        "Fix: start from a model of the same version of perpixel, or from none."
    )


def test_no_run_to_start_from_is_told(tmp_path, cells):
    asked = request_from({"model": {"fine_tune_from": str(tmp_path / "gone")}})
    with pytest.raises(RunError, match="there is no model file"):
        train_run(cells, tmp_path / "run", asked)
    assert not (tmp_path / "run").exists()
