"""Training: the best network within the budget, resumable to the bit."""

from perpixel.training.folds import resume, train

__all__ = ["resume", "train"]
