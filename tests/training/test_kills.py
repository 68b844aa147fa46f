"""`perpixel train` in processes of its own that are killed at random moments; forked, since imports take longer."""

import multiprocessing
import os
import random
import signal
import time

import pytest
import torch

from generated import TINY_OPTIONS, write_cells
from perpixel.cli import main

KILLS = 20
STEPS = 300
SETTINGS = ("--steps", str(STEPS), *TINY_OPTIONS, "--set", "train.validation_passes=30", "--set", "train.scale=1.0")


def begun(data, run):
    """The command on its way, with `--resume` where there is a run."""
    resume = ["--resume"] if (run / "settings.yaml").exists() else []

    def work():
        torch.set_num_threads(1)
        os._exit(main(["train", str(data), "--out", str(run), *SETTINGS, *resume]))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    return process


def ended(process):
    process.join(300)
    return process.exitcode


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_bit(tmp_path):
    data = write_cells(tmp_path / "cells")
    assert main(["train", str(data), "--out", str(tmp_path / "warm"), *SETTINGS, "--steps", "1"]) == 0  # the imports
    start = time.perf_counter()
    assert ended(begun(data, tmp_path / "whole")) == 0
    seconds = time.perf_counter() - start
    run, draw, states, runs = tmp_path / "run", random.Random(0), [], []
    while len(states) < KILLS:
        process = begun(data, run)
        time.sleep(draw.uniform(0, seconds / 3))
        process.kill()
        assert ended(process) in (0, -signal.SIGKILL)
        if process.exitcode:
            states.append(tuple(sorted(path.name for path in run.rglob("*") if path.is_file())))
        if (run / "report.html").exists():  # finished too early: begin another
            runs.append(run)
            run = tmp_path / f"run-{len(states)}"
    if not (run / "report.html").exists():
        assert ended(begun(data, run)) == 0
    assert len(set(states)) > 5, "the kills came at too few different moments"
    for each in (*runs, run):
        assert (each / "report.html").exists()
        for name in ("model.safetensors", "checkpoints/last.safetensors"):
            assert (each / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    print(f"{len(runs) + 1} run(s) with {KILLS} kills in {len(set(states))} states of {seconds:.1f} s")
