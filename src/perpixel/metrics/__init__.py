"""Metrics: what was right, counted in values that add, and every ratio with its policy. See docs/metrics.md."""

from perpixel.metrics.baselines import baselines
from perpixel.metrics.boundary import ContourDistances, contour_distances, count_boundary
from perpixel.metrics.counting import count
from perpixel.metrics.counts import Counts
from perpixel.metrics.curves import Reliability, ThresholdCurves, threshold_curves
from perpixel.metrics.intervals import Interval, bootstrap_interval, paired_difference
from perpixel.metrics.matching import InstanceCounts, count_instances
from perpixel.metrics.membranes import MembraneScores, membrane_scores

__all__ = [
    "ContourDistances",
    "Counts",
    "InstanceCounts",
    "Interval",
    "MembraneScores",
    "Reliability",
    "ThresholdCurves",
    "baselines",
    "bootstrap_interval",
    "contour_distances",
    "count",
    "count_boundary",
    "count_instances",
    "membrane_scores",
    "paired_difference",
    "threshold_curves",
]
