"""Draws the picture of a walk: `python docs/walk_pictures.py docs/images/pets.jpg RECIPE_RUN PLAN_RUN`.

A row for each of three test images, those with the lowest, the middle and the highest IoU of the last run; in it the
image, its truth, and what each run says, in the colours of the classes.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import perpixel
from perpixel.dataset import scan
from perpixel.evaluation.scoring import answer_of, part_of
from perpixel.files.write import picture
from perpixel.metrics import count
from perpixel.report.pictures import labelled
from perpixel.run import Run

SIDE = 224
GAP = 6


def cell(pixels: np.ndarray) -> Image.Image:
    """The middle square of a picture, at the size of a cell."""
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return Image.fromarray(pixels[top : top + side, left : left + side]).resize(
        (SIDE, SIDE), Image.Resampling.LANCZOS
    )


def main() -> None:
    """Draw one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    asked = parser.parse_args()
    runs = [Run.open(folder) for folder in asked.runs]
    predictors = [perpixel.load(run) for run in runs]
    dataset = scan(runs[-1].data)
    scored = []
    for sample in part_of(runs[-1], dataset, "test"):
        answer = answer_of(predictors[-1], dataset, sample)
        labels = answer.labels
        counts = count(answer.prediction, answer.target, classes=len(labels), kind=labels.kind)
        scored.append((float(np.nanmean(counts.iou)), sample))
    scored.sort(key=lambda pair: pair[0])
    shown = [scored[place][1] for place in sorted({0, len(scored) // 2, len(scored) - 1})]
    columns = 2 + len(runs)
    sheet = Image.new("RGB", (columns * (SIDE + GAP) - GAP, len(shown) * (SIDE + GAP) - GAP), "white")
    for row, sample in enumerate(shown):
        image, truth = picture(dataset.image(sample)), dataset.target(sample)
        said = [answer_of(predictor, dataset, sample).prediction for predictor in predictors]
        drawn = [image, *(labelled(image, target, dataset.labels) for target in (truth, *said))]
        for column, pixels in enumerate(drawn):
            sheet.paste(cell(pixels), (column * (SIDE + GAP), row * (SIDE + GAP)))
    sheet.save(asked.out, quality=88)


if __name__ == "__main__":
    main()
