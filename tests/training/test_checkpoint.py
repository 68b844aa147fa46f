"""A checkpoint is loaded whole or not at all: what does not fit is left for the one before it."""

import shutil
import zipfile

import pytest
import torch

from generated import tiny_settings
from perpixel.errors import RunError
from perpixel.store.run_folder import Run
from perpixel.training import train_run
from perpixel.training.checkpoint import load_checkpoint
from perpixel.training.setup import reopen_training


@pytest.fixture(scope="module")
def stopped(tmp_path_factory, cells):
    """A run with the states after steps 4 and 2, and a session for them."""
    run = train_run(cells, tmp_path_factory.mktemp("runs") / "run", tiny_settings())
    (run.folder / "checkpoints" / "last.safetensors").unlink()
    return run, reopen_training(run).session


def changed(stopped, folder, change):
    """A copy of the run whose newest checkpoint went through `change`."""
    shutil.copytree(stopped[0].folder, folder)
    run = Run.open(folder)
    stored = torch.load(run.checkpoints[0], weights_only=True)
    change(stored)
    torch.save(stored, run.checkpoints[0])
    return run


CHANGES = {
    "a key less": lambda it: it.pop("optimiser"),
    "a key more": lambda it: it.update(more=1),
    "no state": lambda it: it.update(state=None),
    "a field less": lambda it: it["state"].pop("difficulty"),
    "a step that is no number": lambda it: it["state"].update(step="3"),
    "a step before the first": lambda it: it["state"].update(step=-1),
    "a row that is none": lambda it: it["state"]["history"].append("x"),
    "a weight of another shape": lambda it: it["network"].update({next(iter(it["network"])): torch.zeros(1)}),
    "a weight that is not finite": lambda it: next(iter(it["network"].values())).fill_(torch.nan),
    "another optimiser": lambda it: it["optimiser"][0].pop("exp_avg"),
    "moments of another shape": lambda it: it["optimiser"][0].update(exp_avg=torch.zeros(1)),
    "moments of complex numbers": lambda it: it["optimiser"][0].update(
        exp_avg=it["optimiser"][0]["exp_avg"].to(torch.complex64)
    ),
    "a step of the optimiser before the first": lambda it: it["optimiser"][0]["step"].fill_(-3),
    "squares below zero": lambda it: it["optimiser"][0]["exp_avg_sq"].sub_(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_checkpoint_that_does_not_fit_is_left_for_the_one_before(stopped, tmp_path, change):
    run = changed(stopped, tmp_path / "run", change)
    assert load_checkpoint(stopped[1], run).step == 2
    run.checkpoints[1].unlink()
    with pytest.raises(
        RunError, match=r"every checkpoint of .* is damaged, or of another version.\nFix: train it from scratch"
    ):
        load_checkpoint(stopped[1], run)


def test_muon_keeps_a_momentum_of_its_own(cells, tmp_path):
    run = train_run(cells, tmp_path / "muon", tiny_settings(optimiser="muon"))
    session = reopen_training(run).session
    assert load_checkpoint(session, run).step == 4
    stored = torch.load(run.checkpoints[0], weights_only=True)
    gathered = next(kept for kept in stored["optimiser"].values() if "momentum" in kept)
    assert gathered.keys() == {"step", "momentum"}
    gathered["exp_avg"] = gathered.pop("momentum")
    torch.save(stored, run.checkpoints[0])
    assert load_checkpoint(session, run).step == 2


def test_one_flipped_bit_of_a_weight_is_seen(stopped, tmp_path):
    run = changed(stopped, tmp_path / "run", lambda it: None)
    assert load_checkpoint(stopped[1], run).step == 4
    with zipfile.ZipFile(run.checkpoints[0]) as archive:
        largest = max(archive.infolist(), key=lambda each: each.file_size if "data/" in each.filename else 0)
    content = bytearray(run.checkpoints[0].read_bytes())
    content[largest.header_offset + 300] ^= 1
    run.checkpoints[0].write_bytes(content)
    assert load_checkpoint(stopped[1], run).step == 2
