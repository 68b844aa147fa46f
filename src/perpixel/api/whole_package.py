"""What is said where perpixel-runtime is installed and a function needs the whole of perpixel."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from perpixel.api.calls import refuse_wrong_call
from perpixel.errors import SettingsError

P = ParamSpec("P")
T = TypeVar("T")

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


def whole_package(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function say that perpixel-runtime is not enough for it, and what a wrong call lacks."""
    signature = inspect.signature(function)

    @wraps(function)
    def refusing(*args: P.args, **kwargs: P.kwargs) -> T:
        refuse_wrong_call(function.__name__, signature, args, kwargs)
        try:
            return function(*args, **kwargs)
        except ModuleNotFoundError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error

    return refusing
