"""The command `predict`, and the options that it shares."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from perpixel import api
from perpixel.cli.progress_bars import bars

ThresholdText = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        metavar="calibrated|argmax|0.5",
        help="how probabilities become classes; else as validation says",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what is there")]


def predict(  # noqa: PLR0913, PLR0917 # one parameter an option
    run: Annotated[Path, typer.Argument(help="a run folder, a model file or an export", show_default=False)],
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="files, folders, globs, - for a list")],
    out: Annotated[Path, typer.Option(help="the folder to write to", show_default=False)],
    index: Annotated[
        bool, typer.Option("--index", help="class indices, not the values of the training masks")
    ] = False,
    cloud: Annotated[bool, typer.Option("--cloud", help="masks of GeoTIFFs are cloud-optimised")] = False,
    overlay: Annotated[bool, typer.Option("--overlay", help="also the image with the classes' colours")] = False,
    triptych: Annotated[
        Path | None, typer.Option(metavar="DATA", help="also image, truth of this data set and prediction, in a row")
    ] = None,
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
    objects: Annotated[
        bool, typer.Option("--objects", help="also objects.csv: class, area, centroid, box, diameter, intensity")
    ] = False,
    also: Annotated[list[str] | None, typer.Option(help="also another output of the table", hidden=True)] = None,
    zarr: Annotated[bool, typer.Option("--zarr", help="also the class indices as OME-Zarr")] = False,
    simplify: Annotated[float, typer.Option(min=0, help="polygon simplification tolerance (px)")] = 0,
    least: Annotated[int, typer.Option(min=0, help="area of the smallest object that is kept (px)")] = 0,
    tta: Annotated[
        Literal["none", "hflip", "flips", "d4"] | None,
        typer.Option(help="average over 1, 2, 4 or 8 flips and quarter turns; else as the model was planned"),
    ] = None,
    threshold: ThresholdText = None,
    backend: Annotated[
        Literal["torch", "openvino", "auto"], typer.Option(help="on a CPU; auto takes the faster that agrees")
    ] = "torch",
    resume: Annotated[bool, typer.Option("--resume", help="skip images whose outputs are complete")] = False,
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
            _with_lists(inputs),
            out,
            index=index,
            cloud=cloud,
            overlay=overlay,
            triptych=triptych,
            areas=areas,
            probabilities=probabilities,
            polygons=polygons,
            instances=instances,
            objects=objects,
            also=also or (),
            zarr=zarr,
            simplify_px=simplify,
            least_px=least,
            tta=tta,
            threshold=threshold_asked(threshold),
            backend=backend,
            existing="replace" if overwrite else "skip" if resume else "refuse",
            progress=progress,
        )
    if written or api.speaks():  # a process may have seen tiles of what another one wrote
        print(f"{written}: {out}")


def threshold_asked(text: str | None) -> float | Literal["calibrated", "argmax"] | None:
    """The value of --threshold."""
    words: dict[str, Literal["calibrated", "argmax"]] = {"calibrated": "calibrated", "argmax": "argmax"}
    if text is None or text in words:
        return None if text is None else words[text]
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--threshold {text} is neither calibrated, argmax nor a number") from None


def _with_lists(inputs: list[str]) -> list[str]:
    """The inputs, with the lines of standard input for each "-"; of several processes the first one reads them."""
    lines = sys.stdin.read().splitlines() if "-" in inputs and api.speaks() else []
    return [path for each in inputs for path in (filter(None, lines) if each == "-" else [each])]
