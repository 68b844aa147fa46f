import subprocess
import sys

import pytest
import torch

from perpixel.models import torchvision_shim
from perpixel.models.torchvision_shim import prepare_torchvision


def test_torchvision_can_be_imported_after_it():
    prepare_torchvision()
    prepare_torchvision()
    import torchvision

    assert torchvision.ops.nms is not None
    assert hasattr(torch.ops.torchvision, "nms")


def test_does_nothing_without_torchvision(monkeypatch):
    monkeypatch.setattr(torchvision_shim.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(torchvision_shim, "_load_operators", lambda package: 1 / 0)
    prepare_torchvision()


def test_skips_libraries_that_do_not_load(tmp_path):
    (tmp_path / "_C.so").write_bytes(b"not a library")
    assert not torchvision_shim._load_operators(tmp_path)


@pytest.mark.long
def test_perpixel_models_import_neither_torchvision_nor_timm():
    code = """
import sys, torch
from perpixel.models import build
model = build("unet", in_channels=3, classes=2, encoder="efficientnet_lite0", weights="auto").eval()
model(torch.rand(1, 3, 64, 64))
print([name for name in ("timm", "torchvision", "segmentation_models_pytorch") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
