"""perpixel: semantic segmentation of 2-D images, a label for every pixel.

>>> import perpixel
>>> run = perpixel.train("cells/", minutes=10)             # doctest: +SKIP
>>> print(perpixel.evaluate(run))                          # doctest: +SKIP
>>> mask = perpixel.load(run).predict(image).mask          # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from perpixel.api import (
    annotate,
    check,
    compare,
    convert,
    demo,
    doctor,
    evaluate,
    export,
    find_lr,
    load,
    next_images,
    plan,
    predict,
    prune,
    push,
    serve,
    train,
    use_language,
)
from perpixel.errors import DataError, OutputError, PerpixelError, RunError, SettingsError
from perpixel.results import Score

if TYPE_CHECKING:
    from perpixel.checking import Check
    from perpixel.conversion import Converted
    from perpixel.diagnosis import Diagnosis
    from perpixel.evaluation import Comparison, Evaluation, Scores
    from perpixel.evaluation.levels import PrunedLevels
    from perpixel.exporting import Exported
    from perpixel.exporting.push import Pushed
    from perpixel.prediction import PredictedFiles, Prediction, Predictions, Predictor
    from perpixel.prediction.ranking import Ranking
    from perpixel.store.run_folder import Run
    from perpixel.training import RangeTest, TrainingEstimate

_RESULTS: Final = {
    "Check": "perpixel.checking",
    "Comparison": "perpixel.evaluation",
    "Converted": "perpixel.conversion",
    "Diagnosis": "perpixel.diagnosis",
    "Evaluation": "perpixel.evaluation",
    "Exported": "perpixel.exporting",
    "PredictedFiles": "perpixel.prediction",
    "Prediction": "perpixel.prediction",
    "Predictions": "perpixel.prediction",
    "Predictor": "perpixel.prediction",
    "PrunedLevels": "perpixel.evaluation.levels",
    "Pushed": "perpixel.exporting.push",
    "RangeTest": "perpixel.training",
    "Ranking": "perpixel.prediction.ranking",
    "Run": "perpixel.store.run_folder",
    "Scores": "perpixel.evaluation",
    "TrainingEstimate": "perpixel.training",
}
"""Types of results and where each is defined; they are loaded when they are asked for, for some load torch."""


def __getattr__(name: str) -> type:
    """Load a type of `_RESULTS`."""
    if name not in _RESULTS:
        raise AttributeError(f"module 'perpixel' has no attribute {name!r}")
    found: type = getattr(import_module(_RESULTS[name]), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *_RESULTS]


__version__ = "0.2.0"

__all__ = [
    "Check",
    "Comparison",
    "Converted",
    "DataError",
    "Diagnosis",
    "Evaluation",
    "Exported",
    "OutputError",
    "PerpixelError",
    "PredictedFiles",
    "Prediction",
    "Predictions",
    "Predictor",
    "PrunedLevels",
    "Pushed",
    "RangeTest",
    "Ranking",
    "Run",
    "RunError",
    "Score",
    "Scores",
    "SettingsError",
    "TrainingEstimate",
    "annotate",
    "check",
    "compare",
    "convert",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "find_lr",
    "load",
    "next_images",
    "plan",
    "predict",
    "prune",
    "push",
    "serve",
    "train",
    "use_language",
]
