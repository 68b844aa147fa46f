"""What a prediction is asked for by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypedDict

from perpixel.runtime.choices import Backend, InstanceMethod, PolygonFormat, ProbabilityDtype, ThresholdWord, Tta
from perpixel.settings.options import Option

ThresholdOption = Annotated[
    float | ThresholdWord | None,
    Option(
        help="how probabilities become classes; by default as chosen on the validation images",
        more='"calibrated" by what was fitted on validation images, "argmax" for the most probable class, or a '
        "number from which a class is taken",
        metavar="calibrated|argmax|0.5",
    ),
]


class PredictionOptions(TypedDict, total=False):
    """What is written beside the mask, and how the network is run."""

    threshold: ThresholdOption
    index: Annotated[bool, Option(help="class indices, not the values of the training masks", default=False)]
    cloud: Annotated[bool, Option(help="masks of GeoTIFFs are cloud-optimised", default=False)]
    overlay: Annotated[bool, Option(help="also the image with the classes' colours", default=False)]
    triptych: Annotated[
        str | Path | None,
        Option(help="also image, truth of this data set and prediction, in a row", metavar="DATA"),
    ]
    areas: Annotated[bool, Option(help="also a table of areas, CSV", default=False)]
    probabilities: Annotated[ProbabilityDtype | None, Option(help="also a TIFF with one band per class")]
    polygons: Annotated[PolygonFormat | None, Option(help="also the outlines of the objects")]
    instances: Annotated[
        InstanceMethod | None,
        Option(help="also the objects by number; watershed cuts those that touch"),
    ]
    objects: Annotated[
        bool, Option(help="also objects.csv: class, area, centroid, box, diameter, intensity", default=False)
    ]
    zarr: Annotated[bool, Option(help="also the class indices as OME-Zarr", default=False)]
    simplify_px: Annotated[float, Option(help="polygon simplification tolerance (px)", least=0, default=0.0)]
    least_px: Annotated[int, Option(help="area of the smallest object that is kept (px)", least=0, default=0)]
    also: Annotated[Sequence[str], Option(help="also another output, by its name", default=())]
    tta: Annotated[
        Tta | None,
        Option(help="average over 1, 2, 4 or 8 flips and quarter turns; else as the model was planned"),
    ]
    backend: Annotated[
        Backend,
        Option(
            help="what computes on a CPU; auto takes the fastest that agrees",
            more="int8 by OpenVINO is searched by layers on the run's validation images, where it may lose 0.005 of "
            "the mean IoU and has to be 1.3 times as fast, and kept with the run; auto asks for that on the image's "
            "tiles, too, and searches it for what lasts longer than a minute",
            default="torch",
        ),
    ]
