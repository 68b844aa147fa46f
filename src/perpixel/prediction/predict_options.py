"""What decides a prediction beside the network and its codec."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from perpixel.errors import SettingsError
from perpixel.labels.decision import Threshold
from perpixel.runtime.choices import Backend, DeviceName, Precision, Tta

LARGEST_DENOMINATOR: Final = 8
"""Of the working resolution: p/q of the native one with q up to this, or 1/q."""


TTA: Final = {
    "none": ((0, False),),
    "hflip": ((0, False), (0, True)),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "d4": tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}
"""Quarter turns, then mirrored left to right."""


@dataclass(frozen=True)
class PredictOptions:
    """How the network is run.

    Args:
        tile_px: Side of a tile that the network sees, in pixels at working resolution. A multiple of 256 beside the
            overlap fills whole blocks of a TIFF file; and a tile takes no more memory than an image seen whole.
        overlap_px: Pixels that neighbouring tiles share, at working resolution; at most half a tile. Seven sixteenths
            at each end of a window, 96 of 224 pixels, are seen and thrown away: the plain U-Net of four levels looks
            93 pixels far, so that its tiles are exact. Deeper networks look further, though little depends on it;
            benchmarks/predict.md tells how much.
        whole_px: Images of up to this many pixels (at working resolution) are seen whole, without tiles.
        batch_tiles: Tiles in one batch; None takes as many as fit half of a CUDA device's free memory, at most 8, and
            1 on any other device.
        scale: Working resolution / native resolution, 0 < scale ≤ 1, see `ratio`: images are reduced before the
            network, and its probabilities enlarged after it.
        tta: What is averaged: the image as it is, also its "mirror" image, its four "flips", or all eight flips and
            quarter "turns". None: what the model's plan chose; a bare network sees the image as it is.
        average: What the views and the networks of an ensemble are averaged on.
        device: "auto" takes the accelerator where there is one.
        precision: "auto" takes bfloat16 on a GPU that multiplies it; on a CPU, for many tiles or images, where a
            short timing finds it faster and at most a thousandth of the pixels change; else float32.
        threshold: How probabilities become classes: "calibrated", "argmax" or a number, see
            `perpixel.labels.decision.decide`; None takes what was better on validation images.
        backend: What runs the network on a CPU for many tiles or images: "torch"; "openvino" (in float32); "int8"
            (OpenVINO, for a run of one network; layers are searched on its validation images); or "auto", the fastest
            of them by a short timing, if they agree, with int8 where it is kept or the prediction lasts long.

    Raises:
        SettingsError: A value out of its range.
    """

    tile_px: int = 1504
    overlap_px: int = 224
    whole_px: int = 1536 * 1536
    batch_tiles: int | None = None
    scale: float = 1.0
    tta: Tta | None = None
    average: Literal["probabilities", "logits"] = "probabilities"
    device: DeviceName = "auto"
    precision: Precision = "auto"
    backend: Backend = "torch"
    threshold: Threshold | None = None

    def __post_init__(self) -> None:
        if not 0 <= 2 * self.overlap_px <= self.tile_px or self.tile_px < 1:
            raise SettingsError(
                f"an overlap of {self.overlap_px} pixels does not fit tiles of {self.tile_px}.",
                fix="choose an overlap of at most half a tile.",
            )
        if not 0 < self.scale <= 1:
            raise SettingsError(f"the scale {self.scale} is not in 0 < scale ≤ 1.", fix="choose one such as 0.5.")

    @property
    def ratio(self) -> Fraction:
        """The scale as the nearest fraction p/q that lets all tiles share one grid."""
        if self.scale < 1 / LARGEST_DENOMINATOR:
            return Fraction(1, round(1 / self.scale))
        return Fraction(self.scale).limit_denominator(LARGEST_DENOMINATOR)
