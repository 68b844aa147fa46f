"""Muon, against singular values by LAPACK and against PyTorch's own for matrices."""

import copy

import pytest
import torch

from perpixel.training.muon import COEFFICIENTS, MOMENTUM, ROOT_MEAN_SQUARE, ROUNDS, Muon, is_matrix, orthogonal

SHAPES = [(16, 16), (12, 40), (40, 12)]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", SHAPES)
def test_singular_values_go_through_the_polynomial_and_their_vectors_stay(shape):
    matrix = torch.randn(shape, dtype=torch.float64)
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    values = values / torch.linalg.vector_norm(values)
    first, third, fifth = COEFFICIENTS
    for _ in range(ROUNDS):
        values = first * values + third * values**3 + fifth * values**5
    assert ((values > 0.6) & (values < 1.3)).all()
    torch.testing.assert_close(orthogonal(matrix), left @ values.diag() @ right)
    torch.testing.assert_close(orthogonal(matrix.float()), (left @ values.diag() @ right).float(), rtol=0, atol=1e-4)


def test_nothing_stays_nothing():
    assert torch.equal(orthogonal(torch.zeros(8, 9)), torch.zeros(8, 9))


@pytest.mark.parametrize("size", [1e-12, 1e-25, 1e-38, 1e-42])
def test_where_there_is_next_to_nothing_steps_are_small(size):
    straight = orthogonal(torch.randn(16, 72) * size)
    assert torch.isfinite(straight).all()
    assert torch.linalg.matrix_norm(straight, 2) < 0.1


def test_a_weight_whose_gradients_vanish_comes_to_rest():
    weight = torch.nn.Parameter(torch.randn(8, 9))
    optimiser = Muon([{"params": [weight], "is_orthogonal": True, "weight_decay": 0.0}], lr=0.01)
    weight.grad = torch.randn(8, 9)
    for _ in range(1000):
        optimiser.step()
        before = weight.detach().clone()
        weight.grad = torch.zeros(8, 9)
    assert torch.isfinite(before).all()
    assert torch.equal(weight, before)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has its own Muon from 2.9 on")
@pytest.mark.parametrize("shape", SHAPES)
def test_steps_of_a_matrix_are_those_of_pytorch(shape):
    ours = torch.nn.Parameter(torch.randn(shape))
    theirs = copy.deepcopy(ours)
    rate, decay = 0.01, 0.1
    mine = Muon([{"params": [ours], "is_orthogonal": True, "weight_decay": decay}], lr=rate)
    factor = ROOT_MEAN_SQUARE / 0.2  # theirs has 0.2, and lets weights decay by the rate, too
    other = torch.optim.Muon(
        [theirs], lr=factor * rate, weight_decay=decay / factor, momentum=MOMENTUM, adjust_lr_fn="match_rms_adamw"
    )
    before = ours.detach().clone()
    for _ in range(5):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    moved = (ours - before).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # PyTorch's computes in bfloat16, of 8 bits


def test_what_is_no_matrix_moves_as_by_adamw():
    ours = torch.nn.Parameter(torch.randn(5))
    theirs = copy.deepcopy(ours)
    mine, other = Muon([{"params": [ours]}], lr=0.01), torch.optim.AdamW([theirs], lr=0.01, fused=True)
    for _ in range(3):
        ours.grad = torch.randn(5)
        theirs.grad = ours.grad.clone()
        mine.step()
        other.step()
    assert torch.equal(ours, theirs)


def test_a_convolution_moves_as_the_matrix_of_its_rows_in_any_memory_format():
    weight = torch.randn(8, 4, 3, 3)
    gradient = torch.randn_like(weight)
    flat = torch.nn.Parameter(weight.flatten(1).clone())
    convolution = torch.nn.Parameter(weight.clone().to(memory_format=torch.channels_last))
    for parameter, slope in ((flat, gradient.flatten(1)), (convolution, gradient)):
        parameter.grad = slope.clone()
        Muon([{"params": [parameter], "is_orthogonal": True}], lr=0.01).step()
    torch.testing.assert_close(convolution.flatten(1), flat)
    assert not torch.equal(flat, weight.flatten(1))


def test_it_goes_on_from_its_state():
    weight = torch.nn.Parameter(torch.randn(8, 9))
    mine = Muon([{"params": [weight], "is_orthogonal": True}], lr=0.01)
    weight.grad = torch.randn(8, 9)
    mine.step()
    copied = torch.nn.Parameter(weight.detach().clone())
    other = Muon([{"params": [copied], "is_orthogonal": True}], lr=0.5)
    other.load_state_dict(copy.deepcopy(mine.state_dict()))
    weight.grad = torch.randn(8, 9)
    copied.grad = weight.grad.clone()
    mine.step()
    other.step()
    assert torch.equal(weight, copied)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((32, 16, 3, 3), True), ((32, 1, 3, 3), False), ((2, 16, 1, 1), False), ((32,), False), ((8, 8), True)],
)
def test_a_depthwise_convolution_and_a_small_head_are_no_matrices(shape, expected):
    assert is_matrix(torch.nn.Parameter(torch.zeros(shape))) is expected
