"""An ensemble of folds, and a network that starts from one of them, by the command line alone."""

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from generated import TINY_OPTIONS, write_cells, write_land
from perpixel.cli import main

SHORT = (*TINY_OPTIONS, "--steps", "2", "--set", "train.validation_passes=1")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    assert main(["train", str(cells), "--out", str(folder), "--folds", "2", *SHORT]) == 0
    return folder


def test_an_ensemble_is_told_and_predicts(ensemble, tmp_path):
    for folder in (ensemble, ensemble / "fold-0", ensemble / "fold-1"):
        assert (folder / "report.html").exists()
    data = write_cells(tmp_path / "other", count=2, seed=4)
    assert main(["predict", str(ensemble), str(data / "images"), "--out", str(tmp_path / "masks")]) == 0
    mask = np.array(Image.open(tmp_path / "masks" / "cell_0.png"))
    assert set(np.unique(mask)) <= {0, 255}


def test_a_network_starts_from_a_fold(ensemble, tmp_path, capsys):
    data, out = write_land(tmp_path / "land"), tmp_path / "run"
    assert main(["train", str(data), "--out", str(out), "--from", str(ensemble / "fold-0"), *SHORT]) == 0
    told = f"The weights of {ensemble / 'fold-0'} (unet, plain) are taken over.\n"
    assert told in capsys.readouterr().err
    stored = yaml.safe_load((out / "settings.yaml").read_text())
    assert stored["settings"]["model"]["fine_tune_from"] == str(ensemble / "fold-0")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs")
def test_gpus_that_are_not_there(cells, tmp_path, capsys):
    assert main(["train", str(cells), "--out", str(tmp_path / "run"), "--gpus", "2"]) == 1
    assert "there is no device cuda here.\nFix: choose auto or one of cpu" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
