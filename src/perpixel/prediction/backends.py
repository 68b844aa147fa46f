"""What runs a network on a CPU: PyTorch in float32 or bfloat16, or OpenVINO, by a timing on real windows."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, TypeAlias

import torch
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.labels.codec import Codec
from perpixel.prediction.int8.kept_int8 import LEAST_GAIN, Int8
from perpixel.prediction.int8.quantised_graph import Ranges, in_int8
from perpixel.prediction.openvino_core import FLOAT32, openvino_core, require_openvino
from perpixel.runtime.race import Race, race

if TYPE_CHECKING:
    from openvino import Model

Engine: TypeAlias = Callable[[Tensor], Tensor]
"""Maps (N, C, H, W) to logits (N, K, H, W)."""

MOST_DIFFERING: Final = 1e-3
"""The share of pixels that may be predicted otherwise than by PyTorch."""

RACE_S: Final = 1.5
"""How long two ways of running a network are timed."""


class BFloat16Network:
    """A network of which PyTorch computes convolutions and products in bfloat16.

    Args:
        network: In evaluation mode, on the CPU.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, batch: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits (N, K, H, W)."""
        with torch.autocast("cpu", torch.bfloat16):
            logits: Tensor = self._network(batch)
        return logits


class OpenVinoNetwork:
    """A network compiled by OpenVINO for batches of one shape; PyTorch takes the others.

    Args:
        network: In evaluation mode, on the CPU.
        example: A batch of the shape.
        ranges: Which convolutions are computed in int8; none by default.
        graph: Of the network for the shape, where it is there already; see `openvino_model`.

    Attributes:
        shape: (N, C, H, W).
        ranges: As given.

    Raises:
        SettingsError: OpenVINO is not installed, or cannot run this network.
    """

    def __init__(
        self, network: nn.Module, example: Tensor, ranges: Ranges = (), graph: "Model | None" = None
    ) -> None:
        self._network, self.shape, self.ranges = network, tuple(example.shape), ranges
        graph = graph or openvino_model(network, example)
        hints = FLOAT32 | {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
        with _told_as_ours():
            graph = in_int8(graph, ranges) if ranges else graph
            self._compiled = openvino_core().compile_model(graph, "CPU", hints)

    def __call__(self, batch: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits (N, K, H, W)."""
        if batch.shape != self.shape:
            logits: Tensor = self._network(batch)
            return logits
        return torch.from_numpy(self._compiled(batch.contiguous().numpy())[0])


def openvino_model(network: nn.Module, example: Tensor) -> "Model":
    """A network as OpenVINO's graph, in float32.

    Args:
        network: In evaluation mode, on the CPU.
        example: A batch of the shape that the graph is for.

    Raises:
        SettingsError: OpenVINO is not installed, or cannot read this network.
    """
    require_openvino()
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    with _told_as_ours():
        with torch.no_grad(), _quiet():
            exported = torch.export.export(network, (example,))
        with torch.no_grad(), _quiet():  # again: torch.export leaves filters of its own
            decoder = TorchFXPythonDecoder.from_exported_program(exported)
        frontend = FrontEndManager().load_by_framework("pytorch")  # openvino.convert_model would call home
        return frontend.convert(frontend.load(decoder))


@contextmanager
def _told_as_ours() -> Iterator[None]:
    """Say of whatever OpenVINO raises that it cannot run the network."""
    try:
        yield
    except Exception as error:
        raise SettingsError(
            f"OpenVINO cannot run this network ({type(error).__name__}).", fix="choose the backend torch."
        ) from error


