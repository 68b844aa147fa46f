"""The one codec: images to normalised tensors, masks to targets, logits to predictions, predictions to masks.

Training, validation, evaluation, prediction and export all pass through it, so that they cannot disagree.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.labels.decision import decoded
from perpixel.labels.labels import Labels, Value, as_tuples
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import IGNORED, AnyArray, ImageArray, MaskArray, TargetArray

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Codec:
    """Everything between a file's pixels and the network's, both ways.

    Args:
        labels: The classes and how their masks are written.
        dtype: NumPy name of the images' dtype: "uint8", "uint16", "float32", …
        mean: Per channel, in the images' own units (0..255 for uint8), C of them.
        std: Per channel, in the images' own units, > 0.
        thresholds: The probability from which a pixel has the class, K of them in 0..1; see
            `perpixel.labels.decision.decoded`. Without any, 0.5 for multilabel labels, and the most probable class.
    """

    labels: Labels
    dtype: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    thresholds: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        assert len(self.mean) == len(self.std) >= 1
        assert all(math.isfinite(number) for number in (*self.mean, *self.std, *self.thresholds)), "not finite"
        assert all(std > 0 for std in self.std)
        assert np.dtype(self.dtype).kind in "uif", "no type of pixels"
        assert all(0 <= threshold <= 1 for threshold in self.thresholds)

    @property
    def channels(self) -> int:
        """Number of image channels, C."""
        return len(self.mean)

    def normalise(self, image: "Tensor") -> "Tensor":
        """Map raw values (N, C, H, W) of any dtype to float32 with about zero mean and unit spread.

        What is no number becomes 0, the mean.
        """
        import torch

        mean = torch.tensor(self.mean, dtype=torch.float32, device=image.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, dtype=torch.float32, device=image.device).view(1, -1, 1, 1)
        normalised = image.to(torch.float32, copy=True).sub_(mean).div_(std)  # in place: one picture of memory
        return normalised.nan_to_num_(nan=0.0) if image.is_floating_point() else normalised

    def as_trained(self, image: ImageArray, name: str) -> AnyArray:
        """The (H, W, C) image as training takes it: a gray one is repeated for a model of three channels.

        Raises:
            DataError: It has not the channels or the dtype of the training images.
        """
        image = as_channels(image, self.channels)
        if image.shape[-1] != self.channels:
            raise DataError(
                f"{name} has {image.shape[-1]} channels; the model was trained on {self.channels}.",
                fix=f"give images with {self.channels} channels, or train a model on images like this one.",
            )
        if image.dtype != np.dtype(self.dtype):
            raise DataError(
                f"{name} is {image.dtype}; the model was trained on {self.dtype}.",
                fix=f"convert it to {self.dtype} the way the training images were made.",
            )
        return image

    def probabilities(self, logits: "Tensor") -> "Tensor":
        """Softmax or sigmoid over (N, K, H, W) logits; float32 in 0..1."""
        logits = logits.float()
        return logits.sigmoid() if self.labels.is_multilabel else logits.softmax(1)

    def decode(self, probabilities: "Tensor") -> "Tensor":
        """The prediction as a target.

        Args:
            probabilities: (N, K, H, W) in 0..1. For multiclass labels logits do as well.

        Returns:
            uint8: (N, H, W) class indices, or (N, K, H, W) in {0, 1}.
        """
        import torch

        if self.thresholds and not self.labels.is_multilabel:
            if len(self.labels) == 2:
                k = self.labels.positive
                chosen = (probabilities[:, k] >= self.thresholds[k]).to(torch.uint8)
                return chosen if k == 1 else 1 - chosen
            scale = torch.tensor([1 / max(threshold, 1e-6) for threshold in self.thresholds])
            probabilities = probabilities * scale.to(probabilities).view(1, -1, 1, 1)
        if not self.labels.is_multilabel:
            return probabilities.max(1).indices.to(torch.uint8)  # argmax, 30 times as fast on a CPU
        thresholds = self.thresholds or (0.5,) * len(self.labels)
        limits = torch.tensor(thresholds, device=probabilities.device).view(1, -1, 1, 1)
        return (probabilities >= limits).to(torch.uint8)

    def decode_array(self, probabilities: NDArray[np.float32]) -> TargetArray:
        """`decode` of one image (K, H, W) without PyTorch: (H, W) class indices, or (K, H, W) in {0, 1}; uint8."""
        return decoded(self.labels, probabilities, self.thresholds)

    def answer(self, logits: "Tensor") -> "Tensor":
        """`decode` of the `probabilities` of (N, K, H, W) logits; without a softmax, which changes no maximum."""
        needed = self.labels.is_multilabel or self.thresholds
        return self.decode(self.probabilities(logits) if needed else logits)

    def loss_target(self, target: "Tensor") -> "Tensor":
        """uint8 targets as losses take them: (N, H, W) int64 class indices, or (N, K, H, W) uint8."""
        return target if self.labels.is_multilabel else target.long()

    def to_dict(self) -> JsonObject:
        """Plain numbers, strings, lists and dicts, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """The inverse of `to_dict`, also after a passage through JSON."""
        rest = {key: as_tuples(value) for key, value in data.items() if key != "labels"}
        return cls(labels=Labels.from_dict(data["labels"]), **rest)


