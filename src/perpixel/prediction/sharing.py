"""Images that several processes predict together: each sees some batches of tiles, the first one joins and writes.

    the first process   asks for the answers to batches 0, 1, 2, … in their order, joins them and writes
    process r of N      sees batches r, r + N, r + 2N, … ahead of being asked, at most two of them

Batches, and the order in which their answers are joined, are those of a single process: the files are the same.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError, Problem, RunError
from perpixel.files.read import Header, open_image
from perpixel.prediction.arrays import ArrayPredictor, WindowBatch, WindowProbabilities
from perpixel.prediction.memory import settle_freed_memory
from perpixel.prediction.pipeline import ahead
from perpixel.prediction.process_group import FIRST, Processes
from perpixel.prediction.window_engine import EngineShape


def divided_tiles(tiles: Mapping[int, int], processes: int) -> tuple[list[list[int]], list[int]]:
    """Divide large images among processes.

    The largest are predicted by all of them together, until the others go round: as many for each process, and none
    with more than a process's share of their tiles.

    Args:
        tiles: Of each image.
        processes: How many there are.

    Returns:
        The images of each process, and those of all together.

    >>> divided_tiles({7: 20, 8: 20, 9: 20}, processes=2)
    ([[8], [9]], [7])
    >>> divided_tiles({7: 20, 8: 120, 9: 20, 10: 20, 11: 20, 12: 30}, processes=2)
    ([[7, 10], [9, 11]], [8, 12])
    """
    largest_first = sorted(tiles, key=lambda image: (-tiles[image], image))
    left, total = deque(largest_first), sum(tiles.values())
    while left and (len(left) % processes or tiles[left[0]] * processes > total):
        total -= tiles[left.popleft()]
    shares: list[list[int]] = [[] for _ in range(processes)]
    loads = [0] * processes
    for image in left:
        rank = loads.index(min(loads))
        shares[rank].append(image)
        loads[rank] += tiles[image]
    together = largest_first[: len(tiles) - len(left)]
    return [sorted(share) for share in shares], sorted(together)


@dataclass(frozen=True)
class SharingPlan:
    """What the processes have to agree on before they see an image.

    Args:
        source: The image file.
        size: Height and width of a page.
        pages: How many.
        batch_tiles: Tiles that go through the networks at once.
        backend: What runs the networks, and why; see `ArrayPredictor.backend`.
        engine_shapes: See `Inference.engine_shapes`.
    """

    source: Path
    size: tuple[int, int]
    pages: int
    batch_tiles: int
    backend: str
    engine_shapes: tuple[EngineShape, ...]


def planned(predictor: ArrayPredictor, source: Path, header: Header) -> SharingPlan:
    """Decide for an image as a single process would. Raises DataError where its first tiles are needed and broken."""
    tiling = predictor.tiling(*header.size)
    tiles = predictor.batch_tiles(tiling)
    if not predictor.backend:
        with open_image(source) as image:
            first = predictor.batches(tiling, tiles)[0]
            predictor.decide_backend(tiling, predictor.batch(image, tiling, first, str(source)))
    return SharingPlan(source, header.size, header.pages, tiles, predictor.backend, predictor.inference.engine_shapes)


class SharedImage:
    """An image as its first process has it, while all of them see it.

    Args:
        processes: The others are in `see_with_first`.
        predictor: The networks and their codec.
        plan: Of the image.
    """

    def __init__(self, processes: Processes, predictor: ArrayPredictor, plan: SharingPlan) -> None:
        self._processes, self._plan = processes, plan
        self._share = _Share(processes, predictor, plan)
        for rank in processes.others:
            processes.send(rank, plan)

    def answers(self, page: int) -> Iterator[WindowProbabilities]:
        """The answers to the batches of a page, in their order.

        Raises:
            DataError: A process cannot read a batch; the pages after this one may still be asked for.
            RunError: A process is lost.
        """
        for number in self._share.numbers(page):
            rank = number % self._processes.number
            yield self._share.answer(number) if rank == FIRST else self._asked(rank, number)

    def close(self) -> None:
        """Stop to see ahead."""
        self._share.close()

    def _asked(self, rank: int, number: int) -> WindowProbabilities:
        self._processes.send(rank, number)
        reply, values = self._processes.receive(rank)
        if values is not None:
            return WindowProbabilities(values, reply.empties)
        if reply.problems:
            raise DataError.of(reply.problems)
        self._processes.others.remove(rank)
        raise RunError(
            f"process {rank} of {self._processes.number} failed at {self._plan.source}: {reply.failure}",
            fix="see what it says, and go on with `existing='skip'`.",
        )


def see_with_first(processes: Processes, predictor: ArrayPredictor) -> None:
    """See this process's batches of the images that the first one shares, until that has no more.

    Raises:
        RunError: The first process is lost.
    """
    share: _Share | None = None
    try:
        while (told := processes.receive(FIRST)[0]) is not None:
            if isinstance(told, SharingPlan):
                if share is not None:
                    share.close()
                share = _Share(processes, predictor, told)
            else:
                assert share is not None, "a plan comes before it is asked for"
                _reply(processes, share, told)
    finally:
        if share is not None:
            share.close()


def end_sharing(processes: Processes) -> None:
    """Let the others go: there is no more to see."""
    for rank in processes.others:
        with suppress(RunError):  # one that is lost was told of where it was missed
            processes.send(rank, None)


class _Share:
    """This process's batches of an image, whose answers are made ahead in their order.

    Args:
        processes: All that see the image.
        predictor: The networks and their codec.
        plan: Of the image.
    """

    def __init__(self, processes: Processes, predictor: ArrayPredictor, plan: SharingPlan) -> None:
        self._processes, self._predictor, self._plan = processes, predictor, plan
        self._tiling = predictor.tiling(*plan.size)
        self._batches = predictor.batches(self._tiling, plan.batch_tiles)
        self._asked = 0
        self._made = ahead(self._answers(), 1)

    def numbers(self, page: int) -> range:
        """The numbers of a page's batches, counted over all pages and processes."""
        return range(page * len(self._batches), (page + 1) * len(self._batches))

    def answer(self, number: int) -> WindowProbabilities:
        """The answer to one of this process's batches; those before it are left out from here on.

        Raises:
            DataError: The batch cannot be read.
        """
        self._asked = number
        found = next(answer for each, answer in self._made if each == number)
        if isinstance(found, DataError):
            raise found
        return found

    def close(self) -> None:
        """Stop to see ahead."""
        self._made.close()

    def _answers(self) -> Iterator[tuple[int, WindowProbabilities | DataError]]:
        tiles = len(self._tiling)
        settle_freed_memory(tiles)
        self._predictor.adopt_backend(self._plan.backend, self._plan.engine_shapes)
        for number, batch in ahead(self._read(), 1) if tiles > 1 else self._read():
            yield number, batch if isinstance(batch, DataError) else self._predictor.answer(batch)

    def _read(self) -> Iterator[tuple[int, WindowBatch | DataError]]:
        """This process's batches, and for a damaged page an error where its damage begins."""
        for page in range(self._plan.pages):
            numbers = self.numbers(page)
            mine = deque(self._processes.part(numbers))
            if not mine or mine[-1] < self._asked:
                continue
            try:
                with open_image(self._plan.source, page) as image:
                    while mine:
                        if mine[0] >= self._asked:
                            tiles = self._batches[mine[0] - numbers.start]
                            yield mine[0], self._predictor.batch(image, self._tiling, tiles, str(self._plan.source))
                        mine.popleft()
            except DataError as error:
                yield mine[0], error


@dataclass(frozen=True)
class _Reply:
    """What goes with the values of an answer, or stands in their place.

    Args:
        empties: See `Answer`.
        problems: Of a DataError.
        failure: The name and first line of another error, which ends the process.
    """

    empties: list[NDArray[np.bool_] | None] = field(default_factory=list)
    problems: tuple[Problem, ...] = ()
    failure: str = ""


def _reply(processes: Processes, share: _Share, number: int) -> None:
    """Answer to the first process, which waits for it."""
    try:
        answer = share.answer(number)
    except DataError as error:
        processes.send(FIRST, _Reply(problems=error.problems))
    except BaseException as error:
        processes.send(FIRST, _Reply(failure=f"{type(error).__name__}: {error}".splitlines()[0]))
        raise
    else:
        processes.send(FIRST, _Reply(answer.empties), answer.values)
