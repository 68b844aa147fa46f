"""Ratios: equal to scikit-learn and torchmetrics, NaN where undefined, and the policy for absent classes."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    jaccard_score,
    precision_score,
    recall_score,
)

from perpixel.metrics import Counts, count
from perpixel.models.torchvision_shim import prepare_torchvision


@pytest.fixture(scope="module")
def example():
    rng = np.random.default_rng(3)
    target = rng.integers(0, 5, (40, 50)).astype(np.uint8)
    prediction = np.where(rng.random(target.shape) < 0.7, target, rng.integers(0, 5, target.shape)).astype(np.uint8)
    return prediction, target, count(prediction, target, classes=5, kind="multiclass")


def test_class_ratios_equal_scikit_learn(example):
    prediction, target, counts = example
    asked = {"y_true": target.ravel(), "y_pred": prediction.ravel(), "average": None}
    np.testing.assert_allclose(counts.iou, jaccard_score(**asked), rtol=1e-14)
    np.testing.assert_allclose(counts.dice, f1_score(**asked), rtol=1e-14)
    np.testing.assert_allclose(counts.precision, precision_score(**asked), rtol=1e-14)
    np.testing.assert_allclose(counts.recall, recall_score(**asked), rtol=1e-14)
    for k in range(5):
        not_k = recall_score(target.ravel() != k, prediction.ravel() != k)
        assert counts.specificity[k] == pytest.approx(not_k, rel=1e-14)
    assert counts.mean_accuracy == pytest.approx(balanced_accuracy_score(target.ravel(), prediction.ravel()))
    assert counts.pixel_accuracy == (target == prediction).mean()
    assert counts.kappa == pytest.approx(cohen_kappa_score(target.ravel(), prediction.ravel()), rel=1e-12)
    weighted = jaccard_score(target.ravel(), prediction.ravel(), average="weighted")
    assert counts.frequency_weighted_iou == pytest.approx(weighted, rel=1e-14)


def test_class_ratios_equal_torchmetrics(example):
    prepare_torchvision()
    from torchmetrics.functional.classification import multiclass_jaccard_index, multiclass_specificity

    prediction, target, counts = example
    tensors = torch.from_numpy(prediction), torch.from_numpy(target)
    iou = multiclass_jaccard_index(*tensors, num_classes=5, average="none")
    np.testing.assert_allclose(counts.iou, iou.numpy(), rtol=1e-6)
    specificity = multiclass_specificity(*tensors, num_classes=5, average="none")
    np.testing.assert_allclose(counts.specificity, specificity.numpy(), rtol=1e-6)


def test_kappa_is_undefined_where_chance_is_never_wrong():
    empty = np.zeros((4, 4), np.uint8)
    assert np.isnan(count(empty, empty, classes=2, kind="multiclass").kappa)
    layers = np.zeros((2, 4, 4), np.uint8)
    assert np.isnan(count(layers, layers, classes=2, kind="multilabel").kappa)


def test_an_absent_class_is_undefined_and_left_out_of_the_means():
    """Two 8×8 images of 3 classes, one perfect, the other missing its one-pixel object."""
    first, second = np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint8)
    first[:4] = 1
    second[0, 0] = 1
    images = [
        count(first, first, classes=3, kind="multiclass"),
        count(np.zeros_like(second), second, classes=3, kind="multiclass"),
    ]
    np.testing.assert_array_equal(images[0].iou, [1, 1, np.nan])
    np.testing.assert_array_equal(images[1].iou, [63 / 64, 0, np.nan])
    np.testing.assert_array_equal(images[1].precision, [63 / 64, np.nan, np.nan])
    assert images[1].mean_iou == 63 / 128
    assert sum(images).mean_iou == pytest.approx((95 / 96 + 32 / 33) / 2)
    np.testing.assert_array_equal(Counts.stack(images).mean_iou, [1, 63 / 128])


def test_nothing_counted_is_undefined_everywhere():
    for kind in ("multiclass", "multilabel"):
        nothing = Counts.zero(3, kind)
        for name in ("iou", "dice", "precision", "recall", "specificity"):
            assert np.isnan(getattr(nothing, name)).all()
        for name in ("mean_iou", "mean_dice", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou"):
            assert np.isnan(getattr(nothing, name))


def test_overlapping_accuracy_is_over_pixels_and_classes():
    prediction, target = np.random.default_rng(4).integers(0, 2, (2, 3, 10, 10)).astype(np.uint8)
    counts = count(prediction, target, classes=3, kind="multilabel")
    assert counts.pixel_accuracy == (prediction == target).mean()


def test_counts_are_values(example):
    counts = example[2]
    assert Counts.from_dict(json.loads(json.dumps(counts.to_dict()))) == counts
    assert counts + Counts.zero(5, "multiclass") == counts
    assert Counts.stack([counts, counts + counts])[1] == counts + counts
    assert counts != Counts.zero(5, "multilabel")
    assert counts != Counts.zero(5, "multiclass")
    assert counts.classes == 5
    overlapping = Counts.zero(2, "multilabel")
    assert Counts.from_dict(overlapping.to_dict()) == overlapping == Counts.stack([overlapping, overlapping]).pooled
    with pytest.raises(TypeError):
        hash(counts)
