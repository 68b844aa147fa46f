"""OpenVINO in the place of PyTorch on a CPU, where it is installed, faster, and of the same opinion."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, TypeAlias

import torch
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.labels.codec import Codec

if TYPE_CHECKING:
    from openvino import Core

Engine: TypeAlias = Callable[[Tensor], Tensor]
"""Maps (N, C, H, W) to logits (N, K, H, W)."""

MOST_DIFFERING: Final = 1e-3
"""The share of pixels that may be predicted otherwise than by PyTorch."""

ROUNDS: Final = 2


class OpenVinoNetwork:
    """A network compiled by OpenVINO for batches of one shape, in float32; PyTorch takes the others.

    Args:
        network: In evaluation mode, on the CPU.
        example: A batch of the shape.

    Attributes:
        shape: (N, C, H, W).

    Raises:
        SettingsError: OpenVINO is not installed, or cannot run this network.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        require_openvino()
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

        self._network, self.shape = network, tuple(example.shape)
        hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        try:
            with torch.no_grad(), _quiet():
                exported = torch.export.export(network, (example,))
            with torch.no_grad(), _quiet():  # again: torch.export leaves filters of its own
                decoder = TorchFXPythonDecoder.from_exported_program(exported)
            frontend = FrontEndManager().load_by_framework("pytorch")  # openvino.convert_model would call home
            model = frontend.convert(frontend.load(decoder))
            self._compiled = _core().compile_model(model, "CPU", hints)
        except Exception as error:
            raise SettingsError(
                f"OpenVINO cannot run this network ({type(error).__name__}).", fix="choose the backend torch."
            ) from error

    def __call__(self, batch: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits (N, K, H, W)."""
        if batch.shape != self.shape:
            logits: Tensor = self._network(batch)
            return logits
        return torch.from_numpy(self._compiled(batch.contiguous().numpy())[0])


def require_openvino() -> None:
    """Raise SettingsError where OpenVINO is not installed."""
    if find_spec("openvino") is None:
        raise SettingsError("OpenVINO is not installed.", fix="pip install 'perpixel[openvino]', or leave it out.")


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
    torch_seconds, expected = _timed(network, batch)
    openvino_seconds, logits = _timed(compiled, batch)
    share = _differing(codec, expected, logits)
    found = f"{torch_seconds / openvino_seconds:.2f} times as fast as PyTorch, {share:.4%} of the pixels differ"
    if share > MOST_DIFFERING and backend == "openvino":
        raise SettingsError(f"OpenVINO does not agree: {found}.", fix="choose the backend torch.")
    if share > MOST_DIFFERING or (backend == "auto" and openvino_seconds >= torch_seconds):
        return network, f"PyTorch: OpenVINO is {found}."
    return compiled, f"OpenVINO: {found}."


@cache
def _core() -> "Core":
    """One for as long as the process lives.

    Each has a stack for signals, and puts the one before it back when it goes: of two, the first to go leaves the
    second one's behind it, which is no more, and the next Ctrl-C ends the process.
    """
    from openvino import Core

    return Core()


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of the compilers about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(logging.NOTSET)


def _timed(engine: Engine, batch: Tensor) -> tuple[float, Tensor]:
    """Seconds of the fastest of a few runs, after one to warm up; and what it gives."""
    with torch.inference_mode():
        logits, seconds = engine(batch), []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            engine(batch)
            seconds.append(time.perf_counter() - start)
    return min(seconds), logits


def _differing(codec: Codec, expected: Tensor, logits: Tensor) -> float:
    """The share of pixels that are predicted otherwise."""
    theirs, ours = (codec.decode(codec.probabilities(each)) for each in (expected, logits))
    return float((theirs != ours).float().mean())
