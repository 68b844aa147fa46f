"""The functions that hand a model to other programs: export and push."""

from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.calls import verb
from perpixel.api.given import PathLike, opened_run
from perpixel.runtime.progress import Progress, shown_while, silent
from perpixel.settings.options import with_options
from perpixel.settings.verb_options import ExportingOptions

if TYPE_CHECKING:
    from perpixel.exporting import Exported
    from perpixel.exporting.push import Pushed
    from perpixel.store.run_folder import Run


@verb
@with_options
def export(
    run: "Run | PathLike", out: PathLike, *, progress: Progress | None = None, **options: Unpack[ExportingOptions]
) -> "Exported":
    """Export a run to a folder for another program, and prove that it predicts there what it predicts here.

    Args:
        run: A finished run, or its folder.
        out: The folder to write, or a file whose name ends in .zip.
        progress: Called with a task, how much of it is done, of how much, and a note; nothing is shown without.
        **options: For which program, and in what precision; see docs/export.md.

    Returns:
        Where it lies and how well it agrees; `print` shows it.

    Raises:
        PerpixelError: SettingsError, RunError, DataError or OutputError, with what to correct; nothing is written.
    """
    from perpixel.exporting import export_run

    images = options["images"]
    with shown_while("exporting and verifying", progress or silent):
        return export_run(
            opened_run(run),
            Path(out),
            target=options["target"],
            images=None if images is None else [str(each) for each in images],
            precision=options["precision"],
            overwrite=options["overwrite"],
        )


@verb
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