def as_channels(image: ImageArray, channels: int) -> AnyArray:
    """Repeat the one channel of a gray (H, W, 1) image where three are wanted."""
    return np.repeat(image, 3, axis=2) if image.shape[2] == 1 and channels == 3 else image


def encode(mask: MaskArray, labels: Labels, name: str) -> TargetArray:
    """Turn the values of one mask file into a target.

    Args:
        mask: (H, W) integers or bool, or (H, W, 3) uint8 where the encoding is "colour".
        labels: Multiclass labels. (Multilabel masks are one file a class: the reader stacks them.)
        name: What to call the mask in a message.

    Returns:
        (H, W) uint8 class indices, IGNORED where the value is one of `labels.ignored`.

    Raises:
        DataError: Values that belong to no class, with the number of pixels of each.
    """
    keys = _packed(mask)
    encoded: TargetArray
    classes = {_packed_value(value): k for k, value in enumerate(labels.values)}
    classes |= {_packed_value(value): IGNORED for value in labels.ignored}
    if keys.dtype.itemsize <= 2:  # a table is one read a pixel, a search log2(K) of them
        known = np.zeros(1 << (8 * keys.dtype.itemsize), bool)
        target = np.full(len(known), IGNORED, np.uint8)
        for key in classes.keys() & range(len(known)):
            known[key], target[key] = True, classes[key]
        is_known, encoded = known[keys], target[keys]
    else:
        order = np.array(sorted(classes))
        place = np.minimum(np.searchsorted(order, keys), len(order) - 1)
        is_known, encoded = order[place] == keys, np.array([classes[key] for key in order], np.uint8)[place]
    if not is_known.all():
        raise _unknown_values(keys[~is_known], labels, name)
    return encoded


def mask_of(target: TargetArray, labels: Labels) -> MaskArray:
    """Write a prediction the way the training masks are written; the inverse of `encode`.

    Args:
        target: (H, W) uint8 class indices, or (K, H, W) in {0, 1}.
        labels: The classes and their values.

    Returns:
        (H, W) of the smallest unsigned dtype that holds the values (or int64 with a negative one), (H, W, 3)
        uint8 for colours, (K, H, W) for multilabel labels. IGNORED becomes the first ignored value, or else 255
        (white); with multilabel labels 0.
    """
    written: MaskArray
    if labels.is_multilabel:
        written = (target == 1) * np.array(labels.values, np.uint8).reshape(-1, 1, 1)
        return written
    blank: Value = labels.ignored[0] if labels.ignored else ((255,) * 3 if labels.encoding == "colour" else 255)
    values = np.array([*labels.values, blank])
    low, high = int(values.min()), int(values.max())
    dtype = np.min_scalar_type(high) if low >= 0 else np.dtype(np.int64)
    table = values[np.minimum(np.arange(256), len(labels))].astype(dtype)
    written = table[target]
    return written


def _packed(mask: MaskArray) -> AnyArray:
    """One integer a pixel; colours become 0xRRGGBB."""
    if mask.ndim == 3:
        red, green, blue = (mask[..., c].astype(np.int64) for c in range(3))
        return (red << 16) | (green << 8) | blue
    return mask.view(np.uint8) if mask.dtype == bool else mask if mask.dtype.kind == "u" else mask.astype(np.int64)


def _packed_value(value: Value) -> int:
    return value if isinstance(value, int) else (value[0] << 16) | (value[1] << 8) | value[2]


def _unknown_values(keys: AnyArray, labels: Labels, name: str) -> DataError:
    values, pixels = np.unique(keys, return_counts=True)

    def spell(key: int) -> str:
        return f"#{key:06X}" if labels.encoding == "colour" else str(key)

    known = zip(labels.names, map(_packed_value, labels.values), strict=True)
    return DataError(
        f"{name} holds {len(values)} value(s) that [belongs|belong] to no class.",
        examples=[f"{spell(int(values[i]))}: {pixels[i]:,} pixels" for i in np.argsort(-pixels)],
        fix="relabel them, or name them in dataset.yaml; the classes are "
        + ", ".join(f"{class_name} = {spell(key)}" for class_name, key in known)
        + ".",
    )
