"""Metrics: what was right, counted in values that add, and every ratio with its policy. See docs/metrics.md."""

from perpixel.metrics.counting import count
from perpixel.metrics.counts import Counts

__all__ = ["Counts", "count"]
