"""The threads that a training computes with: sums of another number of threads round otherwise."""

import torch

from perpixel.language.notices import LOGGER
from perpixel.settings.tree import Request, Settings


def take_threads(request: Request) -> None:
    """Compute with the threads of the settings; where these leave them open, with those of this process."""
    if request.train.threads is not None:
        torch.set_num_threads(request.train.threads)


def take_threads_of_run(settings: Settings) -> None:
    """Go on with the threads that a run was begun with, and report where this process has others."""
    began, here = settings.train.threads, torch.get_num_threads()
    if began is None or began == here:
        return
    LOGGER.info("the run was begun with %d thread(s) and goes on with as many; this process had %d.", began, here)
    torch.set_num_threads(began)


def warn_of_other_threads(began: int | None, asked: int | None) -> None:
    """Say that other threads than those of the run give other bits."""
    if began is not None and asked is not None and began != asked:
        LOGGER.warning(
            "the run was begun with %d thread(s) and goes on with %d: the result is no longer that of one sitting, "
            "bit by bit.",
            began,
            asked,
        )
