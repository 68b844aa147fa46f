"""The layers that several networks are made of, and the words by which their options are chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.errors import SettingsError, did_you_mean

Norm = Literal["none", "batch", "group", "instance"]
Activation = Literal["relu", "leaky_relu"]
Padding = Literal["zeros", "reflect", "valid"]
Upsampling = Literal["transposed", "bilinear", "bilinear_corners", "nearest"]

NORMS: Final[dict[Norm, Callable[[int], nn.Module]]] = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "group": lambda channels: nn.GroupNorm(_groups(channels), channels),
    "instance": partial(nn.InstanceNorm2d, affine=True),
}
ACTIVATIONS: Final[dict[Activation, Callable[[], nn.Module]]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "leaky_relu": partial(nn.LeakyReLU, inplace=True),
}


@dataclass(frozen=True, kw_only=True)
class ConvolutionStyle:
    """How the convolutions of a network look.

    Args:
        norm: Normalisation after each convolution; "group" makes groups of 16 channels or fewer.
        activation: What follows it.
        padding: What lies outside the feature map; "valid" for nothing: each 3×3 convolution takes a pixel
            from each side.
        dropout: Share of feature maps dropped after each normalisation, 0 ≤ dropout < 1.
        bias: A bias in each convolution; None for one wherever no normalisation follows.
    """

    norm: Norm = "batch"
    activation: Activation = "relu"
    padding: Padding = "zeros"
    dropout: float = 0.0
    bias: bool | None = None

    def __post_init__(self) -> None:
        check_choice("norm", self.norm, get_args(Norm))
        check_choice("activation", self.activation, get_args(Activation))
        check_choice("padding", self.padding, get_args(Padding))
        if not 0 <= self.dropout < 1:
            raise SettingsError(
                f"dropout {self.dropout} is not a share of the feature maps.",
                fix="give a number from 0 to less than 1.",
            )


def convolution(channels: int, out_channels: int, style: ConvolutionStyle) -> nn.Sequential:
    """A 3×3 convolution, its normalisation, dropout and activation; what the style leaves out is absent."""
    bias = style.norm == "none" if style.bias is None else style.bias
    layers: list[nn.Module] = [
        nn.Conv2d(
            channels,
            out_channels,
            3,
            padding=0 if style.padding == "valid" else 1,
            padding_mode="reflect" if style.padding == "reflect" else "zeros",
            bias=bias,
        )
    ]
    if style.norm != "none":
        layers.append(NORMS[style.norm](out_channels))
    if style.dropout:
        layers.append(nn.Dropout2d(style.dropout))
    return nn.Sequential(*layers, ACTIVATIONS[style.activation]())


def double_convolution(channels: int, out_channels: int, style: ConvolutionStyle) -> nn.Sequential:
    """Two of `convolution`, their layers in one row."""
    return nn.Sequential(*convolution(channels, out_channels, style), *convolution(out_channels, out_channels, style))


def separable_convolution(channels: int, out_channels: int) -> nn.Sequential:
    """A 3×3 filter of each channel and a 1×1 convolution in place of a whole 3×3 one; batch norm, ReLU.

    Source: Howard et al. (2017), section 3.1, without the norm and activation between the two.
    """
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, out_channels, 1, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


class Upsample(nn.Module):
    """Double height and width without parameters.

    Args:
        mode: "nearest", "bilinear" (values belong to pixel centres) or "bilinear_corners" (to pixel corners,
            `align_corners=True`, as the tutorials have it: it shifts with the size of the image).
    """

    def __init__(self, mode: Upsampling) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {"mode": mode.removesuffix("_corners")}
        if mode != "nearest":
            self.settings["align_corners"] = mode == "bilinear_corners"

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, 2H, 2W)."""
        return F.interpolate(x, scale_factor=2, **self.settings)


def convolve_joined(convolve: nn.Module, join: Callable[[], Tensor]) -> Tensor:
    """Convolve what `join` concatenates, and join again for the gradient rather than keep the copy.

    Source: Pleiss et al. (2017), "Memory-Efficient Implementation of DenseNets".
    """
    joined = join()
    if torch.compiler.is_compiling() or not joined.requires_grad:
        return convolve(joined)  # type: ignore[no-any-return]

    place = id(joined)  # a reference would keep it, as long as autograd keeps `pack`

    def pack(saved: Tensor) -> Tensor | None:
        return None if id(saved) == place else saved

    def unpack(saved: Tensor | None) -> Tensor:
        return join() if saved is None else saved

    with torch.autograd.graph.saved_tensors_hooks(pack, unpack):
        return convolve(joined)  # type: ignore[no-any-return]


def initialise(model: nn.Module) -> None:
    """Draw the weights of all convolutions for the rectifier that follows, and set biases to zero.

    Weights on the meta device have no values, and stay as they are.

    Source: He, Zhang, Ren, Sun (2015), equation 10; Ronneberger et al. (2015), section 3.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and not module.weight.is_meta:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def normalised(convolution: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    """Batch norm of a convolution; where its statistics are fixed and gradients wanted, as one convolution.

    y = γ (w * x - μ) / √(σ² + ε) + β = (γ w / √(σ² + ε)) * x + (β - γ μ / √(σ² + ε)): one pass over the
    feature map fewer forth, and two fewer back. Without gradients runtimes do it themselves.
    """
    out: Tensor
    if norm.training or not torch.is_grad_enabled():
        out = norm(convolution(x))
        return out
    assert norm.running_mean is not None
    assert norm.running_var is not None
    factor = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    weight = convolution.weight * factor[:, None, None, None]
    out = convolution._conv_forward(x, weight, norm.bias - norm.running_mean * factor)
    return out


def check_at_least(option: str, value: int, least: int) -> None:
    """Refuse a number that leaves nothing of a network."""
    if value < least:
        raise SettingsError(f"{option} {value} is too small.", fix=f"give at least {least}.")


def check_choice(option: str, value: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that an option does not know."""
    if value not in choices:
        raise SettingsError(f"{option} {value!r} is unknown.", fix=did_you_mean(value, choices))


def _groups(channels: int) -> int:
    return next(groups for groups in range(max(1, channels // 16), 0, -1) if channels % groups == 0)
