"""What a network consists of and costs, found on paper: nothing is computed and no memory is taken."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from perpixel.errors import SettingsError
from perpixel.language import say
from perpixel.models.base import SegmentationModel
from perpixel.models.registry import build
from perpixel.results import Result, Row
from perpixel.runtime.json_values import JsonObject

MAX_SIDE: Final = 2**16
_ADAM_COPIES = 4  # of every parameter in training: itself, its gradient, and Adam's two moments


@dataclass(frozen=True)
class NetworkLayer:
    """One call of one layer.

    Args:
        name: Its place in the network, "first.0" for example.
        kind: Its class.
        output_shape: Shape of what it gives.
        parameters: Numbers that it learns.
        multiply_adds: Multiplications with addition in this call.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


@dataclass(frozen=True, repr=False)
class NetworkDescription(Result):
    """What a network consists of and costs for one batch.

    Args:
        title: The network in words.
        input_shape: (N, C, H, W) of the batch.
        layers: Every call of a layer in a prediction, in order.
        parameters: Numbers that the network learns.
        multiply_adds: Of a prediction; convolutions and matrix products are counted.
        activation_bytes: What a training step in float32 keeps for its gradients.
        training_bytes: That, the weights, their gradients and Adam's two moments.
    """

    title: str
    input_shape: tuple[int, ...]
    layers: tuple[NetworkLayer, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int
    training_bytes: int

    @property
    def headline(self) -> str:
        """The network, its parameters and multiply-adds."""
        return say(
            "{network}: {parameters} M parameters, {multiply_adds} G multiply-adds for {shape}",
            network=self.title,
            parameters=f"{self.parameters / 1e6:.2f}",
            multiply_adds=f"{self.multiply_adds / 1e9:.2f}",
            shape=" × ".join(map(str, self.input_shape)),
        )

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a layer."""
        return {"layers": [asdict(layer) for layer in self.layers]}

    def to_dict(self) -> JsonObject:
        """The sums, and each layer."""
        return {"schema": 1, **asdict(self)}

    def text(self) -> str:
        """The layers in columns, and the sums below."""
        rows = [("layer", "kind", "output", "parameters", "multiply-adds")]
        rows += [
            (
                layer.name,
                layer.kind,
                " × ".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}" if layer.parameters else "–",
                f"{layer.multiply_adds:,}" if layer.multiply_adds else "–",
            )
            for layer in self.layers
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(map(_align, row, widths, range(5))) for row in rows]
        sums = (
            f"{self.title}, input {' × '.join(map(str, self.input_shape))}",
            f"parameters     {self.parameters:>18,}",
            f"multiply-adds  {self.multiply_adds:>18,}",
            f"training needs {self.training_bytes / 2**20:>18,.0f} MiB in float32 with Adam, "
            f"{self.activation_bytes / 2**20:,.0f} of them feature maps",
        )
        return "\n".join([*lines, "", *sums])


def describe_network(
    name: str,
    size_hw: tuple[int, int],
    *,
    in_channels: int = 3,
    classes: int = 2,
    encoder: str | None = None,
    batch: int = 1,
    **options: Any,
) -> NetworkDescription:
    """Describe a network by name, as `build` would build it.

    Args:
        name: See `build`.
        size_hw: Height and width of the image, in pixels.
        in_channels: Channels C of the image.
        classes: Classes K.
        encoder: See `build`.
        batch: Images N in the batch.
        options: See `build`.

    Raises:
        SettingsError: See `build`; or a side, the channels or the classes are more than 65,536.
    """
    largest = {"the height": size_hw[0], "the width": size_hw[1], "channels": in_channels, "classes": classes}
    if too_large := [f"{what}: {number}" for what, number in largest.items() if number > MAX_SIDE]:
        raise SettingsError(
            f"a network of this size cannot be described: {', '.join(each[:40] for each in too_large)}.",
            fix=f"give numbers up to {MAX_SIDE:,}.",
        )
    with torch.device("meta"):
        model = build(name, in_channels=in_channels, classes=classes, encoder=encoder, **options)
    title = f"{name} on {encoder}" if encoder else name
    return describe_model(model, (batch, in_channels, *size_hw), title=title)


def parameters_of(name: str, *, in_channels: int = 3, classes: int = 2) -> int:
    """Number of weights that a network learns, as `build` would build it. Raises SettingsError, as `build`."""
    with torch.device("meta"):
        model = build(name, in_channels=in_channels, classes=classes)
    return sum(parameter.numel() for parameter in model.parameters())


def describe_model(model: SegmentationModel, input_shape: tuple[int, ...], *, title: str) -> NetworkDescription:
    """Describe a network that lies on the meta device, in training and evaluation.

    Args:
        model: The network, `model.to("meta")` for one that has weights.
        input_shape: (N, C, H, W).
        title: What to call it.
    """
    image = torch.empty(input_shape, device="meta")
    pair = torch.cat([image, image])  # one image alone is too few for a global pooling with batch statistics
    activations = _activation_bytes(model.train(), pair) // 2
    layers = _layers(model.eval(), image)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return NetworkDescription(
        title=title,
        input_shape=input_shape,
        layers=layers,
        parameters=parameters,
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        activation_bytes=activations,
        training_bytes=activations + _ADAM_COPIES * 4 * parameters,
    )


def _layers(model: nn.Module, image: Tensor) -> tuple[NetworkLayer, ...]:
    layers: list[NetworkLayer] = []
    counter = FlopCounterMode(display=False)
    counted = 0

    def note(name: str, module: nn.Module, output: Tensor) -> None:
        nonlocal counted
        before, counted = counted, counter.get_total_flops()
        own = sum(parameter.numel() for parameter in module.parameters())
        layers.append(
            NetworkLayer(name, type(module).__name__.strip("_"), tuple(output.shape), own, (counted - before) // 2)
        )

    hooks = [
        module.register_forward_hook(lambda module, _, output, name=name: note(name, module, output))
        for name, module in model.named_modules()
        if not any(True for _ in module.children()) and not isinstance(module, nn.Identity | nn.Sequential)
    ]
    with counter, torch.no_grad():
        model(image)
    for hook in hooks:
        hook.remove()
    return tuple(layers)


def _activation_bytes(model: SegmentationModel, image: Tensor) -> int:
    """Bytes of all distinct storages that autograd keeps for a training step, weights aside."""
    weights = {_storage_id(tensor) for tensor in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage_id(tensor) not in weights:
            kept[_storage_id(tensor)] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model.training_outputs(image)
    del outputs
    return sum(storage.nbytes() for storage in kept.values())


def _storage_id(tensor: Tensor) -> int:
    """The storage that a tensor lies in, as a number."""
    return int(tensor.untyped_storage()._cdata)


def _align(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column >= 3 else text.ljust(width)
