"""U-Net++ (Zhou et al. 2018): nested dense skips, deep supervision, pruning; plain and on an encoder."""

import copy
from collections.abc import Sequence
from typing import Literal, Self, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.models.base import Encoder, SegmentationModel, check_halving, resize_to
from perpixel.models.blocks import (
    ConvolutionStyle,
    Upsample,
    check_at_least,
    check_choice,
    convolve_joined,
    double_convolution,
    initialise,
)

Supervision = Literal["none", "last", "mean"]
Interpolation = Literal["bilinear", "bilinear_corners", "nearest"]

ENCODER_CHANNELS = (256, 128, 64, 32, 16)
"""Channels of the last node at strides 16, 8, 4, 2 and 1, as in segmentation_models.pytorch."""


class NestedUNet(SegmentationModel):
    """A triangle of nodes X(i, j), level i, column j, and a head on the finest level of each column.

    X(i, 0) comes from the contracting path; X(i, j) joins X(i+1, j-1) upsampled with X(i, j-1) … X(i, 0).

    Args:
        nodes: Every X(i, j) with j ≥ 1, by the name "i_j".
        depth: Columns beside the contracting path.
        stride: The sides of a padded image are multiples of this, in pixels.
        supervision: "none" for one head, on the last column; "last" to train a head on each column and predict
            by the last, "mean" to predict by their mean.
        head_weights: Weight of each head in the loss, first column first; None for equal weights.

    Source: Zhou, Siddiquee, Tajbakhsh, Liang (2018), equation 1 and section 3.2.
    """

    def __init__(
        self,
        *,
        nodes: nn.ModuleDict,
        depth: int,
        stride: int,
        supervision: Supervision,
        head_weights: Sequence[float] | None,
    ) -> None:
        check_choice("supervision", supervision, get_args(Supervision))
        names = [f"level{level}" for level in range(1, depth)] if supervision != "none" else []
        names.append("logits")
        weights = [1 / len(names)] * len(names) if head_weights is None else list(head_weights)
        if len(weights) != len(names):
            raise SettingsError(
                f"there are {len(weights)} head weights for {len(names)} heads.",
                fix=f"give {len(names)}, first column first.",
            )
        super().__init__(stride=stride, loss_weights=dict(zip(names, weights, strict=True)))
        self.nodes, self.depth, self.supervision = nodes, depth, supervision

    def contract(self, image: Tensor) -> list[Tensor]:
        """The contracting path: X(0, 0), X(1, 0), … of a padded image."""
        raise NotImplementedError

    def read(self, column: int, x: Tensor, image: Tensor) -> Tensor:
        """Map X(0, column) to logits of the image's height and width."""
        raise NotImplementedError

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to the logits of each head: "level1", "level2", … and the last, "logits"."""
        finest = self._finest(image)
        columns = range(self.depth - len(self.loss_weights) + 1, self.depth + 1)
        return {
            name: self.read(column, finest[column], image)
            for name, column in zip(self.loss_weights, columns, strict=True)
        }

    def predict(self, image: Tensor) -> Tensor:
        """Map a padded image to the last head's logits, or to the mean of all heads'."""
        if self.supervision == "mean":
            return torch.stack(list(self.heads(image).values())).mean(dim=0)
        return self.read(self.depth, self._finest(image)[self.depth], image)

    def pruned(self, level: int) -> Self:
        """A copy whose last column is `level`: faster and smaller, with the weights that it has.

        Args:
            level: 1 … depth.

        Raises:
            SettingsError: There is no such level, or it was trained without a head.
        """
        if not 1 <= level <= self.depth or (self.supervision == "none" and level < self.depth):
            raise SettingsError(
                f"this U-Net++ cannot be pruned to level {level}.",
                fix=f"choose a level from 1 to {self.depth}, of a network trained with supervision.",
            )
        smaller = copy.deepcopy(self)
        smaller.depth = level
        smaller.loss_weights = dict.fromkeys([f"level{column}" for column in range(1, level)], 1 / level)
        smaller.loss_weights["logits"] = 1 / level
        for name in [name for name in smaller.nodes if sum(map(int, name.split("_"))) > level]:
            del smaller.nodes[name]
        smaller.drop_beyond(level)
        return smaller

    def drop_beyond(self, level: int) -> None:
        """Remove what only columns after `level` need, beside the nodes."""
        raise NotImplementedError

    def _finest(self, image: Tensor) -> list[Tensor]:
        """The finest level of every column: X(0, 0) … X(0, depth)."""
        rows = [[x] for x in self.contract(image)]
        for column in range(1, self.depth + 1):
            for level in range(self.depth + 1 - column):
                below = rows[level + 1][column - 1]
                rows[level].append(self.nodes[f"{level}_{column}"](below, rows[level]))
        return rows[0]


class UNetPlusPlus(NestedUNet):
    """The plain U-Net++.

    Args:
        in_channels: Channels C of the image.
        classes: Classes K.
        widths: Channels of each level; there is one column less.
        supervision: See `NestedUNet`.
        head_weights: See `NestedUNet`.
        upsampling: Of the node below; "bilinear_corners" (`align_corners=True`) in most published code.
        style: Normalisation, activation, padding and dropout of the 3×3 convolutions; not "valid".

    Source: Zhou et al. (2018), Figure 1 and Table 2.
    """

    def __init__(  # noqa: PLR0913 - the options of a network are its settings, by name
        self,
        *,
        in_channels: int,
        classes: int,
        widths: Sequence[int] = (32, 64, 128, 256, 512),
        supervision: Supervision = "none",
        head_weights: Sequence[float] | None = None,
        upsampling: Interpolation = "bilinear",
        style: ConvolutionStyle | None = None,
    ) -> None:
        style = style or ConvolutionStyle()
        check_choice("upsampling", upsampling, get_args(Interpolation))
        if style.padding == "valid":
            raise SettingsError("U-Net++ keeps its sizes.", fix="choose padding zeros or reflect.")
        check_at_least("the number of widths", len(widths), 2)
        check_at_least("the smallest of the widths", min(widths), 1)
        depth = len(widths) - 1
        nodes = nn.ModuleDict(
            {
                f"{level}_{column}": _Node(
                    widths[level + 1], column * widths[level], widths[level], Upsample(upsampling), style
                )
                for column in range(1, depth + 1)
                for level in range(depth + 1 - column)
            }
        )
        super().__init__(
            nodes=nodes, depth=depth, stride=2**depth, supervision=supervision, head_weights=head_weights
        )
        channels = [in_channels, *widths]
        self.downs = nn.ModuleList(
            double_convolution(channels[level], channels[level + 1], style) for level in range(depth + 1)
        )
        self.outputs = _outputs(list(self.loss_weights), depth, widths[0], classes, kernel=1)
        initialise(self)

    def contract(self, image: Tensor) -> list[Tensor]:
        """The contracting path: convolve twice, pool, at each level."""
        x, column = image, []
        for level, down in enumerate(self.downs):
            x = down(F.max_pool2d(x, 2) if level else x)
            column.append(x)
        return column

    def read(self, column: int, x: Tensor, image: Tensor) -> Tensor:
        """A 1×1 convolution on X(0, column)."""
        logits: Tensor = self.outputs[str(column)](x)
        return logits

    def drop_beyond(self, level: int) -> None:
        """Remove the deeper levels of the contracting path; the image then pads to a smaller stride."""
        self.downs = self.downs[: level + 1]
        self.stride = 2**level


class EncoderUNetPlusPlus(NestedUNet):
    """U-Net++ whose contracting path is an encoder.

    Without supervision it is segmentation_models.pytorch's `UnetPlusPlus`: its last node is followed by two
    convolutions after each doubling up to every pixel. Heads of earlier columns are interpolated instead.
    Pruning keeps the whole encoder.

    Args:
        encoder: The feature pyramid, each map half as fine as the one before.
        classes: Classes K.
        supervision: See `NestedUNet`.
        head_weights: See `NestedUNet`.
    """

    encoder: Encoder

    def __init__(
        self,
        *,
        encoder: Encoder,
        classes: int,
        supervision: Supervision = "none",
        head_weights: Sequence[float] | None = None,
    ) -> None:
        depth = len(encoder.strides) - 1
        finest = encoder.strides[0]
        check_halving(encoder)
        style = ConvolutionStyle()
        last = ENCODER_CHANNELS[-depth - finest.bit_length() + 1 :]
        skips = encoder.out_channels

        def channels(level: int, column: int) -> int:
            return last[column - 1] if column and level + column == depth else skips[level]

        nodes = {
            f"{level}_{column}": _Node(
                channels(level + 1, column - 1),
                column * skips[level],
                channels(level, column),
                Upsample("nearest"),
                style,
            )
            for column in range(1, depth + 1)
            for level in range(depth + 1 - column)
        }
        super().__init__(
            nodes=nn.ModuleDict(nodes),
            depth=depth,
            stride=encoder.strides[-1],
            supervision=supervision,
            head_weights=head_weights,
        )
        self.encoder = encoder
        self.full_depth = depth
        tail: list[nn.Module] = []
        for before, after in zip(last[depth - 1 :], last[depth:], strict=False):
            tail += [Upsample("nearest"), double_convolution(before, after, style)]
        self.tail = nn.Sequential(*tail)
        self.outputs = _outputs(list(self.loss_weights), depth, skips[0], classes, kernel=3)
        self.outputs[str(depth)] = nn.Conv2d(last[-1], classes, 3, padding=1)
        for module in (self.nodes, self.tail, self.outputs):
            initialise(module)

    def contract(self, image: Tensor) -> list[Tensor]:
        """The encoder's feature maps."""
        features: list[Tensor] = self.encoder(image)
        return features

    def read(self, column: int, x: Tensor, image: Tensor) -> Tensor:
        """A 3×3 convolution on X(0, column), of every pixel for the last column."""
        if column == self.full_depth:
            x = self.tail(x)
        return resize_to(self.outputs[str(column)](x), image)

    def drop_beyond(self, level: int) -> None:
        """Remove the convolutions that follow the last column."""
        if level < self.full_depth:
            self.tail = nn.Sequential()


class _Node(nn.Module):
    """X(i, j): what lies below upsampled, what lies to the left joined to it, two convolutions."""

    def __init__(self, below: int, left: int, out_channels: int, upsample: Upsample, style: ConvolutionStyle) -> None:
        super().__init__()
        self.upsample = upsample
        self.convolutions = double_convolution(below + left, out_channels, style)

    def forward(self, below: Tensor, row: Sequence[Tensor]) -> Tensor:
        left = tuple(reversed(row))
        x = convolve_joined(self.convolutions[0], lambda: torch.cat([self.upsample(below), *left], dim=1))
        out: Tensor = self.convolutions[1:](x)
        return out


def _outputs(names: Sequence[str], depth: int, channels: int, classes: int, *, kernel: int) -> nn.ModuleDict:
    """A scoring convolution for each head, by its column."""
    columns = range(depth - len(names) + 1, depth + 1)
    return nn.ModuleDict(
        {str(column): nn.Conv2d(channels, classes, kernel, padding=kernel // 2) for column in columns}
    )
