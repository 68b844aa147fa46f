import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import fbeta_score, jaccard_score

import generated
from perpixel.dataset import scan
from perpixel.errors import SettingsError
from perpixel.labels.codec import Codec
from perpixel.losses import weighted
from perpixel.metrics import count
from perpixel.prediction import PredictOptions, Predictor
from perpixel.shapes import IGNORED
from perpixel.training.validation import Validation, monitored, validate


class Pointwise(torch.nn.Module):
    """A network whose answer at a pixel depends on that pixel alone."""

    stride = 1

    def __init__(self, classes):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.weight = torch.randn(classes, 3, 1, 1, generator=generator)

    def forward(self, image):
        return F.conv2d(image, self.weight)


@pytest.mark.parametrize(
    ("write", "loss"), [(generated.write_land, "cross_entropy"), (generated.write_overlapping, "bce")]
)
def test_scores_are_pooled_over_the_pixels_of_whole_images(tmp_path, write, loss):
    dataset = scan(write(tmp_path))
    codec = Codec(dataset.labels, "uint8", (100.0,) * 3, (50.0,) * 3)
    network = Pointwise(len(dataset.labels))
    validation = validate(
        Predictor(network, codec, options=PredictOptions(precision="32")),
        dataset,
        dataset.samples,
        weighted({loss: 1}, dataset.labels.kind),
    )
    truths, answers, losses = [], [], []
    for sample in dataset.samples:
        image = torch.from_numpy(dataset.image(sample).astype(np.float32)).permute(2, 0, 1)[None]
        logits = network((image - 100) / 50)[0]
        target = dataset.target(sample)
        counted = target != IGNORED
        if loss == "cross_entropy":
            truths.append(target[counted])
            answers.append(logits.argmax(0).numpy()[counted])
            truth = torch.from_numpy(target).long()
            losses.append(
                F.cross_entropy(logits[None], truth[None], ignore_index=IGNORED, reduction="none")[0][counted]
            )
        else:
            truths.append(target.reshape(len(target), -1).T)
            answers.append((logits > 0).numpy().reshape(len(target), -1).T.astype(int))
            losses.append(
                F.binary_cross_entropy_with_logits(logits, torch.from_numpy(target).float(), reduction="none")
            )
    iou = jaccard_score(np.concatenate(truths), np.concatenate(answers), average="macro")
    assert validation.scores["mean_iou"] == pytest.approx(iou, abs=1e-12)
    mean = float(torch.cat([each.flatten() for each in losses]).double().mean())
    assert validation.scores["loss"] == pytest.approx(mean, rel=1e-5)
    assert validation.scores[f"loss_{loss}"] == validation.scores["loss"]


DRAW = np.random.default_rng(0)
TRUTH, SAID = DRAW.integers(0, 2, (2, 9, 9)).astype(np.uint8)
SCORED = Validation({"loss": 81.0}, 81, count(SAID, TRUTH, classes=2, kind="multiclass"))


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("loss", {}, -1.0),
        ("iou", {"class": "cell"}, jaccard_score(TRUTH.ravel(), SAID.ravel())),
        ("iou", {}, jaccard_score(TRUTH.ravel(), SAID.ravel(), average="macro")),
        ("mean_iou", {}, jaccard_score(TRUTH.ravel(), SAID.ravel(), average="macro")),
        ("f_score", {"class": "cell", "beta": 0.5}, fbeta_score(TRUTH.ravel(), SAID.ravel(), beta=0.5)),
        ("f_score", {}, fbeta_score(TRUTH.ravel(), SAID.ravel(), beta=2, average="macro")),
    ],
)
def test_any_metric_with_its_options_can_choose_the_best_weights(name, options, expected):
    assert monitored(name, options, generated.binary_labels())(SCORED) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("loss", {"class": "cell"}, "'loss' has no option 'class'"),
        ("iou", {"clas": "cell"}, r"(?s)'iou' has no option 'clas'.*did you mean class\?"),
        ("iou", {"class": "cel"}, r"(?s)There is no class 'cel' to watch.*did you mean cell\?"),
        ("mean_iou", {"class": "cell"}, "The metric 'mean_iou' is not of single classes"),
        ("f_score", {"beta": -1}, r"'f_score' has beta = -1, which is not a number from 0 up"),
    ],
)
def test_a_wrong_option_of_a_metric_is_refused(name, options, message):
    with pytest.raises(SettingsError, match=message):
        monitored(name, options, generated.binary_labels())


def test_a_metric_without_a_value_for_the_labels_is_refused():
    with pytest.raises(SettingsError, match="'kappa' is undefined for these labels"):
        monitored("kappa", {}, generated.overlapping_labels())
