"""What is said where perpixel-runtime is installed and a function needs the whole of perpixel."""

from typing import Final

from perpixel.errors import SettingsError

NOT_IN_RUNTIME: Final = ("torch", "lightning_fabric", "safetensors", "matplotlib", "jinja2")
"""What perpixel needs and perpixel-runtime leaves out."""


def refusal_of(error: ModuleNotFoundError) -> SettingsError | None:
    """The error to raise instead, where perpixel-runtime leaves the module out; None for every other module."""
    if error.name not in NOT_IN_RUNTIME:
        return None
    return SettingsError(
        f"this needs {error.name}, which is not installed; perpixel-runtime only predicts with exported bundles.",
        fix="pip uninstall perpixel-runtime, then pip install perpixel.",
    )
