"""The figures in metrics.json are scikit-learn's, on the same masks."""

import csv
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics

from generated import SIZES, save, tiny_settings
from perpixel.dataset import scan
from perpixel.evaluation import evaluate_run
from perpixel.labels.codec import Codec
from perpixel.labels.labels import Labels
from perpixel.prediction import PredictOptions, Predictor
from perpixel.shapes import IGNORED
from perpixel.store.run_folder import Run

NAMES = ("ground", "water", "forest", "nowhere")
EXACT = 1e-12


class Pointwise(torch.nn.Module):
    """Answers at random, but never says that a pixel has the class `silent`."""

    stride = 1

    def __init__(self, silent):
        super().__init__()
        self.silent = silent
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(len(NAMES), 3, 1, 1, generator=generator)

    def forward(self, image):
        logits = F.conv2d(image, self.weight)
        logits[:, self.silent] = -1e3
        return logits


def blocks(height, width, classes, draw):
    """Random rectangles of classes (H, W)."""
    coarse = draw.choice(classes, (6, 6))
    return coarse[np.arange(height)[:, None] * 6 // height, np.arange(width) * 6 // width].astype(np.uint8)


def write_exclusive(folder):
    """Not every image holds every class, and some pixels have no label."""
    for number, (height, width) in enumerate(SIZES):
        draw = np.random.default_rng(number)
        target = blocks(height, width, ([0], [0, 1], [1, 2], [0, 1, 2])[number % 4], draw)
        target[draw.random((height, width)) < 0.1] = IGNORED
        save(folder / "images" / f"{number}.png", draw.integers(0, 256, (height, width, 3), np.uint8))
        save(folder / "masks" / f"{number}.png", target)


def write_overlapping(folder):
    for number, (height, width) in enumerate(SIZES):
        draw = np.random.default_rng(number)
        save(folder / "images" / f"{number}.png", draw.integers(0, 256, (height, width, 3), np.uint8))
        for k, name in enumerate(NAMES):
            mask = blocks(height, width, [0, 255] if (number + k) % 3 else [0], draw)
            save(folder / "masks" / name / f"{number}.png", mask if name != "nowhere" else 0 * mask)


def labels_of(kind):
    overlapping = kind == "multilabel"
    return Labels(
        kind,
        tuple(sorted(NAMES)) if overlapping else NAMES,
        (255,) * 4 if overlapping else (0, 1, 2, 3),
        ((0, 0, 0),) * 4,
        () if overlapping else (IGNORED,),
        "files" if overlapping else "index",
    )


@pytest.fixture(scope="module", params=["multiclass", "multilabel"])
def scored(request, tmp_path_factory):
    """The folder with metrics.json and images.csv, and of each image truth and answer as (pixels, K) of bool."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    (write_exclusive if kind == "multiclass" else write_overlapping)(folder / "data")
    labels = labels_of(kind)
    predictor = Predictor(
        Pointwise(labels.names.index("nowhere")),
        Codec(labels, "uint8", (128.0,) * 3, (64.0,) * 3),
        options=PredictOptions(precision="32"),
    )
    run = Run.create(folder / "run", folder / "data", tiny_settings())
    evaluate_run(run, predictor, part="all")
    dataset = scan(folder / "data", labels)
    images = []
    for sample in dataset.samples:
        truth, answer = dataset.target(sample), predictor.target(dataset.image(sample))
        if kind == "multiclass":
            counted = truth != IGNORED
            truth, answer = (np.eye(4, dtype=bool)[each[counted]] for each in (truth, answer))
        else:
            truth, answer = (each.reshape(4, -1).T.astype(bool) for each in (truth, answer))
        images.append((truth, answer))
    return folder / "run" / "evaluation", labels, images


def test_the_data_ask_for_every_case(scored):
    _, labels, images = scored
    k = labels.names.index("nowhere")
    assert not any(truth[:, k].any() or answer[:, k].any() for truth, answer in images)
    in_truth = np.array([truth.any(0) for truth, _ in images])  # (images, K)
    assert (in_truth.any(0) & ~in_truth.all(0)).sum() >= 2


def test_a_class_is_scored_as_scikit_learn_does(scored):
    folder, labels, images = scored
    told = json.loads((folder / "metrics.json").read_text())
    truth, answer = (np.concatenate(each) for each in zip(*images, strict=True))
    assert list(told["classes"]) == list(labels.names)
    for k, name in enumerate(labels.names):
        figures = told["classes"][name]
        assert figures["pixels"] == truth[:, k].sum()
        if name == "nowhere":
            assert {figures[key] for key in ("iou", "dice", "precision", "recall", "image_iou")} == {None}
            continue
        pair = truth[:, k], answer[:, k]
        assert figures["iou"] == pytest.approx(metrics.jaccard_score(*pair), abs=EXACT)
        assert figures["dice"] == pytest.approx(metrics.f1_score(*pair), abs=EXACT)
        assert figures["precision"] == pytest.approx(metrics.precision_score(*pair), abs=EXACT)
        assert figures["recall"] == pytest.approx(metrics.recall_score(*pair), abs=EXACT)
        defined = [(t[:, k], a[:, k]) for t, a in images if t[:, k].any() or a[:, k].any()]
        image_iou = np.mean([metrics.jaccard_score(t, a) for t, a in defined])
        assert figures["image_iou"] == pytest.approx(image_iou, abs=EXACT)


def test_the_data_set_is_scored_as_scikit_learn_does(scored):
    folder, labels, images = scored
    told = json.loads((folder / "metrics.json").read_text())
    assert (told["schema"], told["split"], told["images"]) == (1, "all", len(SIZES))
    truth, answer = (np.concatenate(each) for each in zip(*images, strict=True))
    there = [k for k, name in enumerate(labels.names) if name != "nowhere"]
    figures = told["dataset"]
    if labels.kind == "multiclass":
        truth, answer = truth.argmax(1), answer.argmax(1)
        accuracy = metrics.balanced_accuracy_score(truth, answer)
        means = {"average": "macro", "labels": there}
    else:
        accuracy = metrics.recall_score(truth[:, there], answer[:, there], average="macro")
        means = {"average": "macro"}
    assert figures["pixel_accuracy"] == pytest.approx(
        metrics.accuracy_score(truth.ravel(), answer.ravel()), abs=EXACT
    )
    assert figures["mean_accuracy"] == pytest.approx(accuracy, abs=EXACT)
    if labels.kind == "multilabel":
        truth, answer = truth[:, there], answer[:, there]
    assert figures["mean_iou"] == pytest.approx(metrics.jaccard_score(truth, answer, **means), abs=EXACT)
    assert figures["mean_dice"] == pytest.approx(metrics.f1_score(truth, answer, **means), abs=EXACT)


def test_an_image_is_scored_as_scikit_learn_does(scored):
    folder, labels, images = scored
    with (folder / "images.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(images)
    for row, (truth, answer) in zip(rows, images, strict=True):
        ious = []
        for k, name in enumerate(labels.names):
            if not truth[:, k].any() and not answer[:, k].any():
                assert row[f"iou_{name}"] == ""
                continue
            ious.append(metrics.jaccard_score(truth[:, k], answer[:, k]))
            assert float(row[f"iou_{name}"]) == pytest.approx(ious[-1], abs=EXACT)
            for score, theirs in (("dice", "f1"), ("precision", "precision"), ("recall", "recall")):
                expected = getattr(metrics, f"{theirs}_score")(truth[:, k], answer[:, k], zero_division=np.nan)
                assert math.isnan(expected) == (row[f"{score}_{name}"] == "")
                assert math.isnan(expected) or float(row[f"{score}_{name}"]) == pytest.approx(expected, abs=EXACT)
        assert float(row["mean_iou"]) == pytest.approx(np.mean(ious), abs=EXACT)
        multiclass = labels.kind == "multiclass"
        right = (truth.argmax(1) == answer.argmax(1)).mean() if multiclass else (truth == answer).mean()
        assert float(row["pixel_accuracy"]) == pytest.approx(right, abs=EXACT)
