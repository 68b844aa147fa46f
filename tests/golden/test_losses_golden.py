"""Every loss against an independent one: torch, torchvision, MONAI, segmentation_models_pytorch, or the paper."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from late import Late
from perpixel import losses
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.settings.recipes import RECIPES
from perpixel.settings.tree import request_from
from perpixel.shapes import IGNORED

pytestmark = pytest.mark.skipif(
    find_spec("segmentation_models_pytorch") is None, reason="segmentation_models_pytorch is not installed"
)
monai_losses = Late("monai.losses")
smp_losses = Late("segmentation_models_pytorch.losses", before=prepare_torchvision)

GENERATOR = torch.Generator().manual_seed(11)
LOGITS = 3 * torch.randn(3, 4, 9, 7, dtype=torch.float64, generator=GENERATOR)
CLASSES = torch.randint(0, 4, (3, 9, 7), generator=GENERATOR)
SETS = torch.randint(0, 2, (3, 4, 9, 7), generator=GENERATOR).to(torch.uint8)
ONE_HOT = F.one_hot(CLASSES, 4).movedim(-1, 1).double()
BINARY = (CLASSES > 1).long()


def same(ours, theirs, rtol=1e-9):
    torch.testing.assert_close(ours, torch.as_tensor(theirs, dtype=ours.dtype), rtol=rtol, atol=1e-12)


def one_channel(logits):
    """The binary case as everybody else writes it: one channel."""
    return logits[:, 1:2] - logits[:, :1]


@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 2.0, 4.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_torch(weights, smoothing):
    target = CLASSES.masked_fill(torch.rand(CLASSES.shape, generator=GENERATOR) < 0.2, IGNORED)
    ours = losses.cross_entropy(LOGITS, target, class_weights=weights, label_smoothing=smoothing)
    tensor = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    same(ours, F.cross_entropy(LOGITS, target, tensor, ignore_index=IGNORED, label_smoothing=smoothing))


def test_weights_of_classes_are_those_of_torch():
    """From balanced frequencies to the loss of either kind of label."""
    weights = losses.median_frequency([0.6, 0.3, 0.08, 0.02])
    expected = torch.tensor(np.median([0.6, 0.3, 0.08, 0.02]) / np.array([0.6, 0.3, 0.08, 0.02]))
    loss = losses.weighted({"cross_entropy": 1.0}, "multiclass", class_weights=weights)
    target = CLASSES.masked_fill(torch.rand(CLASSES.shape, generator=GENERATOR) < 0.2, IGNORED)
    same(loss(LOGITS, target), F.cross_entropy(LOGITS, target, weight=expected, ignore_index=IGNORED))
    shares = SETS.double().mean((0, 2, 3))
    loss = losses.weighted({"bce": 1.0}, "multilabel", class_weights=losses.positive_weight(shares.tolist()))
    positive = ((SETS == 0).sum((0, 2, 3)) / SETS.sum((0, 2, 3), dtype=torch.float64)).view(4, 1, 1)
    same(loss(LOGITS, SETS), F.binary_cross_entropy_with_logits(LOGITS, SETS.double(), pos_weight=positive))


def test_bce_is_torch():
    same(losses.bce(LOGITS, SETS), F.binary_cross_entropy_with_logits(LOGITS, SETS.double()))
    weights = [1.0, 2.0, 3.0, 4.0]
    pos = torch.tensor(weights, dtype=torch.float64).view(4, 1, 1)
    theirs = F.binary_cross_entropy_with_logits(LOGITS, SETS.double(), pos_weight=pos)
    same(losses.bce(LOGITS, SETS, positive_weights=weights), theirs)
    same(losses.bce(LOGITS, CLASSES), F.binary_cross_entropy(LOGITS.softmax(1), ONE_HOT))
    same(losses.bce(LOGITS[:, :2], BINARY), F.cross_entropy(LOGITS[:, :2], BINARY))


def test_focal_is_torchvision_and_monai_and_smp():
    from torchvision.ops import sigmoid_focal_loss

    theirs = sigmoid_focal_loss(LOGITS, SETS.double(), alpha=-1, gamma=2, reduction="mean")
    same(losses.focal(LOGITS, SETS), theirs)
    theirs = sigmoid_focal_loss(LOGITS, SETS.double(), alpha=0.25, gamma=1.5, reduction="mean")
    same(losses.focal(LOGITS, SETS, gamma=1.5, alpha=[0.25] * 4), theirs)
    theirs = monai_losses.FocalLoss(use_softmax=True, gamma=2.0)(LOGITS, ONE_HOT)  # divides by K too
    same(losses.focal(LOGITS, CLASSES), 4 * theirs, rtol=1e-6)  # it computes in float32
    theirs = smp_losses.FocalLoss("binary", gamma=2.0)(one_channel(LOGITS), BINARY[:, None].double())
    same(losses.focal(LOGITS[:, :2], BINARY), theirs)
    theirs = sigmoid_focal_loss(one_channel(LOGITS), BINARY[:, None].double(), alpha=0.7, gamma=2, reduction="mean")
    same(losses.focal(LOGITS[:, :2], BINARY, alpha=[0.3, 0.7]), theirs)
    same(losses.focal(LOGITS, CLASSES, gamma=0.0), F.cross_entropy(LOGITS, CLASSES))


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 1e-5])
def test_region_losses_are_monai(per_image, smooth):
    options = {"per_image": per_image, "smooth": smooth}
    theirs = {"smooth_nr": smooth, "smooth_dr": smooth, "batch": not per_image}
    twice = {"smooth_nr": 2 * smooth, "smooth_dr": 2 * smooth, "batch": not per_image}
    sets = SETS.double()
    same(losses.dice(LOGITS, SETS, **options), monai_losses.DiceLoss(sigmoid=True, **theirs)(LOGITS, sets))
    same(losses.dice(LOGITS, CLASSES, **options), monai_losses.DiceLoss(softmax=True, **theirs)(LOGITS, ONE_HOT))
    jaccard = monai_losses.DiceLoss(sigmoid=True, jaccard=True, **twice)  # it doubles both sides of the fraction
    same(losses.jaccard(LOGITS, SETS, **options), jaccard(LOGITS, sets))
    tversky = monai_losses.TverskyLoss(softmax=True, alpha=0.3, beta=0.7, **theirs)
    same(losses.tversky(LOGITS, CLASSES, **options), tversky(LOGITS, ONE_HOT))


def test_region_losses_are_smp():
    """Its floor of 1e-7 under the denominator and our smooth of 0 meet where every class is there."""
    for ours, theirs in ((losses.dice, smp_losses.DiceLoss), (losses.jaccard, smp_losses.JaccardLoss)):
        same(ours(LOGITS, CLASSES, smooth=0.0), theirs("multiclass")(LOGITS, CLASSES), rtol=1e-7)
        same(ours(LOGITS, SETS, smooth=0.0), theirs("multilabel")(LOGITS, SETS), rtol=1e-7)
        binary = theirs("binary")(one_channel(LOGITS), BINARY[:, None])
        same(ours(LOGITS[:, :2], BINARY, smooth=0.0), binary, rtol=1e-7)
    tversky = smp_losses.TverskyLoss("binary", alpha=0.2, beta=0.8)(one_channel(LOGITS), BINARY[:, None])
    weights = {"alpha": 0.2, "beta": 0.8, "smooth": 0.0}
    same(losses.tversky(LOGITS[:, :2], BINARY, **weights), tversky, rtol=1e-7)
    focal = smp_losses.TverskyLoss("binary", alpha=0.2, beta=0.8, gamma=0.75)
    ours = losses.focal_tversky(LOGITS[:, :2], BINARY, gamma=4 / 3, **weights)
    same(ours, focal(one_channel(LOGITS), BINARY[:, None]), rtol=1e-7)


def lovasz_extension(errors, truth):
    """Algorithm 1 of Berman et al. (2018), step by step."""
    order = np.argsort(-errors, kind="stable")
    total, seen, before, value = truth.sum(), [], 0.0, 0.0
    for pixel in order:
        seen.append(pixel)
        mistaken_true = truth[seen].sum()
        union = total + len(seen) - mistaken_true
        jaccard = 1 - (total - mistaken_true) / union
        value += errors[pixel] * (jaccard - before)
        before = jaccard
    return value


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("classes", ["present", "all"])
def test_lovasz_is_the_papers_algorithm(per_image, classes):
    target = CLASSES.masked_fill(CLASSES == 3, 0)
    target[torch.rand(target.shape, generator=GENERATOR) < 0.2] = IGNORED
    sets = SETS.clone()
    sets[:, 2] = 0
    sets[torch.rand(sets.shape, generator=GENERATOR) < 0.2] = IGNORED
    probs = LOGITS.softmax(1).numpy()

    def naive(errors_of, truth_of, known_of):
        images = [[n] for n in range(3)] if per_image else [[0, 1, 2]]
        rows = []
        for image in images:
            terms = []
            for k in range(4):
                known = known_of(k)[image]
                truth = truth_of(k)[image][known]
                if truth.any() or classes == "all":
                    terms.append(lovasz_extension(errors_of(k)[image][known], truth))
            rows.append(np.mean(terms))
        return np.mean(rows)

    softmax = naive(
        lambda k: np.abs((target == k).numpy() - probs[:, k]),
        lambda k: (target == k).numpy(),
        lambda k: (target != IGNORED).numpy(),
    )
    same(losses.lovasz_softmax(LOGITS, target, per_image=per_image, classes=classes), softmax)
    hinge = naive(
        lambda k: np.maximum(0, 1 - LOGITS[:, k].numpy() * (2.0 * (sets[:, k] == 1).numpy() - 1)),
        lambda k: (sets[:, k] == 1).numpy(),
        lambda k: (sets[:, k] != IGNORED).numpy(),
    )
    same(losses.lovasz_hinge(LOGITS, sets, per_image=per_image, classes=classes), hinge)


@pytest.mark.parametrize("per_image", [False, True])
def test_lovasz_and_its_gradient_are_the_authors_code(per_image):
    """segmentation_models_pytorch keeps the authors' code."""
    for ours, theirs, logits, target, view in [
        (losses.lovasz_softmax, smp_losses.LovaszLoss("multiclass", per_image), LOGITS, CLASSES, lambda z: z),
        (losses.lovasz_hinge, smp_losses.LovaszLoss("binary", per_image), LOGITS[:, :2], BINARY, one_channel),
    ]:
        z, other = logits.float().requires_grad_(), logits.float().requires_grad_()
        mine, reference = ours(z, target, per_image=per_image), theirs(view(other), target)
        same(mine, reference, rtol=1e-5)  # its Jaccard steps are differences in float32
        mine.backward()
        reference.backward()
        torch.testing.assert_close(z.grad, other.grad, rtol=1e-3, atol=1e-6)


