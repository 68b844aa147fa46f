"""The functions on labelled folders: check and convert."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from perpixel.api.given import PathLike
from perpixel.runtime.choices import ConvertedTo, DuplicatesMode
from perpixel.runtime.progress import Progress, silent

if TYPE_CHECKING:
    from perpixel.checking import Check
    from perpixel.conversion import Converted


def check(  # each is one thing to ask for
    data: PathLike,
    out: PathLike | None = None,
    *,
    folds: int | None = None,
    unlabelled: int | str | None = None,
    duplicates: DuplicatesMode | None = None,
    progress: Progress | None = None,
) -> "Check":
    """Audit a folder: what is understood of it, what is wrong with it, and how to mend that.

    Args:
        data: The folder, or a dataset.yaml.
        out: Write check.html, a page with pictures, and dataset.yaml there; edit the latter to overrule it.
        folds: Show how the images divide into so many folds, instead of training, validation and test.
        unlabelled: The value in the masks that nobody has labelled, such as 0 around strokes; it is ignored.
        duplicates: Whether images that show the same stay in one subset; else as dataset.yaml says.
        progress: As of `train`.

    Returns:
        The answer; `print` shows it.
    """
    from perpixel.checking import examine
    from perpixel.dataset.overrides import Overrides, value_from

    stated = Overrides(unlabelled=value_from(unlabelled), duplicates=duplicates)
    answer = examine(Path(data), partial(progress or silent, "checking"), folds=folds, overrides=stated)
    if out is None:
        return answer
    from perpixel.report.audit_page import write_check

    return write_check(answer, Path(out))


def convert(
    data: PathLike,
    out: PathLike,
    *,
    to: ConvertedTo = "masks",
    unlabelled: int | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> "Converted":
    """Write what is understood of a folder in a plain form that other programs read, too.

    Args:
        data: The folder, or a dataset.yaml.
        out: The new folder.
        to: "masks" writes images/, class indices in masks/, classes.csv, manifest.csv and dataset.yaml; "coco",
            "yolo" and "geojson" write images/ and outlines along the edges of pixels, an object for each region.
        unlabelled: The value in the masks that nobody has labelled, such as 0 around strokes; it is ignored.
        overwrite: Replace an earlier conversion in `out`.
        progress: As of `train`.

    Returns:
        What was written; `print` shows it.

    Raises:
        DataError: What `check` calls an error.
        OutputError: `out` holds something, or cannot be written.
    """
    from perpixel.conversion import write_conversion as write
    from perpixel.conversion.convert import refuse_occupied_conversion
    from perpixel.dataset import scan
    from perpixel.errors import DataError

    answer = check(data, unlabelled=unlabelled)
    if answer.dataset is None or not answer.is_usable:
        raise DataError.of(finding.problem for finding in answer.findings if finding.severity == "error")
    refuse_occupied_conversion(answer.dataset.root, Path(out), overwrite=overwrite)
    dataset = answer.dataset
    if any(sample.corner is not None or sample.strokes is not None for sample in dataset.samples):
        dataset = scan(Path(data), whole=True, overrides=dataset.overrides)
    return write(dataset, Path(out), to, overwrite=overwrite, progress=partial(progress or silent, "converting"))
