"""Honest numbers: every image of a part predicted whole at native resolution, scored, and written down."""

from perpixel.evaluation.calibrating import calibrate
from perpixel.evaluation.comparison import COMPARED, Comparison, compared
from perpixel.evaluation.image_score import ImageScore
from perpixel.evaluation.result import CLASS_SCORES, DATASET_SCORES, DEFINITIONS, Evaluation, Scores
from perpixel.evaluation.scoring import evaluate_run, samples_of_part

__all__ = [
    "CLASS_SCORES",
    "COMPARED",
    "DATASET_SCORES",
    "DEFINITIONS",
    "Comparison",
    "Evaluation",
    "ImageScore",
    "Scores",
    "calibrate",
    "compared",
    "evaluate_run",
    "samples_of_part",
]
