"""How glibc hands out memory to this process; elsewhere nothing is changed."""

import ctypes
import platform
import sys
from functools import cache
from threading import active_count

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