def chosen_engine(network: nn.Module, batch: Tensor, codec: Codec, backend: str) -> tuple[Engine, str]:
    """Decide between PyTorch and OpenVINO on a real batch.

    Args:
        network: In evaluation mode, on the CPU.
        batch: The first normalised tiles, (N, C, H, W).
        codec: Decides what a pixel is predicted as.
        backend: "openvino", or "auto" for the faster one.

    Returns:
        What to run, and a sentence that says what and why.

    Raises:
        SettingsError: "openvino" is asked for, and cannot be had, or more than MOST_DIFFERING of the pixels differ.
    """
    if backend == "auto" and find_spec("openvino") is None:
        return network, "PyTorch: OpenVINO is not installed."
    try:
        compiled = OpenVinoNetwork(network, batch)
    except SettingsError as error:
        if backend == "openvino":
            raise
        return network, f"PyTorch: {error.problems[0].what}"
    seconds, share = _compared(network, compiled, batch, codec)
    found = f"{seconds.ratio:.2f} times as fast as PyTorch, {share:.4%} of the pixels differ"
    if share > MOST_DIFFERING and backend == "openvino":
        raise SettingsError(f"OpenVINO does not agree: {found}.", fix="choose the backend torch.")
    if share > MOST_DIFFERING or (backend == "auto" and not seconds.second_wins):
        return network, f"PyTorch: OpenVINO is {found}."
    return compiled, f"OpenVINO: {found}."


def chosen_precision(network: nn.Module, batch: Tensor, codec: Codec) -> tuple[Engine, str]:
    """Decide between float32 and bfloat16 in PyTorch on a real batch.

    Args:
        network: In evaluation mode, on a CPU that has instructions for bfloat16.
        batch: The first normalised tiles, (N, C, H, W).
        codec: Decides what a pixel is predicted as.

    Returns:
        What to run, and a sentence that says what and why.
    """
    rounded = BFloat16Network(network)
    seconds, share = _compared(network, rounded, batch, codec)
    found = f"{seconds.ratio:.2f} times as fast as float32, {share:.4%} of the pixels differ"
    if share > MOST_DIFFERING or not seconds.second_wins:
        return network, f"PyTorch: bfloat16 is {found}."
    return rounded, f"PyTorch in bfloat16: {found}."


def with_int8(
    network: nn.Module, engine: Engine, batch: Tensor, found: Int8, *, is_asked: bool
) -> tuple[Engine, str]:
    """Decide between an engine in float32 and int8 on a real batch.

    Args:
        network: In evaluation mode, on the CPU.
        engine: What runs it so far.
        batch: The first normalised tiles, (N, C, H, W).
        found: Which convolutions bear int8, and what they lose.
        is_asked: Whether int8 is taken however fast it is here.

    Returns:
        What to run, and a sentence that says why.

    Raises:
        SettingsError: int8 is asked for, and no choice of layers holds.
    """
    if found.taken is None:
        if is_asked:
            fix = "choose the backend auto, or delete the run's int8.json to search again."
            raise SettingsError(found.told, examples=[*map(str, found.tried)], fix=fix)
        return engine, found.told
    compiled = OpenVinoNetwork(network, batch, found.ranges[found.taken])
    with torch.inference_mode():
        ratio = race(partial(engine, batch), partial(compiled, batch), seconds=RACE_S).ratio
    if ratio < LEAST_GAIN and not is_asked:
        return engine, f"In int8 it would be {ratio:.2f} times as fast; {LEAST_GAIN:g} is asked."
    return compiled, f"In int8 it is {ratio:.2f} times as fast: {found.told}"


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of the compilers about themselves, and no handler of theirs, which would tell all things twice."""
    handlers = logging.root.handlers[:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)
            logging.root.handlers[:] = handlers


@torch.inference_mode()
def _compared(network: nn.Module, other: Engine, batch: Tensor, codec: Codec) -> tuple[Race, float]:
    """How fast another engine is beside PyTorch in float32, and the share of pixels that it predicts otherwise."""
    share = _differing(codec, network(batch), other(batch).float())
    return race(lambda: network(batch), lambda: other(batch), seconds=RACE_S), share


def _differing(codec: Codec, expected: Tensor, logits: Tensor) -> float:
    """The share of pixels that are predicted otherwise."""
    theirs, ours = (codec.decode(codec.probabilities(each)) for each in (expected, logits))
    return float((theirs != ours).float().mean())
