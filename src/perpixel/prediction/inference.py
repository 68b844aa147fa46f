"""A batch of windows through the networks: working resolution, flips and turns, ensembles."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.errors import DataError, RunError, SettingsError
from perpixel.geometry.tiling import Tiling
from perpixel.labels.codec import Codec
from perpixel.prediction import network_memory
from perpixel.prediction.backends import (
    BFloat16Network,
    Engine,
    OpenVinoNetwork,
    chosen_engine,
    chosen_precision,
    with_int8,
)
from perpixel.prediction.openvino_core import require_openvino
from perpixel.prediction.predict_options import TTA, PredictOptions
from perpixel.prediction.window_engine import Compiled, EngineShape, WindowEngine
from perpixel.runtime.hardware import automatic_memory_format, automatic_precision, has_bf16_instructions, own_device
from perpixel.shapes import AnyArray, ImageArray

MOST_TILES = 8
"""In one batch on an accelerator, where nothing else is said."""

UNKNOWN_STRIDE = 32
"""Taken for a network that does not tell its stride; no common encoder has a larger one."""

SEARCHED_FROM_S = 60.0
"""Seconds that a prediction must last in float32 for int8 to be searched, which takes about a quarter of that."""

if TYPE_CHECKING:
    from perpixel.prediction.int8.kept_int8 import Int8

Int8Search: TypeAlias = Callable[["Inference", bool], "Int8 | None"]
"""Where the networks' run computes in int8: as kept, or else searched now if the second says so; see `int8_of`."""


