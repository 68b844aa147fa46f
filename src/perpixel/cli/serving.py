"""The verbs of the server."""

from pathlib import Path
from typing import Annotated

import typer

from perpixel import api
from perpixel.language import say
from perpixel.runtime.choices import RankingStrategy

Port = Annotated[int, typer.Option(help="port of the page; 0 for a free one")]
Host = Annotated[str, typer.Option(help="the address to listen on; others than loopback need --token")]
Token = Annotated[str | None, typer.Option(envvar="PERPIXEL_TOKEN", help="token that clients must send")]


def serve(  # noqa: PLR0913, PLR0917 # one parameter an option
    run: Annotated[Path, typer.Argument(help="a run folder, a model file or an export", show_default=False)],
    images: Annotated[Path | None, typer.Argument(help="a folder of images to look at")] = None,
    port: Port = 7860,
    host: Host = "127.0.0.1",
    token: Token = None,
    labels: Annotated[
        Path | None, typer.Option(help="folder for the labels; by default IMAGES-labels", show_default=False)
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="view only: no painting, no training")] = False,
    label_studio: Annotated[
        bool, typer.Option("--label-studio", help="also serve as a Label Studio backend")
    ] = False,
) -> None:
    """Serve a model: a page in the browser, and an interface for programs."""
    api.serve(
        run,
        images,
        host=host,
        port=port,
        token=token,
        read_only=read_only,
        label_studio=label_studio,
        labels=labels,
        announce=_say_address,
    )


def annotate(  # one parameter an option
    images: Annotated[Path, typer.Argument(help="a folder of images", show_default=False)],
    classes: Annotated[str, typer.Option(help="names, the background first: background,nucleus", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="folder for the labels; by default IMAGES-labels", show_default=False)
    ] = None,
    port: Port = 7860,
    host: Host = "127.0.0.1",
    token: Token = None,
) -> None:
    """Label images in the browser from scratch, and train on the labels there."""
    names = [name.strip() for name in classes.split(",")]
    api.annotate(images, names, out, host=host, port=port, token=token, announce=_say_address)


def next_images(
    run: Annotated[Path, typer.Argument(help="a run folder or a model file", show_default=False)],
    inputs: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="files, folders or globs, not labelled yet")
    ],
    images: Annotated[int, typer.Option(min=1, help="number of images to list")] = 10,
    strategy: Annotated[
        RankingStrategy,
        typer.Option(help="a draw, a draw among images where the model sees something, or what it is unsure of"),
    ] = "foreground-random",
    seed: Annotated[int, typer.Option(help="random seed of the draw")] = 0,
) -> None:
    """List the images to label next, the most useful first."""
    print(api.next_images(run, inputs, images=images, strategy=strategy, seed=seed))


def _say_address(address: str) -> None:
    print(f"{say('page: ')}{address}\n{say('stop: Ctrl-C')}", flush=True)
