"""The command line: parses, calls the API, prints. Exit code 0 done, 1 the user can mend it, 2 wrong usage."""

import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Unpack

import typer

from perpixel import __version__, api
from perpixel.api import catalogue
from perpixel.cli import serving
from perpixel.cli.progress_bars import bars
from perpixel.cli.training_arguments import PlanArguments, TrainArguments, expanded, request
from perpixel.errors import PerpixelError

app = typer.Typer(
    help="Semantic segmentation of 2-D images: folder → audit → plan → train → evaluate → report → predict.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Data = Annotated[Path, typer.Argument(help="a folder of images and masks, or a dataset.yaml", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(help="a run folder", show_default=False)]
Part = Annotated[Literal["test", "val", "train", "all"], typer.Option(help="part of the run's data")]
Language = Annotated[Literal["en", "zh"], typer.Option(help="of the report")]
ThresholdText = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        metavar="calibrated|argmax|0.5",
        help="how probabilities become classes; else as validation says",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what is there")]

RENAMED_WORDS: Final = {
    "rates": "find-lr",
    "--views": "--tta",
    "--watch": "--logger",
    "--start-from": "--from",
    "--weights": "--from",
    "--lr": "--set train.learning_rate=…",
    "--learning-rate": "--set train.learning_rate=…",
    "--batch-size": "--set train.batch_size=…",
    "--batch": "--set train.batch_size=…",
    "--imgsz": "--set train.crop_hw=[…, …]",
    "--loss": "--set train.loss=…",
    "--device": "--set train.device=…",
    "--devices": "--gpus",
    "--backbone": "--encoder",
    "--arch": "--model",
}
"""Verbs and options by what they were called before, or are called elsewhere."""


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"perpixel {__version__}")
        raise typer.Exit


@app.callback()
def perpixel(
    version: Annotated[  # its callback has printed it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Semantic segmentation of 2-D images: folder → audit → plan → train → evaluate → report → predict."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="gets data, run and predictions")] = Path("runs/demo"),
    minutes: Annotated[float, typer.Option(help="of training")] = 2.0,
    drawings: Annotated[int | None, typer.Option(min=10, help="number of drawings; 480 by default")] = None,
    seed: Annotated[int, typer.Option(min=0, help="decides the drawings")] = 0,
    small: Annotated[bool, typer.Option("--small", help="shapes of the sizes in the tutorial on U-Net")] = False,
    overwrite: Overwrite = False,
) -> None:
    """Train on generated drawings of six overlapping shapes: needs no data and no internet connection."""
    with bars() as progress:
        answer = api.demo(
            out, minutes=minutes, drawings=drawings, seed=seed, small=small, overwrite=overwrite, progress=progress
        )
    print(answer)
    print(f"\nreport:      {out / 'run' / 'report.html'}\npredictions: {out / 'predictions'}")


@app.command()
def check(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="write a page and dataset.yaml there", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the answer as JSON")] = False,
    folds: Annotated[int | None, typer.Option(min=2, help="divide into so many folds")] = None,
) -> int:
    """Say what a folder holds and what is wrong with it; exit code 0 if it can be used."""
    with bars() as progress:
        answer = api.check(data, out, folds=folds, progress=progress)
    print(json.dumps(answer.to_dict(), indent=2, ensure_ascii=False) if as_json else answer)
    return 0 if answer.is_usable else 1


@app.command()
def convert(
    data: Data,
    out: Annotated[Path, typer.Argument(help="the new folder", show_default=False)],
    to: Annotated[Literal["masks"], typer.Option(help="what to write")] = "masks",
    overwrite: Overwrite = False,
) -> None:
    """Write what is understood of a folder in a plain form that other programs read, too."""
    with bars() as progress:
        answer = api.convert(data, out, to=to, overwrite=overwrite, progress=progress)
    print(answer)


@app.command()
@expanded
def plan(
    data: Data,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write the settings, for train --config")] = None,
    pictures: Annotated[Path | None, typer.Option(metavar="FILE", help="write a PNG of what it will see")] = None,
    **asked: Unpack[PlanArguments],
) -> None:
    """Say how a folder would be trained on, why, and how far the budget goes on this machine."""
    with bars() as progress:
        answer = api.plan(data, out=out, pictures=pictures, progress=progress, **request(asked))
    if api.speaks():
        print(answer)


@app.command("find-lr")
@expanded
def find_lr(
    data: Data,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="write a PNG of the loss over the rate")] = None,
    **asked: Unpack[PlanArguments],
) -> None:
    """Test which learning rates a network learns at: a hundred steps at an ever higher one."""
    with bars() as progress:
        answer = api.find_lr(data, out=out, progress=progress, **request(asked))
    if api.speaks():
        print(answer)


