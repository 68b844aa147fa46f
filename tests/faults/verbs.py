"""The four verbs that write, in processes of their own, and what has to hold of what they wrote.

Imports take longer than the work, so the processes are forked from one that has imported what the verbs need and
runs no threads: a fork of the tests' own process may wait forever for a lock that one of its threads held.
"""

import csv
import json
import multiprocessing
import os
import random
import signal
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from generated import TINY_OPTIONS
from perpixel.cli import main
from perpixel.files.atomic import WRITING
from perpixel.files.folder_lock import LOCK
from perpixel.report import svg_curves
from perpixel.report.live_page import is_live
from perpixel.store.model_file import load_model
from perpixel.store.run_folder import Run

STEPS = 24
TRAINING = ("--steps", str(STEPS), *TINY_OPTIONS, "--set", "train.validation_passes=6", "--set", "train.scale=1.0")
FORKS = multiprocessing.get_context("forkserver") if hasattr(os, "fork") else None
NEEDED = ["perpixel." + room for room in ("api", "cli", "training", "evaluation", "exporting", "report")]
"""Imported once, before the first process of a verb."""
if FORKS:
    FORKS.set_forkserver_preload(NEEDED)

START = time.monotonic()
MEASURED = {"seconds", "images_per_second", "waiting_share"}
"""Columns of history.csv that tell of the clock."""


@dataclass(frozen=True)
class Verb:
    """One of the four.

    Args:
        name: As on the command line.
        data: A folder of images and masks.
        run: A finished run.
    """

    name: str
    data: Path
    run: Path

    def arguments(self, out):
        """Of the command that begins, or goes on with what is there."""
        match self.name:
            case "train":
                more = ["--resume"] if (out / "settings.yaml").exists() else []
                return ["train", str(self.data), "--out", str(out), *TRAINING, *more]
            case "predict":
                wanted = ["--overlay", "--areas", "--probabilities", "uint8", "--polygons", "geojson", "--resume"]
                return ["predict", str(self.run), str(self.data / "images"), "--out", str(out), *wanted]
            case "export":
                return ["export", str(self.run), "--out", str(out), *(["--overwrite"] if out.exists() else [])]
            case _:
                return ["evaluate", str(self.run), "--out", str(out)]

    def is_done(self, out):
        """Whether nothing is left to do."""
        if self.name == "train":
            page = out / "report.html"  # the last that is written, over one that is there from the start
            return page.exists() and not is_live(page)
        return out.exists() and state_of(out) == state_of(self.whole)

    @property
    def whole(self):
        """Where it wrote undisturbed, made when it is asked for first."""
        if self.name == "train":
            return self.run
        place = self.run.parent / f"whole-{self.name}"
        if not place.exists():
            assert ended(begun(self.arguments(place))) == 0
        return place

    def check_sound(self, out):
        """Raise unless everything that has its final name is whole."""
        if self.name != "train":
            whole = state_of(self.whole)
            for name, content in state_of(out).items():
                assert whole.get(name) == content, f"{name} is half written, or another"
            return
        for path in out.rglob("*"):
            if path.is_file() and not path.name.startswith(WRITING):
                _open(path)


def _open(path):
    """Read a file of a run to its end."""
    match path.suffix:
        case ".safetensors":
            load_model(path)
        case ".ckpt":
            with zipfile.ZipFile(path) as archive:
                assert archive.testzip() is None
            torch.load(path, weights_only=True)
        case ".yaml":
            assert yaml.safe_load(path.read_text(encoding="utf-8"))["settings"]
        case ".csv":
            rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
            assert all(None not in row.values() for row in rows)
        case ".json":
            json.loads(path.read_text(encoding="utf-8"))
        case ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
        case _:
            assert path.name == LOCK, path


def state_of(out):
    """What has to be the same in the end, by its name: bytes, or of a run weights, optimiser and history."""
    if not (out / "settings.yaml").exists():
        files = {str(path.relative_to(out)): path for path in sorted(out.rglob("*")) if path.is_file()}
        return {name: _unchanging(path) for name, path in files.items() if WRITING not in name}
    names = ("model.safetensors", "checkpoints/last.safetensors", "split.csv")
    state = {name: (out / name).read_bytes() for name in names}
    stored = torch.load(Run.open(out).checkpoints[0], weights_only=True)
    state["checkpoint"] = repr(_as_lists({key: stored[key] for key in ("network", "optimiser")}))
    rows = csv.DictReader((out / "history.csv").read_text(encoding="utf-8").splitlines())
    state["history"] = [{key: value for key, value in row.items() if key not in MEASURED} for row in rows]
    return state


def _as_lists(tree):
    if isinstance(tree, torch.Tensor):
        return tree.tolist()
    return {key: _as_lists(value) for key, value in tree.items()} if isinstance(tree, dict) else tree


def _unchanging(path):
    """The bytes of a file, or what it says but for seconds."""
    if path.name == "parity.json":
        proofs = json.loads(path.read_text(encoding="utf-8"))
        return [{key: value for key, value in each.items() if "seconds" not in key} for each in proofs]
    return path.read_bytes()


def nothing():
    """What a process does first, usually."""


def without_curves():
    """Pages show none; drawing them takes as long as all else in a small training."""
    svg_curves._panel = lambda words, lines, **axes: "<svg></svg>"


def begun(arguments, told=os.devnull, clock=time.time, first=nothing):
    """The command in a process of its own, which writes its errors to `told` and takes the time from `clock`."""
    process = FORKS.Process(target=_run, args=(arguments, told, clock, first))
    process.start()
    return process


def _run(arguments, told, clock, first):
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(told, os.O_CREAT | os.O_WRONLY), 2)
    time.time = clock
    first()
    os._exit(main(arguments))


def clock_set_back():
    """Another year, and earlier at every look."""
    return START - 3e8 - 10 * (time.monotonic() - START)


def ended(process):
    """Its exit code."""
    process.join(600)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def killed(verb, folder, kills, first=nothing, seed=0):
    """Kill a verb at random moments, begin it again, and compare what is there in the end; a sentence of it."""
    assert verb.whole
    start = time.perf_counter()
    assert ended(begun(verb.arguments(folder / "timed"), first=first)) == 0
    draw, seconds = random.Random(seed), time.perf_counter() - start
    hit, done, states, out = 0, 0, set(), folder / "0"
    while hit < kills:
        process = begun(verb.arguments(out), first=first)
        process.join(draw.uniform(0, seconds))
        process.kill()
        code = ended(process)
        assert code in (0, -signal.SIGKILL), f"it ended with {code}"
        hit += code != 0
        if out.exists():
            verb.check_sound(out)
            states.add(tuple(sorted(path.name for path in out.rglob("*") if not path.name.startswith(WRITING))))
        if code == 0:
            check_same(verb, out)
            done += 1
            out = folder / str(done)
    if not (out.exists() and verb.is_done(out)):
        assert ended(begun(verb.arguments(out), first=first)) == 0
    check_same(verb, out)
    return f"{hit} kills within {seconds:.1f} s, {len(states)} states met, {done + 1} finished with the same bytes"


def check_same(verb, out):
    """Raise unless the end is that of what was never disturbed."""
    here, there = state_of(out), state_of(verb.whole)
    assert here.keys() == there.keys()
    assert not [name for name in here if here[name] != there[name]]
