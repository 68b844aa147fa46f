"""How much one file may ask for. Each limit holds before memory is taken, and the environment can raise it."""

import os
from typing import Final

from perpixel.errors import SettingsError


def limit(name: str, default: int) -> int:
    """The number in an environment variable, or the default. Raises SettingsError where it is no number from 1 up."""
    given = os.environ.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdecimal() and int(given) > 0):
        raise SettingsError(
            f"{name} = {given!r} is no limit.", fix="set it to a whole number from 1 up, or unset it."
        )
    return int(given)


MAX_PIXELS: Final = limit("PERPIXEL_MAX_PIXELS", 2**28)
"""Pixels that are decoded at once (268 million): more is a decompression bomb, or a mosaic that wants to be a tiled
TIFF, which is read window by window and has no limit."""

MAX_BYTES: Final = limit("PERPIXEL_MAX_BYTES", 2**31)
"""Bytes that one image, window, tile or strip takes while it is decoded (2 GiB)."""

MAX_PAGES: Final = limit("PERPIXEL_MAX_PAGES", 2**16)
"""Pages of a TIFF."""

MAX_CHANNELS: Final = limit("PERPIXEL_MAX_CHANNELS", 512)
"""Channels of a TIFF; hyperspectral cameras have some 400."""

MAX_NODES: Final = limit("PERPIXEL_MAX_NODES", 20_000_000)
"""Values in a JSON file, such as the numbers of COCO outlines."""

MAX_YAML_NODES: Final = limit("PERPIXEL_MAX_YAML_NODES", 100_000)
"""Values in a YAML file, each alias counted as all that it stands for."""

MAX_DEPTH: Final = limit("PERPIXEL_MAX_DEPTH", 64)
"""How deep lists and mappings lie in each other."""
