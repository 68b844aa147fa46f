"""The functions on unlabelled images: predict, load and next_images."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.given import PathLike, model_path
from perpixel.runtime.choices import Existing
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.options import with_options
from perpixel.settings.prediction_options import PredictionOptions

if TYPE_CHECKING:
    from perpixel.labels.decision import Threshold
    from perpixel.prediction import PredictedFiles, Predictor
    from perpixel.prediction.ranking import Ranking
    from perpixel.store.run_folder import Run


@with_options
def predict(  # each is one thing to ask for
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    out: PathLike,
    *,
    threshold: "Threshold | None" = None,
    existing: Existing = "refuse",
    progress: Progress | None = None,
    **options: Unpack[PredictionOptions],
) -> "PredictedFiles":
    """Predict image files; each mask is written as OUT/STEM.png (.tif for GeoTIFF and stacks).

    Args:
        run: A run, its folder, a model file, or an exported bundle, for which PyTorch is not needed.
        inputs: Files, folders, globs or Zarr images.
        out: The folder to write to.
        threshold: How probabilities become classes: "calibrated" by what was fitted on validation images, "argmax"
            for the most probable class, or a number from which a class is taken; None as was better on validation.
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
    how = {name: asked.pop(name) for name in ("tta", "backend") if name in asked}
    if asked.get("triptych") is not None:
        asked["triptych"] = Path(asked["triptych"])
    outputs = Outputs(**asked | {"also": tuple(asked.get("also") or ())}, count=True, existing=existing)
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths = expanded([str(each) for each in given])
    predictor = load_predictor(model_path(run), PredictOptions(**how, threshold=threshold))
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
