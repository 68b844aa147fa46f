"""Work done ahead in a thread, so that reading, the network and writing overlap."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from queue import Queue
from threading import Event, Thread
from typing import Any, Final, Generic, Self, TypeVar

Item = TypeVar("Item")
_END: Final = object()


def ahead(items: Iterable[Item], count: int) -> Generator[Item]:
    """Give the same items in the same order, made by a thread that starts at once and is at most `count` ahead.

    An error of the thread is raised here, at its item's place. Closing the iterator stops the thread.

    >>> list(ahead(range(3), 2))
    [0, 1, 2]
    """
    made = _made(items, count)
    next(made)  # what starts the thread
    return made


def _made(items: Iterable[object], count: int) -> Generator[Any]:
    queue: Queue[tuple[object, BaseException | None]] = Queue(maxsize=count)
    stopped = Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                queue.put((item, None))
                if stopped.is_set():
                    return
        except BaseException as caught:
            error = caught
        queue.put((_END, error))

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield None
        while (pair := queue.get())[0] is not _END:
            yield pair[0]
        if pair[1] is not None:
            raise pair[1]
    finally:
        stopped.set()
        while thread.is_alive():  # it may wait for a place in the queue
            while not queue.empty():
                queue.get_nowait()
            thread.join(timeout=0.01)


class Consumer(Generic[Item]):
    """A function that takes items from an iterator, run in a thread and fed by `put`.

    As a context manager it waits for the function to end. An error of the function is raised by the next `put` or
    at the end; where the block raises, the function's iterator raises Interrupted, so that it can clean up.
    """

    def __init__(self, consume: Callable[[Iterator[Item]], object], count: int = 1) -> None:
        self._queue: Queue[tuple[object, bool]] = Queue(maxsize=count)
        self._error: BaseException | None = None
        self._consume = consume
        self._thread = Thread(target=self._work, daemon=True)

    def put(self, item: Item) -> None:
        """Hand over the next item; waits while the function is `count` items behind."""
        if self._error is not None:
            raise self._error
        self._queue.put((item, True))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._queue.put((_END, kind is None))
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        items = self._items()
        try:
            self._consume(items)
        except BaseException as caught:
            self._error = caught
        with suppress(Interrupted):
            for _ in items:  # what nobody wants any more, so that `put` never waits for ever
                pass

    def _items(self) -> Iterator[Item]:
        while (pair := self._queue.get())[0] is not _END:
            yield pair[0]  # type: ignore[misc]
        if not pair[1]:
            raise Interrupted


class Interrupted(Exception):  # noqa: N818  (it is no error: the one that counts was raised elsewhere)
    """The items end here because their maker failed."""
