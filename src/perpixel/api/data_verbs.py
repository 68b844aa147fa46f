"""The functions on labelled folders: check and convert."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.calls import verb
from perpixel.api.given import PathLike
from perpixel.runtime.progress import Progress, shown_while, silent
from perpixel.settings.options import with_options
from perpixel.settings.verb_options import CheckingOptions, ConversionOptions

if TYPE_CHECKING:
    from perpixel.checking import Check
    from perpixel.conversion import Converted


@verb
@with_options
def check(
    data: PathLike,
    out: PathLike | None = None,
    *,
    progress: Progress | None = None,
    **options: Unpack[CheckingOptions],
) -> "Check":
    """Audit a folder: what is understood of it, what is wrong with it, and how to mend that.

    Args:
        data: The folder, or a dataset.yaml.
        out: Write check.html, a page with pictures, and dataset.yaml there; edit the latter to overrule it.
        progress: As of `train`.
        **options: How it is looked at.

    Returns:
        The answer; `print` shows it.
    """
    from perpixel.checking import examine
    from perpixel.dataset.overrides import Overrides, value_from

    stated = Overrides(unlabelled=value_from(options["unlabelled"]), duplicates=options["duplicates"])
    answer = examine(Path(data), partial(progress or silent, "checking"), folds=options["folds"], overrides=stated)
    if out is None:
        return answer
    from perpixel.report.audit_page import write_check

    with shown_while("writing the page", progress or silent):
        return write_check(answer, Path(out))


@verb
@with_options
def convert(
    data: PathLike,
    out: PathLike,
    *,
    progress: Progress | None = None,
    **options: Unpack[ConversionOptions],
) -> "Converted":
    """Write what is understood of a folder in a plain form that other programs read, too.

    Args:
        data: The folder, or a dataset.yaml.
        out: The new folder.
        progress: As of `train`.
        **options: What is written.

    Returns:
        What was written; `print` shows it.

    Raises:
        DataError: What `check` calls an error, but that all images are test images or one group.
        OutputError: `out` holds something, or cannot be written.
    """
    from perpixel.checking import examine
    from perpixel.conversion import write_conversion as write
    from perpixel.conversion.convert import refuse_occupied_conversion
    from perpixel.dataset import scan
    from perpixel.dataset.overrides import Overrides, value_from
    from perpixel.errors import DataError

    stated = Overrides(unlabelled=value_from(options["unlabelled"]))
    answer = examine(Path(data), divides=False, overrides=stated)
    if answer.dataset is None or not answer.is_usable:
        raise DataError.of(finding.problem for finding in answer.findings if finding.severity == "error")
    overwrite = options["overwrite"]
    refuse_occupied_conversion(answer.dataset.root, Path(out), overwrite=overwrite)
    dataset = answer.dataset
    if any(sample.corner is not None or sample.strokes is not None for sample in dataset.samples):
        dataset = scan(Path(data), whole=True, overrides=dataset.overrides)
    shown = partial(progress or silent, "converting")
    return write(dataset, Path(out), options["to"], overwrite=overwrite, progress=shown)
