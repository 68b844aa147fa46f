"""torchvision's weight files: where they are, and what of a whole network's file belongs to its encoder."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from torch import Tensor

from perpixel.errors import SettingsError

ADDRESS: Final = "https://download.pytorch.org/models/"

NETWORK_FILES: Final = {
    "fcn_resnet50": "fcn_resnet50_coco-1167a1af.pth",
    "fcn_resnet101": "fcn_resnet101_coco-7ecb50ca.pth",
}
"""Whole networks trained on COCO, by their name in `MODELS`."""

ENCODER_FILES: Final = {
    "alexnet": "alexnet-owt-7be5be79.pth",
    "googlenet": "googlenet-1378be20.pth",
    "resnet18": "resnet18-f37072fd.pth",
    "resnet34": "resnet34-b627a593.pth",
    "resnet50": "resnet50-0676ba61.pth",
    "resnet101": "resnet101-63fe2227.pth",
    "resnet152": "resnet152-394f9c45.pth",
    "vgg11": "vgg11-8a719046.pth",
    "vgg13": "vgg13-19584684.pth",
    "vgg16": "vgg16-397923af.pth",
    "vgg19": "vgg19-dcbb9e9d.pth",
    "vgg11_bn": "vgg11_bn-6002323d.pth",
    "vgg13_bn": "vgg13_bn-abd245e5.pth",
    "vgg16_bn": "vgg16_bn-6c64b313.pth",
    "vgg19_bn": "vgg19_bn-c79401a0.pth",
}
"""Classifiers trained on ImageNet, by their name in `ENCODERS`."""

_BACKBONE: Final = "backbone."
_CONNECT_SECONDS: Final = 5.0


def cached_file(name: str) -> Path | None:
    """A file that torchvision has downloaded, or that was put where it looks; None where there is none."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    return path if path.is_file() else None


def downloaded_file(name: str) -> Path:
    """A file of torchvision's, downloaded to its cache where it is not there yet.

    Raises:
        SettingsError: It cannot be downloaded; says where it goes.
    """
    if path := cached_file(name):
        return path
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        if not getproxies():  # without an answer soon there is no connection; the download would wait for minutes
            host = urlsplit(ADDRESS).hostname
            socket.create_connection((host, 443), timeout=_CONNECT_SECONDS).close()
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = path.stem.rpartition("-")[2]
        torch.hub.download_url_to_file(ADDRESS + name, str(path), hash_prefix=prefix, progress=False)
    except Exception as error:  # no connection, a full disk, another file: urllib and torch raise anything
        raise SettingsError(
            f"{ADDRESS}{name} cannot be downloaded: {type(error).__name__}: {error}",
            fix=f"download it elsewhere and put it into {path.parent}, or give the file as model.weights.",
        ) from error
    return path


def encoder_part(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Divide a file's tensors into those of the encoder, under its own names, and the rest.

    The file of a whole network names its encoder `backbone`; that of a classifier has no such prefix, and everything
    counts as the encoder's.

    >>> encoder_part({"backbone.conv1.weight": torch.zeros(1), "classifier.4.bias": torch.zeros(2)})
    ({'conv1.weight': tensor([0.])}, {'classifier.4.bias': tensor([0., 0.])})
    """
    if not any(key.startswith(_BACKBONE) for key in state):
        return dict(state), {}
    encoder = {key.removeprefix(_BACKBONE): each for key, each in state.items() if key.startswith(_BACKBONE)}
    return encoder, {key: each for key, each in state.items() if not key.startswith(_BACKBONE)}


def network_of(state: Mapping[str, Tensor]) -> str | None:
    """The name in `MODELS` of the network that a file of torchvision's holds whole; None for any other file.

    >>> network_of({"backbone.layer3.5.conv1.weight": torch.zeros(1)})
    'fcn_resnet50'
    """
    if f"{_BACKBONE}layer3.22.conv1.weight" in state:
        return "fcn_resnet101"
    return "fcn_resnet50" if f"{_BACKBONE}layer3.5.conv1.weight" in state else None
