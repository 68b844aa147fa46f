"""Labelling simulated on real sets: python benchmarks/annotate.py FOLDER [SET …] [--part PART …].

An oracle that knows the truth draws strokes as a person would: one in the largest region of each class of an image,
then on the largest region that the method under test has wrong. Compared are the page's preview, the network that is
trained on the preview's strokes, and two recipes of other tools; and then the ways to choose the next image.
"""

import argparse
import itertools
import os

os.environ["OMP_NUM_THREADS"] = "1"

import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_dilation, distance_transform_edt, label
from skimage.feature import multiscale_basic_features
from skimage.morphology import skeletonize
from sklearn.ensemble import RandomForestClassifier

from perpixel.dataset import scan
from perpixel.files.read import read_image
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts, count
from perpixel.models.strokes.pixel_features import Maps, frozen_encoder
from perpixel.models.strokes.pixel_head import Head
from perpixel.models.strokes.stroke_learner import StrokeLearner
from perpixel.prediction import Predictor
from perpixel.prediction.load import load_predictor
from perpixel.prediction.ranking import image_score
from perpixel.settings.tree import request_from
from perpixel.shapes import IGNORED
from perpixel.training import train_run
from perpixel.web.held_out import LabelledImage
from perpixel.web.training_job import write_dataset

SETS = ("dsb2018", "isbi2012", "dubai_aerial", "farmland_agoro")
SIDE_PX = 192
CHECKPOINTS = (5, 10, 20)
TEST_CROPS = 10
CORRECTIONS = 2
STROKE_PX = 40
NETWORK_STEPS = 200
TREES, QUICK_TREES = 100, 30
"""Of the forests: where they are scored, and while strokes are drawn, where a forest of all trees takes the same time
for nearly the same strokes."""

STRATEGIES = ("random", "foreground-random", "entropy", "class-entropy")
POOL, FIRST, BATCH, ROUNDS, SEEDS = 24, 2, 2, 7, 3
SHARE = 0.95
"""Of the mean IoU with the whole pool labelled, that is to be reached."""

Mask = NDArray[np.uint8]


@dataclass
class Crop:
    """A square of an image, its truth, and the features that methods keep of it."""

    image: NDArray[np.uint8]  # (SIDE_PX, SIDE_PX, 3)
    truth: Mask
    name: str
    kept: dict[str, NDArray[np.float32]] = field(default_factory=dict)


