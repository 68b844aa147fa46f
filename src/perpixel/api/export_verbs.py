"""The functions that hand a model to other programs: export and push."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from perpixel.api.given import PathLike, opened_run
from perpixel.runtime.choices import ExportPrecision

if TYPE_CHECKING:
    from perpixel.exporting import Exported
    from perpixel.exporting.push import Pushed
    from perpixel.store.run_folder import Run


def export(  # each is one thing to ask for
    run: "Run | PathLike",
    out: PathLike,
    *,
    target: str = "onnx",
    images: "Sequence[PathLike] | None" = None,
    precision: ExportPrecision = "float32",
    overwrite: bool = False,
) -> "Exported":
    """Export a run to a folder for another program, and prove that it predicts there what it predicts here.

    Args:
        run: A finished run, or its folder.
        out: The folder to write, or a file whose name ends in .zip.
        target: What it is for: "onnx" (and `predict` without PyTorch), "torchscript", and so on; see docs/export.md.
        images: Files, folders or globs to prove it on; None for the run's test images.
        precision: "fp16" halves the weights, "int8" quantises convolutions; one that loses more than 0.005 of the
            mean IoU on the run's validation images is refused.
        overwrite: Replace an earlier export.

    Returns:
        Where it lies and how well it agrees; `print` shows it.

    Raises:
        PerpixelError: SettingsError, RunError, DataError or OutputError, with what to correct; nothing is written.
    """
    from perpixel.exporting import export_run

    given = None if images is None else [str(each) for each in images]
    return export_run(
        opened_run(run), Path(out), target=target, images=given, precision=precision, overwrite=overwrite
    )


def push(folder: PathLike, repository: str, *, private: bool = False) -> "Pushed":
    """Upload an export made for huggingface to the Hugging Face Hub, or to the server that HF_ENDPOINT names.

    Args:
        folder: The export.
        repository: OWNER/NAME; it is made where it is missing.
        private: Whether a new repository is private.

    Returns:
        What was uploaded; `print` shows the address of the repository.

    Raises:
        PerpixelError: RunError, SettingsError or OutputError, with what to correct.
    """
    from perpixel.exporting.push import push_folder

    return push_folder(Path(folder), repository, is_private=private)
