"""A model file can neither fetch, nor fill the memory, nor raise anything but a RunError: checksums do not help."""

import dataclasses
import json
import socket

import pytest
import torch
from safetensors.torch import save_file

from generated import binary_labels, codec_for
from perpixel.errors import PerpixelError, RunError, SettingsError
from perpixel.labels.codec import Codec
from perpixel.models import build
from perpixel.models.weights import read_state
from perpixel.store.bundle import BundleCard
from perpixel.store.model_file import KEY, ModelCard, _checksum, load_model

CARD = ModelCard("unet", None, codec_for(binary_labels()), options={"width": 4, "depth": 1})


@pytest.fixture
def no_sockets(monkeypatch):
    """Nothing may ask for a name or a connection."""

    def asked(*arguments, **_):
        raise AssertionError(f"asked the internet for {arguments}")

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setattr(socket.socket, "connect", asked)


@pytest.fixture
def forged(tmp_path):
    """Write a model file of any card and tensors with the checksum that belongs to them."""

    def write(card=None, **tensors):
        card = json.loads(json.dumps(dataclasses.asdict(CARD))) | (card or {})
        tensors = {
            name: tensor for name, tensor in (CARD.build().state_dict() | tensors).items() if tensor is not None
        }
        stored = {"schema": 1, "card": card, "checksum": _checksum(card, tensors)}
        save_file(tensors, tmp_path / "model.safetensors", metadata={KEY: json.dumps(stored)})
        return tmp_path / "model.safetensors"

    return write


PLACES = ["hf-hub:evil/x", "tu-hf-hub:evil/x", "local-dir:/tmp", "timm/resnet18", "tu-nothing", "resnet18.hf-hub:x"]


@pytest.mark.parametrize("encoder", PLACES)
@pytest.mark.parametrize("name", ["unet", "smp/Unet", "fcn8s"])
def test_no_encoder_is_a_place_to_fetch_from(forged, no_sockets, name, encoder):
    path = forged({"name": name, "encoder": encoder, "options": {}})
    with pytest.raises(SettingsError, match=r"there is no encoder '.*', neither among perpixel's own nor in timm"):
        load_model(path)
    with pytest.raises(SettingsError, match="there is no encoder"):
        build(name, in_channels=3, classes=2, encoder=encoder, weights="auto")


@pytest.mark.parametrize("option", ["checkpoint_path", "pretrained_cfg", "encoder_weights", "pretrained_cfg_overlay"])
def test_no_option_is_a_place_to_fetch_from(forged, no_sockets, option):
    path = forged({"name": "smp/unet", "encoder": "resnet18", "options": {option: {"hf_hub_id": "evil/x"}}})
    with pytest.raises(
        SettingsError, match=rf"smp/unet has no option '{option}'.\nFix: (choose one of|did you mean)"
    ):
        load_model(path)


def test_missing_misshapen_and_surplus_tensors_are_listed(forged):
    names = sorted(CARD.build().state_dict())
    changes = {names[0]: None, names[1]: torch.zeros(7), "more": torch.zeros(1)}
    with pytest.raises(RunError, match=r"3 tensors of .*model.safetensors do not fit unet.") as told:
        load_model(forged(**changes))
    for words in (
        f"{names[0]}: missing there",
        f"{names[1]}: (7,) float32 there",
        "more: (1,) float32 there, nothing",
    ):
        assert words in str(told.value)


def test_tensors_of_another_type_are_refused(forged):
    name = next(name for name, tensor in CARD.build().state_dict().items() if tensor.is_floating_point())
    tensor = CARD.build().state_dict()[name]
    with pytest.raises(RunError, match="do not fit unet"):
        load_model(forged(**{name: torch.zeros(tensor.shape, dtype=torch.int64)}))


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_not_finite_are_refused(forged, value):
    name = next(name for name, tensor in CARD.build().state_dict().items() if tensor.is_floating_point())
    tensor = CARD.build().state_dict()[name]
    tensor.view(-1)[-1] = value
    with pytest.raises(
        RunError, match=rf"1 of \d+ tensors of .* hold values that are not finite.\n  - {name}\nFix: tr"
    ):
        load_model(forged(**{name: tensor}))


@pytest.mark.parametrize("statistics", [{"mean": [float("nan")] * 3}, {"std": [float("inf")] * 3}])
def test_statistics_that_are_not_finite_are_refused(forged, statistics):
    codec = json.loads(json.dumps(dataclasses.asdict(CARD.codec))) | statistics
    with pytest.raises(RunError, match="has been altered or damaged"):
        load_model(forged({"codec": codec}))
    with pytest.raises(AssertionError, match="not finite"):
        Codec(binary_labels(), "uint8", **({"mean": (0.0,) * 3, "std": (1.0,) * 3} | statistics))


ODD = [None, -1, 1e308, "x", [], {}, [[]], True, 10**30, [1, [2]], {"a": 1}, "a\nb", 0]


@pytest.mark.parametrize("value", ODD, ids=str)
@pytest.mark.parametrize(
    "key", [*json.loads(json.dumps(dataclasses.asdict(CARD))), "width", "depth", "labels", "mean"]
)
def test_a_card_of_wrong_types_is_refused(forged, key, value):
    card = json.loads(json.dumps(dataclasses.asdict(CARD)))
    place = card["options"] if key in ("width", "depth") else card["codec"] if key in ("labels", "mean") else card
    place[key] = value
    try:
        load_model(forged(card))
    except PerpixelError as error:
        assert "Fix: " in str(error)  # noqa: PT017


def test_a_network_that_the_file_does_not_hold_takes_no_memory(forged):
    """4,096 channels at the first of 5 levels would be terabytes."""
    with pytest.raises(RunError, match="do not fit unet"):
        load_model(forged({"options": {"width": 4096, "depth": 5}}))
    with pytest.raises(RunError, match="altered or damaged"):
        load_model(forged({"options": {"width": 10**9, "depth": 1}}))


def test_weights_to_start_from_are_finite_tensors_and_nothing_else(tmp_path):
    torch.save({"a": torch.tensor([1.0, torch.nan])}, tmp_path / "nan.pth")
    with pytest.raises(
        RunError, match=r"1 tensors of .*nan.pth hold values that are not finite.\n  - a\nFix: download"
    ):
        read_state(tmp_path / "nan.pth")
    torch.save({"epoch": 3, "state": {"a": torch.zeros(1)}}, tmp_path / "deep.pth")
    with pytest.raises(RunError, match=r"deep.pth holds no state dict.\nFix: give a file of a state dict"):
        read_state(tmp_path / "deep.pth")


@pytest.mark.parametrize("dtype", ["..", "O", "complex64", "datetime64", "u0", ""])
def test_types_of_pixels_are_numbers(dtype):
    with pytest.raises((AssertionError, TypeError)):
        codec_for(binary_labels(), dtype=dtype)


@pytest.mark.parametrize(
    "change",
    [
        {"align_px": 0},
        {"tile_px": 0},
        {"tile_px": 10**20},
        {"align_px": 10**20},
        {"overlap_px": 10**6},
        {"scale": 1e-300},
        {"scale": 0},
        {"margin_px": -1},
        {"tta": "x"},
    ],
)
def test_a_card_of_a_bundle_that_no_tile_fits_is_refused(change):
    stored = json.loads(BundleCard("onnx", CARD.codec).to_json())
    assert BundleCard.from_json(json.dumps(stored), "it") == BundleCard("onnx", CARD.codec)
    with pytest.raises(RunError, match="it is damaged"):
        BundleCard.from_json(json.dumps(stored | change), "it")
