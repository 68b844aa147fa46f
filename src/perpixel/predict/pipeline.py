"""Work done ahead in a thread, so that reading, the network and writing overlap."""

from collections.abc import Iterable, Iterator
from queue import Queue
from threading import Event, Thread
from typing import Final, TypeVar

Item = TypeVar("Item")
_END: Final = object()


def ahead(items: Iterable[Item], count: int) -> Iterator[Item]:
    """Give the same items in the same order, made by a thread that is at most `count` of them ahead.

    An error of the thread is raised here, at its item's place. Closing the iterator stops the thread.

    >>> list(ahead(range(3), 2))
    [0, 1, 2]
    """
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
        while (pair := queue.get())[0] is not _END:
            yield pair[0]  # type: ignore[misc]
        if pair[1] is not None:
            raise pair[1]
    finally:
        stopped.set()
        while thread.is_alive():  # it may wait for a place in the queue
            while not queue.empty():
                queue.get_nowait()
            thread.join(timeout=0.01)
