"""A `RawNetwork` as the files that other programs read: TorchScript and ONNX."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.shapes import AnyDtype

OPSET: Final = 18
EXAMPLE_HW: Final = (70, 90)
"""No multiple of any stride, so that the reflection is traced."""


def trace(network: nn.Module, example: Tensor) -> torch.jit.ScriptModule:
    """The network as TorchScript, for any N, H, W. Raises SettingsError where it cannot be traced."""
    try:
        with torch.no_grad(), quiet():
            traced: Any = torch.jit.trace(network.eval(), example, check_trace=False)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise _not_exportable("TorchScript", error) from error
    return traced  # type: ignore[no-any-return]


def write_onnx(  # each is one thing to say
    network: nn.Module, channels: int, dtype: str, path: Path, metadata: dict[str, str], more: tuple[str, ...] = ()
) -> None:
    """Write the network as ONNX with free N, H and W.

    Args:
        network: Takes float32; a cast from `dtype` is put before it.
        channels: C of the image.
        dtype: Of the raw pixels.
        path: The file to write.
        metadata: Written into the file.
        more: Names of further outputs.

    Raises:
        SettingsError: The network has an operator that ONNX has not, or the exporter is not installed.
    """
    free = {0: "n", 2: "h", 3: "w"}
    write_plain_onnx(
        network,
        torch.zeros(2, channels, *EXAMPLE_HW),
        path,
        opset=OPSET,
        names=("image", "probabilities", *more),
        axes=dict.fromkeys(("image", "probabilities", *more), free),
    )
    import onnx

    model = onnx.load(path)
    _take(model, np.dtype(dtype))
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def write_plain_onnx(
    network: nn.Module,
    example: Tensor,
    path: Path,
    *,
    opset: int,
    names: tuple[str, ...],
    axes: dict[str, dict[int, str]] | None = None,
) -> None:
    """Write a network as ONNX: the first name is the input's, the others are the outputs'. Raises SettingsError.

    The exporter by tracing takes seconds, where the newer one takes minutes for free sizes; both give the same graph.
    """
    require_onnx()
    try:
        with torch.no_grad(), quiet():
            torch.onnx.export(
                network.eval(),
                (example,),
                str(path),
                dynamo=False,
                opset_version=opset,
                input_names=list(names[:1]),
                output_names=list(names[1:]),
                dynamic_axes=axes,
            )
    except Exception as error:
        raise _not_exportable("ONNX", error) from error


def require_onnx() -> None:
    """Raise SettingsError where what exports to ONNX is not installed."""
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError:
        raise SettingsError("the exporter to ONNX is not installed.", fix="pip install 'perpixel[export]'.") from None


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings of the compilers about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _take(model: Any, dtype: AnyDtype) -> None:
    """Let the graph take another dtype, by a cast before its first node."""
    import onnx

    if dtype == np.float32:
        return
    graph, wanted = model.graph, onnx.helper.np_dtype_to_tensor_dtype(dtype)
    name = graph.input[0].name
    for node in graph.node:
        node.input[:] = ["image_float32" if each == name else each for each in node.input]
    cast = onnx.helper.make_node("Cast", [name], ["image_float32"], to=onnx.TensorProto.FLOAT, name="cast")
    graph.node.insert(0, cast)
    graph.input[0].type.tensor_type.elem_type = wanted


def _not_exportable(what: str, error: Exception) -> SettingsError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return SettingsError(
        f"the network cannot be exported to {what}: {lines[0]}",
        fix="choose another target, or train one of perpixel's own networks.",
    )
