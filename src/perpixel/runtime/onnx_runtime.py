"""ONNX Runtime, imported with its telemetry off."""

import os
from types import ModuleType
from typing import Final

TELEMETRY_OFF: Final = ("ORT_DISABLE_TELEMETRY", "1")
"""An environment variable that ONNX Runtime reads once, while it is imported, on Linux and macOS.

From 1.29 on it otherwise keeps a device id and a data base of events below ~/.cache/Microsoft, and sends them to
mobile.events.data.microsoft.com; `onnxruntime.disable_telemetry_events()` comes too late for both files. On Windows
only that function is heard, after one event about the process.

Source: microsoft/onnxruntime, pull request 27379 "Add POSIX telemetry" and issue 25573.
"""


def import_onnxruntime() -> ModuleType:
    """Import ONNX Runtime; a value that the user gave the variable stays.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    os.environ.setdefault(*TELEMETRY_OFF)
    import onnxruntime

    if os.environ[TELEMETRY_OFF[0]] == TELEMETRY_OFF[1]:
        onnxruntime.disable_telemetry_events()
    return onnxruntime  # type: ignore[no-any-return]
