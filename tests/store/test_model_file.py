import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from generated import binary_labels, codec_for, exclusive_labels, overlapping_labels
from perpixel.errors import OutputError, RunError
from perpixel.labels.codec import Codec
from perpixel.store.model_file import KEY, SCHEMA, ModelCard, load_model, save_model

CARDS = {
    "multiclass": ModelCard("unet", None, codec_for(exclusive_labels(ignored=(255,))), 0.5, {"width": 4, "depth": 2}),
    "multilabel": ModelCard(
        "unet", None, codec_for(overlapping_labels(), 1, "uint16", thresholds=(0.3, 0.7)), options={"width": 4}
    ),
    "odd numbers": ModelCard(
        "unet", None, Codec(binary_labels(), "float32", (1 / 3, 1e-30), (1e30, 0.1)), options={"width": 4, "depth": 1}
    ),
}


@pytest.fixture
def saved(tmp_path):
    card = CARDS["multiclass"]
    network = card.build()
    save_model(tmp_path / "model.safetensors", card, network.state_dict())
    return tmp_path / "model.safetensors"


def altered(path, tensors=None, **metadata):
    """Write the file again with some tensors or parts of its metadata changed."""
    with safe_open(path, "pt") as file:
        stored = json.loads(file.metadata()[KEY])
        kept = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(kept | (tensors or {}), path, metadata={KEY: json.dumps(stored | metadata)})


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_a_model_is_read_back_to_the_bit(tmp_path, card):
    torch.manual_seed(0)
    network = card.build()
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape))
    save_model(tmp_path / "m.safetensors", card, network.state_dict())
    loaded, its_card = load_model(tmp_path / "m.safetensors")
    assert its_card == card
    assert not loaded.training
    weights = loaded.state_dict()
    assert weights.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(weights[name], tensor), name
    image = torch.randn(1, card.codec.channels, 19, 23)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network.eval()(image))


def test_the_same_model_gives_the_same_file(tmp_path, saved):
    network, card = load_model(saved)
    save_model(tmp_path / "again.safetensors", card, network.state_dict())
    assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_channels_last_weights_are_written_as_they_are(tmp_path):
    card = CARDS["multiclass"]
    network = card.build().to(memory_format=torch.channels_last)
    save_model(tmp_path / "m.safetensors", card, network.state_dict())
    loaded, _ = load_model(tmp_path / "m.safetensors")
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RunError, match=r"there is no model file .*none.safetensors.\nFix: give a run folder or"):
        load_model(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}q\x00.", b"\xff" * 64])
def test_a_file_that_is_no_safetensors_is_told(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"model.safetensors is not a safetensors file: .*\nFix: give a model that"):
        load_model(path)


def test_a_truncated_file_is_told(saved):
    saved.write_bytes(saved.read_bytes()[:-10])
    with pytest.raises(RunError, match="is not a safetensors file"):
        load_model(saved)


def test_a_model_of_another_program_is_told(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors", metadata={"format": "pt"})
    with pytest.raises(RunError, match=r"other.safetensors was not written by perpixel.\nFix: give a model that"):
        load_model(tmp_path / "other.safetensors")


def test_an_altered_tensor_is_told(saved):
    with safe_open(saved, "pt") as file:
        name = sorted(file.keys())[0]
        tensor = file.get_tensor(name)
    bits = tensor.flatten().view(torch.int32)
    bits[0] ^= 1
    altered(saved, {name: bits.view(torch.float32).view(tensor.shape)})
    with pytest.raises(
        RunError, match=r"has been altered or damaged.\nFix: copy it again from where it was trained."
    ):
        load_model(saved)


def test_a_tensor_too_many_is_told(saved):
    altered(saved, {"more": torch.zeros(1)})
    with pytest.raises(RunError, match="has been altered or damaged"):
        load_model(saved)


@pytest.mark.parametrize("metadata", [{"card": {}}, {"card": None}, {"checksum": ""}, {"schema": "one"}])
def test_altered_metadata_are_told(saved, metadata):
    altered(saved, **metadata)
    with pytest.raises(RunError, match="has been altered or damaged"):
        load_model(saved)


@pytest.mark.parametrize(
    "change", [{"mean": [0.0, 0.0, 0.0]}, {"thresholds": [0.1]}, {"std": [1.0, 1.0, 0.0]}, {"mean": [1.0]}]
)
def test_an_altered_normalisation_is_told(saved, change):
    with safe_open(saved, "pt") as file:
        card = json.loads(file.metadata()[KEY])["card"]
    altered(saved, card={**card, "codec": {**card["codec"], **change}})
    with pytest.raises(RunError, match="has been altered or damaged"):
        load_model(saved)


def test_a_later_schema_is_told(saved):
    altered(saved, schema=SCHEMA + 1)
    with pytest.raises(RunError, match=r"is of a later version of perpixel.\nFix: pip install --upgrade perpixel."):
        load_model(saved)


def test_a_model_that_cannot_be_written_leaves_the_old_one(saved, monkeypatch):
    import safetensors.torch
    from safetensors import SafetensorError

    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    before = saved.read_bytes()
    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(
        OutputError, match=r"cannot write .*model.safetensors: .*No space left.*\nFix: free some space"
    ):
        save_model(saved, CARDS["multiclass"], {})
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
