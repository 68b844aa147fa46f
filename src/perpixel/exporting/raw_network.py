"""A network with all that comes before and after it as one module: raw pixels to probabilities, at any size."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.labels.codec import Codec
from perpixel.labels.labels import LEAST_PROBABILITY


class RawNetwork(nn.Module):
    """What perpixel does with one image, as a graph: any N, H, W ≥ 1, in the dtype of the training images or float32.

    Reflection up to `align_px`, cast, normalisation, working resolution, networks, softmax or sigmoid, mean of the
    networks, native resolution, crop: the steps of `perpixel.prediction` for an image that is seen whole.

    Args:
        networks: One, or those of an ensemble.
        codec: Normalisation and the kind of labels.
        ratio: Working resolution over native resolution.
        align_px: The sides that the networks get are multiples of this at native resolution.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, networks: Sequence[nn.Module], codec: Codec, ratio: Fraction, align_px: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.is_multiclass = not codec.labels.is_multilabel
        self.align_px = align_px
        self.reduce = BilinearReduction(ratio) if ratio != 1 else None
        self.register_buffer("mean", torch.tensor(codec.mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(codec.std, dtype=torch.float32).view(1, -1, 1, 1))
        self.may_be_nan = np.dtype(codec.dtype).kind == "f"

    def forward(self, image: Tensor) -> Tensor:
        """Map raw pixels (N, C, H, W) to probabilities (N, K, H, W) float32."""
        height, width = image.shape[-2:]
        aligned_hw = tuple((side + self.align_px - 1) // self.align_px * self.align_px for side in (height, width))
        x = image.float()
        x = x.index_select(2, _reflected(height, aligned_hw[0])).index_select(3, _reflected(width, aligned_hw[1]))
        x = (x - self.mean) / self.std
        if self.may_be_nan:
            x = torch.where(torch.isnan(x), torch.zeros_like(x), x)
        if self.reduce is not None:
            x = self.reduce(x)
        probabilities = self._averaged(x)
        if self.reduce is not None:
            probabilities = F.interpolate(probabilities, aligned_hw, mode="bilinear", align_corners=False)
        return probabilities[:, :, :height, :width]

    def _averaged(self, x: Tensor) -> Tensor:
        each = [network(x) for network in self.networks]
        answers = [logits.softmax(1) if self.is_multiclass else logits.sigmoid() for logits in each]
        return answers[0] if len(answers) == 1 else torch.stack(answers).mean(0)


class Tempered(nn.Module):
    """The probabilities that a run writes, as a graph; see `perpixel.labels.labels.Labels.tempered`.

    Args:
        raw: Gives the probabilities themselves.
        is_multilabel: Whether they are of sigmoids.
        temperature: What logits are divided by.
        gives_both: Whether the untempered probabilities are given, too.
    """

    def __init__(self, raw: RawNetwork, *, is_multilabel: bool, temperature: float, gives_both: bool) -> None:
        super().__init__()
        self.raw = raw
        self.is_multilabel, self.temperature, self.gives_both = is_multilabel, temperature, gives_both

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Map raw pixels (N, C, H, W) to probabilities (N, K, H, W), once or twice."""
        untempered = self.raw(image)
        if self.is_multilabel:
            kept = untempered.clamp(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
            tempered = ((kept / (1 - kept)).log() / self.temperature).sigmoid()
        else:
            tempered = (untempered.clamp(min=LEAST_PROBABILITY).log() / self.temperature).softmax(1)
        return (tempered, untempered) if self.gives_both else tempered


class BilinearReduction(nn.Module):
    """Bilinear reduction with antialiasing, as `F.interpolate(…, antialias=True)`, of convolutions that ONNX knows.

    Args:
        ratio: p/q < 1. Sides are multiples of q; each q pixels become p.
    """

    kernel: Tensor

    def __init__(self, ratio: Fraction) -> None:
        super().__init__()
        p, q = self.ratio = ratio.as_integer_ratio()
        centres = (np.arange(p) + 0.5) * q / p
        taps = np.arange(np.floor(centres[0] - q / p), np.ceil(centres[-1] + q / p))
        weights = np.maximum(0, 1 - abs(taps + 0.5 - centres[:, None]) * p / q)
        self.before = int(-taps[0])
        self.after = len(taps) - self.before - q
        self.register_buffer("kernel", torch.tensor(weights, dtype=torch.float32).view(p, 1, -1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H·p/q, W·p/q)."""
        for _ in range(2):  # along the rows, then along the columns
            x = self._along(x).transpose(2, 3)
        return x

    def _along(self, x: Tensor) -> Tensor:
        channels, height, width = x.shape[1:]
        p, q = self.ratio
        total = self._filtered(x.flatten(0, 1).unsqueeze(1))  # (N C, p, H / q, W)
        share = self._filtered(torch.ones_like(x[:1, :1, :, :1]))  # what of the filter lies inside the image
        return (total / share).transpose(1, 2).reshape(-1, channels, height // q * p, width)

    def _filtered(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (0, 0, self.before, self.after)), self.kernel, stride=(self.ratio[1], 1))


def _reflected(length: int, longer: int) -> Tensor:
    """Indices that reflect an axis at its end, as often as needed, as `numpy.pad(mode="reflect")` does."""
    period = (torch.arange(1) + 2 * (length - 1)).clamp(min=1)
    index = torch.remainder(torch.arange(longer), period)
    return torch.minimum(index, period - index)
