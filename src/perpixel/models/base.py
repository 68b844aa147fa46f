"""What every network is to the rest of perpixel: an image in, logits of the same height and width out."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.errors import SettingsError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Encoder(nn.Module):
    """A feature pyramid: image (N, C, H, W) to a list of feature maps, finest first.

    H and W are multiples of the last stride; `SegmentationModel.forward` pads where they are not.

    Attributes:
        out_channels: Channels of each feature map.
        strides: Pixels of the image per pixel of each feature map.
        mean: Mean per channel of images on 0..1 that the public weights expect.
        std: Standard deviation of the same.
    """

    out_channels: tuple[int, ...]
    strides: tuple[int, ...]
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to feature maps (N, C_i, H / stride_i, W / stride_i)."""
        raise NotImplementedError


class SegmentationModel(nn.Module):
    """Base of all networks.

    A network defines `heads`, which sees images whose sides are multiples of `stride` and at least two strides
    long; padding to such a size and cropping back happen here, so that any height and width works. Two strides
    leave the deepest level more than one pixel: batch statistics and reflected borders need that.

    Args:
        stride: The sides that `heads` accepts are multiples of this, in pixels.
        loss_weights: Weight of each training output in the loss; the main one is named "logits".
    """

    encoder: Encoder | None

    def __init__(self, *, stride: int, loss_weights: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.encoder = None
        self.stride = stride
        self.loss_weights = dict(loss_weights or {"logits": 1.0})

    def forward(self, image: Tensor) -> Tensor:
        """Map image (N, C, H, W) to logits (N, K, H, W), for any H, W ≥ 1."""
        below, right = self._missing(image)
        return crop(self.predict(_pad(image, below, right)), below, right)

    def training_outputs(self, image: Tensor) -> dict[str, Tensor]:
        """Map image (N, C, H, W) to all outputs that carry a loss, each (N, K, H, W).

        Its names are those of `loss_weights`; the main one is "logits".
        """
        below, right = self._missing(image)
        heads = self.heads(_pad(image, below, right))
        return {name: crop(logits, below, right) for name, logits in heads.items()}

    def predict(self, image: Tensor) -> Tensor:
        """Map a padded image to its logits: the main head, unless a network combines several."""
        return self.heads(image)["logits"]

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to the logits of every head, all of the image's height and width."""
        raise NotImplementedError

    def take_classifier(self, state: Mapping[str, Tensor]) -> None:
        """Use what public weights hold beside the encoder; most networks have no place for it."""

    def _missing(self, image: Tensor) -> tuple[int, int]:
        """Rows below and columns at the right that are missing to sides which `heads` accepts."""
        below, right = (
            (_at_least(size, 2 * self.stride) + self.stride - 1) // self.stride * self.stride - size
            for size in image.shape[-2:]
        )
        return below, right


def _at_least(size: int, least: int) -> int:
    if isinstance(size, Tensor):  # while torch.jit traces
        return size.clamp(min=least)
    larger: int = torch.sym_max(size, least)  # type: ignore[no-untyped-call]
    return larger


def _pad(image: Tensor, below: int, right: int) -> Tensor:
    """Repeat the last row and column."""
    if not (torch.compiler.is_compiling() or torch._C._get_tracing_state() or below or right):
        return image
    return F.pad(image, (0, right, 0, below), mode="replicate")


def crop(logits: Tensor, below: int, right: int) -> Tensor:
    """Take rows below and columns at the right off logits (N, K, H, W)."""
    if not torch.compiler.is_compiling():
        return logits[..., : logits.shape[-2] - below, : logits.shape[-1] - right]
    return F.pad(logits, (0, -right, 0, -below))  # a slice would make torch.export guard on the sizes


def resize_to(x: Tensor, like: Tensor, *, mode: str = "bilinear") -> Tensor:
    """Interpolate feature map (N, C, h, w) to the height and width of another."""
    if mode == "nearest":
        return F.interpolate(x, size=like.shape[-2:], mode=mode)
    return F.interpolate(x, size=like.shape[-2:], mode=mode, align_corners=False)


def check_halving(encoder: Encoder) -> None:
    """Refuse an encoder whose feature maps do not each have half the size of the one before."""
    if any(after != 2 * before for before, after in zip(encoder.strides, encoder.strides[1:], strict=False)):
        raise SettingsError(
            f"this network needs an encoder whose strides double, not {encoder.strides}.",
            fix="choose one without dilation, resnet34 or efficientnet_lite0 for example.",
        )
