"""The processes that torchrun or SLURM started together, and how they tell each other things."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import RunError
from perpixel.runtime.distributed import started_processes

if TYPE_CHECKING:
    from torch import distributed

T = TypeVar("T")

FIRST: Final = 0
"""The rank of the process that the others listen to."""

PATIENCE: Final = timedelta(days=30)
"""How long a process waits for another one that lives: as long as its images take."""


class Processes:
    """The processes of one prediction; a single one communicates with nobody.

    Args:
        rank: This one's number, from 0.
        number: How many there are.
        group: What joins them, where they are several; it moves what lies in main memory.

    Attributes:
        others: The ranks of those that listen to the first one; one that failed is taken off.
    """

    def __init__(self, rank: int = FIRST, number: int = 1, group: "distributed.ProcessGroup | None" = None) -> None:
        self.rank = rank
        self.number = number
        self.others = list(range(1, number))
        self._group = group

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that joins and writes what several see."""
        return self.rank == FIRST

    def part(self, numbers: range) -> range:
        """Those that are this process's turn, where all whole numbers from 0 are taken in turns.

        >>> [Processes(rank, 3).part(range(5, 9)) for rank in range(3)]
        [range(6, 9, 3), range(7, 9, 3), range(5, 9, 3)]
        """
        return numbers[(self.rank - numbers.start) % self.number :: self.number]

    def first(self, value: T) -> T:
        """What the first process has; called by all at the same point."""
        if self.number == 1:
            return value
        from torch import distributed

        box = [value if self.is_first else None]
        with self.telling_losses():
            distributed.broadcast_object_list(box, FIRST, self._group)
        return box[0]  # type: ignore[return-value] # it holds what the first process put there

    def gathered(self, value: T) -> list[T]:
        """What each process has, by rank; called by all at the same point."""
        if self.number == 1:
            return [value]
        from torch import distributed

        values: list[Any] = [None] * self.number
        with self.telling_losses():
            distributed.all_gather_object(values, value, self._group)
        return values

    def send(self, rank: int, value: object, array: NDArray[np.float32] | None = None) -> None:
        """Tell one process something, and hand it an array; waits until that one receives them."""
        import torch
        from torch import distributed

        with self.telling_losses():
            distributed.send_object_list([value, None if array is None else array.shape], rank, self._group)
            if array is not None:
                distributed.send(torch.from_numpy(np.ascontiguousarray(array)), rank, self._group)

    def receive(self, rank: int) -> tuple[Any, NDArray[np.float32] | None]:
        """Wait for what one process sends: a value, and an array or None."""
        import torch
        from torch import distributed

        box: list[Any] = [None, None]
        with self.telling_losses():
            distributed.recv_object_list(box, rank, self._group)
            value, shape = box
            if shape is None:
                return value, None
            array = torch.empty(shape, dtype=torch.float32)
            distributed.recv(array, rank, self._group)
        received: NDArray[np.float32] = array.numpy()
        return value, received

    @contextmanager
    def telling_losses(self) -> Iterator[None]:
        """Tell it as a RunError where another process is lost."""
        try:
            yield
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0]
            raise RunError(
                f"process {self.rank} of {self.number} lost another one while predicting: {reason}",
                fix="see what that one says, and go on with `existing='skip'`.",
            ) from error


def joined() -> Processes:
    """Join the processes that were started together, if there are several.

    Raises:
        RunError: They do not find each other.
    """
    started = started_processes()
    if started is None and "torch.distributed" not in sys.modules:
        return Processes()
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):  # a training may have joined them
        if started is None:
            return Processes()
        with Processes(started.rank, started.number).telling_losses():
            distributed.init_process_group(
                "gloo", init_method=started.address, rank=started.rank, world_size=started.number
            )
    return _joined(distributed.get_rank(), distributed.get_world_size())


@cache
def _joined(rank: int, number: int) -> Processes:
    """In a group of their own, made once: that of a training may move only what lies on GPUs."""
    from torch import distributed

    with Processes(rank, number).telling_losses():
        return Processes(rank, number, distributed.new_group(backend="gloo", timeout=PATIENCE))
