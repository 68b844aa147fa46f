"""The processes that torchrun or SLURM's srun started together: who this one is, and where they meet."""

import os
import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Started:
    """This process among those that were started together.

    Args:
        rank: Its number, from 0.
        number: How many there are.
        machines: On how many machines; each has as many.
        address: Where they meet, tcp://HOST:PORT.
    """

    rank: int
    number: int
    machines: int
    address: str

    @property
    def on_this_machine(self) -> int:
        """How many of them this machine has."""
        return self.number // self.machines


def started_processes() -> Started | None:
    """What torchrun or srun tell this process; None where it was started alone."""
    here = os.environ
    if "RANK" in here and "WORLD_SIZE" in here:
        rank, number = int(here["RANK"]), int(here["WORLD_SIZE"])
        machines = number // int(here.get("LOCAL_WORLD_SIZE", number))
        host, port = "127.0.0.1", 29_500  # torchrun names both
    elif "SLURM_STEP_NUM_TASKS" in here:  # the step is srun's; a batch script has none
        rank, number = int(here["SLURM_PROCID"]), int(here["SLURM_STEP_NUM_TASKS"])
        machines = int(here.get("SLURM_STEP_NUM_NODES", here.get("SLURM_NNODES", "1")))
        nodes = here["SLURM_STEP_NODELIST"]
        host = re.sub(r"\[(\w+)[^]]*]", r"\1", nodes).partition(",")[0]  # the first of gpu[07-09,12] is gpu07
        port = 15_000 + int(here["SLURM_JOB_ID"]) % 10_000
    else:
        return None
    host, port = here.get("MASTER_ADDR", host), int(here.get("MASTER_PORT", port))
    return Started(rank, number, machines, f"tcp://{host}:{port}") if number > 1 else None


def is_main_process() -> bool:
    """Whether this is the first, or only, of the processes that torchrun, SLURM or Fabric started together."""
    names = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # Fabric numbers those that it starts on one machine
    return next((os.environ[name] for name in names if name in os.environ), "0") == "0"


def local_rank() -> int:
    """The number of this process on its machine, from 0."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
