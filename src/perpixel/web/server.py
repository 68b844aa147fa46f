"""From a run and a folder of images to a running server."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

from perpixel.errors import OutputError, SettingsError
from perpixel.web.serve_options import ServeOptions

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from uvicorn import Server

    from perpixel.labels.labels import Labels
    from perpixel.web.service import Service


@contextmanager
def serving(
    model: Path | None,
    images: Path | None,
    options: ServeOptions,
    classes: Sequence[str] = (),
    labels_folder: Path | None = None,
) -> "Iterator[Service]":
    """Gather what a server needs.

    Args:
        model: A run folder, a model file or an exported bundle; None where nothing is trained yet.
        images: A folder of images.
        options: Address and limits.
        classes: Their names, where there is no model.
        labels_folder: Where painted labels go; by default next to the folder of images.

    Raises:
        RunError: There is no model.
        DataError: There is no image.
        OutputError: The folder for labels holds something else.
    """
    require_web()
    from perpixel.prediction.inputs import expanded
    from perpixel.prediction.load import load_predictor
    from perpixel.store.bundle import is_bundle
    from perpixel.web.label_store import LabelStore
    from perpixel.web.library import Library
    from perpixel.web.service import Model, Service
    from perpixel.web.training_job import TrainingJob

    found = None if model is None else Model(load_predictor(model), model, model.name)
    base = None if model is None or is_bundle(model) else model  # an exported graph is no start of a training
    paths = [] if images is None else expanded([str(images)])
    root = images if images is not None and images.is_dir() else None
    labels = named_labels(classes) if found is None else found.predictor.codec.labels
    with TemporaryDirectory(prefix="perpixel-", ignore_cleanup_errors=True) as name:
        library = Library(paths, root, Path(name), options.upload_pixels)
        service = Service(options, labels, found, library, Path(name), base=base)
        if images is not None and not options.read_only and not labels.is_multilabel:
            folder = labels_folder or images.absolute().with_name(f"{images.absolute().name}-labels")
            service.label_store = LabelStore(folder, labels)
            service.training = TrainingJob(folder / "trained", service.settle)
            if (used := service.training.in_use(model)) is not None:
                service.settle(used, load_predictor(used), is_better=True)
        try:
            yield service
        finally:
            service.close()


def serve_until_stopped(
    build: "Callable[[], AbstractContextManager[Service]]",
    options: ServeOptions,
    announce: Callable[[str], None],
    needed: Sequence[Path | None] = (),
) -> None:
    """Serve until the process is interrupted: the page at once, what needs the model once that is read.

    Args:
        build: Gives a service as `serving` does, with the same options.
        options: Address and limits.
        announce: Called with the address once the server listens.
        needed: Where one of these paths is missing, `build` is called first, to tell before anything is announced.

    Raises:
        OutputError: The address is taken or cannot be listened on.
        PerpixelError: What `build` raises; the server stops then.
    """
    require_web()
    from perpixel.web.opening import Opening

    errors: list[BaseException] = []
    opening = Opening(options)
    server = http_server(opening)
    with ExitStack() as stack, listening(options) as listener, suppress(KeyboardInterrupt):

        def built() -> None:
            try:
                opening.build(lambda: _application(stack.enter_context(build())))
            except BaseException as error:  # it is raised again in the thread that serves
                errors.append(error)
                server.should_exit = True

        builder = Thread(target=built, name="perpixel-builder")
        if not all(path is None or path.exists() for path in needed):
            builder.start()
            builder.join()
        if not errors:
            announce(address_of(listener))
            if builder.ident is None:
                builder.start()
            try:
                server.run(sockets=[listener])
            finally:
                builder.join()
    if errors:
        raise errors[0]


def _application(service: "Service") -> "ASGIApp":
    from perpixel.web.application import application

    return application(service)


def http_server(app: "ASGIApp") -> "Server":
    """The HTTP server around an application; `run(sockets=[listener])` lasts until its `should_exit` is set."""
    import uvicorn

    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=2**16,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def named_labels(names: Sequence[str]) -> "Labels":
    """Multiclass labels of these names, numbered from 0. Raises SettingsError for fewer than two, or twins."""
    from perpixel.dataset.masks.classes import default_colours
    from perpixel.labels.labels import Labels

    if len(set(names)) < 2 or len(set(names)) != len(names) or not all(names):
        raise SettingsError(
            f"the classes {', '.join(names) or '(none)'} are not two or more different names.",
            fix="name them, the background first, such as background,nucleus.",
        )
    numbers = tuple(range(len(names)))
    return Labels("multiclass", tuple(names), numbers, tuple(default_colours(numbers)), ignored=(255,))


def require_web() -> None:
    """Raise SettingsError where the packages of the extra `web` are not installed."""
    from importlib.util import find_spec

    if missing := [name for name in ("starlette", "uvicorn", "python_multipart") if find_spec(name) is None]:
        raise SettingsError(
            f"the server needs {', '.join(missing)}, which is not installed.", fix="pip install 'perpixel[web]'."
        )


def address_of(listener: socket.socket) -> str:
    """Where a browser finds a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


@contextmanager
def listening(options: ServeOptions) -> Iterator[socket.socket]:
    """A socket at the address of the options. Raises OutputError where it cannot be had."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        if os.name == "posix":  # elsewhere it would let another process take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.port))
            listener.listen(2048)
        except OSError as error:
            raise OutputError(
                f"cannot listen on {options.host}, port {options.port}: {error.strerror or error}.",
                fix="choose another port.",
            ) from None
        yield listener
