"""What the other verbs are asked for by name: on folders, on runs, to other programs and to the browser."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypedDict

from perpixel.runtime.choices import (
    DEFAULT_STRATEGY,
    ConvertedTo,
    DuplicatesMode,
    ExportPrecision,
    PartName,
    RankingStrategy,
)
from perpixel.settings.options import Option
from perpixel.settings.prediction_options import ThresholdOption
from perpixel.settings.training_options import OPTIONS

Unlabelled = Annotated[int | str | None, Option(help=OPTIONS["unlabelled"].help, metavar="VALUE")]
Replace = Annotated[bool, Option(help="replace what is there", default=False)]
Part = Annotated[PartName, Option(help="subset of the run's data", default="test")]


class DemoOptions(TypedDict, total=False):
    """What is drawn, and how long a network is trained on it."""

    minutes: Annotated[float, Option(help="training budget in minutes", default=2.0)]
    drawings: Annotated[int | None, Option(help="number of drawings; 480 by default", least=10, most=100_000)]
    seed: Annotated[int, Option(help="random seed of the drawings", least=0, default=0)]
    small: Annotated[bool, Option(help="shapes of the sizes in the tutorial on U-Net", default=False)]
    overwrite: Replace


class CheckingOptions(TypedDict, total=False):
    """How a folder is looked at."""

    folds: Annotated[int | None, Option(help="number of cross-validation folds", least=2)]
    unlabelled: Unlabelled
    duplicates: Annotated[DuplicatesMode | None, Option(help="what becomes of images that show the same")]


class ConversionOptions(TypedDict, total=False):
    """What is written, and where."""

    to: Annotated[
        ConvertedTo,
        Option(
            help="what to write",
            more='"masks" writes images/, class indices in masks/, classes.csv, manifest.csv and dataset.yaml; '
            '"coco", "yolo" and "geojson" write images/ and outlines along the edges of pixels, an object for each '
            "region",
            default="masks",
        ),
    ]
    unlabelled: Unlabelled
    overwrite: Replace


class ComparisonOptions(TypedDict, total=False):
    """What runs are compared on."""

    split: Part
    out: Annotated[
        str | Path | None,
        Option(help="the folder for compare.html", more="By default the evaluation folder of the last run"),
    ]
    unlabelled: Unlabelled


class EvaluationOptions(TypedDict, total=False):
    """What a run is scored on, and how."""

    split: Part
    out: Annotated[str | Path | None, Option(help="where to write instead of RUN/evaluation")]
    threshold: ThresholdOption
    inside: Annotated[str | None, Option(help="the class between membranes, for V_rand and V_info")]
    unlabelled: Unlabelled


class PruningOptions(TypedDict, total=False):
    """What the levels of a network are scored on."""

    split: Annotated[PartName, Option(help="subset of the run's data", default="val")]


class ExportingOptions(TypedDict, total=False):
    """For which program, and in what precision."""

    target: Annotated[
        str,
        Option(
            help="the other program: onnx, openvino, torchscript, deepness, bioimageio, huggingface or web",
            metavar="TARGET",
            default="onnx",
        ),
    ]
    images: Annotated[
        Sequence[str | Path] | None, Option(help="file, folder or glob to prove it on; else the run's test images")
    ]
    precision: Annotated[
        ExportPrecision,
        Option(
            help="number format of the weights; refused if the scores drop too much",
            more='"fp16" halves the weights, "int8" quantises convolutions; one that loses more than 0.005 of the '
            "mean IoU on the run's validation images is refused",
            default="float32",
        ),
    ]
    overwrite: Replace


class ListeningOptions(TypedDict, total=False):
    """Where the page is served."""

    port: Annotated[int, Option(help="port of the page; 0 for a free one", default=7860)]
    host: Annotated[
        str, Option(help="the address to listen on; others than loopback need a token", default="127.0.0.1")
    ]
    token: Annotated[str | None, Option(help="token that clients must send")]


class ServingOptions(ListeningOptions, total=False):
    """What the page of a model offers."""

    labels: Annotated[str | Path | None, Option(help="folder for the labels; by default IMAGES-labels")]
    read_only: Annotated[bool, Option(help="view only: no painting, no training", default=False)]
    label_studio: Annotated[bool, Option(help="also serve as a Label Studio backend", default=False)]


class RankingOptions(TypedDict, total=False):
    """How many images are listed, and by what."""

    images: Annotated[int, Option(help="number of images to list", least=1, default=10)]
    strategy: Annotated[
        RankingStrategy,
        Option(
            help="a draw, a draw among images where the model sees something, or what it is unsure of",
            default=DEFAULT_STRATEGY,
        ),
    ]
    seed: Annotated[int, Option(help="random seed of the draw", default=0)]
