"""The verbs of the server."""

from pathlib import Path
from typing import Annotated

import typer

from perpixel import api

Port = Annotated[int, typer.Option(help="of the page; 0 for a free one")]
Host = Annotated[str, typer.Option(help="the address to listen on; others than loopback need --token")]
Token = Annotated[str | None, typer.Option(envvar="PERPIXEL_TOKEN", help="what clients have to show")]


def serve(  # one parameter an option
    run: Annotated[Path, typer.Argument(help="a run folder or a model file", show_default=False)],
    images: Annotated[Path | None, typer.Argument(help="a folder of images to look at")] = None,
    port: Port = 7860,
    host: Host = "127.0.0.1",
    token: Token = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="look only: nothing is painted or trained")] = False,
) -> None:
    """Serve a model: a page in the browser, and an interface for programs."""
    api.serve(run, images, host=host, port=port, token=token, read_only=read_only, announce=_say_address)


def _say_address(address: str) -> None:
    print(f"page: {address}\nstop: Ctrl-C", flush=True)
