"""How good after so many minutes: perpixel's own plan, the tutorials' recipes, and a plain recipe on smp's U-Net.

The last begins from chance (smp), or from the ImageNet weights that the plan starts from (smp-imagenet), or from
these with a narrower decoder and a better schedule (smp-tuned).

`python benchmarks/quality.py FOLDER --data isbi2012 camvid --minutes 5 --seeds 0 --by plan tutorial smp`
trains one after the other, scores each on its test images at native resolution, and prints a table of all the runs
that lie in FOLDER. What is there already is not trained again.
"""

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

from safetensors.torch import save_file

from perpixel.dataset.synthetic import write_shapes
from perpixel.models import DEFAULT_ENCODER
from perpixel.models.smp_adapter import build_smp
from perpixel.models.weights import packaged_state

SHARED = Path("../shared/data")
TUTORIAL = {
    "dsb2018": "unetpp-nuclei",
    "farmland_agoro": "unet-cropland",
    "isbi2012": "fcn-resnet-em",
    "oxford_pets": "fcn-vgg-pets",
    "camvid": "unet-cropland",  # of the five the nearest
    "dubai_aerial": "unet-cropland",
    "shapes": "unet-shapes",  # drawn, as `perpixel demo` draws them
}
CONTENDERS = ["plan", "tutorial", "smp", "smp-imagenet", "smp-tuned"]
DRAWINGS = 480
INSIDE = {"isbi2012": "foreground"}
# as the examples of segmentation_models.pytorch have it
SMP = {
    "optimiser": "adam",
    "learning_rate": 2e-4,
    "encoder_lr_factor": 1.0,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 0.0,
    "clip_norm": 0.0,
    "loss": {"dice": 1.0},
    "scale": 1.0,
    "crop_hw": [256, 256],
    "batch_size": 8,
    "class_balanced_fraction": 0.0,
}
TUNED = {
    "optimiser": "adamw",
    "learning_rate": 2e-3,
    "encoder_lr_factor": 0.3,
    "schedule": "one-cycle",
    "warmup": 0.2,
    "scale": 1.0,
    "crop_hw": [256, 256],
    "batch_size": 8,
    "class_balanced_fraction": 0.0,
    "class_weights": "none",
}
TUNED_DECODER = [128, 64, 48, 32, 16]
PRETRAINED = "tf_efficientnet_lite0"
SMP_AUGMENT = {"vertical_flip": 0.0, "quarter_turns": False, "rotate_degrees": 15.0, "zoom": 1.25}


def asked_of(by: str, data: str, folder: Path) -> list[str]:
    """The options of `perpixel train` that make a contender."""
    if by == "tutorial":
        return ["--recipe", TUTORIAL[data]]
    if by == "plan":
        return []
    encoder, weights = ("resnet34", "none") if by == "smp" else (PRETRAINED, str(imagenet_weights(folder).resolve()))
    settings = {f"train.{key}": value for key, value in (TUNED if by == "smp-tuned" else SMP).items()}
    if by == "smp-tuned":
        settings["model.options"] = {"decoder_channels": TUNED_DECODER}
    else:
        settings |= {f"augment.{key}": value for key, value in SMP_AUGMENT.items()}
    settings |= {"model.weights": weights, "train.encoder_norm": "batch", "predict.tta": "none"}
    given = [option for key, value in settings.items() for option in ("--set", f"{key}={json.dumps(value)}")]
    return ["--model", "smp/unet", "--encoder", encoder, *given]


def imagenet_weights(folder: Path) -> Path:
    """The packaged weights under the names that segmentation_models.pytorch has for them; its own are on a hub."""
    file = folder / "data" / f"{PRETRAINED}.safetensors"
    if not file.exists():
        network = build_smp("unet", encoder=PRETRAINED, options={}, in_channels=3, classes=2)
        state = packaged_state(network.network.encoder, DEFAULT_ENCODER) or {}
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in state.items()}, file)
    return file


def source(data: str, folder: Path) -> Path:
    """Where a data set lies; shapes are drawn if they are not there yet."""
    if data != "shapes":
        return SHARED / data
    drawn = folder / "data" / data
    if not drawn.exists():
        write_shapes(drawn, DRAWINGS, seed=0)
    return drawn


def perpixel(*options: str) -> None:
    """Run the command line in a process of its own."""
    command = Path(sys.executable).with_name("perpixel")
    subprocess.run([command, *options], check=True, stdout=subprocess.DEVNULL)


def score(run: Path, data: str, minutes: float, seed: int, by: str) -> None:
    """Train and evaluate, unless it was done."""
    if (run / "evaluation" / "metrics.json").exists():
        return
    started = time.monotonic()
    options = ["--minutes", str(minutes), "--seed", str(seed), *asked_of(by, data, run.parent)]
    perpixel("train", str(source(data, run.parent)), "--out", str(run), "--overwrite", *options)
    seconds = time.monotonic() - started
    (run / "seconds.json").write_text(json.dumps(seconds))
    inside = ["--inside", INSIDE[data]] if data in INSIDE else []
    perpixel("evaluate", str(run), *inside)


def row(run: Path) -> str:
    """One line of the table."""
    data, minutes, seed, by = run.name.split(",")
    told = json.loads((run / "evaluation" / "metrics.json").read_text())
    classes = told["classes"]
    shown = ", ".join(f"{name} {scores['iou']:.3f}" for name, scores in classes.items() if scores["iou"] is not None)
    if len(classes) > 3:
        shown = f"{len(classes)} classes"
    rand = told["membranes"] and f"{told['membranes']['v_rand']['value']:.3f}"
    with (run / "history.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    seconds = json.loads((run / "seconds.json").read_text())
    return (
        f"| {data} | {by} | {minutes} | {seed} | {told['dataset']['mean_iou']:.3f} | {shown} | "
        f"{rand or ''} | {last['step']} | {float(last['waiting_share']):.2%} | {float(last['seconds']) / 60:.2f} | "
        f"{seconds / 60:.2f} |"
    )


def main() -> None:
    """Train what was asked for, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="*", default=list(TUTORIAL), choices=list(TUTORIAL))
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--by", nargs="*", default=CONTENDERS, choices=CONTENDERS)
    asked = parser.parse_args()
    for data in asked.data:
        for by in asked.by:
            for seed in asked.seeds:
                score(asked.folder / f"{data},{asked.minutes:g},{seed},{by}", data, asked.minutes, seed, by)
    print(
        "| data | by | minutes | seed | mean IoU | IoU of the classes | V_rand | steps | waiting | trained | in all |"
    )
    print("|---|---|---:|---:|---:|---|---:|---:|---:|---:|---:|")
    for metrics in sorted(asked.folder.glob("*,*/evaluation/metrics.json")):
        print(row(metrics.parent.parent))


if __name__ == "__main__":
    main()
