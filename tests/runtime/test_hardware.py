import os
import platform
import subprocess
import sys

import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.runtime import allocator
from perpixel.runtime import hardware as machine
from perpixel.runtime.allocator import keep_freed_memory
from perpixel.runtime.distributed import Started, is_main_process, started_processes
from perpixel.runtime.hardware import (
    automatic_memory_format,
    automatic_precision,
    has_bfloat16,
    own_device,
    refuse_missing_devices,
    resolved_hardware,
)


@pytest.mark.parametrize("native", [True, False])
def test_a_flag_of_the_processor_decides_nothing(monkeypatch, native):
    monkeypatch.setattr(machine, "has_bf16_instructions", lambda: native)
    assert has_bfloat16("cpu") is native
    assert automatic_precision(torch.device("cpu")) == "32"


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "32")])
def test_precision_follows_what_the_gpu_multiplies(monkeypatch, native, precision):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert automatic_precision("cuda") == precision


def test_other_devices_stay_in_float32_and_contiguous():
    assert automatic_precision("meta") == "32"
    assert automatic_memory_format("meta") is torch.contiguous_format
    assert automatic_memory_format("cpu") is torch.channels_last


def test_a_memory_format_that_is_asked_for_is_taken():
    assert resolved_hardware("cpu", "32").memory_format is torch.channels_last
    assert resolved_hardware("cpu", "32", "channels_first").memory_format is torch.contiguous_format


def test_devices_that_are_not_there_are_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    refuse_missing_devices("cuda", 1)
    refuse_missing_devices("cpu", 8)
    message = r"2 devices \(cuda\) are asked for, 1 there.\nFix: ask for at most 1: train.devices=1."
    with pytest.raises(SettingsError, match=message):
        refuse_missing_devices("cuda", 2)


@pytest.mark.parametrize(("name", "device"), [("LOCAL_RANK", "cuda:1"), ("SLURM_LOCALID", "cuda:1"), ("", "cuda:0")])
def test_processes_of_a_machine_take_a_gpu_each(monkeypatch, name, device):
    for each in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if name:
        monkeypatch.setenv(name, "3")
    assert own_device("auto") == torch.device(device)
    assert own_device("cpu") == torch.device("cpu")


@pytest.fixture
def alone(monkeypatch):
    """No process was started beside this one."""
    for name in list(os.environ):
        if name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT") or name.startswith(
            "SLURM_"
        ):
            monkeypatch.delenv(name)
    return monkeypatch


def test_torchrun_tells_who_was_started(alone):
    assert started_processes() is None
    for name, value in {"RANK": "2", "WORLD_SIZE": "3", "MASTER_ADDR": "there", "MASTER_PORT": "1234"}.items():
        alone.setenv(name, value)
    assert started_processes() == Started(2, 3, 1, "tcp://there:1234")
    alone.setenv("WORLD_SIZE", "1")
    assert started_processes() is None


@pytest.mark.parametrize(
    ("nodes", "host"),
    [("gpu[07-09,12]-ib,x", "gpu07-ib"), ("gpu[3]", "gpu3"), ("rack-a,rack-b", "rack-a"), ("localhost", "localhost")],
)
def test_slurm_tells_who_was_started(alone, nodes, host):
    alone.setenv("SLURM_NTASKS", "8")
    alone.setenv("SLURM_PROCID", "0")
    assert started_processes() is None, "a batch script runs once"
    for name, value in {"STEP_NUM_TASKS": "8", "PROCID": "5", "STEP_NODELIST": nodes, "JOB_ID": "1234567"}.items():
        alone.setenv(f"SLURM_{name}", value)
    assert started_processes() == Started(5, 8, 1, f"tcp://{host}:19567")
    alone.setenv("SLURM_NNODES", "2")
    assert started_processes().on_this_machine == 4


@pytest.mark.parametrize("name", ["RANK", "SLURM_PROCID", "LOCAL_RANK"])
def test_the_first_of_several_processes(monkeypatch, name):
    for each in ("RANK", "SLURM_PROCID", "LOCAL_RANK"):
        monkeypatch.delenv(each, raising=False)
    assert is_main_process()
    monkeypatch.setenv(name, "0")
    assert is_main_process()
    monkeypatch.setenv(name, "1")
    assert not is_main_process()


def test_other_allocators_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("musl", "1.2"))
    assert not keep_freed_memory()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
def test_freed_memory_is_kept_with_glibc():
    code = """
from perpixel.runtime.allocator import keep_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1])
assert keep_freed_memory()
before = resident()
block = bytearray(b"x") * 2**26
del block
print((resident() - before) * 4096 >= 0.9 * 2**26)
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="not glibc")
@pytest.mark.parametrize(("first", "grows"), [("one_arena()", False), ("True", True)])
def test_what_one_thread_frees_another_takes_where_there_is_one_arena(first, grows):
    code = f"""
from threading import Thread
from perpixel.runtime.allocator import one_arena, keep_freed_memory
def resident():
    return int(open("/proc/self/statm").read().split()[1])
assert {first} and keep_freed_memory()
def fill():
    return bytearray(b"x") * 2**24
thread = Thread(target=fill)
thread.start()
thread.join()
before, block = resident(), fill()
print((resident() - before) * 4096 >= 2**23)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == f"{grows}\n"


def test_one_arena_comes_too_late_after_torch(monkeypatch):
    monkeypatch.setattr(allocator, "active_count", lambda: 1)
    assert torch.__name__ in sys.modules
    assert not allocator.one_arena()


def test_the_ground_loads_no_torch():
    code = "import sys, perpixel.runtime.hardware; print('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    )
