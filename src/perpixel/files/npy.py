"""Arrays as NumPy saves them."""

from pathlib import Path

import numpy as np

from perpixel.files.open_image import OpenImage, check_size, damage_told, unreadable, wide_dtype


def open_array(path: Path, _page: int = 0) -> OpenImage:
    """Map a .npy file of (H, W), (H, W, C) or (C, H, W) into memory. Raises DataError."""
    with damage_told(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
            raise unreadable(path, f"an array of shape {array.shape} and dtype {array.dtype} is no image")
    if array.size == 0:
        check_size(path, 0, array.shape[1])
    if array.ndim == 2:
        array = array[..., None]
    elif array.shape[0] < min(array.shape[1:]) and array.shape[0] < array.shape[2]:
        array = np.moveaxis(array, 0, -1)  # the least of the three is the channels'
    height, width, channels = array.shape
    return OpenImage(
        path,
        height,
        width,
        channels,
        wide_dtype(array.dtype),
        window=lambda top, left, h, w: np.array(array[top : top + h, left : left + w]),
        closing=lambda: None,
    )
