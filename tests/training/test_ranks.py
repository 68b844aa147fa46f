"""Two processes train one network."""

import json
import os
import signal

import numpy as np
import pytest
import torch

from forked import joined
from generated import tiny_settings, write_cells, write_overlapping
from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.errors import DataError, SettingsError
from perpixel.metrics import Counts
from perpixel.planning import card_of
from perpixel.runtime.distributed import Started
from perpixel.settings.tree import request_from
from perpixel.store.model_file import load_model
from perpixel.store.run_folder import Run
from perpixel.training import ranks, resume_run, train_run
from perpixel.training.ranks import ranks_for
from perpixel.training.session import Session

pytestmark = pytest.mark.long

TOLERANCE = 1e-5


def plain_settings(**more):
    """No batch statistics, and an optimiser that does not enlarge rounding."""
    return request_from(
        {
            "model": {"encoder": None, "weights": "none", "options": {"width": 4, "depth": 2, "norm": "none"}},
            "data": {"validation_fraction": 0.4, "test_fraction": 0.0},
            "train": {
                "steps": 4,
                "batch_size": 5,
                "crop_hw": [32, 32],
                "validation_passes": 2,
                "precision": "32",
                "optimiser": "sgd",
                "learning_rate": 0.1,
                "scale": 1.0,
                **more,
            },
        }
    )


def weights_of(run):
    return load_model(run.last_weights_path)[0].state_dict()


TRAININGS = {
    "cells": {
        "loss": {"cross_entropy": 1.0},
        "batch_size": 5,
        "hard_example_fraction": 0.5,
    },  # processes have unequal parts
    "shapes": {"loss": {"dice": 1.0}, "batch_size": 4, "accumulate": 2, "ema": 0.9},
}


def test_two_processes_are_one_with_the_same_batches(tmp_path):
    """Cross entropy, and Dice of multilabel labels."""
    data = {"cells": write_cells(tmp_path / "cells"), "shapes": write_overlapping(tmp_path / "shapes")}

    def work(rank):
        for name, settings in TRAININGS.items():
            train_run(data[name], tmp_path / "two" / name, plain_settings(**settings))

    assert joined(work, tmp_path) == ["", ""]
    for name, settings in TRAININGS.items():
        alone = train_run(data[name], tmp_path / "one" / name, plain_settings(**settings))
        together = Run.open(tmp_path / "two" / name)
        expected = weights_of(alone)
        for key, tensor in weights_of(together).items():
            torch.testing.assert_close(tensor, expected[key], rtol=0, atol=TOLERANCE)
        for row, other in zip(together.history(), alone.history(), strict=True):
            for key in ("train_loss", "validation_loss", "validation_mean_iou", "train_mean_iou"):
                assert row[key] == pytest.approx(other[key], abs=1e-5)


def test_a_validation_counts_every_image_once(tmp_path):
    dataset = scan(write_cells(tmp_path / "cells"))
    figures = audit(dataset)
    settings = plain_settings(loss={"cross_entropy": 1.0})

    def validated():
        parts = dataset.samples[:3], dataset.samples[3:]  # five images for two processes
        return Session(settings, dataset, parts, card_of(settings, dataset, figures)).validate()

    def work(rank):
        validation = validated()
        stored = {"losses": validation.losses, "pixels": validation.pixels, "counts": validation.counts.to_dict()}
        (tmp_path / f"{rank}.json").write_text(json.dumps(stored))

    assert joined(work, tmp_path) == ["", ""]
    alone = validated()
    for rank in range(2):
        stored = json.loads((tmp_path / f"{rank}.json").read_text())
        assert Counts.from_dict(stored["counts"]) == alone.counts
        assert stored["pixels"] == alone.pixels
        assert stored["losses"] == pytest.approx(alone.losses, rel=1e-12)


def test_what_processes_tell_each_other(tmp_path):
    def work(rank):
        def broken():
            raise DataError(f"broken {rank}", fix="mend it.")

        two = ranks_for(tiny_settings().train)
        assert (two.number, two.rank, two.is_first) == (2, rank, rank == 0)
        assert two.share(range(5)) == range(rank, 5, 2)
        assert two.total(np.array([2**53 + 1, rank])).tolist() == [2**54 + 2, 1]  # no float could
        assert [two.any(rank == 1), two.any(False)] == [True, False]
        assert two.first(rank) == 0
        assert two.once(lambda: rank) == 0
        with pytest.raises(DataError, match="broken 0"):
            two.once(broken)
        terms = torch.tensor([1.0 + rank, 3.0], requires_grad=True)
        total = two.reduce(terms)
        (total[0] * total[1]).backward()
        assert total.tolist() == [3, 6]
        assert terms.grad.tolist() == [2 * 6, 2 * 3]  # twice, of which DDP's mean over two is once

    assert [text.splitlines()[-2:] for text in joined(work, tmp_path)] == [[], []]


def test_a_process_that_dies_ends_the_run_which_one_process_can_go_on_with(tmp_path):
    data, settings = write_cells(tmp_path / "cells"), plain_settings(loss={"dice": 1.0})
    step = Session.step

    def work(rank):
        def dying(self, number, batch, rate):
            if (number, rank) == (3, 1):
                os.kill(os.getpid(), signal.SIGKILL)
            return step(self, number, batch, rate)

        Session.step = dying  # of this process
        train_run(data, tmp_path / "run", settings)

    first, second = joined(work, tmp_path)
    assert second == "killed"
    assert first.startswith("RunError: process 0 of 2 lost another one while training: ")
    assert "Fix: see what that one says, and resume the run in " in first
    run = resume_run(tmp_path / "run", {})
    alone = train_run(data, tmp_path / "alone", settings)
    for key, tensor in weights_of(alone).items():
        torch.testing.assert_close(weights_of(run)[key], tensor, rtol=0, atol=TOLERANCE)


def test_processes_stop_together(tmp_path):
    """A signal to one of them is heard by all."""
    data, settings = write_cells(tmp_path / "cells"), plain_settings(loss={"dice": 1.0})
    step = Session.step

    def work(rank):
        def stopped(self, number, batch, rate):
            if (number, rank) == (1, 1):
                signal.raise_signal(signal.SIGTERM)
            return step(self, number, batch, rate)

        Session.step = stopped
        train_run(data, tmp_path / "run", settings)

    for told in joined(work, tmp_path):
        assert told.startswith("RunError: the training was stopped after step 2 of 4.\nFix: resume the run in")
    assert [path.name for path in Run.open(tmp_path / "run").checkpoints] == ["step-000000002.ckpt"]


def test_started_processes_and_devices_must_agree(monkeypatch):
    monkeypatch.setattr(ranks, "started_processes", lambda: Started(0, 4, 1, ""))
    with pytest.raises(
        SettingsError, match=r"train.devices = 2, but 4 processes were started on this machine.\nFix: leave"
    ):
        ranks_for(tiny_settings(devices=2, device="cpu").train)
    with pytest.raises(
        SettingsError, match=r"batch size 2 is smaller than the 4 processes.\nFix: set train.batch_size to 4 or"
    ):
        ranks_for(tiny_settings(device="cpu").train)
