"""What every request passes: who may ask, from where, and how much it may send; and the headers of every answer."""

import asyncio
import base64
import binascii
import contextlib
import hmac
import time
from collections.abc import MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perpixel.web.serve_options import LOOPBACK, ServeOptions

COOKIE: Final = "perpixel_token"
OPEN_PATHS: Final = ("/health",)
"""What a monitor may ask without the token; it tells nothing about the model or the images."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware around the whole application.

    Args:
        app: The application.
        options: Address, token and limits.
    """

    def __init__(self, app: ASGIApp, options: ServeOptions) -> None:
        self.app, self.options = app, options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it on with a bounded body; add the headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bounded = _Body(receive, self.options)
        refusal = self._refusal(scope)
        if refusal is not None:
            await bounded.drain()
            await refusal(scope, receive, _with_headers(send))
            return
        await self.app(scope, bounded.receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._is_own_host(headers.get("host", "")):
            return _error(421, "this host name is not served here.")
        if _is_cross_site(headers, scope):
            return _error(403, "requests from pages of other sites are refused.")
        if self.options.token is None or scope["path"] in OPEN_PATHS:
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if scope["path"] == "/" and self._is_token(query.get("token", [""])[0]):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, self.options.token, httponly=True, samesite="strict")
            return answer
        if any(map(self._is_token, _shown_tokens(headers))):
            return None
        return _error(401, "a token is needed.", {"WWW-Authenticate": 'Basic realm="perpixel"'})

    def _is_own_host(self, host: str) -> bool:
        """On loopback, only its own names: a foreign name that resolves to it is an attack (DNS rebinding)."""
        if self.options.host not in LOOPBACK:
            return True
        try:
            return urlsplit(f"//{host}").hostname in LOOPBACK
        except ValueError:
            return False

    def _is_token(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), (self.options.token or "").encode())


class _Body:
    """The body of a request, bounded in bytes and in time."""

    def __init__(self, receive: Receive, options: ServeOptions) -> None:
        self._receive, self._options = receive, options
        self._bytes, self._is_whole = 0, False
        self._end = time.monotonic() + options.body_seconds

    async def receive(self) -> Message:
        """The next message. Raises HTTPException 413 or 408."""
        if self._is_whole:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._end - time.monotonic()))
        except TimeoutError:
            limit = f"{self._options.body_seconds:g} seconds"
            raise HTTPException(408, f"the body did not arrive within {limit}.") from None
        self._bytes += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._bytes > self._options.upload_bytes:
            raise HTTPException(413, f"the body is larger than {self._options.upload_bytes:,} bytes.")
        return message

    async def drain(self) -> None:
        """Read what is left and forget it, so that the client can read its answer."""
        try:
            while not self._is_whole:
                await self.receive()
        except HTTPException:
            return


def _is_cross_site(headers: Headers, scope: Scope) -> bool:
    origin = headers.get("origin")
    if origin is not None:
        try:
            return urlsplit(origin).netloc != headers.get("host")
        except ValueError:
            return True
    site = headers.get("sec-fetch-site", "none")
    is_visit = scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
    return site not in ("none", "same-origin") and not is_visit


def _shown_tokens(headers: Headers) -> list[str]:
    shown = []
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        shown.append(value.strip())
    elif scheme.lower() == "basic":
        with contextlib.suppress(binascii.Error, UnicodeDecodeError):
            shown.append(base64.b64decode(value, validate=True).decode().partition(":")[2])
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        cookie = None
    return shown + ([cookie.value] if cookie else [])


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status, headers)


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
