"""Training: the best network within the budget, resumable to the bit.

setup → timing → step → trainer: `setup` reads, splits and plans, `timing` turns the budget into steps, `step` and
`session` take one, `trainer` goes on to the last; `runs` does all of it, for one network or one a fold.
"""

from perpixel.training.estimate import TrainingEstimate, estimate_training
from perpixel.training.lr_finder import RangeTest, range_test
from perpixel.training.runs import resume_run, train_run

__all__ = ["RangeTest", "TrainingEstimate", "estimate_training", "range_test", "resume_run", "train_run"]
