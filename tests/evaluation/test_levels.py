import pytest
import torch

from generated import TINY, write_cells
from perpixel import api
from perpixel.errors import RunError
from perpixel.store.model_file import load_model

OPTIONS = {"widths": [4, 6, 8], "supervision": "last"}


def test_every_level_is_scored_and_its_file_predicts(tmp_path):
    model = {"name": "unetplusplus", "encoder": None, "weights": "none", "options": OPTIONS}
    train = {**TINY["train"], "steps": 2, "validation_passes": 1}
    settings = {"model": model, "train": train}
    run = api.train(write_cells(tmp_path / "cells"), tmp_path / "run", settings=settings)
    whole = load_model(run.model_path)[0]
    levels = api.prune(run)
    assert [level.cost.level for level in levels] == [1, 2]
    image = torch.rand(1, 3, 32, 32)
    for level in levels:
        network, card = load_model(level.path)
        assert sum(each.numel() for each in network.parameters()) <= level.cost.parameters
        assert card.codec == load_model(run.model_path)[1].codec
        with torch.no_grad():
            torch.testing.assert_close(network(image), whole.pruned(level.cost.level).eval()(image))
        assert 0 <= level.mean_iou <= 1
        assert f"mean IoU {level.mean_iou:.3f}" in str(level)
        assert (level.path.parent / "metrics.json").exists()


def test_another_network_is_refused(cells_run):
    with pytest.raises(RunError, match=r"is unet on no encoder, which has no levels[\s\S]*Fix: train unetplusplus"):
        api.prune(cells_run)