@app.command()
@expanded
def train(
    data: Data,
    out: Annotated[Path | None, typer.Option(help="the run folder; by default runs/NAME", show_default=False)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with an interrupted run")] = False,
    overwrite: Overwrite = False,
    language: Language = "en",
    **asked: Unpack[TrainArguments],
) -> None:
    """Train a network on a folder of images and masks within a budget."""
    with bars() as progress:
        run = api.train(
            data, out, resume=resume, overwrite=overwrite, language=language, progress=progress, **request(asked)
        )
    if api.speaks():
        print(f"run:    {run.folder}\nreport: {run.folder / 'report.html'}\nnext:   perpixel evaluate {run.folder}")


@app.command()
def evaluate(  # noqa: PLR0913, PLR0917 # one parameter an option
    run: RunFolder,
    data: Annotated[Path | None, typer.Argument(help="another labelled folder, scored whole")] = None,
    split: Part = "test",
    out: Annotated[Path | None, typer.Option(help="where to write instead of RUN/evaluation")] = None,
    inside: Annotated[str | None, typer.Option(help="the class between membranes, for V_rand and V_info")] = None,
    threshold: ThresholdText = None,
    language: Language = "en",
) -> None:
    """Score a run on unseen images at native resolution."""
    with bars() as progress:
        answer = api.evaluate(
            run,
            data,
            split=split,
            out=out,
            inside=inside,
            threshold=_threshold(threshold),
            language=language,
            progress=progress,
        )
    print(answer)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN RUN... [DATA]", help="run folders, then data or none")],
    split: Part = "test",
    out: Annotated[Path | None, typer.Option(help="the folder for compare.html")] = None,
    language: Language = "en",
) -> None:
    """Compare runs on the same images, with intervals; the last path is a labelled folder if it is no run."""
    known = ("settings.yaml", "card.json")  # a run's, an export's
    is_data = len(runs) > 2 and runs[-1].is_dir() and not any((runs[-1] / name).is_file() for name in known)
    data = runs.pop() if is_data else None
    with bars() as progress:
        answer = api.compare(runs, data, split=split, out=out, language=language, progress=progress)
    print(answer)
    print(f"page: {(out or runs[-1] / 'evaluation') / 'compare.html'}")


@app.command()
def predict(  # noqa: PLR0913, PLR0917 # one parameter an option
    run: Annotated[Path, typer.Argument(help="a run folder, a model file or an export", show_default=False)],
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="files, folders, globs, - for a list")],
    out: Annotated[Path, typer.Option(help="the folder to write to", show_default=False)],
    index: Annotated[
        bool, typer.Option("--index", help="class indices, not the values of the training masks")
    ] = False,
    cloud: Annotated[bool, typer.Option("--cloud", help="masks of GeoTIFFs are cloud-optimised")] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="also the image with the classes' colours")] = False,
    areas: Annotated[bool, typer.Option("--areas", help="also a table of areas, CSV")] = False,
    probabilities: Annotated[
        Literal["uint8", "uint16", "float32"] | None, typer.Option(help="also a TIFF with a band a class")
    ] = None,
    polygons: Annotated[
        Literal["geojson", "geopackage"] | None, typer.Option(help="also the outlines of the objects")
    ] = None,
    instances: Annotated[
        Literal["connected", "watershed"] | None,
        typer.Option(help="also the objects by number; watershed cuts those that touch"),
    ] = None,
    zarr: Annotated[bool, typer.Option("--zarr", help="also the class indices as OME-Zarr")] = False,
    simplify: Annotated[float, typer.Option(min=0, help="pixels that polygons may leave the edges of pixels")] = 0,
    least: Annotated[int, typer.Option(min=0, help="pixels of the smallest object")] = 0,
    tta: Annotated[
        Literal["none", "hflip", "flips", "d4"] | None,
        typer.Option(help="average over 1, 2, 4 or 8 flips and quarter turns; else as the model was planned"),
    ] = None,
    threshold: ThresholdText = None,
    backend: Annotated[
        Literal["torch", "openvino", "auto"], typer.Option(help="on a CPU; auto takes the faster that agrees")
    ] = "torch",
    resume: Annotated[bool, typer.Option("--resume", help="leave out what is whole")] = False,
    overwrite: Overwrite = False,
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
            inputs,
            out,
            index=index,
            cloud=cloud,
            overlay=overlay,
            areas=areas,
            probabilities=probabilities,
            polygons=polygons,
            instances=instances,
            zarr=zarr,
            simplify_px=simplify,
            least_px=least,
            tta=tta,
            threshold=_threshold(threshold),
            backend=backend,
            existing="replace" if overwrite else "skip" if resume else "refuse",
            progress=progress,
        )
    if written or api.speaks():  # a process may have seen tiles of what another one wrote
        print(f"{written}: {out}")


