import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import jaccard_score

import generated
from perpixel.dataset import scan
from perpixel.labels.codec import Codec
from perpixel.losses import weighted
from perpixel.prediction import PredictOptions, Predictor
from perpixel.shapes import IGNORED
from perpixel.training.validation import validate


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