def crops_of(folder: Path) -> tuple[list[Crop], list[Crop], Labels]:
    """Crops to label and crops to test on, at random places; no image gives both."""
    dataset, draw = scan(folder), np.random.default_rng(0)
    order = [dataset.samples[k] for k in draw.permutation(len(dataset.samples))]
    cut = max(len(order) // 3, min(TEST_CROPS, len(order) // 2))
    parts = []
    for samples, most in ((order[cut:], POOL), (order[:cut], TEST_CROPS)):
        found: list[Crop] = []
        for sample in itertools.islice(itertools.cycle(samples), 20 * most):
            image, truth = read_image(sample.image), dataset.target(sample)
            room = [side - SIDE_PX for side in truth.shape]
            if min(room) < 0 or image.dtype != np.uint8:
                continue
            top, left = (int(draw.integers(side + 1)) for side in room)
            box = np.s_[top : top + SIDE_PX, left : left + SIDE_PX]
            pixels = np.repeat(image[box], 3, 2) if image.shape[2] == 1 else image[box][..., :3]
            if (truth[box] != IGNORED).any():
                found.append(
                    Crop(
                        np.ascontiguousarray(pixels), np.ascontiguousarray(truth[box]), f"{sample.name} {top} {left}"
                    )
                )
            if len(found) == most:
                break
        parts.append(found)
    return parts[0], parts[1], dataset.labels


def stroke(truth: Mask, region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A line along the middle of a region, three pixels wide, that stays in it: (H, W)."""
    inside = np.pad(region, 1)
    depth = distance_transform_edt(inside)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    line = skeletonize(region)
    line[y, x] = True
    yy, xx = np.ogrid[: truth.shape[0], : truth.shape[1]]
    line &= np.hypot(yy - y, xx - x) <= STROKE_PX / 2
    parts, _ = label(line, np.ones((3, 3)))
    return binary_dilation(parts == parts[y, x], np.ones((3, 3))) & region


def largest(where: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The largest connected region; None where there is none."""
    parts, number = label(where)
    return parts == np.bincount(parts[parts > 0]).argmax() if number else None


def first_strokes(truth: Mask, labels: Mask) -> None:
    """One stroke in the largest region of each class."""
    for k in np.unique(truth[truth != IGNORED]):
        region = largest(truth == k)
        assert region is not None, "the class is there"
        labels[stroke(truth, region)] = k


def correct(truth: Mask, labels: Mask, predicted: Mask) -> None:
    """One stroke on the largest region that is wrong."""
    wrong = [
        region
        for k in np.unique(truth[truth != IGNORED])
        if (region := largest((truth == k) & (predicted != k))) is not None
    ]
    if wrong:
        region = max(wrong, key=np.sum)
        labels[stroke(truth, region)] = truth[region][0]


class Preview:
    """The page's preview."""

    def __init__(self, classes: int, like: "Preview | None" = None) -> None:
        self.previewer = StrokeLearner(frozen_encoder(), classes, most_blocks=10**6)
        if like is not None:  # features are computed once
            self.previewer._maps = like.previewer._maps
        self.head: Head | None = None

    def learn(self, crops: Sequence[Crop], labels: Sequence[Mask]) -> None:
        """Learn from the last crop's labels too; those of the others are known and unchanged."""
        self.head = self.previewer.learn(crops[-1].name, labels[-1], reader(crops[-1])) or self.head

    learn_whole = learn

    def predict(self, crop: Crop) -> Mask:
        return np.zeros_like(crop.truth) if self.head is None else self.head.predict(self.maps(crop))

    def maps(self, crop: Crop) -> Maps:
        return self.previewer.maps((crop.name, 0, 0), crop.truth.shape, reader(crop))


class Forest:
    """A random forest on features of the pixels.

    Args:
        name: Under which the features are kept.
        features: Gives (H, W, D) of an image.
    """

    def __init__(self, name: str, features: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> None:
        self.name, self.features = name, features
        self.forest = RandomForestClassifier(QUICK_TREES, random_state=0)

    def of(self, crop: Crop) -> NDArray[np.float32]:
        if self.name not in crop.kept:
            crop.kept[self.name] = self.features(crop.image)
        return crop.kept[self.name]

    def learn(self, crops: Sequence[Crop], labels: Sequence[Mask]) -> None:
        pairs = list(zip(crops, labels, strict=True))
        inputs = np.concatenate([self.of(crop)[each != IGNORED] for crop, each in pairs])
        self.forest.fit(inputs, np.concatenate([each[each != IGNORED] for _, each in pairs]))

    def learn_whole(self, crops: Sequence[Crop], labels: Sequence[Mask]) -> None:
        """Learn with all trees."""
        self.forest.set_params(n_estimators=TREES)
        self.learn(crops, labels)
        self.forest.set_params(n_estimators=QUICK_TREES)

    def predict(self, crop: Crop) -> Mask:
        features = self.of(crop)
        return self.forest.predict(features.reshape(-1, features.shape[-1])).reshape(features.shape[:2])


def filters(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Smoothed values, edges and the eigenvalues of the Hessian at six scales."""
    return multiscale_basic_features(image, channel_axis=-1, sigma_min=0.5, sigma_max=16)


@torch.inference_mode()
def frozen(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The first two feature maps of a frozen encoder of the image at three scales, enlarged."""
    encoder = frozen_encoder()
    whole = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (encoder.mean, encoder.std))
    maps = []
    for factor in (1, 2, 4):
        scaled = F.avg_pool2d(whole, factor) if factor > 1 else whole
        for each in encoder((scaled - mean) / std)[:2]:
            maps.append(F.interpolate(each, image.shape[:2], mode="nearest")[0])
    return torch.cat(maps).permute(1, 2, 0).numpy()


def reader(crop: Crop) -> Callable[[int, int, int, int], NDArray[np.uint8]]:
    return lambda top, left, height, width: crop.image[top : top + height, left : left + width]


@dataclass(frozen=True)
class Score:
    """The mean IoU of the classes, pooled over test crops."""

    test: Sequence[Crop]
    labels: Labels

    def __call__(self, method: "Preview | Forest | Network") -> float:
        total = Counts.zero(len(self.labels), self.labels.kind)
        for crop in self.test:
            seen = np.where(crop.truth == IGNORED, 0, method.predict(crop)).astype(np.uint8)
            total += count(seen, crop.truth, classes=len(self.labels), kind=self.labels.kind)
        return float(total.mean_iou)


@dataclass(frozen=True)
class Network:
    """A trained network."""

    predictor: Predictor

    def predict(self, crop: Crop) -> Mask:
        return self.predictor.target(crop.image, crop.name)


def simulated(method: Preview | Forest, crops: Sequence[Crop], score: Score) -> tuple[dict[int, float], list[Mask]]:
    """The mean IoU after each checkpoint, and all strokes."""
    drawn: list[Mask] = []
    figures = {}
    for number, crop in enumerate(crops[: max(CHECKPOINTS)], start=1):
        drawn.append(np.full(crop.truth.shape, IGNORED, np.uint8))
        first_strokes(crop.truth, drawn[-1])
        for _ in range(CORRECTIONS):
            method.learn(crops[:number], drawn)
            correct(crop.truth, drawn[-1], method.predict(crop))
        if number in CHECKPOINTS:
            method.learn_whole(crops[:number], drawn)
            figures[number] = score(method)
    return figures, drawn


def trained(crops: Sequence[Crop], drawn: Sequence[Mask], score: Score) -> float:
    """The mean IoU of the default network after a few steps on the strokes, carried on where the learner is sure."""
    with tempfile.TemporaryDirectory() as name:
        folder, images = Path(name), []
        for number, (crop, target) in enumerate(zip(crops, drawn, strict=True)):
            path = folder / "images" / f"{number:03d}.png"
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(crop.image).save(path)
            images.append(LabelledImage(path.name, path, target, str(number)))
        write_dataset(folder / "data", images, score.labels)
        settings = {"crop_hw": [128, 128], "batch_size": 4, "steps": NETWORK_STEPS, "propagate_strokes": True}
        run = train_run(folder / "data", folder / "run", request_from({"train": settings, "seed": 0}))
        return score(Network(load_predictor(run.folder)))


def learning_curve(strategy: str, seed: int, start: Preview, pool: Sequence[Crop], score: Score) -> list[float]:
    """The mean IoU of the preview's head after FIRST, FIRST + BATCH … fully labelled crops."""
    draw, labels = np.random.default_rng(seed), score.labels
    method, open_ones, figures = Preview(len(labels), start), list(pool), []
    chosen = [open_ones.pop(int(draw.integers(len(open_ones)))) for _ in range(FIRST)]
    while True:
        for crop in chosen:
            method.learn([crop], [crop.truth])
        figures.append(score(method))
        if len(figures) == ROUNDS:
            return figures
        scores = list(draw.random(len(open_ones)))
        if strategy != "random" and method.head is not None:
            shares = [method.head.probabilities(method.maps(crop)).numpy() for crop in open_ones]
            scores = [image_score(each, labels, strategy, s) for each, s in zip(shares, scores, strict=True)]
        best = sorted(np.argsort(scores)[-BATCH:].tolist(), reverse=True)
        chosen = [open_ones.pop(k) for k in best]


def images_needed(curve: Sequence[float], goal: float) -> float:
    """How many labelled crops a curve needs to reach a figure; two rounds more than there are where it does not."""
    reached = [round_ for round_, figure in enumerate(curve) if figure >= goal]
    return FIRST + BATCH * (reached[0] if reached else ROUNDS)


def report_preview(name: str, pool: Sequence[Crop], score: Score) -> None:
    """A row: mean IoU after each checkpoint."""
    row(name, "preview of the page", simulated(Preview(len(score.labels)), pool, score)[0])


def report_filters(name: str, pool: Sequence[Crop], score: Score) -> None:
    """A row: mean IoU after each checkpoint."""
    row(name, "random forest on image filters", simulated(Forest("filters", filters), pool, score)[0])


def report_frozen(name: str, pool: Sequence[Crop], score: Score) -> None:
    """A row: mean IoU after each checkpoint."""
    row(name, "random forest on frozen features", simulated(Forest("frozen", frozen), pool, score)[0])


def report_network(name: str, pool: Sequence[Crop], score: Score) -> None:
    """A row: the network that is trained on the preview's strokes."""
    drawn = simulated(Preview(len(score.labels)), pool, score)[1]
    figures = {number: trained(pool[:number], drawn[:number], score) for number in CHECKPOINTS}
    row(name, f"trained network, {NETWORK_STEPS} steps", figures)


def row(name: str, method: str, figures: dict[int, float]) -> None:
    print(f"| {name} | {method} | {' | '.join(f'{figures[number]:.3f}' for number in CHECKPOINTS)} |", flush=True)


def report_ranking(name: str, pool: Sequence[Crop], score: Score) -> None:
    """A row a strategy: crops needed, and the mean IoU over the whole curve."""
    start = Preview(len(score.labels))
    for crop in pool:
        start.learn([crop], [crop.truth])
    goal = SHARE * score(start)
    for strategy in STRATEGIES:
        curves = [learning_curve(strategy, seed, start, pool, score) for seed in range(SEEDS)]
        needed = np.mean([images_needed(curve, goal) for curve in curves])
        print(f"| {name} | {strategy} | {needed:.1f} | {np.mean(curves):.3f} |", flush=True)


PARTS = {
    "preview": report_preview,
    "filters": report_filters,
    "frozen": report_frozen,
    "network": report_network,
    "ranking": report_ranking,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--part", choices=PARTS, action="append")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, Python {platform.python_version()}, one thread; crops of {SIDE_PX}²")
    for name in asked.sets:
        pool, test, labels = crops_of(asked.folder / name)
        for part in asked.part or PARTS:
            PARTS[part](name, pool, Score(test, labels))


if __name__ == "__main__":
    main()
