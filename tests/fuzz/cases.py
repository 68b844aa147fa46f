"""Every case by its number, run in children of limited memory and time; a child that dies names the case it died of.

PYTHONPATH=src:tests python -m fuzz.cases 100000 --folder /tmp/fuzz      # all
PYTHONPATH=src:tests python -m fuzz.cases 1 --first 4711 --folder /tmp/f # one
"""

import argparse
import faulthandler
import json
import logging
import multiprocessing
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from fuzz import readers, saved
from fuzz.mutations import draw_of
from perpixel.errors import PerpixelError
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.training import timing

SECONDS = 10
"""Of processor time in a case."""
HANGS_AFTER = 120
"""Seconds of the clock without a word; other programs may take the processor, too."""
CASES_A_CHILD = 1000
"""A fresh one now and then, since libraries keep some memory."""
BYTES = 2**30
"""What a case may take on top of what the process has when it begins."""
LIMITS = {"MAX_PIXELS": 2**25, "MAX_BYTES": 2**28}
"""The limits that fit into these bytes; the usual ones are for 8 GB machines."""
TIMED = {"TRIED_SIDE": 64, "RACE_S": 0.2}
"""Plans time networks on smaller crops (pixels) and for less long (seconds), which would take most of a case."""

SUBJECTS = (
    ("images", 40, readers.images, None),
    ("labels", 14, readers.labels, readers.make_label_folders),
    ("tools", 8, readers.tools, readers.make_tool_folders),
    ("masks", 5, readers.masks, readers.make_mask_folders),
    ("painted", 2, readers.painted, readers.make_painting),
    ("shapefiles", 2, readers.shapefiles, readers.make_shapefile),
    ("zarr", 3, readers.zarrs, readers.make_zarr),
    ("words", 4, readers.words, None),
    ("settings", 7, saved.settings, None),
    ("models", 6, saved.models, None),
    ("bundles", 4, saved.bundles, None),
    ("weights", 3, saved.weights, None),
    ("checkpoints", 3, saved.checkpoints, None),
    ("runs", 2, saved.runs, None),
)
TURNS = [number for number, subject in enumerate(SUBJECTS) for _ in range(subject[1])]
RESUMED_EVERY = 500
"""Of so many cases one goes on with a training."""


@dataclass
class Outcome:
    """What became of the cases."""

    cases: Counter = field(default_factory=Counter)
    calls: Counter = field(default_factory=Counter)
    refused: Counter = field(default_factory=Counter)
    failures: list[tuple[int, str, str]] = field(default_factory=list)
    slowest: tuple[float, int] = (0.0, -1)
    most_bytes: int = 0
    seconds: Counter = field(default_factory=Counter)

    def __str__(self):
        lines = [
            f"{name:12} {self.cases[name]:7,} cases, {self.refused[name]:7,} of {self.calls[name]:7,} reads refused"
            f"{self.seconds[name]:8.1f} s"
            for name in sorted(self.cases)
        ]
        lines += [f"FAILED {number} ({name}): {text}" for number, name, text in self.failures]
        total = f"{sum(self.cases.values()):,} cases, {len(self.failures)} failed"
        return "\n".join([*lines, f"{total}; slowest {self.slowest[0]:.1f} s (case {self.slowest[1]}), "
                                  f"largest process {self.most_bytes / 2**20:,.0f} MB"])  # fmt: skip


