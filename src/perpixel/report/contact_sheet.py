"""What the network will see: views after augmentation, with their labels."""

from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from perpixel.files.atomic import replacing
from perpixel.files.write import contrast, labelled, picture
from perpixel.labels.codec import Codec
from perpixel.training.loading.batches import Batch

TTA: Final = 8
VIEW_PX: Final = 160
GAP_PX: Final = 4


def contact_sheet(batch: Batch, codec: Codec, path: Path) -> None:
    """Write a PNG: a column a view, above as the network sees it, below with its labels; ignored pixels are grey.

    Args:
        batch: The first TTA of it are shown.
        codec: Undoes the normalisation, and has the colours.
        path: The file.

    Raises:
        OutputError: It cannot be written.
    """
    image, target = batch.image[:TTA], batch.target[:TTA]
    mean, std = (np.array(values, np.float32) for values in (codec.mean, codec.std))
    images = image.permute(0, 2, 3, 1).numpy() * std + mean  # (N, H, W, C)
    limits = (0.0, 255.0) if codec.dtype == "uint8" else contrast(images.reshape(-1, *images.shape[2:]))
    columns = []
    for each, labels in zip(images, target.to(torch.uint8).numpy(), strict=True):
        shown = picture(each, limits)
        columns.append(np.concatenate([_view(shown), _view(labelled(shown, labels, codec.labels))]))
    gap = np.full((columns[0].shape[0], GAP_PX, 3), 255, np.uint8)
    sheet = np.concatenate([piece for column in columns for piece in (column, gap)][:-1], axis=1)
    with replacing(path) as temporary:
        Image.fromarray(sheet).save(temporary, "PNG")


def _view(shown: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = shown.shape[:2]
    size = (VIEW_PX, max(1, round(VIEW_PX * height / width)))
    return np.asarray(Image.fromarray(shown).resize(size, Image.Resampling.BILINEAR))
