"""What a server is started with, and the limits that it keeps."""

from dataclasses import dataclass
from typing import Final

from perpixel.errors import SettingsError

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ServeOptions:
    """How a server listens, and what it refuses.

    Args:
        host: The address to listen on; any but the loopback ones needs a token.
        port: The port; 0 takes a free one.
        token: What a client has to show, as a bearer token, as the password of basic authentication, or once as
            `/?token=…`, which sets a cookie.
        read_only: Whether nothing is painted and nothing is trained.
        label_studio: Whether Label Studio's four routes are served.
        upload_bytes: The largest body that is read.
        upload_pixels: The most pixels of an uploaded image, over its pages.
        places: Requests that may wait for the network at once; further ones are answered 429.
        body_seconds: How long a client may take to send a body.

    Raises:
        SettingsError: A value out of its range, or an open address without a token.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    token: str | None = None
    read_only: bool = False
    label_studio: bool = False
    upload_bytes: int = 2**28
    upload_pixels: int = 2**26
    places: int = 32
    body_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise SettingsError(f"port {self.port} is not in 0..65535.", fix="choose one such as 7860.")
        if self.host not in LOOPBACK and not self.token:
            raise SettingsError(
                f"the address {self.host} can be reached from other machines, and no token is set.",
                fix="set a token, or serve on 127.0.0.1.",
            )
        if self.token is not None and (len(self.token) < 8 or not self.token.isascii() or " " in self.token):
            raise SettingsError(
                "the token has fewer than 8 characters, or others than ASCII without spaces.",
                fix="choose a longer one, such as the output of `python -c 'import secrets; "
                "print(secrets.token_urlsafe())'`.",
            )
