"""What this machine does best: device, precision and memory format."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from perpixel.errors import SettingsError
from perpixel.runtime.distributed import local_rank

if TYPE_CHECKING:
    import torch

Placeable = TypeVar("Placeable", bound=Any)

Device = Literal["cuda", "mps", "cpu"]
Precision = Literal["32", "bf16"]
"""float32 throughout, or bfloat16 autocast."""
MemoryFormat = Literal["channels_last", "channels_first"]
"""The order in which the values of feature maps lie: all channels of a pixel together, or all pixels of a channel."""
OUT_OF_MEMORY: Final = ("out of memory", "can't allocate memory", "not enough memory", "could not create a primitive")


def chosen_device(name: str) -> Device:
    """The device type that a name stands for: "auto" takes an accelerator where there is one.

    Raises:
        SettingsError: The device is asked for and not there.
    """
    import torch

    there: dict[Device, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(device for device, is_there in there.items() if is_there)
    for device, is_there in there.items():
        if device == name and is_there:
            return device
    here = [device for device, is_there in there.items() if is_there]
    raise SettingsError(f"there is no device {name} here.", fix=f"choose auto or one of {', '.join(here)}.")


def own_device(name: str) -> "torch.device":
    """The device of this process, see `chosen_device`: several on one machine take a GPU each, in turn."""
    import torch

    kind = chosen_device(name)
    if kind != "cuda":
        return torch.device(kind)
    return torch.device(kind, local_rank() % torch.cuda.device_count())


def refuse_missing_devices(device: Device, number: int) -> None:
    """Raise SettingsError unless there are so many devices of a kind; any number of processes shares a CPU."""
    import torch

    there = {"cuda": torch.cuda.device_count(), "mps": 1, "cpu": number}[device]
    if number > there:
        raise SettingsError(
            f"{number} devices ({device}) are asked for, {there} there.",
            fix=f"ask for at most {there}: train.devices={there}.",
        )


@dataclass(frozen=True)
class Hardware:
    """How this machine computes, decided once and handed down.

    Args:
        device: Its type.
        precision: "32", or "bf16" for autocast.
        memory_format: The order in which feature maps lie.
    """

    device: Device
    precision: Precision
    memory_format: "torch.memory_format"

    def autocast(self) -> "torch.autocast":
        """The context in which a network computes."""
        import torch

        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def placed(self, it: Placeable) -> Placeable:
        """A network or a batch (N, C, H, W) on the device, in the memory format."""
        placed: Placeable = it.to(self.device, memory_format=self.memory_format)
        return placed


def resolved_hardware(device: str, precision: str, memory_format: MemoryFormat | None = None) -> Hardware:
    """Decide what the settings leave to this machine without timing anything.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "32" or "bf16".
        memory_format: None for what is usual on the device.

    Raises:
        SettingsError: The device is not there.
    """
    kind = chosen_device(device)
    chosen = automatic_precision(kind) if precision == "auto" else precision
    layout = usual_memory_format(kind) if memory_format is None else memory_format
    return Hardware(kind, "bf16" if chosen == "bf16" else "32", _as_torch(layout))


def automatic_precision(device: "torch.device | str") -> Precision:
    """bfloat16 autocast on a GPU that multiplies bfloat16 matrices in hardware, float32 elsewhere.

    A CPU may have instructions for bfloat16 and still be slower with it: there only timing tells.
    """
    import torch

    return "bf16" if torch.device(device).type == "cuda" and has_bfloat16(device) else "32"


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether PyTorch means that memory is lacking; oneDNN says only that it could not create a primitive."""
    return any(words in str(error) for words in OUT_OF_MEMORY)


def process_threads() -> int:
    """How many threads PyTorch computes with in this process."""
    import torch

    return torch.get_num_threads()


def has_bfloat16(device: "torch.device | str") -> bool:
    """Whether a device has instructions for bfloat16 matrices; elsewhere they are emulated, and slow."""
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return kind == "cpu" and has_bf16_instructions()


def automatic_memory_format(device: "torch.device | str") -> "torch.memory_format":
    """Channels last where convolutions prefer it: on CPUs and CUDA devices."""
    return _as_torch(usual_memory_format(device))


def usual_memory_format(device: "torch.device | str") -> MemoryFormat:
    """The name of `automatic_memory_format`."""
    import torch

    return "channels_last" if torch.device(device).type in ("cpu", "cuda") else "channels_first"


def _as_torch(memory_format: MemoryFormat) -> "torch.memory_format":
    import torch

    return torch.channels_last if memory_format == "channels_last" else torch.contiguous_format


def has_bf16_instructions() -> bool:
    """Whether this CPU multiplies bfloat16 by itself, by AMX or AVX512-BF16; it may still be slower than float32."""
    import torch

    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
