import copy

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from perpixel.models import build
from perpixel.training.averaging import Average


def network():
    torch.manual_seed(0)
    return build("unet", in_channels=1, classes=2, width=4, depth=1)


def moved(net):
    """As after a step: other weights, other batch statistics."""
    with torch.no_grad():
        for tensor in net.state_dict().values():
            tensor.add_(torch.randn_like(tensor) if tensor.is_floating_point() else 1)
    return net


def floating(net):
    return {name: tensor for name, tensor in net.state_dict().items() if tensor.is_floating_point()}


def test_the_mean_is_that_of_torch():
    """Of its AveragedModel, whose first update is a copy; a decay of 0.1 is never less at the beginning."""
    net = network()
    ours = Average(net, 0.1)
    theirs = AveragedModel(net, avg_fn=get_ema_avg_fn(0.1), use_buffers=True)
    theirs.update_parameters(net)
    for _ in range(5):
        moved(net)
        ours.update(net)
        theirs.update_parameters(net)
    expected = theirs.module.state_dict()
    assert any(name.endswith("running_var") for name in expected)
    for name, tensor in floating(ours.network).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("decay", [0.5, 0.99, 1.0])
def test_the_first_steps_forget_faster(decay):
    net = network()
    average, expected = Average(net, decay), {name: tensor.double() for name, tensor in floating(net).items()}
    for step in range(20):
        kept = min(decay, (1 + step) / (10 + step))
        average.update(moved(net))
        expected = {name: kept * mean + (1 - kept) * floating(net)[name].double() for name, mean in expected.items()}
    for name, tensor in floating(average.network).items():
        torch.testing.assert_close(tensor.double(), expected[name], rtol=1e-5, atol=1e-6)


def test_what_does_not_move_keeps_its_bits_and_whole_numbers_are_copied():
    net = network()
    average, before = Average(net, 0.9), copy.deepcopy(net.state_dict())
    for _ in range(30):
        net.head.weight.data.add_(0.1)
        net.get_buffer(next(n for n, _ in net.named_buffers() if n.endswith("num_batches_tracked"))).add_(1)
        average.update(net)
    changed = {name for name, tensor in average.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"weight", "num_batches_tracked"}
    assert len(changed) == 2


def test_a_state_goes_on_as_if_nothing_had_been():
    net = network()
    one = Average(net, 0.99)
    one.update(moved(net))
    other = Average(net, 0.99)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    moved(net)
    one.update(net)
    other.update(net)
    assert all(torch.equal(t, floating(other.network)[name]) for name, t in floating(one.network).items())


def test_the_mean_needs_no_gradients_and_leaves_those_of_the_network():
    net = network()
    average = Average(net, 0.9)
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in net.parameters())
