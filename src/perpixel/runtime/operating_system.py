"""What the operating system says of processes: Linux, macOS and Windows, each in its own words."""

import os
import sys


def peak_memory_bytes() -> int:
    """The most memory that this process has held so far; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def is_running(process: int) -> bool:
    """Whether there is a process of this number on this machine."""
    if process <= 0:
        return False
    if sys.platform == "win32":  # there os.kill(process, 0) would end it
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, process)
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)
        return bool(handle)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is someone else's
        return True
    return True
