"""One thread for the network, and a bounded number of requests that wait for it."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

Found = TypeVar("Found")
RETRY_SECONDS: Final = 1


class ClientGone(Exception):  # noqa: N818 # nothing is wrong: nobody waits for the answer
    """The client closed the connection before its answer was ready."""


class Worker:
    """Runs one piece of work at a time, in the order of arrival.

    Args:
        places: Requests that may hold a place at once, the one at work among them.
    """

    def __init__(self, places: int) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="perpixel-worker")
        self._free = places

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while a body is read and its answer is computed. Raises HTTPException 429 where all are taken.

        To be entered in the event loop's thread.
        """
        if self._free == 0:
            raise HTTPException(
                429, "the server is busy; try again later.", headers={"Retry-After": str(RETRY_SECONDS)}
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    def soon(self, work: Callable[[], object]) -> None:
        """Run a function in its turn; nobody waits for it."""
        self._executor.submit(work)

    async def run(self, request: Request, work: Callable[[], Found]) -> Found:
        """Wait for the result of a function; it is dropped where the client goes away before it has begun.

        Raises:
            ClientGone: The client went away.
        """
        future = asyncio.wrap_future(self._executor.submit(work))
        gone = asyncio.create_task(_disconnected(request))
        gone.add_done_callback(lambda _: future.cancel())  # which does nothing to work that is done
        try:
            return await future
        except asyncio.CancelledError:
            if gone.done():
                raise ClientGone from None
            raise
        finally:
            gone.cancel()

    def close(self) -> None:
        """Wait for the work that has begun, and drop the rest."""
        self._executor.shutdown(cancel_futures=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
