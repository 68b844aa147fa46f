"""The verbs of the server."""

from pathlib import Path
from typing import Annotated, Unpack

import typer

from perpixel import api
from perpixel.cli.next_step import say_next
from perpixel.cli.progress_bars import bars
from perpixel.cli.typer_options import with_typer_options
from perpixel.cli.wrapping import shown
from perpixel.language import say
from perpixel.settings.verb_options import ListeningOptions, RankingOptions, ServingOptions


@with_typer_options
def serve(
    run: Annotated[Path, typer.Argument(help="a run folder, a model file or an export", show_default=False)],
    images: Annotated[Path | None, typer.Argument(help="a folder of images to look at")] = None,
    **asked: Unpack[ServingOptions],
) -> None:
    """Serve a model: a page in the browser, and an interface for programs."""
    api.serve(run, images, announce=_say_address, **asked)


@with_typer_options
def annotate(
    images: Annotated[Path, typer.Argument(help="a folder of images", show_default=False)],
    classes: Annotated[str, typer.Option(help="names, the background first: background,nucleus", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(help="folder for the labels; by default IMAGES-labels", show_default=False)
    ] = None,
    **asked: Unpack[ListeningOptions],
) -> None:
    """Label images in the browser from scratch, and train on the labels there."""
    api.annotate(images, [name.strip() for name in classes.split(",")], out, announce=_say_address, **asked)


@with_typer_options
def next_images(
    run: Annotated[Path, typer.Argument(help="a run folder, a model file or an export", show_default=False)],
    inputs: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="files, folders or globs, not labelled yet")
    ],
    **asked: Unpack[RankingOptions],
) -> None:
    """List the images to label next, the most useful first."""
    with bars() as progress:
        ranking = api.next_images(run, inputs, progress=progress, **asked)
    folder = inputs[0] if len(inputs) == 1 and Path(inputs[0]).is_dir() else "IMAGES"
    print(shown(str(ranking)))
    say_next("serve", run, folder)


def _say_address(address: str) -> None:
    print(f"{say('page: ')}{address}\n{say('stop: Ctrl-C')}", flush=True)