@dataclass(frozen=True)
class Inference(WindowEngine):
    """Networks on their device, ready for windows.

    Args:
        networks: One, or an ensemble of equal labels; in evaluation mode on `device`.
        codec: How pixels become tensors, and logits probabilities.
        options: Working resolution, views, average, precision.
        device: Where the networks lie.
        engines: What runs them where it is not PyTorch; see `choose_engines`.
        int8: Finds the layers that bear int8; None where they are not of a run's single network.
    """

    networks: Sequence[nn.Module]
    codec: Codec
    options: PredictOptions
    device: torch.device
    engines: list[Engine] = field(default_factory=list)
    int8: Int8Search | None = None

    @classmethod
    def on_device(
        cls,
        network: nn.Module | Sequence[nn.Module],
        codec: Codec,
        options: PredictOptions,
        int8: Int8Search | None = None,
    ) -> "Inference":
        """Put networks in evaluation mode and on the device that the options name."""
        if options.backend in ("openvino", "int8"):
            require_openvino()
        if options.backend == "int8" and int8 is None:
            raise SettingsError(
                "int8 needs a run of one network, whose validation images say what it loses.",
                fix="give the run's folder, or choose the backend auto.",
            )
        networks = [network] if isinstance(network, nn.Module) else list(network)
        device = own_device(options.device)
        for each in networks:
            each.eval().to(device).to(memory_format=automatic_memory_format(device))  # type: ignore[call-overload]
        return cls(networks, codec, options, device, int8=int8)

    @property
    def device_type(self) -> str:
        """The type of `device`."""
        return self.device.type

    @property
    def weight_bytes(self) -> int:
        """Bytes of all networks' parameters and buffers."""
        return sum(map(network_memory.weight_bytes, self.networks))

    @property
    def align_px(self) -> int:
        """Windows of this many native pixels, or a multiple, are whole numbers of the largest stride."""
        strides = [getattr(network, "stride", UNKNOWN_STRIDE) for network in self.networks]
        return max(stride for stride in strides if isinstance(stride, int)) * self.options.ratio.denominator

    def feature_map_bytes(self, batch: int, window_hw: tuple[int, int]) -> int:
        """Bytes of the feature maps that live at once for a batch of windows; nothing is computed."""
        h, w = (int(side * self.options.ratio) for side in window_hw)
        shape = (batch, self.codec.channels, h, w)
        return max(network_memory.activation_bytes(each, shape) for each in self.networks)

    def tiles_at_once(self, tiling: Tiling) -> int:
        """As many as fit half of a CUDA device's free memory, at most `MOST_TILES`; 1 elsewhere."""
        if len(tiling) == 1 or self.device.type != "cuda":
            return 1
        free, _ = torch.cuda.mem_get_info(self.device)
        return max(1, min(MOST_TILES, len(tiling), free // 2 // self.feature_map_bytes(1, tiling.window_hw)))

    @torch.inference_mode()
    def probabilities(self, windows: ImageArray) -> AnyArray:
        """Map windows (N, H, W, C) as they lie in the file to probabilities (N, K, H, W) float32.

        H and W are multiples of `align_px`.
        """
        averaged = self._averaged(self.prepared(windows))
        if self.options.ratio != 1:
            averaged = F.interpolate(averaged, windows.shape[1:3], mode="bilinear", align_corners=False)
        return averaged.contiguous().cpu().numpy()  # blending goes along rows of a class

    @property
    def may_compile(self) -> bool:
        """Whether OpenVINO may run the networks."""
        return self.device.type == "cpu" and self.options.backend != "torch"

    def choose_engines(self, windows: ImageArray, batches: int = 1) -> str:
        """Decide what runs the networks from here on; say what and why. See `WindowEngine.choose_engines`.

        Raises:
            SettingsError: What is asked for cannot be had, or does not agree.
            DataError: int8 is asked for, and the run's images, on which layers are searched, cannot be had.
        """
        backend = self.options.backend
        if self.may_compile:
            choose = partial(chosen_engine, backend="auto" if backend == "auto" else "openvino")
        elif self.device.type == "cpu" and self.options.precision == "auto" and has_bf16_instructions():
            choose = partial(chosen_precision)
        else:
            is_compiled = backend in ("openvino", "int8")
            return f"PyTorch: the backend {backend} is for a CPU." if is_compiled else "PyTorch."
        batch = self.prepared(windows)
        chosen = [choose(each, batch, self.codec) for each in self.networks]
        self.engines[:] = [engine for engine, _ in chosen]
        why = "\n".join(dict.fromkeys(why for _, why in chosen))  # each line is translated by itself
        if self.int8 is None or backend not in ("int8", "auto") or find_spec("openvino") is None:
            return why
        try:
            also = self._lowered_to_int8(self.int8, windows, batches)
        except (DataError, RunError, SettingsError) as error:
            if backend == "int8":
                raise
            also = f"int8 was not tried: {error.problems[0].what}"
        return f"{why}\n{also}".strip()

    def _lowered_to_int8(self, search: Int8Search, windows: ImageArray, batches: int) -> str:
        """Let int8 run the network where its run bears that; say why, or nothing where it is not known."""
        is_asked = self.options.backend == "int8"
        found = search(self, is_asked or self._seconds(windows) * batches > SEARCHED_FROM_S)
        if found is None:
            return ""
        batch = self.prepared(windows)
        self.engines[0], why = with_int8(self.networks[0], self.engines[0], batch, found, is_asked=is_asked)
        return why

    def _seconds(self, windows: ImageArray) -> float:
        start = time.perf_counter()
        self.probabilities(windows)
        return time.perf_counter() - start

    @property
    def engine_shapes(self) -> tuple[EngineShape, ...]:
        """What runs each network; empty until chosen."""
        return tuple(map(_shape_of, self.engines))

    def adopt_engines(self, shapes: Sequence[EngineShape]) -> None:
        """Run the networks as another process does, which tells its `engine_shapes`.

        Raises:
            SettingsError: OpenVINO is not installed, or cannot run a network.
        """
        if tuple(shapes) == self.engine_shapes:
            return
        self.engines[:] = [
            self._engine(network, shape)
            for network, shape in zip(self.networks, shapes, strict=bool(shapes))  # or nothing is chosen yet
        ]

    def prepared(self, windows: ImageArray) -> Tensor:
        """Normalised windows at working resolution, (N, C, h, w)."""
        batch = torch.from_numpy(windows).to(self.device).permute(0, 3, 1, 2)
        batch = self.codec.normalise(batch).contiguous(memory_format=automatic_memory_format(self.device))
        ratio, (height, width) = self.options.ratio, windows.shape[1:3]
        if ratio == 1:
            return batch
        # In float32 PyTorch misplaces the filter, by 7e-4 of a pixel's value at 7/8 of 2,048 px; MPS has no float64.
        exact = batch if self.device.type == "mps" else batch.double()
        size = (int(height * ratio), int(width * ratio))
        return F.interpolate(exact, size, mode="bilinear", align_corners=False, antialias=True).float()

    def _engine(self, network: nn.Module, shape: EngineShape) -> Engine:
        """What `engine_shapes` names."""
        if shape is None:
            return network
        if shape == "bf16":
            return BFloat16Network(network)
        blank = torch.zeros(shape.shape).contiguous(memory_format=automatic_memory_format(self.device))
        return OpenVinoNetwork(network, blank, shape.ranges)

    def _averaged(self, batch: Tensor) -> Tensor:
        on_logits = self.options.average == "logits"
        views = TTA[self.options.tta or "none"]
        total: Tensor | None = None
        for engine in self.engines or self.networks:
            for turns, mirrored in views:
                logits = _unturned(self._logits(engine, _turned(batch, turns, mirrored)), turns, mirrored)
                each = logits if on_logits else self.codec.probabilities(logits)
                total = each if total is None else total + each
        assert total is not None, "an ensemble has at least one network"
        mean = total.div_(len(self.networks) * len(views))
        return self.codec.probabilities(mean) if on_logits else mean

    def _logits(self, engine: Engine, batch: Tensor) -> Tensor:
        precision = self.options.precision
        if precision == "auto" and self.device.type != "cpu":  # on a CPU an engine is chosen by timing it
            precision = automatic_precision(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits = engine(batch)
        return logits.float()


def _shape_of(engine: Engine) -> EngineShape:
    if isinstance(engine, BFloat16Network):
        return "bf16"
    return Compiled(engine.shape, engine.ranges) if isinstance(engine, OpenVinoNetwork) else None


def _turned(batch: Tensor, turns: int, mirrored: bool) -> Tensor:
    turned = batch.rot90(turns, (2, 3)) if turns else batch
    return turned.flip(3) if mirrored else turned


def _unturned(batch: Tensor, turns: int, mirrored: bool) -> Tensor:
    unmirrored = batch.flip(3) if mirrored else batch
    return unmirrored.rot90(-turns, (2, 3)) if turns else unmirrored
