"""How fast batches are made, beside how fast training consumes them: `python benchmarks/loader.py dsb2018 camvid …`.

For each set under ../shared/data the plan of five minutes is made; then batches alone, one thread after the other
without a network: the first time round (images are read and decoded) and from the cache.
"""

import argparse
import itertools
import time
from pathlib import Path

from perpixel.runtime.allocator import keep_freed_memory
from perpixel.settings.tree import request_from
from perpixel.training.session import Session
from perpixel.training.setup import prepare_training
from perpixel.training.timing import time_step

SHARED = Path("../shared/data")
SECONDS = 6.0


def seconds_a_batch(session: Session, first: int, most: int) -> float:
    """Mean over `most` batches from a step on, or over those of the first SECONDS."""
    slots = range(session.settings.train.batch_size)
    start = time.monotonic()
    for made in itertools.count(1):
        session.batches(first + made, slots)
        if made == most or time.monotonic() - start > SECONDS:
            return (time.monotonic() - start) / made
    raise AssertionError


def main() -> None:
    """Print a row a set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="+")
    keep_freed_memory()
    print("| data | views a step | cold, images/s | cached, images/s | training, images/s | cached / training |")
    print("|---|---:|---:|---:|---:|---:|")
    for data in parser.parse_args().data:
        session = prepare_training(SHARED / data, request_from({"train": {"minutes": 5}})).session
        size = session.settings.train.batch_size
        epoch = session.batches.steps_per_epoch
        cold = size / seconds_a_batch(session, 0, epoch)
        seconds_a_batch(session, epoch, epoch)  # whatever is not cached yet
        cached = size / seconds_a_batch(session, 2 * epoch, epoch)
        training = size / time_step(session, SECONDS)
        print(
            f"| {data} | {size} | {cold:.0f} | {cached:.0f} | {training:.1f} | {cached / training:.1f} |", flush=True
        )


if __name__ == "__main__":
    main()
