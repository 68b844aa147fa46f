"""A real `perpixel train` that is killed at random moments."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from generated import TINY_OPTIONS, write_cells

SCRIPT = """
import sys
from perpixel import training
from perpixel.cli import main
print("begins", flush=True)
sys.exit(main(sys.argv[1:]))
"""
"""The command, which tells when its imports are done: they take longer than this training."""

KILLS = 20
STEPS = 300


def started(arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, "train", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"begins\n"
    return process


def finished(process):
    out, error = process.communicate()
    assert process.returncode == 0, error.decode()
    return out


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_no_bit(tmp_path):
    data = write_cells(tmp_path / "cells")
    options = [
        str(data),
        "--steps",
        str(STEPS),
        *TINY_OPTIONS,
        "--set",
        "train.validations=30",
        "--set",
        "train.scale=1.0",
    ]
    begin = time.perf_counter()
    process = started([*options, "--out", str(tmp_path / "whole")])
    begin = time.perf_counter()
    finished(process)
    seconds = time.perf_counter() - begin
    run, draw, states = tmp_path / "run", random.Random(0), []
    while len(states) < KILLS:
        if (run / "report.html").exists():  # finished too early: begin another
            run = tmp_path / f"run-{len(states)}"
        resume = ["--resume"] if (run / "settings.yaml").exists() else []
        process = started([*options, "--out", str(run), *resume])
        time.sleep(draw.uniform(0, seconds / 5))
        process.kill()
        _, error = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), error.decode()
        if process.returncode:
            states.append(tuple(sorted(path.name for path in run.rglob("*") if path.is_file())))
    assert len(set(states)) > 3, "the kills came at too few different moments"
    if not (run / "report.html").exists():
        finished(started([*options, "--out", str(run), "--resume"]))
    for name in ("model.safetensors", "checkpoints/last.safetensors"):
        assert (run / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
