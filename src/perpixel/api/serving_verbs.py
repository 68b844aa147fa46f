"""The functions that serve the page: serve and annotate."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.calls import verb
from perpixel.api.given import PathLike, model_path
from perpixel.settings.options import with_options
from perpixel.settings.verb_options import ListeningOptions, ServingOptions

if TYPE_CHECKING:
    from perpixel.store.run_folder import Run


@verb
@with_options
def serve(
    run: "Run | PathLike",
    images: PathLike | None = None,
    *,
    announce: Callable[[str], None] | None = None,
    **options: Unpack[ServingOptions],
) -> None:
    """Serve a trained model to the browser and to programs, until interrupted; needs the extra `web`.

    Args:
        run: A run, its folder, a model file, or an exported bundle.
        images: A folder of images to choose from on the page; others can be dropped on it.
        announce: Called with the page's address once the server listens.
        **options: Where it listens, and what the page offers.

    Raises:
        PerpixelError: RunError, DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel import web

    listening = web.ServeOptions(
        host=options["host"],
        port=options["port"],
        token=options["token"],
        read_only=options["read_only"],
        label_studio=options["label_studio"],
    )
    folder, labels_folder = (Path(each) if each else None for each in (images, options["labels"]))
    model = model_path(run)
    build = partial(web.serving, model, folder, listening, labels_folder=labels_folder)
    web.serve_until_stopped(build, listening, announce or (lambda _: None), needed=(model, folder))


@verb
@with_options
def annotate(
    images: PathLike,
    classes: Sequence[str],
    out: PathLike | None = None,
    *,
    announce: Callable[[str], None] | None = None,
    **options: Unpack[ListeningOptions],
) -> None:
    """Label images in the browser from scratch, and train on the labels there; needs the extra `web`.

    Args:
        images: A folder of images.
        classes: Names of the classes, the background first.
        out: The folder for the labels; by default IMAGES-labels next to the folder of images.
        announce: Called with the page's address once the server listens.
        **options: Where it listens.

    Raises:
        PerpixelError: DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel import web

    listening = web.ServeOptions(host=options["host"], port=options["port"], token=options["token"])
    build = partial(web.serving, None, Path(images), listening, list(classes), Path(out) if out else None)
    web.serve_until_stopped(build, listening, announce or (lambda _: None), needed=(Path(images),))
