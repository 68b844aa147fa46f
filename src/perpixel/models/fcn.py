"""Fully convolutional networks FCN-32s, FCN-16s and FCN-8s (Long, Shelhamer, Darrell 2015)."""

from collections.abc import Mapping
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.models.base import Encoder, SegmentationModel
from perpixel.models.blocks import check_at_least, check_choice
from perpixel.models.encoders.vgg import VGG

FCNUpsampling = Literal["transposed", "bilinear"]

_PAPER_HIDDEN = 4096
_FULLY_CONNECTED = {"classifier.0": "0", "classifier.3": "3", "pre_logits.fc1": "0", "pre_logits.fc2": "3"}
# fc6 and fc7, as torchvision and as timm name them, and their places in our classifier


class FCN(SegmentationModel):
    """Score the coarsest features, add the scores of finer ones step by step, upsample to every pixel.

    On VGG the classifier's layers fc6 and fc7 are convolutions and the skips come from pool4 and pool3, as in
    the paper. Any other encoder is scored directly, its skips are its feature maps one and two halvings finer.
    Other than the authors' code, which pads the image by 100 pixels, fc6 keeps its size by padding, and
    upsampling extends its input by the border pixel instead of by zeros; so output and image stay aligned.

    Args:
        encoder: The feature pyramid.
        classes: Classes K.
        skips: Finer levels that are added: 0 for FCN-32s, 1 for FCN-16s, 2 for FCN-8s.
        upsampling: "transposed" for learned convolutions that start as bilinear interpolation, "bilinear" for
            bilinear interpolation.
        hidden: Channels of fc6 and fc7; None for 4096 on VGG as in the paper, and no such layers elsewhere.
        dropout: Share of fc6's and fc7's feature maps dropped in training.

    Source: Long, Shelhamer, Darrell (2015), sections 3.3, 4.1 and 4.2.
    """

    encoder: Encoder

    def __init__(
        self,
        *,
        encoder: Encoder,
        classes: int,
        skips: int = 2,
        upsampling: FCNUpsampling = "transposed",
        hidden: int | None = None,
        dropout: float = 0.5,
    ) -> None:
        coarsest = encoder.strides[-1]
        super().__init__(stride=coarsest)
        check_at_least("hidden", hidden or 0, 0)
        check_choice("upsampling", upsampling, get_args(FCNUpsampling))
        self.encoder = encoder
        self.from_pools = isinstance(encoder, VGG)
        if hidden is None and self.from_pools:
            hidden = _PAPER_HIDDEN
        channels = encoder.out_channels[-1]
        self.classifier = nn.Sequential()
        if hidden:
            self.classifier = _classifier(channels, hidden, dropout)
            channels = hidden
        self.score = _score(channels, classes)
        self.skip_levels = [self._level_at(coarsest // 2**step) for step in range(1, skips + 1)]
        self.skip_scores = nn.ModuleList(_score(encoder.out_channels[level], classes) for level in self.skip_levels)
        factors = [2] * skips + [coarsest // 2**skips]
        self.ups = nn.ModuleList(_Upscore(classes, factor, upsampling) for factor in factors)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        features = self.encoder(image)
        scores = self.score(self.classifier(features[-1]))
        for level, score, up in zip(self.skip_levels, self.skip_scores, self.ups, strict=False):
            finer = F.max_pool2d(features[level], 2) if self.from_pools else features[level]
            scores = up(scores) + score(finer)
        return {"logits": self.ups[-1](scores)}

    def take_classifier(self, state: Mapping[str, Tensor]) -> None:
        """Take VGG's fully connected layers as the convolutions that they are. Long et al. (2015), section 3.1.

        Layers of another size, of a network with fewer hidden channels for example, keep their fresh weights.
        """
        own = self.classifier.state_dict()
        for public, mine in _FULLY_CONNECTED.items():
            for part in ("weight", "bias"):
                tensor, place = state.get(f"{public}.{part}"), own.get(f"{mine}.{part}")
                if tensor is not None and place is not None and tensor.numel() == place.numel():
                    place.copy_(tensor.view_as(place))

    def _level_at(self, stride: int) -> int:
        """The feature map at a stride; on VGG, the one whose pooling is there."""
        wanted = stride // 2 if self.from_pools else stride
        if wanted not in self.encoder.strides:
            raise SettingsError(
                f"this encoder has no features at stride {wanted}, only at {self.encoder.strides}.",
                fix="choose FCN-32s, or an encoder whose last three strides double.",
            )
        return self.encoder.strides.index(wanted)


class _Upscore(nn.Module):
    """Upsample scores by bilinear interpolation, or by a transposed convolution that starts as such."""

    def __init__(self, classes: int, factor: int, upsampling: FCNUpsampling) -> None:
        super().__init__()
        self.factor = factor
        self.learned = upsampling == "transposed" and factor > 1
        if self.learned:
            self.convolution = nn.ConvTranspose2d(
                classes, classes, 2 * factor, stride=factor, padding=3 * factor // 2, bias=False
            )
            bilinear_(self.convolution.weight)

    def forward(self, scores: Tensor) -> Tensor:
        if self.learned:
            out: Tensor = self.convolution(F.pad(scores, (1, 1, 1, 1), mode="replicate"))
            return out
        return F.interpolate(scores, scale_factor=self.factor, mode="bilinear", align_corners=False)


def bilinear_(weight: Tensor) -> Tensor:
    """Fill the kernels (K, K, 2f, 2f) of a transposed convolution so that it upsamples each channel by f.

    Source: Long et al. (2015), section 3.3; Shelhamer, Long, Darrell (2017), section 4.3.
    """
    size = weight.shape[-1]
    centre = (size - 1) / 2
    slope = 1 - (torch.arange(size, dtype=weight.dtype, device=weight.device) - centre).abs() / (size // 2)
    with torch.no_grad():
        weight.zero_()
        for channel in range(weight.shape[0]):
            weight[channel, channel] = torch.outer(slope, slope)
    return weight


def _score(channels: int, classes: int) -> nn.Conv2d:
    """A 1×1 convolution that scores zero at first. Long et al. (2015), section 4.1."""
    layer = nn.Conv2d(channels, classes, 1)
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _classifier(channels: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 7, padding=3),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
        nn.Conv2d(hidden, hidden, 1),
        nn.ReLU(inplace=True),
        nn.Dropout2d(dropout),
    )
