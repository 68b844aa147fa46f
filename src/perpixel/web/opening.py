"""The first second of a server: the page is there at once, while PyTorch and the model are still being loaded."""

import asyncio
import time
from collections.abc import Callable
from threading import Event
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from perpixel.web import page_routes
from perpixel.web.guard import Guard
from perpixel.web.serve_options import ServeOptions

IDLE_SECONDS: Final = 0.25
"""Without a request for so long, loading begins: it would hold up the files of the page."""

POLL_SECONDS: Final = 0.02


class Opening:
    """ASGI application: the page's own files, and everything else once the whole application is built.

    Args:
        options: Address, token and limits.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._page = Starlette(
            routes=[Route(each.path, each.handler, methods=[each.method]) for each in page_routes.OWN_FILES],
            middleware=[Middleware(Guard, options=options)],
        )
        self._page.state.page_files = page_routes.page_files()
        self._whole: ASGIApp | None = None
        self._is_over = Event()
        self._is_wanted = Event()
        self._asked = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what needs the model waits for it."""
        if scope["type"] != "http":
            return
        self._asked = time.monotonic()
        if not page_routes.is_own_file(scope["path"]):
            self._is_wanted.set()
            while not self._is_over.is_set():
                await asyncio.sleep(POLL_SECONDS)
            if self._whole is None:
                await JSONResponse({"error": "the server stops: its model cannot be read."}, 503)(
                    scope, receive, send
                )
                return
        await (self._whole or self._page)(scope, receive, send)

    def build(self, whole: Callable[[], ASGIApp]) -> None:
        """Build the whole application in the calling thread, once the page is out. Raises what `whole` raises."""
        while not self._is_wanted.wait(POLL_SECONDS) and time.monotonic() - self._asked < IDLE_SECONDS:
            pass
        try:
            self._whole = whole()
        finally:
            self._is_over.set()
