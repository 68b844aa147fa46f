"""Honest numbers: every image of a part predicted whole at native resolution, scored, and written down."""

from perpixel.evaluation.chosen import Chosen
from perpixel.evaluation.comparison import COMPARED, Comparison, compared
from perpixel.evaluation.image import ImageScore
from perpixel.evaluation.result import CLASS_SCORES, DATASET_SCORES, DEFINITIONS, Evaluation
from perpixel.evaluation.scoring import PartName, evaluate, part_of

__all__ = [
    "CLASS_SCORES",
    "COMPARED",
    "DATASET_SCORES",
    "DEFINITIONS",
    "Chosen",
    "Comparison",
    "Evaluation",
    "ImageScore",
    "PartName",
    "compared",
    "evaluate",
    "part_of",
]
