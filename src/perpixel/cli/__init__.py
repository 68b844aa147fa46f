"""The command line: parses, calls the API, prints. Exit code 0 done, 1 the user can mend it, 2 wrong usage."""

import json
import sys
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import Annotated, Unpack

import typer

from perpixel import __version__, api
from perpixel.api import catalogue
from perpixel.api.given import scores_folder
from perpixel.cli import predicting, serving
from perpixel.cli.entry import run_application
from perpixel.cli.next_step import say_next
from perpixel.cli.predicting import Overwrite
from perpixel.cli.progress_bars import bars
from perpixel.cli.spoken import with_language
from perpixel.cli.typer_options import PlanArguments, TrainArguments, request, with_typer_options
from perpixel.cli.wrapping import shown
from perpixel.language import counted, current, say, translated
from perpixel.runtime.colours import paint_for
from perpixel.settings.verb_options import (
    CheckingOptions,
    ComparisonOptions,
    ConversionOptions,
    DemoOptions,
    EvaluationOptions,
    ExportingOptions,
    PruningOptions,
)

app = typer.Typer(
    help="Semantic segmentation of 2-D images: check → plan → train → evaluate → predict.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path, typer.Argument(help="a folder of images and masks, or a dataset.yaml", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(help="a run folder", show_default=False)]
RunOrExport = Annotated[Path, typer.Argument(help="a run folder or an export", show_default=False)]


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"perpixel {__version__}")
        raise typer.Exit


@app.callback()
@with_language
def perpixel(
    version: Annotated[  # its callback has printed it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Semantic segmentation of 2-D images: check → plan → train → evaluate → predict."""


@app.command()
@with_language
@with_typer_options
def demo(
    out: Annotated[Path, typer.Option(help="folder for data, run and predictions")] = Path("runs/demo"),
    **asked: Unpack[DemoOptions],
) -> None:
    """Train on generated drawings of six overlapping shapes: needs no data and no internet connection."""
    with bars() as progress:
        answer = api.demo(out, progress=progress, **asked)
    print(shown(str(answer)))
    print(f"\n{say('report: ')}{out / 'run' / 'report.html'}\n{say('predictions: ')}{out / 'predictions'}")
    say_next("check", "DATA")


@app.command()
@with_language
@with_typer_options
def check(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="write a page and dataset.yaml there", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
    **asked: Unpack[CheckingOptions],
) -> int:
    """Check a folder: its images, classes, split and problems; exit code 0 if it can be used."""
    with bars() as progress:
        answer = api.check(data, out, progress=progress, **asked)
    if as_json:
        print(json.dumps(answer.to_dict(), indent=2, ensure_ascii=False))
    else:
        from perpixel.report.check_card import check_card

        typer.echo(shown(check_card(answer, paint_for())), color=True)  # what is plain stays so
    return 0 if answer.is_usable else 1


@app.command()
@with_language
@with_typer_options
def convert(
    data: Data,
    out: Annotated[Path, typer.Argument(help="the new folder", show_default=False)],
    **asked: Unpack[ConversionOptions],
) -> None:
    """Convert a folder to plain images and masks that other programs can read."""
    with bars() as progress:
        answer = api.convert(data, out, progress=progress, **asked)
    print(shown(str(answer)))
    say_next("check", out)


@app.command()
@with_language
@with_typer_options
def plan(
    data: Data,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write the settings, for train --config")] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write a PNG of the first training crops")
    ] = None,
    **asked: Unpack[PlanArguments],
) -> None:
    """Show how a folder would be trained on, why, and how far the budget goes on this machine."""
    with bars() as progress:
        answer = api.plan(data, out=out, pictures=pictures, progress=progress, **request(asked))
    if api.speaks():
        print(shown(str(answer)))
        config = ["--config", out] if out else []
        same = say(" with the same options") if not out and any(asked.values()) else ""
        say_next("train", data, *config, note=same)


@app.command("find-lr")
@with_language
@with_typer_options
def find_lr(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="write a PNG of the loss over the learning rate")
    ] = None,
    **asked: Unpack[PlanArguments],
) -> None:
    """Test which learning rates a network learns at: a hundred steps at an ever higher one."""
    with bars() as progress:
        answer = api.find_lr(data, out=out, progress=progress, **request(asked))
    if api.speaks():
        print(shown(str(answer)))
        if out:
            print(f"{say('picture: ')}{out}")
        if answer.suggested is not None:
            same = say(" with the same options") if any(asked.values()) else ""
            say_next("train", data, "--set", f"train.learning_rate={answer.suggested:.1e}", note=same)


@app.command()
@with_language
@with_typer_options
def train(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="the run folder; by default runs/NAME", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted run")] = False,
    overwrite: Overwrite = False,
    **asked: Unpack[TrainArguments],
) -> None:
    """Train a network on a folder of images and masks within a budget."""
    with bars() as progress:
        run = api.train(
            data, out, resume=resume, overwrite=overwrite, language=current(), progress=progress, **request(asked)
        )
    if api.speaks():
        steps, best = run.outcome()
        if not isnan(best):
            trained = counted(steps, "step")
            told = say("trained for {steps}; best validation mean IoU {best}", steps=trained, best=f"{best:.3f}")
            print(shown(told))
        print(say("run: ") + str(run.folder), say("report: ") + str(run.folder / "report.html"), sep="\n")
        say_next("evaluate", run.folder)


