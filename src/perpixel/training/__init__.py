"""Training: the best network within the budget, resumable to the bit."""

from perpixel.training.folds import resume, train
from perpixel.training.outlook import Outlook, outlook

__all__ = ["Outlook", "outlook", "resume", "train"]
