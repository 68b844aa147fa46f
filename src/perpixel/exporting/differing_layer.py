"""Which layer of an exported graph gives something else than in PyTorch: intermediate outputs, compared in order."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from perpixel.runtime.onnx_runtime import import_onnxruntime
from perpixel.shapes import AnyArray

TOLERANCE: Final = 1e-3
"""Of a layer's output, relative to its largest value."""

FOLDED: Final = (nn.BatchNorm2d,)
"""Layers that the exporter folds into the convolution before them."""


@dataclass
class _Recorder:
    """What every layer without children gave, by the name that the exporter gives its scope."""

    names: dict[nn.Module, str]
    stack: list[str] = field(default_factory=list)
    found: list[tuple[str, str, Tensor]] = field(default_factory=list)
    last: Tensor | None = None

    def enter(self, module: nn.Module, _: object) -> None:
        name = self.names[module]
        parts = name.split(".")
        start = max((i for i, part in enumerate(parts) if not part.isdigit()), default=0)
        self.stack.append(".".join(parts[start:]))

    def leave(self, module: nn.Module, inputs: Any, output: Any) -> None:
        scope = "/" + "/".join(part for part in self.stack if part)
        self.stack.pop()
        if any(module.children()) or not isinstance(output, Tensor):
            return
        if isinstance(module, FOLDED) and self.found and inputs[0] is self.last:
            before, name, _ = self.found.pop()
            self.found.append((before, name, output.clone()))
        else:
            self.found.append((scope, self.names[module], output.clone()))  # a later layer may change it in place
        self.last = output


def first_differing_layer(network: nn.Module, content: bytes, image: AnyArray) -> str | None:
    """Find the first layer whose output differs.

    Args:
        network: What was exported.
        content: The graph as ONNX, run by ONNX Runtime.
        image: (H, W, C).

    Returns:
        The name of the layer in the network; None where no layer with an output of its own differs.
    """
    import onnx

    batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    recorder = _Recorder({module: name for name, module in network.named_modules()})
    with _recording(network, recorder), torch.inference_mode():
        network(torch.from_numpy(batch))
    model = onnx.load_from_string(content)
    outputs = {node.name.rpartition("/")[0]: node.output[0] for node in model.graph.node}
    calls = Counter(scope for scope, _, _ in recorder.found)  # a layer that is called twice has one scope
    layers = [
        (outputs[scope], name, value)
        for scope, name, value in recorder.found
        if scope in outputs and calls[scope] == 1
    ]
    known = {each.name for each in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(output) for output in {each[0] for each in layers} - known
    )
    onnxruntime = import_onnxruntime()
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = session.run([output for output, _, _ in layers], {session.get_inputs()[0].name: batch})
    for (_, name, expected), found in zip(layers, given, strict=True):
        wanted = expected.numpy()
        if found.shape != wanted.shape or np.abs(found - wanted).max() > TOLERANCE * max(1, np.abs(wanted).max()):
            return name
    return None


@contextmanager
def _recording(network: nn.Module, recorder: _Recorder) -> Iterator[None]:
    hooks = []
    for module in network.modules():
        hooks += [module.register_forward_pre_hook(recorder.enter), module.register_forward_hook(recorder.leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
