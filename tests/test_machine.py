import subprocess
import sys

import pytest
import torch

from perpixel import machine
from perpixel.errors import SettingsError
from perpixel.machine import (
    automatic_memory_format,
    automatic_precision,
    is_first_process,
    keep_freed_memory,
    refuse_missing_devices,
)


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "32")])
def test_precision_follows_what_the_processor_multiplies(monkeypatch, native, precision):
    monkeypatch.setattr(machine, "_cpu_multiplies_bf16", lambda: native)
    assert automatic_precision("cpu") == precision
    assert automatic_precision(torch.device("cpu")) == precision


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "32")])
def test_precision_follows_what_the_gpu_multiplies(monkeypatch, native, precision):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert automatic_precision("cuda") == precision


def test_other_devices_stay_in_float32_and_contiguous():
    assert automatic_precision("meta") == "32"
    assert automatic_memory_format("meta") is torch.contiguous_format
    assert automatic_memory_format("cpu") is torch.channels_last


def test_devices_that_are_not_there_are_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    refuse_missing_devices("cuda", 1)
    refuse_missing_devices("cpu", 8)
    message = r"2 devices \(cuda\) are asked for, 1 there.\nFix: ask for at most 1: --set train.devices=1."
    with pytest.raises(SettingsError, match=message):
        refuse_missing_devices("cuda", 2)


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "LOCAL_RANK"])
def test_the_first_of_several_processes(monkeypatch, name):
    for each in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        monkeypatch.delenv(each, raising=False)
    assert is_first_process()
    monkeypatch.setenv(name, "0")
    assert is_first_process()
    monkeypatch.setenv(name, "1")
    assert not is_first_process()


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not keep_freed_memory()


@pytest.mark.skipif(machine.platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_freed_memory_is_kept_with_glibc():
    code = """
from perpixel.machine import keep_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1])
assert keep_freed_memory()
before = resident()
block = bytearray(b"x") * 2**26
del block
print((resident() - before) * 4096 >= 0.9 * 2**26)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_the_ground_loads_no_torch():
    code = "import sys, perpixel.machine; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    )
