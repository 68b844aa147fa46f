"""What every loss keeps: finite values and gradients, ignored pixels without a say, sums over ranks."""

from functools import partial

import pytest
import torch

from perpixel.losses import LOSSES
from perpixel.shapes import IGNORED

CASES = [
    pytest.param(kind, classes, name, id=f"{kind}-{classes}-{name}")
    for kind, numbers in (("multiclass", (2, 4)), ("multilabel", (1, 3)))
    for classes in numbers
    for name in LOSSES[kind]
]


def batch(kind, classes, size=(3, 6, 5), dtype=torch.float64, ignored=0.15):
    generator = torch.Generator().manual_seed(classes)
    images, height, width = size
    logits = 2 * torch.randn(images, classes, height, width, dtype=dtype, generator=generator)
    if kind == "multiclass":
        target = torch.randint(0, classes, (images, height, width), generator=generator)
    else:
        target = torch.randint(0, 2, (images, classes, height, width), dtype=torch.uint8, generator=generator)
    target[torch.rand(target.shape, generator=generator) < ignored] = IGNORED
    return logits, target


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
def test_gradients_are_the_derivatives(kind, classes, name):
    logits, target = batch(kind, classes, size=(2, 4, 3))
    assert torch.autograd.gradcheck(lambda z: LOSSES[kind][name](z, target), logits.requires_grad_())


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
def test_an_ignored_batch_gives_zero_and_no_gradient(kind, classes, name):
    logits, target = batch(kind, classes)
    logits.requires_grad_()
    loss = LOSSES[kind][name](logits, torch.full_like(target, IGNORED))
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
def test_ignored_pixels_have_no_say(kind, classes, name):
    logits, target = batch(kind, classes)
    hidden = (target == IGNORED) if kind == "multilabel" else (target == IGNORED)[:, None].expand_as(logits)
    other = logits.masked_scatter(hidden, 50 * torch.randn(int(hidden.sum()), dtype=logits.dtype))
    loss = LOSSES[kind][name]
    torch.testing.assert_close(loss(other, target), loss(logits, target), rtol=1e-12, atol=0)
    logits.requires_grad_()
    loss(logits, target).backward()
    assert (logits.grad[hidden] == 0).all()


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_huge_logits_stay_finite(kind, classes, name, size, dtype):
    logits, target = batch(kind, classes)
    huge = (logits.sign() * size).to(dtype).requires_grad_()
    loss = LOSSES[kind][name](huge, target)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert torch.isfinite(huge.grad).all()


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
def test_bfloat16_is_computed_in_float32(kind, classes, name):
    logits, target = batch(kind, classes, dtype=torch.bfloat16)
    loss = LOSSES[kind][name]
    assert loss(logits, target) == loss(logits.float(), target)


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
def test_perfect_logits_cost_nothing(kind, classes, name):
    _, target = batch(kind, classes, ignored=0)
    truth = target if kind == "multilabel" else torch.nn.functional.one_hot(target, classes).movedim(-1, 1)
    assert LOSSES[kind][name]((truth * 2.0 - 1) * 100, target) < 1e-6


@pytest.mark.parametrize(("kind", "classes", "name"), CASES)
def test_two_ranks_make_the_loss_of_their_union(kind, classes, name):
    """Each rank's sums are added to the other's recorded ones, as an all-reduce would."""
    logits, target = batch(kind, classes, size=(4, 6, 5))
    target[0] = IGNORED  # the ranks do not hold equally many pixels
    loss = LOSSES[kind][name]
    recorded = []

    def record(sums):
        recorded.append(sums)
        return sums

    loss(logits[3:], target[3:], reduce=record)
    others = iter(recorded)
    first = loss(logits[:3], target[:3], reduce=lambda sums: sums + next(others))
    if name == "lovasz_softmax":  # over the batch: the mean of the ranks' losses
        whole = (loss(logits[:3], target[:3]) + loss(logits[3:], target[3:])) / 2
    else:
        whole = loss(logits, target)
    torch.testing.assert_close(first, whole, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", ["dice", "jaccard", "tversky", "focal_tversky", "lovasz_hinge"])
@pytest.mark.parametrize("per_image", [False, True])
def test_an_absent_class_counts_only_where_all_do(name, per_image):
    """Over the present classes, an overlapping class that is nowhere might as well not be asked for."""
    logits, target = batch("multilabel", 3)
    target[:, 2] = 0
    loss = partial(LOSSES["multilabel"][name], per_image=per_image)
    fewer = loss(logits[:, :2], target[:, :2], classes="all")
    torch.testing.assert_close(loss(logits, target, classes="present"), fewer)
    assert loss(logits, target, classes="all") != fewer


def test_region_losses_differ_between_the_batch_and_its_images():
    logits, target = batch("multilabel", 1)
    for name in ("dice", "jaccard", "tversky", "lovasz_hinge"):
        loss = LOSSES["multilabel"][name]
        assert loss(logits, target, per_image=True) != loss(logits, target, per_image=False)
        one_by_one = [loss(logits[n : n + 1], target[n : n + 1], per_image=False) for n in range(len(logits))]
        torch.testing.assert_close(loss(logits, target, per_image=True), torch.stack(one_by_one).mean())