def test_the_tutorials_mixes_are_their_code():
    def shapes(logits, target):  # usuyama/pytorch-unet, loss.py and calc_loss
        p = torch.sigmoid(logits)
        both = (p * target).sum(2).sum(2)
        dice = 1 - (2 * both + 1) / (p.sum(2).sum(2) + target.sum(2).sum(2) + 1)
        return F.binary_cross_entropy_with_logits(logits, target) * 0.5 + dice.mean() * 0.5

    def nuclei(logits, target):  # 4uiiurz1/pytorch-nested-unet, losses.py
        entropy = F.binary_cross_entropy_with_logits(logits, target)
        p, t = torch.sigmoid(logits).flatten(1), target.flatten(1)
        dice = (2 * (p * t).sum(1) + 1e-5) / (p.sum(1) + t.sum(1) + 1e-5)
        return 0.5 * entropy + 1 - dice.sum() / len(dice)

    for recipe, theirs in (("unet-shapes", shapes), ("unetpp-nuclei", nuclei)):
        terms = request_from(RECIPES[recipe].settings).train.loss
        listed = [losses.LossTerm(each.name, each.weight, each.options) for each in terms]

        def ours(logits, target, listed=listed):
            return losses.weighted(listed, "multilabel" if target.ndim == 4 else "multiclass")(logits, target)

        same(ours(LOGITS, SETS), theirs(LOGITS, SETS.double()))
        same(ours(LOGITS[:, :2], BINARY), theirs(one_channel(LOGITS), BINARY[:, None].double()))
