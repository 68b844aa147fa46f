"""The functions that serve the page: serve and annotate."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from perpixel.api.given import PathLike, model_path

if TYPE_CHECKING:
    from perpixel.store.run_folder import Run


def serve(  # noqa: PLR0913 # each is one thing to ask for
    run: "Run | PathLike",
    images: PathLike | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    token: str | None = None,
    read_only: bool = False,
    label_studio: bool = False,
    labels: PathLike | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve a trained model to the browser and to programs, until interrupted; needs the extra `web`.

    Args:
        run: A run, its folder, a model file, or an exported bundle.
        images: A folder of images to choose from on the page; others can be dropped on it.
        host: The address to listen on; any but the loopback ones needs a token.
        port: The port; 0 takes a free one.
        token: What clients have to show.
        read_only: Look only: nothing is painted and nothing trained.
        label_studio: Also serve the routes of a Label Studio machine-learning backend.
        labels: The folder for what is painted; by default IMAGES-labels next to the folder of images.
        announce: Called with the page's address once the server listens.

    Raises:
        PerpixelError: RunError, DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel import web

    options = web.ServeOptions(host=host, port=port, token=token, read_only=read_only, label_studio=label_studio)
    folder, labels_folder = (Path(each) if each else None for each in (images, labels))
    model = model_path(run)
    build = partial(web.serving, model, folder, options, labels_folder=labels_folder)
    web.serve_until_stopped(build, options, announce or (lambda _: None), needed=(model, folder))


def annotate(  # noqa: PLR0913 # each is one thing to ask for
    images: PathLike,
    classes: Sequence[str],
    out: PathLike | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    token: str | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Label images in the browser from scratch, and train on the labels there; needs the extra `web`.

    Args:
        images: A folder of images.
        classes: Names of the classes, the background first.
        out: The folder for the labels; by default IMAGES-labels next to the folder of images.
        host: The address to listen on; any but the loopback ones needs a token.
        port: The port; 0 takes a free one.
        token: What clients have to show.
        announce: Called with the page's address once the server listens.

    Raises:
        PerpixelError: DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel import web

    options = web.ServeOptions(host=host, port=port, token=token)
    build = partial(web.serving, None, Path(images), options, list(classes), Path(out) if out else None)
    web.serve_until_stopped(build, options, announce or (lambda _: None), needed=(Path(images),))
