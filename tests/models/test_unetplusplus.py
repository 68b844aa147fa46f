import weakref

import pytest
import torch

from models.parity import check_equal
from perpixel.errors import SettingsError
from perpixel.models import build, describe_network
from perpixel.models.blocks import convolve_joined
from perpixel.models.torchvision_shim import prepare_torchvision

prepare_torchvision()


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def tiny(**options):
    torch.manual_seed(0)
    return build("unetplusplus", in_channels=3, classes=2, widths=(4, 6, 8, 10), **options).eval()


def test_parameter_count_of_the_tutorials():
    assert round(parameters(build("unetplusplus", in_channels=3, classes=1)) / 1e6, 2) == 9.16


@pytest.mark.parametrize("encoder", ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_on_an_encoder_it_equals_segmentation_models_pytorchs(encoder):
    import segmentation_models_pytorch as smp

    theirs = smp.UnetPlusPlus(encoder, encoder_weights=None, classes=2).eval()
    ours = build("unetplusplus", in_channels=3, classes=2, encoder=encoder).eval()
    order = [f"decoder.blocks.{name}" for name in smp_order(ours.depth)]
    sort_state(theirs, order)
    check_equal(ours, theirs)


def smp_order(depth):
    """Our nodes column by column, in segmentation_models.pytorch's names: x_{diagonal}_{level from the deepest}."""
    for column in range(1, depth + 1):
        for level in range(depth + 1 - column):
            row = depth - 1 - level
            yield f"x_{row + 1 - column}_{row}."
    yield f"x_0_{depth}."


def sort_state(model, order):
    """Let a network list its decoder's nodes in another order."""
    blocks = model.decoder.blocks
    modules = {name: blocks[name] for name in blocks}
    for name in modules:
        del blocks[name]
    for prefix in order:
        name = prefix.removeprefix("decoder.blocks.").rstrip(".")
        blocks[name] = modules[name]


def test_heads_are_named_by_their_column_and_weigh_the_same():
    model = tiny(supervision="last")
    assert model.loss_weights == pytest.approx({"level1": 1 / 3, "level2": 1 / 3, "logits": 1 / 3})
    assert list(model.training_outputs(torch.rand(1, 3, 16, 16))) == ["level1", "level2", "logits"]
    assert tiny(supervision="last", head_weights=(1, 2, 3)).loss_weights == {"level1": 1, "level2": 2, "logits": 3}


def test_prediction_is_the_last_head_or_the_mean():
    image = torch.rand(1, 3, 17, 31)
    last, mean = tiny(supervision="last"), tiny(supervision="mean")
    mean.load_state_dict(last.state_dict())
    with torch.no_grad():
        heads = last.training_outputs(image)
        torch.testing.assert_close(last(image), heads["logits"])
        torch.testing.assert_close(mean(image), torch.stack(list(heads.values())).mean(dim=0))


@pytest.mark.parametrize("encoder", [None, "resnet18"])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_pruned_to_a_level_it_gives_that_level_s_head_at_lower_cost(level, encoder):
    options = {"encoder": encoder} if encoder else {"widths": (4, 6, 8, 10)}
    torch.manual_seed(0)
    model = build("unetplusplus", in_channels=3, classes=2, supervision="last", **options).eval()
    image = torch.rand(1, 3, 64, 64)
    pruned = model.pruned(level)
    name = f"level{level}" if level < model.depth else "logits"
    with torch.no_grad():
        torch.testing.assert_close(pruned(image), model.training_outputs(image)[name])
    assert (parameters(pruned) < parameters(model)) == (level < model.depth)
    assert list(pruned.training_outputs(image)) == list(pruned.loss_weights)


@pytest.mark.parametrize(("level", "supervision"), [(0, "last"), (4, "last"), (1, "none")])
def test_a_level_without_a_head_is_refused(level, supervision):
    with pytest.raises(SettingsError, match=rf"cannot be pruned to level {level}\.\nFix: choose a level from 1 to 3"):
        tiny(supervision=supervision).pruned(level)


def test_head_weights_must_match_the_heads():
    with pytest.raises(SettingsError, match=r"2 head weights for 3 heads\.\nFix: give 3, first column first"):
        tiny(supervision="mean", head_weights=(1, 2))


def test_supervision_unknown_is_refused():
    with pytest.raises(SettingsError, match=r"supervision 'men' is unknown\.\nFix: did you mean mean\?"):
        tiny(supervision="men")


def test_gradients_are_those_of_plain_concatenation(monkeypatch):
    image = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    lean = tiny().double().train()
    lean(image).square().sum().backward()
    plain = tiny().double().train()
    monkeypatch.setattr("perpixel.models.unetplusplus.convolve_joined", lambda convolve, join: convolve(join()))
    plain(image).square().sum().backward()
    for ours, theirs in zip(lean.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_concatenation_is_gone_before_the_gradient_is_asked_for():
    convolve, parts, joined = torch.nn.Conv2d(4, 2, 3), [torch.rand(1, 2, 9, 9, requires_grad=True)] * 2, []

    def join():
        whole = torch.cat(parts, dim=1)
        joined.append(weakref.ref(whole))
        return whole

    out = convolve_joined(convolve, join)
    assert joined[0]() is None
    out.sum().backward()
    assert len(joined) == 2


def test_concatenations_are_not_counted_for_the_gradient(monkeypatch):
    lean = describe_network("unetplusplus", (64, 64)).activation_bytes
    monkeypatch.setattr("perpixel.models.unetplusplus.convolve_joined", lambda convolve, join: convolve(join()))
    assert lean < 0.7 * describe_network("unetplusplus", (64, 64)).activation_bytes
