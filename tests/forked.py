"""Processes joined as torchrun would, forked because they then need not import torch again."""

import multiprocessing
import os
import socket
import traceback

import lightning_fabric  # noqa: F401 # takes the process for a notebook if first imported where a test plays one
import pytest
import torch

from perpixel.training import ranks


def joined(work, folder, number=2):
    """Let forked processes do the same work; their errors as text, by rank."""
    if not hasattr(os, "fork"):
        pytest.skip("this system forks no processes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def process(rank):
        torch.set_num_threads(1)
        here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": number, "LOCAL_WORLD_SIZE": number}
        there = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
        os.environ |= {name: str(value) for name, value in {**here, **there, "OMP_NUM_THREADS": 1}.items()}
        ranks._joined.cache_clear()
        try:
            work(rank)
            told = ""
        except BaseException as error:
            told = f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
        (folder / f"rank-{rank}.txt").write_text(told)
        os._exit(0)  # nothing of pytest's

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=process, args=(rank,)) for rank in range(number)]
    for each in processes:
        each.start()
    for each in processes:
        each.join(60)
        assert not each.is_alive(), "it hangs"
    return [
        path.read_text() if path.exists() else "killed" for path in (folder / f"rank-{r}.txt" for r in range(number))
    ]
