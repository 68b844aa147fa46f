"""Facts of the machine and the installation, in words; none of them names a path, a user or data."""

import os
import platform
import re
import shutil
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch

from perpixel.models.encoders import ENCODERS
from perpixel.models.weights import packaged_path
from perpixel.runtime.hardware import automatic_memory_format, chosen_device, has_bf16_instructions

CORE: Final = ("torch", "numpy", "scipy", "pillow", "tifffile", "lightning-fabric", "pydantic", "safetensors")
EXTRA: Final = re.compile(r"^([A-Za-z0-9_.-]+).*; *extra == ['\"](\w+)['\"]")
HIDDEN: Final = ("dev",)
MISSING: Final = "missing"
GB: Final = 2**30


def facts() -> dict[str, str]:
    """Each fact by its name, in the order to show them."""
    return {
        "perpixel": _version("perpixel"),
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "packages": ", ".join(f"{name} {_version(name)}" for name in CORE),
        "extras": _extras(),
        "processor": f"{_processor()}, {os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}",
        "device": _device(),
        "precision": f"bfloat16 is {'computed in hardware' if has_bf16_instructions() else 'emulated'} on this CPU",
        "threads": f"{torch.get_num_threads()} (OMP_NUM_THREADS {os.environ.get('OMP_NUM_THREADS', 'not set')})",
        "weights": _weights(),
        "memory": _memory(),
        "disk": f"{shutil.disk_usage(Path.cwd()).free / GB:.1f} GB free here",
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING


def _extras() -> str:
    """Each extra with what is here of what it brings, then what is not."""
    brings: dict[str, list[str]] = {}
    for line in requires("perpixel") or []:
        if (found := EXTRA.match(line)) and found[2] not in HIDDEN:
            brings.setdefault(found[2], []).append(found[1])
    versions = {name: _version(name) for names in brings.values() for name in names}
    missing = [name for name, version_ in versions.items() if version_ == MISSING]
    here = {
        extra: [f"{name} {versions[name]}" for name in names if name not in missing]
        for extra, names in brings.items()
    }
    told = ", ".join(f"{extra} ({', '.join(each)})" for extra, each in here.items() if each) or "none"
    return told + (f"; not installed: {', '.join(missing)}" if missing else "")


def _processor() -> str:
    """Its name, as the system knows it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        return next(line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _device() -> str:
    device = chosen_device("auto")
    form = str(automatic_memory_format(device)).removeprefix("torch.")
    name = f" ({torch.cuda.get_device_name()})" if device == "cuda" else ""
    return f"{device}{name}, {form}"


def _weights() -> str:
    """Which encoders have weights that came with a package."""
    there = [name for name in ENCODERS if packaged_path(name) is not None]
    timm = "every other of timm by download" if find_spec("timm") else "timm is not installed"
    return f"offline: {', '.join(there) or 'none'}; {timm}"


def _memory() -> str:
    """Of the machine and free, where the system tells."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return f"{os.sysconf('SC_PHYS_PAGES') * page / GB:.1f} GB, {_free_pages() * page / GB:.1f} GB free"
    except (AttributeError, ValueError, OSError):
        return "unknown on this system"


def _free_pages() -> int:
    """Without what only caches files, which makes room when it is needed."""
    return os.sysconf("SC_AVPHYS_PAGES")
