"""The classes: which is the background, masks and targets of both kinds, and nobody else who asks for the kind."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax

import perpixel
from perpixel.labels.codec import Codec
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED

COMPARED = re.compile(r"""([!=]=\s*["'](multiclass|multilabel)["'])|(["'](multiclass|multilabel)["']\s*[!=]=)""")
MAY_COMPARE = {Path("labels/labels.py"), Path("metrics/counts.py"), Path("metrics/counting.py")}
"""Labels; and the counts, whose arrays may have an axis for images, so that their shape does not give the kind."""


def multiclass(*names, values=None):
    return Labels("multiclass", names, values or tuple(range(len(names))), ((0, 0, 0),) * len(names))


def multilabel(*names):
    return Labels("multilabel", names, (255,) * len(names), ((0, 0, 0),) * len(names), encoding="files")


def test_only_labels_and_counts_compare_the_kind():
    source = Path(perpixel.__file__).parent
    found = {path.relative_to(source) for path in source.rglob("*.py") if COMPARED.search(path.read_text("utf-8"))}
    assert found == MAY_COMPARE


@pytest.mark.parametrize(
    ("names", "values", "background"),
    [
        (("pet", "background", "border"), (1, 2, 3), 1),
        (("pet", "background"), (0, 255), 1),
        (("背景", "细胞"), (0, 1), 0),
        (("cell", "Un-Labelled"), (0, 1), 1),
        (("BG", "fg"), (255, 0), 0),
        (("void", "background", "road"), (7, 0, 3), 1),
        (("membrane", "inside"), (0, 255), None),
        (("no crack", "crack"), (5, 9), 0),
        (("sky", "road", "tree"), (0, 7, 9), 0),
        (("0", "1"), (0, 1), 0),
        (("class 0", "class 1"), (0, 1), 0),
        (("#000000", "#FF0000"), ((0, 0, 0), (255, 0, 0)), 0),
        (("nothing known", "foreground"), (0, 255), 0),
        (("a", "b"), (1, 2), None),
    ],
)
def test_names_decide_before_values_which_class_is_the_background(names, values, background):
    labels = multiclass(*names, values=values)
    assert labels.background == background
    assert labels.foreground_classes == tuple(k for k in range(len(names)) if k != background)


def test_multilabel_classes_have_no_background():
    assert multilabel("background", "cell").background is None


def test_masks_and_targets_of_multiclass_labels():
    labels = multiclass("background", "a", "b")
    target = np.array([[0, 1, 2, IGNORED]], np.uint8)
    assert [mask.tolist() for mask in labels.class_masks(target)] == [
        [[True, False, False, False]],
        [[False, True, False, False]],
        [[False, False, True, False]],
    ]
    assert labels.foreground(target).tolist() == [[False, True, True, False]]
    assert labels.known(target).tolist() == [[True, True, True, False]]
    assert (labels.layers, labels.empty_target(2, 3, IGNORED).shape) == (1, (2, 3))


def test_masks_and_targets_of_multilabel_labels():
    labels = multilabel("a", "b")
    target = np.array([[[0, 1, IGNORED]], [[1, 1, 0]]], np.uint8)
    assert labels.class_mask(target, 0).tolist() == [[False, True, False]]
    assert labels.foreground(target).tolist() == [[True, True, False]]
    assert labels.known(target).tolist() == [[True, True, False]]
    assert (labels.layers, labels.empty_target(2, 3).shape) == (2, (2, 2, 3))


def test_probabilities_and_logits_are_scipys_and_each_others_inverse():
    logits = np.random.default_rng(0).normal(0, 2, (3, 4, 5)).astype(np.float32)
    for labels, expected in (
        (multiclass("a", "b", "c"), softmax(logits, 0)),
        (multilabel("a", "b", "c"), expit(logits)),
    ):
        found = labels.probabilities(logits)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        np.testing.assert_allclose(labels.probabilities(labels.logits(found)), found, atol=1e-6)
    sure = np.array([[[0.0]], [[1.0]]], np.float32)
    assert np.isfinite(multilabel("a", "b").logits(sure)).all()
    assert np.isfinite(multiclass("a", "b").logits(sure)).all()


@pytest.mark.parametrize(
    ("labels", "dtype"), [(multiclass("a", "b"), torch.int64), (multilabel("a", "b"), torch.uint8)]
)
def test_targets_as_losses_take_them(labels, dtype):
    codec = Codec(labels, "uint8", (0.0,), (1.0,))
    target = torch.from_numpy(labels.empty_target(2, 3))[None]
    assert codec.loss_target(target).dtype == dtype