@app.command()
@with_language
@with_typer_options
def evaluate(
    run: RunOrExport,
    data: Annotated[Path | None, typer.Argument(help="another labelled folder, scored whole")] = None,
    **asked: Unpack[EvaluationOptions],
) -> None:
    """Score a run on unseen images at native resolution."""
    with bars() as progress:
        answer = api.evaluate(run, data, language=current(), progress=progress, **asked)
    print(shown(str(answer)))
    say_next("predict", run, "IMAGES", "--out", "MASKS")


@app.command()
@with_language
@with_typer_options
def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN RUN... [DATA]", help="run folders or exports, then a labelled folder if you like"
        ),
    ],
    **asked: Unpack[ComparisonOptions],
) -> None:
    """Compare runs on the same images, with intervals; the last path is a labelled folder if it is no run."""
    known = ("settings.yaml", "card.json")  # a run's, an export's
    is_data = len(runs) > 2 and runs[-1].is_dir() and not any((runs[-1] / name).is_file() for name in known)
    data = runs.pop() if is_data else None
    with bars() as progress:
        answer = api.compare(runs, data, language=current(), progress=progress, **asked)
    print(shown(str(answer)))
    print(f"{say('page: ')}{Path(asked['out'] or scores_folder(runs[-1])) / 'compare.html'}")
    say_next("predict", "RUN", "IMAGES", "--out", "MASKS")


app.command()(with_language(predicting.predict))
app.command()(with_language(serving.serve))
app.command()(with_language(serving.annotate))
app.command("next")(with_language(serving.next_images))


@app.command()
@with_language
@with_typer_options
def export(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="the folder to write, or a .zip", show_default=False)],
    **asked: Unpack[ExportingOptions],
) -> None:
    """Export a run for other programs, and verify that it predicts the same there."""
    with bars() as progress:
        answer = api.export(run, out, progress=progress, **asked)
    print(shown(str(answer)))
    if asked["target"] == "huggingface":
        say_next("push", out, "OWNER/NAME")
    elif asked["target"] == "web" and out.suffix != ".zip":
        print(f"{say('Next: ')}{say('open {page} in a browser', page=out / 'index.html')}")
    elif out.suffix == ".zip" or (out / "card.json").is_file():
        say_next("predict", out, "IMAGES", "--out", "MASKS")


@app.command()
@with_language
def push(
    folder: Annotated[Path, typer.Argument(help="an export for huggingface", show_default=False)],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="make a new repository private")] = False,
) -> None:
    """Upload an export to the Hugging Face Hub, with the token of `hf auth login`."""
    print(shown(str(api.push(folder, repository, private=private))))


@app.command()
@with_language
@with_typer_options
def prune(run: RunFolder, **asked: Unpack[PruningOptions]) -> None:
    """Score and time each level of a deeply supervised U-Net++, and write a model file of each."""
    print(shown(str(api.prune(run, **asked))))


@app.command()
@with_language
def doctor(
    self_test: Annotated[bool, typer.Option(help="train, resume and predict on generated images")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
) -> int:
    """Report versions, hardware and extras, and try them out: ten seconds, and text for a bug report."""
    with bars() as progress:
        answer = api.doctor(self_test=self_test, progress=progress)
    print(json.dumps(answer.to_dict(), indent=2, ensure_ascii=False) if as_json else shown(str(answer)))
    return 0 if answer.is_well else 1


@app.command()
@with_language
def models() -> None:
    """List the networks and encoders, with their size and what each is for."""
    print(shown(translated(catalogue.models())))


@app.command()
@with_language
def recipes(
    name: Annotated[str | None, typer.Argument(help="one of them, compared with its tutorial line by line")] = None,
) -> None:
    """List well-known tutorials as settings, with what is fixed in each."""
    print(shown(translated(catalogue.recipes(name))))


@app.command()
@with_language
def describe(  # noqa: PLR0913, PLR0917 # one parameter an option
    model: Annotated[str | None, typer.Argument(help="a name of `perpixel models`", show_default=False)] = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="height and width of the image")] = "256x256",
    encoder: Annotated[str | None, typer.Option(help="instead of the plain network")] = None,
    channels: Annotated[int, typer.Option(min=1, help="channels of the image")] = 3,
    classes: Annotated[int, typer.Option(min=1, help="number of classes")] = 2,
    recipe: Annotated[str | None, typer.Option(help="a name of `perpixel recipes`, for its network")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="any setting, as YAML")] = None,
) -> None:
    """Print layers, output shapes, parameters, multiply-adds and the memory for training."""
    from perpixel.settings.text import assign
    from perpixel.settings.tree import over

    height, cross, width = size.partition("x")
    if not (cross and height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise typer.BadParameter(f"--size {size} is not HxW, such as 224x224")
    named = {"name": model, "encoder": encoder}
    tree = over({"model": {key: name for key, name in named.items() if name}}, assign({}, set_ or []))
    size_hw = int(height), int(width)
    answer = catalogue.describe(size_hw, recipe=recipe, settings=tree, channels=channels, classes=classes)
    print(shown(str(answer)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on the arguments (those of the process by default) and return the exit code."""
    return run_application(app, arguments)


def run() -> None:
    """Entry point of the `perpixel` command."""
    sys.exit(main())
