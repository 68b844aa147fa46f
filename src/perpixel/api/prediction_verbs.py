"""The functions on unlabelled images: predict, load and next_images."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from perpixel.api.given import PathLike, model_path
from perpixel.runtime.progress import Progress, silent

if TYPE_CHECKING:
    from perpixel.labels.decision import Threshold
    from perpixel.prediction import PredictedFiles, Predictor
    from perpixel.prediction.ranking import Ranking
    from perpixel.store.run_folder import Run


def predict(  # noqa: PLR0913 # each is one thing to ask for
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    out: PathLike,
    *,
    index: bool = False,
    cloud: bool = False,
    overlay: bool = False,
    triptych: "PathLike | None" = None,
    areas: bool = False,
    probabilities: Literal["uint8", "uint16", "float32"] | None = None,
    polygons: Literal["geojson", "geopackage"] | None = None,
    instances: Literal["connected", "watershed"] | None = None,
    objects: bool = False,
    zarr: bool = False,
    simplify_px: float = 0,
    least_px: int = 0,
    also: Sequence[str] = (),
    tta: Literal["none", "hflip", "flips", "d4"] | None = None,
    threshold: "Threshold | None" = None,
    backend: Literal["torch", "openvino", "auto"] = "torch",
    existing: Literal["refuse", "skip", "replace"] = "refuse",
    progress: Progress | None = None,
) -> "PredictedFiles":
    """Predict image files; each mask is written as OUT/STEM.png (.tif for GeoTIFF and stacks).

    Args:
        run: A run, its folder, a model file, or an exported bundle, for which PyTorch is not needed.
        inputs: Files, folders, globs or Zarr images.
        out: The folder to write to.
        index: Write class indices instead of the values of the training masks.
        cloud: Write the masks of GeoTIFFs as cloud-optimised ones.
        overlay: Write the image with the classes' colours over it, too.
        triptych: A labelled data set: write image, truth and prediction side by side, too, for the images in it.
        areas: Write a table of what each class covers, too.
        probabilities: Write them, too: times 255, times 65535, or as they are.
        polygons: Write the outlines of the objects, too.
        instances: Write the objects' numbers, too: "connected" pixels of a class, or by "watershed" cut at necks.
        objects: Write objects.csv, too: image, class, area, centroid, box, diameter and mean intensity of each one;
            square metres and metres only where the image tells its place on the earth.
        zarr: Write the class indices as OME-Zarr, too.
        simplify_px: How far polygons may leave the pixels' edges to have fewer corners.
        least_px: Leave objects of fewer pixels out of polygons, instances and objects.
        also: Further outputs, by their names in `perpixel.prediction.output_table.OUTPUTS`.
        tta: Average over the image and its "mirror" image, its four "flips", or its eight flips and quarter
            "turns"; None does as the model was planned.
        threshold: How probabilities become classes: "calibrated" by what was fitted on validation images, "argmax"
            for the most probable class, or a number from which a class is taken; None as was better on validation.
        backend: What runs the network on a CPU; "auto" times them, and takes the faster if it agrees.
        existing: What to do about outputs that are there already; "skip" resumes.
        progress: As of `train`.

    Returns:
        What was written for each image: a list of `Written`.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel.prediction import Outputs, PredictedFiles, PredictOptions
    from perpixel.prediction.inputs import expanded
    from perpixel.prediction.load import load_predictor

    outputs = Outputs(
        index=index,
        cloud=cloud,
        overlay=overlay,
        triptych=None if triptych is None else Path(triptych),
        areas=areas,
        probabilities=probabilities,
        polygons=polygons,
        instances=instances,
        objects=objects,
        count=True,
        also=tuple(also),
        zarr=zarr,
        simplify_px=simplify_px,
        least_px=least_px,
        existing=existing,
    )
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths = expanded([str(each) for each in given])
    predictor = load_predictor(model_path(run), PredictOptions(tta=tta, backend=backend, threshold=threshold))
    shown = partial(progress or silent, "predicting")
    return PredictedFiles(tuple(predictor.predict_files(paths, Path(out), outputs, progress=shown)))


def load(run: "Run | PathLike", *, threshold: "Threshold | None" = None) -> "Predictor":
    """Load a trained model: `load(run).predict(image)` takes a path, a PIL image, an array, or a list of them.

    Its answer is a `Prediction` with `.mask`, `.probabilities`, `.areas`, `.objects`, `.overlay()` and `.save()`.

    Args:
        run: A run, its folder, a model file, or an exported bundle, for which PyTorch is not needed.
        threshold: How probabilities become classes, as in `predict`.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel.prediction import PredictOptions
    from perpixel.prediction.load import load_predictor

    return load_predictor(model_path(run), PredictOptions(threshold=threshold))


def next_images(  # each is one thing to ask for
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    *,
    images: int = 10,
    strategy: str = "foreground-random",
    seed: int = 0,
    progress: Progress | None = None,
) -> "Ranking":
    """Rank images by what labelling them should bring, the best first.

    Args:
        run: A run, its folder, a model file, or an exported bundle.
        inputs: Files, folders, globs or Zarr images that are not labelled.
        images: How many to give.
        strategy: "random", "foreground-random" (a draw among images where the model sees something), "entropy", or
            "class-entropy".
        seed: Decides what is drawn.
        progress: As of `train`.

    Returns:
        The images: a list of `RankedImage`, each with its score.
    """
    from perpixel.prediction.inputs import expanded
    from perpixel.prediction.ranking import rank_images

    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths, shown = expanded([str(each) for each in given]), partial(progress or silent, "ranking")
    return rank_images(load(run), paths, strategy, seed=seed, progress=shown)[:images]
