"""What this machine does best: memory allocation, precision and memory format, chosen once per process."""

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from threading import active_count
from typing import TYPE_CHECKING, Literal

from perpixel.errors import SettingsError

if TYPE_CHECKING:
    import torch

Device = Literal["cuda", "mps", "cpu"]
Precision = Literal["32", "bf16"]
"""float32 throughout, or bfloat16 autocast."""

_M_ARENA_MAX, _M_MMAP_MAX, _M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -8, -4, -3, -1  # malloc.h of glibc
_KEEP = 2**31 - 1
_MANY_MAPS, _MAPPED_BYTES = 65_536, 2**18


@cache
def one_arena() -> bool:
    """Let all threads of this process allocate from one arena of glibc, and tell whether they do.

    What one thread frees another can take, so that kept memory does not grow with threads around a prediction. glibc
    hears it before a second thread allocates, so that it comes too late after torch.
    """
    if platform.libc_ver()[0] != "glibc" or "torch" in sys.modules or active_count() > 1:
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))


def keep_freed_memory() -> bool:
    """Let glibc keep large freed blocks instead of returning them to the system, for this process.

    A training step allocates the same feature maps again and again; fetching their pages anew each time costs
    more than some layers. The process then keeps its peak memory.

    Returns:
        True if the allocator took the settings; False where it is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEEP))


def return_freed_memory() -> bool:
    """Let glibc return large freed blocks to the system at once, for this process.

    Without it the allocator learns to keep blocks of up to 32 MiB, and a long prediction in several threads grows.

    Returns:
        True if the allocator took the settings; False where it is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_MMAP_MAX, _MANY_MAPS)) and bool(mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES))


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
    number = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
    return torch.device(kind, number % torch.cuda.device_count())


def refuse_missing_devices(device: Device, number: int) -> None:
    """Raise SettingsError unless there are so many devices of a kind; any number of processes shares a CPU."""
    import torch

    there = {"cuda": torch.cuda.device_count(), "mps": 1, "cpu": number}[device]
    if number > there:
        raise SettingsError(
            f"{number} devices ({device}) are asked for, {there} there.",
            fix=f"ask for at most {there}: --set train.devices={there}.",
        )


@dataclass(frozen=True)
class Started:
    """This process among those that torchrun or SLURM's srun started together.

    Args:
        rank: Its number, from 0.
        number: How many there are.
        address: Where they meet, tcp://HOST:PORT.
    """

    rank: int
    number: int
    address: str


def started_processes() -> Started | None:
    """What torchrun or srun tell this process; None where it was started alone."""
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        rank, number = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        host, port = "127.0.0.1", 29_500  # torchrun names both
    elif "SLURM_STEP_NUM_TASKS" in os.environ:  # the step is srun's; a batch script has none
        rank, number = int(os.environ["SLURM_PROCID"]), int(os.environ["SLURM_STEP_NUM_TASKS"])
        nodes = os.environ["SLURM_STEP_NODELIST"]
        host = re.sub(r"\[(\w+)[^]]*]", r"\1", nodes).partition(",")[0]  # the first of gpu[07-09,12] is gpu07
        port = 15_000 + int(os.environ["SLURM_JOB_ID"]) % 10_000
    else:
        return None
    host, port = os.environ.get("MASTER_ADDR", host), int(os.environ.get("MASTER_PORT", port))
    return Started(rank, number, f"tcp://{host}:{port}") if number > 1 else None


def is_first_process() -> bool:
    """Whether this is the first, or only, of the processes that torchrun, SLURM or Fabric started together."""
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def automatic_precision(device: "torch.device | str") -> Precision:
    """bfloat16 autocast where the device multiplies bfloat16 matrices in hardware, float32 elsewhere.

    On a CPU that is AMX or AVX512-BF16; without them bfloat16 is emulated and slower than float32.
    """
    import torch

    kind = torch.device(device).type
    if kind == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif kind == "cpu":
        native = has_bf16_instructions()
    else:
        native = False
    return "bf16" if native else "32"


def automatic_memory_format(device: "torch.device | str") -> "torch.memory_format":
    """Channels last where convolutions prefer it: on CPUs and CUDA devices."""
    import torch

    return torch.channels_last if torch.device(device).type in ("cpu", "cuda") else torch.contiguous_format


def has_bf16_instructions() -> bool:
    """Whether this CPU multiplies bfloat16 by itself, by AMX or AVX512-BF16; it may still be slower than float32."""
    import torch

    return bool(torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported())
