"""Training: the best network within the budget, resumable to the bit."""

from perpixel.training.folds import resume, train
from perpixel.training.outlook import Outlook, outlook
from perpixel.training.rate_range import RangeTest, range_test

__all__ = ["Outlook", "RangeTest", "outlook", "range_test", "resume", "train"]
