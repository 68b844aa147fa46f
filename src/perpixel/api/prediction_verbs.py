"""The functions on unlabelled images: predict, load and next_images."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.calls import verb
from perpixel.api.given import PathLike, model_path
from perpixel.runtime.choices import Existing
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.options import with_options
from perpixel.settings.prediction_options import PredictionOptions
from perpixel.settings.verb_options import RankingOptions

if TYPE_CHECKING:
    from perpixel.labels.decision import Threshold
    from perpixel.prediction import PredictedFiles, Predictor
    from perpixel.prediction.ranking import Ranking
    from perpixel.store.run_folder import Run


@verb
@with_options
def predict(  # each is one thing to ask for
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    out: PathLike,
    *,
    existing: Existing = "refuse",
    progress: Progress | None = None,
    **options: Unpack[PredictionOptions],
) -> "PredictedFiles":
    """Predict image files; each mask is written as OUT/STEM.png (.tif for GeoTIFF and stacks).

    Args:
        run: A run, its folder, a model file, or an exported bundle, for which PyTorch is not needed.
        inputs: Files, folders, globs or Zarr images.
        out: The folder to write to.
        existing: What to do about outputs that are there already; "skip" resumes.
        progress: As of `train`.
        **options: What is written beside the mask, and how the network is run.

    Returns:
        What was written for each image: a list of `Written`.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel.prediction import Outputs, PredictedFiles, PredictOptions
    from perpixel.prediction.inputs import expanded
    from perpixel.prediction.load import load_predictor

    asked: JsonObject = {**options}
    how = {name: asked.pop(name) for name in ("tta", "backend", "threshold")}
    if asked.get("triptych") is not None:
        asked["triptych"] = Path(asked["triptych"])
    outputs = Outputs(**asked | {"also": tuple(asked.get("also") or ())}, count=True, existing=existing)
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths = expanded([str(each) for each in given])
    predictor = load_predictor(model_path(run), PredictOptions(**how))
    shown = partial(progress or silent, "predicting")
    return PredictedFiles(tuple(predictor.predict_files(paths, Path(out), outputs, progress=shown)))


@verb
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


@verb
@with_options
def next_images(
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    *,
    progress: Progress | None = None,
    **options: Unpack[RankingOptions],
) -> "Ranking":
    """Rank images by what labelling them should bring, the best first.

    Args:
        run: A run, its folder, a model file, or an exported bundle.
        inputs: Files, folders, globs or Zarr images that are not labelled.
        progress: As of `train`.
        **options: How many, and by what.

    Returns:
        The images: a list of `RankedImage`, each with its score.
    """
    from perpixel.prediction.inputs import expanded
    from perpixel.prediction.ranking import rank_images

    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths, shown = expanded([str(each) for each in given]), partial(progress or silent, "ranking")
    ranking = rank_images(load(run), paths, options["strategy"], seed=options["seed"], progress=shown)
    return ranking[: options["images"]]
