"""Draws the picture of a walk and prints its scores: `python docs/walk_figures.py docs/images/pets.jpg RECIPE PLAN`.

The picture has a row for each of three test images, those with the lowest, the middle and the highest IoU of the last
run; in it the image, its truth, and what each run says, in the colours of the classes. The table has a column a run;
all of them must have been evaluated.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import perpixel
from perpixel.dataset import scan
from perpixel.evaluation.scoring import answer_of, samples_of_part
from perpixel.files.write import picture
from perpixel.metrics import count
from perpixel.report.thumbnails import labelled
from perpixel.store.run_folder import Run

SIDE = 224
GAP = 6


def cell(pixels: np.ndarray) -> Image.Image:
    """The middle square of a picture, at the size of a cell."""
    side = min(pixels.shape[:2])
    top, left = ((length - side) // 2 for length in pixels.shape[:2])
    return Image.fromarray(pixels[top : top + side, left : left + side]).resize(
        (SIDE, SIDE), Image.Resampling.LANCZOS
    )


def scores(run: Run) -> dict[str, str]:
    """What the table says of a run, row by row."""
    told = json.loads((run.evaluation_folder / "metrics.json").read_text())
    low, high = told["intervals"]["dataset"]["mean_iou"] or (None, None)
    interval = "" if low is None else f" ({low:.3f} – {high:.3f})"
    rows = {
        "mean IoU, pooled" + " (95 % interval)" * bool(interval): f"{told['dataset']['mean_iou']:.3f}{interval}",
        "pixel accuracy": f"{told['dataset']['pixel_accuracy']:.3f}",
    }
    for name, of_class in told["classes"].items():
        curve = told["curves"][name]
        values = [of_class["iou"], of_class["dice"], of_class["precision"], of_class["recall"], curve["auc"]]
        shown = " / ".join("–" if value is None else f"{value:.3f}" for value in values)
        rows[f"{name}: IoU / F1 / precision / recall / AUC"] = shown
    if told["membranes"]:
        rows |= {name: f"{told['membranes'][name]['value']:.3f}" for name in ("v_rand", "v_info")}
    if told["instances"]:
        regions = told["instances"]["watershed"]
        rows["instances: average precision at 0.5 / panoptic quality"] = (
            f"{regions['average_precision_50']:.3f} / {regions['panoptic_quality']:.3f}"
        )
    rows["steps"] = str(run.settings.train.steps)
    return rows


def draw(runs: list[Run], out: Path) -> None:
    """Draw the picture."""
    predictors = [perpixel.load(run) for run in runs]
    dataset = scan(runs[-1].data)
    scored = []
    for sample in samples_of_part(runs[-1], dataset, "test"):
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
    sheet.save(out, quality=88)


def main() -> None:
    """Draw one picture and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("runs", nargs="+", type=Path)
    asked = parser.parse_args()
    runs = [Run.open(folder) for folder in asked.runs]
    draw(runs, asked.out)
    columns = [scores(run) for run in runs]
    for row in columns[0]:
        print(f"| {row} | " + " | ".join(column.get(row, "") for column in columns) + " |")


if __name__ == "__main__":
    main()
