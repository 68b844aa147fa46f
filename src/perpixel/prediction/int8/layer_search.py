"""Which layers of a run bear int8: each choice is scored on validation images and timed, and the result is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

import numpy as np

from perpixel.dataset import Dataset, Sample, scan
from perpixel.dataset.overrides import stated_by
from perpixel.errors import DataError
from perpixel.language.notices import LOGGER
from perpixel.metrics import Counts, count
from perpixel.prediction.backends import Engine, OpenVinoNetwork, openvino_model
from perpixel.prediction.inference import Inference
from perpixel.prediction.int8.kept_int8 import Int8, keep_int8, kept_int8
from perpixel.prediction.int8.quantised_graph import input_ranges, layers_kept
from perpixel.prediction.int8.tried import Tried
from perpixel.runtime.evenly import evenly
from perpixel.runtime.race import race
from perpixel.shapes import IGNORED, AnyArray, TargetArray
from perpixel.split import Split
from perpixel.store.run_folder import Run

IMAGES: Final = 32
"""Of training, whose values give the ranges, and of validation, which score; at most so many each, evenly taken."""

SIDE_PX: Final = 256
"""Of their middles, at working resolution."""

TIMED_S: Final = 1.0


def int8_of(run: Run, inference: Inference, searches: bool) -> Int8 | None:
    """Where a run computes in int8: as it is kept, or searched now and kept.

    Args:
        run: With a single network.
        inference: Its network in PyTorch, on the CPU.
        searches: Whether to search where nothing is kept.

    Returns:
        What was found; None where nothing is kept and nothing is to be searched.

    Raises:
        DataError: The run's training or validation images cannot be had, or none has a labelled pixel.
        RunError: The run's split is gone.
    """
    found = kept_int8(run)
    if found is not None or not searches:
        return found
    LOGGER.info("int8 is searched by layers on the run's validation images, once; kept in %s.", run.int8_path)
    found = _searched(run, inference)
    for each in found.tried:
        LOGGER.info("%s", each)
    keep_int8(run, found)
    return found


def _searched(run: Run, inference: Inference) -> Int8:
    dataset = scan(run.data, inference.codec.labels, overrides=stated_by(run.settings.data))
    split = Split.load(run.split_path, dataset.samples)
    plainly = replace(inference, options=replace(inference.options, tta="none", precision="32"), engines=[])
    batches = [inference.prepared(middle.window) for middle in _middles(dataset, split.part("train"), inference)]
    validation = list(_middles(dataset, split.part("val"), inference))
    if not batches or not any((middle.target != IGNORED).any() for middle in validation):
        raise DataError(
            f"int8 needs training and validation images, and {run.folder} has none with labelled pixels.",
            fix="choose the backend openvino.",
        )
    network, example = inference.networks[0], batches[0]
    graph = openvino_model(network, example)
    between = input_ranges(graph, (batch.contiguous().numpy() for batch in batches))
    choices = {
        layers: tuple(None if place in kept else each for place, each in enumerate(between))
        for layers, kept in layers_kept(graph).items()
    }
    plain = OpenVinoNetwork(network, example, graph=graph)
    expected = _mean_iou(plainly, network, validation)  # by PyTorch: what OpenVINO gets wrong is lost, too
    tried = []
    for layers, ranges in choices.items():
        changed = OpenVinoNetwork(network, example, ranges, graph)
        reached = _mean_iou(plainly, changed, validation)
        timed = race(partial(plain, example), partial(changed, example), seconds=TIMED_S)
        tried.append(Tried(layers, reached, expected - reached, round(timed.ratio, 2)))
    return Int8(expected, len(validation), tuple(tried), tuple(choices.values()))


class _Middle(NamedTuple):
    """Of an image: (1, S, S, C) as in the file, and its truth, (S, S) or (K, S, S)."""

    window: AnyArray
    target: TargetArray


def _middles(dataset: Dataset, samples: Sequence[Sample], inference: Inference) -> Iterator[_Middle]:
    """The middles of some images, all of one size."""
    side = inference.native_px(SIDE_PX)
    for sample in evenly(samples, IMAGES):
        image, target = dataset.labelled_image(sample)
        yield _middle(inference.codec.as_trained(image, str(sample.image)), target, side)


def _middle(image: AnyArray, target: TargetArray, side: int) -> _Middle:
    """Of (H, W, C) and (H, W) or (K, H, W); a smaller one is mirrored at its borders, and not scored there."""
    rows, columns = (slice(start, start + side) for start in (max(0, s - side) // 2 for s in image.shape[:2]))
    image, target = image[rows, columns], target[..., rows, columns]
    missing = [(0, side - length) for length in image.shape[:2]]
    mirrored = np.pad(image, [*missing, (0, 0)], mode="reflect" if min(image.shape[:2]) > 1 else "edge")
    unscored = np.pad(target, [(0, 0)] * (target.ndim - 2) + missing, constant_values=IGNORED)
    return _Middle(mirrored[None], unscored)


def _mean_iou(inference: Inference, engine: Engine, middles: Sequence[_Middle]) -> float:
    labels = inference.codec.labels
    total = Counts.zero(len(labels), labels.kind)
    by_engine = replace(inference, engines=[engine])
    for middle in middles:
        found = inference.codec.decode_array(by_engine.probabilities(middle.window)[0])
        total = total + count(found, middle.target, classes=len(labels), kind=labels.kind)
    return float(total.mean_iou)
