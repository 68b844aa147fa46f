import pytest
import torch

from perpixel.errors import RunError, SettingsError
from perpixel.models import ENCODERS, MODELS, build, build_encoder, missing_weights, torchvision_weights
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.torchvision_weights import ADDRESS, ENCODER_FILES, NETWORK_FILES, downloaded_file, network_of
from perpixel.models.weights import read_state

prepare_torchvision()


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """No file of torchvision's is there, and none can be downloaded."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))

    def refuse(*args, **kwargs):
        raise OSError("no connection")

    monkeypatch.setattr(torchvision_weights.socket, "create_connection", refuse)
    monkeypatch.setattr(torchvision_weights, "getproxies", dict)


def network_file(path, encoder="resnet18", classes=21, *, heads=True):
    """A random FCN under torchvision's names; its network, too."""
    torch.manual_seed(3)
    network = build("fcn_resnet50", in_channels=3, classes=classes, encoder=encoder)
    state = {name.replace("encoder.", "backbone."): tensor for name, tensor in network.state_dict().items()}
    if not heads:
        state = {name: tensor for name, tensor in state.items() if name.startswith("backbone.")}
    torch.save(state, path)
    return network.state_dict()


def test_the_names_of_the_files_are_torchvisions():
    from torchvision.models import get_model_weights

    def addresses(name):
        return {str(each.url) for each in get_model_weights(name)}

    for name, file in ENCODER_FILES.items():
        assert name in ENCODERS
        assert ADDRESS + file in addresses(name)
    for name, file in NETWORK_FILES.items():
        assert name in MODELS
        assert ADDRESS + file in addresses(name)


@pytest.mark.parametrize("heads", [True, False])
def test_a_whole_networks_file_fills_all_but_the_last_layers(tmp_path, heads):
    there = network_file(tmp_path / "coco.pth", heads=heads)
    torch.manual_seed(4)
    sizes = {"in_channels": 3, "classes": 21, "encoder": "resnet18"}
    fresh = build("fcn_resnet50", **sizes).state_dict()
    torch.manual_seed(4)
    here = build("fcn_resnet50", **sizes, weights=tmp_path / "coco.pth").state_dict()
    for name, tensor in here.items():
        is_last = "classifier.4." in name
        taken = not is_last and (heads or name.startswith("encoder."))
        assert torch.equal(tensor, there[name] if taken else fresh[name]), name


def test_a_whole_networks_backbone_serves_another_network(tmp_path):
    there = network_file(tmp_path / "coco.pth")
    unet = build("unet", in_channels=1, classes=2, encoder="resnet18", weights=tmp_path / "coco.pth").state_dict()
    assert torch.equal(unet["encoder.layer4.1.conv2.weight"], there["encoder.layer4.1.conv2.weight"])
    torch.testing.assert_close(unet["encoder.conv1.weight"], there["encoder.conv1.weight"].sum(1, keepdim=True))


def test_vggs_file_fills_the_tutorials_encoder_and_leaves_its_classifier(tmp_path):
    from torchvision.models import vgg11

    torch.manual_seed(3)
    with torch.device("meta"):
        names = vgg11(weights=None).state_dict()
    state = {name: torch.rand(tensor.shape) for name, tensor in names.items() if name.startswith("features.")}
    state["classifier.6.weight"] = torch.rand(1000, 8)
    torch.save({"model": state, "epoch": 3}, tmp_path / "vgg11.pth")  # as a training script wraps it
    ours = build("fcn_tutorial", in_channels=3, classes=3, encoder="vgg11", weights=tmp_path / "vgg11.pth")
    assert torch.equal(ours.encoder.state_dict()["features.0.weight"], state["features.0.weight"])


def test_a_file_without_counters_of_batches_is_taken(tmp_path):
    state = build_encoder("resnet18", in_channels=3).state_dict()
    torch.save({name: each for name, each in state.items() if "num_batches" not in name}, tmp_path / "old.pth")
    encoder = build_encoder("resnet18", in_channels=3, weights=tmp_path / "old.pth")
    assert torch.equal(encoder.state_dict()["conv1.weight"], state["conv1.weight"])


def test_a_file_that_needs_unpickling_is_refused(tmp_path):
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "module.pth")
    with pytest.raises(RunError, match=r"module\.pth is not a readable weight file[\s\S]*holds tensors only"):
        read_state(tmp_path / "module.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(RunError, match=r"list\.pth holds no state dict[\s\S]*Fix: give a file of a state dict"):
        read_state(tmp_path / "list.pth")


def test_which_network_a_file_holds_is_seen_from_its_names():
    assert network_of({"backbone.layer3.22.conv1.weight": torch.zeros(1)}) == "fcn_resnet101"
    assert network_of({"backbone.layer3.5.conv1.weight": torch.zeros(1)}) == "fcn_resnet50"
    assert network_of({"layer3.5.conv1.weight": torch.zeros(1)}) is None


def test_the_cache_is_looked_into_before_anything_is_downloaded(tmp_path):
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    state = build_encoder("resnet18", in_channels=3).state_dict()
    torch.save(state, cache / ENCODER_FILES["resnet18"])
    encoder = build_encoder("resnet18", in_channels=3, weights="auto")
    assert torch.equal(encoder.state_dict()["conv1.weight"], state["conv1.weight"])
    assert missing_weights("unet", "resnet18") is None


def test_a_download_that_fails_says_where_the_file_goes(tmp_path):
    with pytest.raises(SettingsError, match=r"vgg16-397923af\.pth cannot be downloaded: OSError") as caught:
        downloaded_file(ENCODER_FILES["vgg16"])
    assert f"put it into {tmp_path / 'hub' / 'checkpoints'}" in str(caught.value)


def test_where_the_weights_are_is_named_by_real_addresses(monkeypatch):
    import timm

    def refuse(*args, **kwargs):
        raise OSError("no connection")

    monkeypatch.setattr(timm, "create_model", refuse)
    problem = str(missing_weights("fcn_tutorial", "vgg16"))
    assert "https://huggingface.co/timm/vgg16.tv_in1k (model.safetensors)" in problem
    assert "https://download.pytorch.org/models/vgg16-397923af.pth" in problem
    assert "HF_ENDPOINT" in problem
    assert missing_weights("unet", "efficientnet_lite0") is None
