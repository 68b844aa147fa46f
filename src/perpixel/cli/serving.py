"""The verbs of the server."""

from pathlib import Path
from typing import Annotated, Final, Unpack

import typer

from perpixel import api
from perpixel.cli.typer_options import with_typer_options
from perpixel.language import say
from perpixel.settings.verb_options import ListeningOptions, RankingOptions, ServingOptions

_HEADINGS: Final = {
    "random": "random: a number drawn for each image, the largest first",
    "foreground-random": "foreground-random: a number drawn for each image, 1 more where the model sees foreground",
    "entropy": "entropy: the mean over the pixels in nats, the least sure image first",
    "class-entropy": "class-entropy: the logarithm of the mean over the classes, with noise, the least sure first",
}
"""What the numbers of a ranking are, by its strategy."""


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
    run: Annotated[Path, typer.Argument(help="a run folder or a model file", show_default=False)],
    inputs: Annotated[
        list[str], typer.Argument(metavar="IMAGES...", help="files, folders or globs, not labelled yet")
    ],
    **asked: Unpack[RankingOptions],
) -> None:
    """List the images to label next, the most useful first."""
    ranking = api.next_images(run, inputs, **asked)
    folder = inputs[0] if len(inputs) == 1 and Path(inputs[0]).is_dir() else "IMAGES"
    print(say(_HEADINGS[asked["strategy"]]), ranking, f"{say('Next: ')}perpixel serve {run} {folder}", sep="\n")


def _say_address(address: str) -> None:
    print(f"{say('page: ')}{address}\n{say('stop: Ctrl-C')}", flush=True)
