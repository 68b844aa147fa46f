"""Kills, a full disk, a read-only folder, two processes, changed data, a clock set back: nothing is lost.

pytest -m slow tests/faults -s        # prints the table of docs/safety.md
"""

import os
import shutil
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from faults.verbs import TRAINING, Verb, begun, check_same, clock_set_back, ended, killed, without_curves
from generated import contents, write_cells
from perpixel.cli import main
from perpixel.files.atomic import WRITING
from perpixel.files.folder_lock import LOCK

NAMES = ("train", "predict", "evaluate", "export")
KILLS = int(os.environ.get("PERPIXEL_TEST_KILLS", "100"))

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system forks no processes")


@pytest.fixture(scope="module")
def verbs(tmp_path_factory):
    """The four, with a run."""
    folder = tmp_path_factory.mktemp("faults")
    data = write_cells(folder / "data")
    found = {name: Verb(name, data, folder / "run") for name in NAMES}
    assert ended(begun(found["train"].arguments(folder / "run"), first=without_curves)) == 0
    return found


@pytest.fixture
def disk(tmp_path):
    """A disk of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)], check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may mount no disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def remount(disk, option):
    subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)


@pytest.mark.long
def test_a_few_kills_of_a_training_lose_nothing(verbs, tmp_path):
    killed(verbs["train"], tmp_path, 3, first=without_curves)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_kills_at_random_moments_lose_nothing(verbs, tmp_path, name):
    print(f"\nkill -9, {name}: {killed(verbs[name], tmp_path, KILLS)}", flush=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_is_full_at_any_write(verbs, disk, name):
    """The disk grows by a sixth at a time until all fits; each time what is there is whole and is gone on from."""
    verb, out, full, kilobytes = verbs[name], disk / "out", 0, 4
    while True:
        remount(disk, f"size={kilobytes}k")
        code = ended(begun(verb.arguments(out)))
        assert code in (0, 1), f"it ended with {code} at {kilobytes} kB"
        if out.exists():
            verb.check_sound(out)
        if code == 0:
            break
        full, kilobytes = full + 1, int(kilobytes * 1.16) + 4
    check_same(verb, out)
    print(f"\nfull disk, {name}: {full} sizes too small, {kilobytes} kB large enough", flush=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_read_only_folder_is_told_and_left(verbs, disk, name):
    remount(disk, "ro")
    told = disk.parent / "told"
    assert ended(begun(verbs[name].arguments(disk / "out"), told)) == 1
    assert "cannot write" in told.read_text(encoding="utf-8")
    assert "Fix: " in told.read_text(encoding="utf-8")
    assert not list(disk.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_two_processes_in_one_folder(verbs, tmp_path, name):
    verb, out = verbs[name], tmp_path / "out"
    assert verb.whole
    both = [begun(verb.arguments(out)) for _ in range(2)]
    codes = sorted(map(ended, both))
    assert codes in ([0, 0], [0, 1])
    check_same(verb, out)
    assert not [path for path in out.rglob("*") if path.name.startswith(WRITING) or path.name == LOCK]
    print(f"\ntwo processes, {name}: ended with {codes}", flush=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_clock_that_is_set_back_changes_nothing(verbs, tmp_path, name):
    verb, out = verbs[name], tmp_path / "out"
    process = begun(verb.arguments(out), clock=clock_set_back)
    process.join(1)
    process.kill()
    ended(process)
    for path in out.rglob("*"):
        os.utime(path, (2e9, 2e9))  # written in 2033
    assert ended(begun(verb.arguments(out), clock=clock_set_back)) == 0
    check_same(verb, out)


@pytest.mark.slow
def test_data_that_change_while_a_training_rests(verbs, tmp_path, capfd):
    """A lost image stops it, and nothing of the run is lost; inverted masks are told at resume and at evaluation."""
    data, out = tmp_path / "data", tmp_path / "run"
    shutil.copytree(verbs["train"].data, data)
    verb = Verb("train", data, out)
    process = begun(verb.arguments(out))
    while not list(out.glob("checkpoints/*.ckpt")):
        time.sleep(0.01)
    process.kill()
    assert ended(process)
    before = contents(out / "checkpoints")
    image = data / "images" / "cell_0.png"
    image.rename(tmp_path / "kept.png")
    assert main(verb.arguments(out)) == 1
    assert "Fix: " in capfd.readouterr().err
    assert before.items() >= contents(out / "checkpoints").items()
    (tmp_path / "kept.png").rename(image)
    for path in (data / "masks").iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    assert main(["train", str(data), "--out", str(out), *TRAINING, "--resume"]) == 0
    assert "the labels of" in capfd.readouterr().err
    assert main(["evaluate", str(out)]) == 0
    assert "the labels of" in capfd.readouterr().err
