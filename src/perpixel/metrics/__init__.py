"""Metrics: what was right, counted in values that add, and every ratio with its policy. See docs/metrics.md."""

from perpixel.metrics.baselines import baselines
from perpixel.metrics.boundary import ContourDistances, contour_distances, count_boundary
from perpixel.metrics.counting import count
from perpixel.metrics.counts import Counts
from perpixel.metrics.curves import Reliability, ThresholdCurves, threshold_curves
from perpixel.metrics.intervals import Interval, bootstrap_interval, paired_difference
from perpixel.metrics.membranes import MembraneScores, membrane_scores
from perpixel.metrics.objects import ObjectCounts, count_objects, label_objects, split_objects
from perpixel.metrics.temperature import draw_pixels, fit_temperature

__all__ = [
    "ContourDistances",
    "Counts",
    "Interval",
    "MembraneScores",
    "ObjectCounts",
    "Reliability",
    "ThresholdCurves",
    "baselines",
    "bootstrap_interval",
    "contour_distances",
    "count",
    "count_boundary",
    "count_objects",
    "draw_pixels",
    "fit_temperature",
    "label_objects",
    "membrane_scores",
    "paired_difference",
    "split_objects",
    "threshold_curves",
]
