"""A run remembers its threads, and a resumed one takes them."""

import logging
import shutil

import pytest
import torch

from generated import TINY, tiny_settings
from perpixel.settings.tree import over, request_from
from perpixel.store.run_folder import Run
from perpixel.training import resume_run, train_run


@pytest.fixture(autouse=True)
def _as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def finished(cells, tmp_path_factory):
    """A run of two threads; read only."""
    before = torch.get_num_threads()
    yield train_run(cells, tmp_path_factory.mktemp("threads") / "run", tiny_settings(threads=2))
    torch.set_num_threads(before)


@pytest.fixture
def stopped(finished, tmp_path):
    """A run of two threads, stopped after its first validation."""
    run = Run.open(shutil.copytree(finished.folder, tmp_path / "run"))
    run.last_weights_path.unlink()
    run.checkpoints[0].unlink()
    torch.set_num_threads(1)
    return run


def test_the_threads_of_the_process_are_written_down(cells, tmp_path):
    torch.set_num_threads(3)
    run = train_run(cells, tmp_path / "run", tiny_settings())
    assert Run.open(run.folder).settings.train.threads == 3
    assert torch.get_num_threads() == 3


def test_a_resumed_run_takes_the_threads_it_was_begun_with(stopped, caplog):
    before = stopped.model_path.read_bytes()
    with caplog.at_level(logging.INFO, "perpixel"):
        resume_run(stopped.folder, {})
    assert "the run was begun with 2 threads and goes on with as many; this process had 1." in caplog.text
    assert torch.get_num_threads() == 2
    assert stopped.model_path.read_bytes() == before


def test_other_threads_at_resume_are_taken_and_told(stopped, caplog):
    asked = over(TINY, {"train": {"threads": 1}})
    assert request_from(asked).train.threads == 1
    resume_run(stopped.folder, asked)
    assert "the run was begun with 2 threads and goes on with 1: the result is no longer" in caplog.text
    assert torch.get_num_threads() == 1
