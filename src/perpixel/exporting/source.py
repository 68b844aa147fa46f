"""A run as an export needs it: its networks, what they were trained on, and images to prove the export on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample, scan
from perpixel.dataset.overrides import stated_by
from perpixel.errors import DataError, PerpixelError
from perpixel.evaluation.scoring import samples_of_part
from perpixel.exporting.raw_network import RawNetwork, Tempered
from perpixel.files.areas import pixel_areas
from perpixel.files.parse import parse_json
from perpixel.files.read import open_image, read_header
from perpixel.files.whole_file import text_of
from perpixel.labels.labels import Labels
from perpixel.prediction import PredictOptions, Predictor
from perpixel.prediction.inference import Inference
from perpixel.prediction.inputs import expanded
from perpixel.prediction.load import load_predictor
from perpixel.prediction.network_memory import activation_bytes
from perpixel.runtime.choices import ExportPrecision, PartName
from perpixel.runtime.evenly import evenly
from perpixel.runtime.json_values import JsonMapping
from perpixel.shapes import AnyArray, ImageArray
from perpixel.store.bundle import BundleCard
from perpixel.store.run_folder import Run

PROOF_IMAGES: Final = 16
"""An export is proved on at most so many images, evenly taken."""

PROOF_PX: Final = 1024
"""Of a larger image its middle is taken, with sides of so many pixels."""

NAMES: Final = {"test": "test", "val": "validation", "train": "training", "all": "labelled"}
VERSIONED: Final = ("perpixel", "torch", "onnx", "numpy")
MEASURED_PX: Final = 256


@dataclass(frozen=True)
class ProofImage:
    """An image to predict by both sides.

    Args:
        name: What to call it in a message.
        image: (H, W, C) as in the file.
        target: Its truth, (H, W) or (K, H, W); None where it is not known.
    """

    name: str
    image: AnyArray
    target: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class ExportSource:
    """A run that is exported.

    Args:
        run: The run.
        predictor: Its networks in PyTorch, in float32 on the CPU, without test-time augmentation.
        card: What the bundle will say about itself; target and checksums are added by the target.
        images: To prove the export on, at least one.
        precision: Of the weights that are written.
    """

    run: Run
    predictor: Predictor
    card: BundleCard
    images: tuple[ProofImage, ...]
    precision: ExportPrecision = "float32"

    @property
    def networks(self) -> Sequence[torch.nn.Module]:
        """One, or those of an ensemble."""
        inference = self.predictor.inference
        assert isinstance(inference, Inference)
        return inference.networks

    def raw_network(self, temperature: float = 1.0, *, gives_both: bool = False) -> RawNetwork | Tempered:
        """All that is done with an image, as one module in evaluation mode.

        Args:
            temperature: What logits are divided by.
            gives_both: Whether a second output gives the untempered probabilities.
        """
        raw = RawNetwork(
            self.networks, self.card.codec, self.predictor.options.ratio, self.predictor.inference.align_px
        )
        network: RawNetwork | Tempered = raw
        if temperature != 1:
            is_multilabel = self.card.codec.labels.is_multilabel
            network = Tempered(raw, is_multilabel=is_multilabel, temperature=temperature, gives_both=gives_both)
        return network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload,no-any-return]


def open_source(run: Run, images: Sequence[str] | None) -> ExportSource:
    """Load a run, and the images to prove its export on.

    Args:
        run: The run.
        images: Files, folders or globs; None for the run's test images.

    Raises:
        RunError: The run has no weights.
        DataError: There is no image to prove the export on.
    """
    planned = load_predictor(run.folder).options.tta or "none"
    predictor = load_predictor(run.folder, PredictOptions(tta="none", device="cpu", precision="32"))
    proof = _given_images(images) if images else images_of_part(run, predictor.codec.labels, "test")
    proof = tuple(replace(each, image=predictor.codec.as_trained(each.image, each.name)) for each in proof)
    card = replace(_card(run, predictor, planned), resolution_cm=_resolution_cm(proof))
    return ExportSource(run, predictor, card, proof)


def _card(run: Run, predictor: Predictor, tta: Any) -> BundleCard:
    options, inference = predictor.options, predictor.inference
    assert isinstance(inference, Inference)
    codec = predictor.codec
    if predictor.decision.thresholds:
        codec = replace(codec, thresholds=())  # the calibration has them
    side = (1, codec.channels, MEASURED_PX, MEASURED_PX)
    model = run.settings.model
    return BundleCard(
        target="onnx",
        codec=codec,
        scale=options.scale,
        tta=tta,
        align_px=inference.align_px,
        tile_px=options.tile_px,
        overlap_px=options.overlap_px,
        margin_px=options.overlap_px * 7 // 16,
        map_bytes_per_px=max(activation_bytes(each, side) for each in inference.networks) / MEASURED_PX**2,
        model={"name": model.name, "encoder": model.encoder, "options": dict(model.options)},
        networks=len(inference.networks),
        weights=_origin(model.weights, model.encoder),
        scores=_scores(run),
        calibration=predictor.calibration,
        trained_on={"data": run.data.name, "images": _part_sizes(run)},
        versions={name: version(name) for name in VERSIONED},
    )


def _resolution_cm(images: Sequence[ProofImage]) -> float | None:
    """Centimetres along a pixel of the first image, where its place on the earth is known."""
    path = Path(images[0].name)
    area = float(pixel_areas(read_header(path).georeference, 0, 1)[0])
    return None if np.isnan(area) else round(100 * area**0.5, 3)


def _origin(weights: str, encoder: str | None) -> dict[str, str]:
    """Where the first weights are from. Those that perpixel finds by itself are all under a permissive licence."""
    if encoder is None or weights == "none":
        return {"from": "random initialisation"}
    if weights == "auto":
        return {"from": f"public ImageNet weights of {encoder}", "licence": "see the package that they came with"}
    return {"from": Path(weights).name}


def _scores(run: Run) -> JsonMapping | None:
    """The dataset and class scores of the run's evaluation, with their intervals."""
    try:
        metrics = parse_json(text_of(run.evaluation_folder / "metrics.json"), "metrics.json")
        kept = ("split", "images", "dataset", "classes", "intervals")
        return {key: metrics[key] for key in kept}
    except (OSError, ValueError, KeyError):
        return None


