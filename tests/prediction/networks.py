"""Networks whose answers are known, and the codecs and images that go with them."""

import numpy as np
import torch
from torch import nn

from perpixel.labels.codec import Codec
from perpixel.labels.labels import Labels

NAMES = ("sky", "road", "tree")
COLOURS = ((0, 0, 0), (255, 0, 0), (0, 0, 255))


def codec_for(kind="multiclass", channels=3, dtype="uint8", encoding="index", **more):
    values = {"index": (0, 7, 9), "palette": (0, 1, 2), "colour": COLOURS, "files": (255,) * 3}
    encoding = "files" if kind == "multilabel" else encoding
    labels = Labels(kind, NAMES, values[encoding], COLOURS, encoding=encoding)
    return Codec(labels, dtype, (100.0,) * channels, (50.0,) * channels, **more)


def image_of(height, width, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


class ReadsPixels(nn.Module):
    """Logits that are the image's own channels: what is predicted is known."""

    stride = 4

    def forward(self, image):
        return image * 5


class LooksAround(nn.Module):
    """A random convolutional network with a stride of 4 that looks 12 pixels far."""

    stride = 4

    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(4),
            nn.Conv2d(8, 8, 3, padding=1),
            nn.Upsample(scale_factor=4),
            nn.Conv2d(8, 3, 3, padding=1),
        )

    def forward(self, image):
        assert image.shape[-1] % 4 == image.shape[-2] % 4 == 0
        return self.layers(image)
