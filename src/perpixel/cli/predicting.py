"""The command `predict`, and the options that it shares."""

import sys
from pathlib import Path
from typing import Annotated, Unpack

import typer

from perpixel import api
from perpixel.cli.next_step import say_next
from perpixel.cli.progress_bars import bars
from perpixel.cli.typer_options import with_typer_options
from perpixel.cli.wrapping import shown
from perpixel.language import say
from perpixel.settings.prediction_options import PredictionOptions

Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what is there")]


@with_typer_options
def predict(
    run: Annotated[Path, typer.Argument(help="a run folder, a model file or an export", show_default=False)],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="files, folders or globs; - reads a list of them from standard input"
        ),
    ],
    out: Annotated[Path, typer.Option(help="the folder to write to", show_default=False)],
    resume: Annotated[bool, typer.Option("--resume", help="skip images whose outputs are complete")] = False,
    overwrite: Overwrite = False,
    **asked: Unpack[PredictionOptions],
) -> None:
    """Predict images of any size; masks are written as OUT/STEM.png in the encoding of the training masks.

    GeoTIFFs, stacks and very large images give OUT/STEM.tif. What is asked for beside the mask goes to folders of its
    own in OUT, all in one pass.
    """
    if resume and overwrite:
        raise typer.BadParameter("give only one of --resume and --overwrite")
    with bars() as progress:
        written = api.predict(
            run,
            _with_lists(inputs),
            out,
            existing="replace" if overwrite else "skip" if resume else "refuse",
            progress=progress,
            **asked,
        )
    if written or api.speaks():  # a process may have seen tiles of what another one wrote
        print(shown(f"{written}{say(': ')}{out}"))
        if asked["overlay"]:
            print(f"{say('overlays: ')}{out / 'overlays'}")
        say_next("next", run, inputs[0] if len(inputs) == 1 else "IMAGES")


def _with_lists(inputs: list[str]) -> list[str]:
    """The inputs, with the lines of standard input for each "-"; of several processes the first one reads them."""
    lines = sys.stdin.read().splitlines() if "-" in inputs and api.speaks() else []
    return [path for each in inputs for path in (filter(None, lines) if each == "-" else [each])]