def _part_sizes(run: Run) -> dict[str, int]:
    """Images of each part of the split; empty where the split is gone, or the run is an ensemble."""
    import csv
    from collections import Counter

    try:
        return dict(Counter(row["part"] for row in csv.DictReader(text_of(run.split_path).splitlines())))
    except (OSError, KeyError, ValueError):
        return {}


def images_of_part(run: Run, labels: Labels, part: PartName) -> tuple[ProofImage, ...]:
    """At most `PROOF_IMAGES` images of a part of a run's own data, with their truth. Raises DataError."""
    try:
        dataset = scan(run.data, labels, overrides=stated_by(run.settings.data))
        samples = samples_of_part(run, dataset, part)
    except PerpixelError as error:
        purpose = "on which the export is proved" if part == "test" else "without which no precision is lowered"
        raise DataError(
            f"the {NAMES[part]} images of {run.folder} cannot be had, {purpose}: {error.problems[0].what}",
            fix="give other images of the kind with `images`." if part == "test" else "export in float32.",
        ) from error
    return tuple(_proof_of(dataset, sample) for sample in evenly(samples, PROOF_IMAGES))


def _proof_of(dataset: Dataset, sample: Sample) -> ProofImage:
    return ProofImage(str(sample.image), _middle(dataset.image(sample)), _middle_of_target(dataset.target(sample)))


def _given_images(images: Sequence[str]) -> tuple[ProofImage, ...]:
    proof = []
    for path in evenly(expanded(images), PROOF_IMAGES):
        with open_image(path) as image:
            height, width = min(image.height, PROOF_PX), min(image.width, PROOF_PX)
            top, left = (image.height - height) // 2, (image.width - width) // 2
            proof.append(ProofImage(str(path), image.read(top, left, height, width)))
    return tuple(proof)


def _middle(image: ImageArray) -> AnyArray:
    """The middle (h, w, C) of an image, at most `PROOF_PX` on a side."""
    (top, height), (left, width) = (
        ((side - min(side, PROOF_PX)) // 2, min(side, PROOF_PX)) for side in image.shape[:2]
    )
    return image[top : top + height, left : left + width]


def _middle_of_target(target: AnyArray) -> AnyArray:
    return _middle(target) if target.ndim == 2 else np.moveaxis(_middle(np.moveaxis(target, 0, -1)), -1, 0)