app.command()(serving.serve)
app.command()(serving.annotate)
app.command("next")(serving.next_images)


@app.command()
def export(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="the folder to write, or a .zip", show_default=False)],
    target: Annotated[
        str,
        typer.Option(
            "--for", metavar="TARGET", help="onnx, openvino, torchscript, deepness, bioimageio, huggingface or web"
        ),
    ] = "onnx",
    images: Annotated[
        list[str] | None, typer.Option(help="file, folder or glob to prove it on; else the run's test images")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write a run as a folder that other programs open, and prove that it predicts there what it predicts here."""
    print(api.export(run, out, target=target, images=images, overwrite=overwrite))


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="an export for huggingface", show_default=False)],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="where the repository is new")] = False,
) -> None:
    """Upload an export to the Hugging Face Hub, with the token of `hf auth login`."""
    print(api.push(folder, repository, private=private))


@app.command()
def prune(run: RunFolder, split: Part = "val") -> None:
    """Show what each level of a supervised U-Net++ costs and scores, and write a model file of each."""
    print(api.prune(run, split=split))


@app.command()
def models() -> None:
    """List the networks and encoders, with their size and what each is for."""
    print(catalogue.models())


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="one of them, compared with its tutorial line by line")] = None,
) -> None:
    """List well-known tutorials as settings, with what is fixed of each."""
    print(catalogue.recipes(name))


@app.command()
def describe(  # noqa: PLR0913, PLR0917 # one parameter an option
    model: Annotated[str | None, typer.Argument(help="a name of `perpixel models`", show_default=False)] = None,
    size: Annotated[str, typer.Option(metavar="HxW", help="height and width of the image")] = "256x256",
    encoder: Annotated[str | None, typer.Option(help="instead of the plain network")] = None,
    channels: Annotated[int, typer.Option(min=1, help="of the image")] = 3,
    classes: Annotated[int, typer.Option(min=1)] = 2,
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
    print(catalogue.describe(size_hw, recipe=recipe, settings=tree, channels=channels, classes=classes))


def _threshold(text: str | None) -> float | Literal["calibrated", "argmax"] | None:
    """The value of --threshold."""
    words: dict[str, Literal["calibrated", "argmax"]] = {"calibrated": "calibrated", "argmax": "argmax"}
    if text is None or text in words:
        return None if text is None else words[text]
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--threshold {text} is neither calibrated, argmax nor a number") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on the arguments (those of the process by default) and return the exit code."""
    logger, notices = logging.getLogger("perpixel"), logging.StreamHandler(sys.stderr)
    logger.addHandler(notices)
    logger.setLevel(logging.INFO)
    try:
        result = app(args=arguments if arguments is None else list(arguments), standalone_mode=False)
    except PerpixelError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        return 130
    except Exception as error:
        if not hasattr(error, "exit_code") or not hasattr(error, "show"):
            raise
        error.show()  # a usage error of the parser
        for word in sys.argv[1:] if arguments is None else arguments:
            if renamed := RENAMED_WORDS.get(word.partition("=")[0]):
                print(f"Did you mean {renamed}?", file=sys.stderr)
        return int(error.exit_code)
    finally:
        logger.removeHandler(notices)
    return result if isinstance(result, int) else 0


def run() -> None:
    """Entry point of the `perpixel` command."""
    sys.exit(main())
