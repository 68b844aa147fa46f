"""What runs networks on windows, whatever the library: the seam between tiles of numbers and PyTorch or ONNX Runtime.

Nothing here or above it loads PyTorch: tiles, blending and outputs are NumPy alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple

from perpixel.geometry.tiling import Tiling
from perpixel.prediction.int8.quantised_graph import Ranges
from perpixel.prediction.predict_options import PredictOptions
from perpixel.shapes import AnyArray, ImageArray


class Compiled(NamedTuple):
    """A network that OpenVINO compiled.

    Args:
        shape: (N, C, H, W) of its batches.
        ranges: Which convolutions are in int8; none by default.
    """

    shape: tuple[int, ...]
    ranges: Ranges = ()


EngineShape = Compiled | Literal["bf16"] | None
"""What runs a network, so that another process can do the same; None for PyTorch in float32."""


class WindowEngine(ABC):
    """Networks, ready for windows.

    Attributes:
        options: How they are run.
    """

    options: PredictOptions

    @property
    @abstractmethod
    def align_px(self) -> int:
        """Windows of this many native pixels, or a multiple, are whole numbers of the largest stride."""

    @property
    @abstractmethod
    def device_type(self) -> str:
        """Where the networks lie: "cpu", "cuda" or "mps"."""

    @property
    @abstractmethod
    def weight_bytes(self) -> int:
        """Bytes of the networks' weights."""

    @abstractmethod
    def probabilities(self, windows: ImageArray) -> AnyArray:
        """Map windows (N, H, W, C) as they lie in the file to probabilities (N, K, H, W) float32.

        H and W are multiples of `align_px`.
        """

    @abstractmethod
    def feature_map_bytes(self, batch: int, window_hw: tuple[int, int]) -> int:
        """Bytes of the feature maps that live at once for a batch of windows of this many native pixels."""

    def native_px(self, working_px: int) -> int:
        """Pixels at native resolution, a multiple of `align_px`, for so many at working resolution."""
        return round(working_px / self.options.ratio / self.align_px) * self.align_px

    def tiles_at_once(self, tiling: Tiling) -> int:
        """How many tiles of an image fit the device, where nothing else is said."""
        return 1

    @property
    def may_compile(self) -> bool:
        """Whether networks may be compiled for windows of one shape, as `options.backend` asks."""
        return False

    def choose_engines(self, windows: ImageArray, batches: int = 1) -> str:
        """Decide what runs the networks from here on; say what and why.

        Args:
            windows: Real ones, (N, H, W, C).
            batches: How many of them there are to predict.
        """
        return ""

    @property
    def engine_shapes(self) -> tuple[EngineShape, ...]:
        """What another process needs to run the networks as this one does; see `adopt_engines`."""
        return ()

    def adopt_engines(self, shapes: Sequence[EngineShape]) -> None:  # noqa: B027 # most have nothing to adopt
        """Run the networks as another process does, which tells its `engine_shapes`."""
