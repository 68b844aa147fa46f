"""Interrupted and resumed: nothing half-written has a final name, and the resumed result is the undisturbed one."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from perpixel.errors import OutputError
from perpixel.prediction import Outputs, PredictOptions, Predictor
from prediction.networks import LooksAround, codec_for, image_of
from prediction.test_files import files_in, geotiff, png

OUTPUTS = Outputs(
    probabilities="uint8", overlay=True, areas=True, polygons="geopackage", instances="connected", existing="skip"
)
TILES = PredictOptions(tile_px=64, overlap_px=16, whole_px=1)

SCRIPT = """
import sys
from pathlib import Path
from prediction.networks import LooksAround, codec_for
from prediction.test_resume import OUTPUTS, TILES
from perpixel.prediction import Predictor
print("ready", flush=True)
paths = sorted(Path(sys.argv[1]).iterdir())
for _ in Predictor(LooksAround(), codec_for(), options=TILES).predict_files(paths, sys.argv[2], OUTPUTS):
    pass
"""


def write_images(folder, count, side=150):
    folder.mkdir()
    for number in range(count):
        png(folder / f"p{number}.png", image_of(side, side - 7, seed=number))
        geotiff(folder / f"g{number}.tif", image_of(side - 3, side, seed=number))
    return sorted(folder.iterdir())


def contents(folder):
    return {name: (folder / name).read_bytes() for name in files_in(folder)}


class Stops(LooksAround):
    """Fails at its nth window."""

    def __init__(self, windows):
        super().__init__()
        self.left = windows

    def forward(self, image):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().forward(image)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Two images and all that is written for them."""
    folder = tmp_path_factory.mktemp("undisturbed")
    paths = write_images(folder / "in", 2)
    list(Predictor(LooksAround(), codec_for(), options=TILES).predict_files(paths, folder / "whole", OUTPUTS))
    return paths, contents(folder / "whole")


@pytest.mark.parametrize("windows", [0, 9, *(pytest.param(each, marks=pytest.mark.slow) for each in (8, 26))])
def test_an_interrupted_prediction_resumes_to_the_same_bytes(tmp_path, undisturbed, windows):
    paths, whole = undisturbed
    with pytest.raises(KeyboardInterrupt):
        list(Predictor(Stops(windows), codec_for(), options=TILES).predict_files(paths, tmp_path / "out", OUTPUTS))
    half = contents(tmp_path / "out")
    assert half.items() <= whole.items(), "what has a final name is whole"
    list(Predictor(LooksAround(), codec_for(), options=TILES).predict_files(paths, tmp_path / "out", OUTPUTS))
    assert contents(tmp_path / "out") == whole


def test_leftovers_of_dead_processes_are_removed(tmp_path):
    (path,) = [png(tmp_path / "in" / "a.png", image_of(9, 9))]
    out, node = tmp_path / "out", os.uname().nodename
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for process in (dead.pid, os.getppid()):
        (out / f".writing-{node}-{process}-x").mkdir(parents=True)
    list(Predictor(LooksAround(), codec_for()).predict_files([path], out))
    assert sorted(each.name for each in out.iterdir()) == [f".writing-{node}-{os.getppid()}-x", "a.png"]


def test_a_full_disk_leaves_no_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    path = geotiff(tmp_path / "a.tif", image_of(100, 100))
    with pytest.raises(OutputError, match=r"cannot write .*: No space left on device\.\nFix: free some space"):
        Predictor(LooksAround(), codec_for(), options=TILES).predict_file(path, tmp_path / "out", OUTPUTS)
    assert files_in(tmp_path / "out") == []


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path):
    paths = write_images(tmp_path / "in", 6, side=400)
    start = time.perf_counter()
    list(Predictor(LooksAround(), codec_for(), options=TILES).predict_files(paths, tmp_path / "whole", OUTPUTS))
    seconds, whole = time.perf_counter() - start, contents(tmp_path / "whole")
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(__file__)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "in"), str(tmp_path / "out")]
    draw = random.Random(0)
    kills, counts = 0, []
    while kills < 20:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(draw.uniform(0, seconds / 4))
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        half = {name: data for name, data in contents(tmp_path / "out").items() if not name.startswith(".writing")}
        assert half.items() <= whole.items(), "what has a final name is whole"
        counts.append(len(half))
        if len(half) == len(whole):  # finished too early: begin again
            for name in half:
                (tmp_path / "out" / name).unlink()
    assert len(set(counts)) > 3, f"the kills came at too few different moments: {counts}"
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert contents(tmp_path / "out") == whole