def in_fresh_process(function, *arguments):
    """What a function returns in a process that no runtime has started threads in: no fork survives them."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def make_folders(folder):
    """What all cases damage; made in a child, for a training starts threads, which no later fork would survive."""
    child = multiprocessing.get_context("fork").Process(target=_make, args=(folder,))
    child.start()
    child.join()
    assert child.exitcode == 0, "what the cases damage could not be made"


def _make(folder):
    for name, _, _, make in SUBJECTS:
        (folder / name).mkdir(parents=True, exist_ok=True)
        if make is not None:
            make(folder / name)
    saved.make_run(folder / "saved")


def case_of(number, seed, folder):
    """The name and the calls of a case."""
    draw = draw_of(seed, number)
    if number % RESUMED_EVERY == 0:
        return "resumed", saved.resumed(folder / "saved", draw)
    name, _, function, _ = SUBJECTS[TURNS[int(draw.integers(len(TURNS)))]]
    place = folder / ("saved" if function.__module__ == saved.__name__ else name)
    return name, function(place, draw)


def run_cases(first, number, seed, folder):
    """Run cases in children, one after the other; a child goes on until it dies."""
    if not (folder / "saved").exists():
        make_folders(folder)
    _import_large()
    outcome, at, folder = Outcome(), first, folder.resolve()
    while at < first + number:
        at = _watched(at, min(at + CASES_A_CHILD, first + number), seed, folder, outcome)
    return outcome


def _import_large():
    """What networks of timm import on demand: no case should pay for it."""
    prepare_torchvision()
    for name in ("timm", "huggingface_hub.hf_api", "segmentation_models_pytorch"):
        if find_spec(name.partition(".")[0]):
            import_module(name)


def _watched(first, end, seed, folder, outcome):
    """Run one child and note what it says; the number of the next case."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w", buffering=1, encoding="utf-8") as told:
                _child(first, end, seed, folder, told)
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    at, name, last = first - 1, "", ""
    with os.fdopen(reading, encoding="utf-8") as lines:
        while True:
            ready, _, _ = select.select([reading], [], [], HANGS_AFTER)
            if not ready:
                os.kill(child, signal.SIGKILL)
            if not (line := lines.readline()):
                break
            last = line
            told = json.loads(line)
            at, name = told["case"], told["name"]
            if "seconds" in told:
                _note(outcome, told)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0 and "seconds" in last:
        return end
    outcome.cases[name] += 1
    outcome.failures.append((at, name, f"the process ended with {os.waitstatus_to_exitcode(status)}"))
    print("FAILED", *outcome.failures[-1], flush=True)
    return at + 1


def _note(outcome, told):
    name = told["name"]
    outcome.cases[name] += 1
    outcome.calls[name] += told["calls"]
    outcome.refused[name] += told["refused"]
    outcome.seconds[name] += told["seconds"]
    outcome.slowest = max(outcome.slowest, (told["seconds"], told["case"]))
    outcome.most_bytes = max(outcome.most_bytes, told["bytes"])
    found = [(told["case"], name, text) for text in told["failed"]]
    for each in found:
        print("FAILED", *each, flush=True)
    outcome.failures += found


def _child(first, end, seed, folder, told):
    """Run cases until the last."""
    import resource

    os.chdir(folder)  # a damaged path such as .. stays small
    _limit_memory()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for number in range(first, end):
        start = time.process_time()
        print(json.dumps({"case": number, "name": "a case"}), file=told)
        try:
            name, calls = case_of(number, seed, folder)
        except BaseException:
            print(json.dumps({"case": number, "name": traceback.format_exc()[-300:]}), file=told)
            raise
        print(json.dumps({"case": number, "name": name}), file=told)
        failed, refused = _outcome_of(calls)
        seconds = time.process_time() - start
        if seconds > SECONDS:
            failed.append(f"it took {seconds:.1f} s")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        ended = {"calls": len(calls), "refused": refused, "failed": failed, "bytes": peak}
        line = {"case": number, "name": name, "seconds": seconds, **ended}
        print(json.dumps(line), file=told)


def _limit_memory():
    import resource

    for module in [each for name, each in sys.modules.items() if name.startswith("perpixel.files")]:
        for name, value in LIMITS.items():
            if hasattr(module, name):
                setattr(module, name, value)
    for name, value in TIMED.items():
        setattr(timing, name, value)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    taken = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (taken + BYTES, taken + BYTES))


def _outcome_of(calls):
    """What is wrong with how the calls ended, and how many were refused."""
    failed, refused = [], 0
    for call in calls:
        try:
            call()
        except PerpixelError as error:
            refused += 1
            if "Fix: " not in str(error):
                failed.append(f"no way out is told: {error}")
        except BaseException as error:
            place = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in
                     traceback.extract_tb(error.__traceback__)[-6:]]  # fmt: skip
            failed.append(f"{type(error).__name__}: {str(error)[:200]} at {' '.join(place)}")
    return failed, refused


def main():
    """Run so many cases and print what became of them; exit code 1 where one failed."""
    import torch

    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=int)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args()
    start = time.monotonic()
    outcome = run_cases(asked.first, asked.cases, asked.seed, asked.folder)
    print(f"{outcome} in {time.monotonic() - start:.0f} s", flush=True)
    sys.exit(bool(outcome.failures))


if __name__ == "__main__":
    main()
