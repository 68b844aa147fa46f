"""Whether perpixel works on this machine."""

from typing import TYPE_CHECKING

from perpixel.api.calls import verb
from perpixel.runtime.progress import Progress, silent

if TYPE_CHECKING:
    from perpixel.diagnosis import Diagnosis


@verb
def doctor(*, self_test: bool = True, progress: Progress | None = None) -> "Diagnosis":
    """Report versions, processor, precision, threads, extras, weights, memory and disk, and try them out.

    The self-test trains a tiny network on generated images, resumes it, and predicts by every backend that is
    installed. Nothing of it is kept, and the text names no paths and no data: it can be pasted into a bug report.

    Args:
        self_test: Whether to try it out, which takes about ten seconds.
        progress: As of `train`.

    Returns:
        What was found; `print` shows it.
    """
    from perpixel.diagnosis import diagnose

    return diagnose(self_test=self_test, progress=progress or silent)
