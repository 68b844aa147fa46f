"""The images that a server shows: those of a folder, and those that were uploaded. Clients know them by ids."""

import hashlib
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Final

from perpixel.errors import DataError
from perpixel.files.read import Header, read_header
from perpixel.web.uploads import refuse_large

MOST_UPLOADS: Final = 20


@dataclass(frozen=True)
class LibraryImage:
    """One image that clients may look at.

    Args:
        id: What clients call it; it says nothing about the file system.
        name: What people call it: text, never a path to open and never markup.
        path: The file.
        is_upload: Whether a client sent it; such an image is forgotten after others.
    """

    id: str
    name: str
    path: Path
    is_upload: bool = False

    def header(self) -> Header:
        """Its size. Raises DataError, which calls it by its name."""
        with called(self.path, self.name):
            return read_header(self.path)


class Library:
    """Images by their id.

    Args:
        paths: The files that are offered, in their order.
        root: The folder that they lie in; names count from it.
        uploads: A folder for what clients send; it belongs to the server alone.
        upload_pixels: The most pixels of an upload.
    """

    def __init__(self, paths: list[Path], root: Path | None, uploads: Path, upload_pixels: int) -> None:
        images = [LibraryImage(_id(name), name, path) for path in paths for name in [_name(path, root)]]
        self.images = {image.id: image for image in images}
        self._uploads: OrderedDict[str, LibraryImage] = OrderedDict()
        self._folder, self._most_pixels, self._lock = uploads, upload_pixels, Lock()

    def find(self, image_id: str) -> LibraryImage:
        """The image of an id. Raises KeyError."""
        return self.images.get(image_id) or self._uploads[image_id]

    def add(self, body: Path, name: str) -> LibraryImage:
        """Take an uploaded file into the library; the oldest upload makes room.

        Args:
            body: The file as it arrived; it is moved.
            name: What the client calls it.

        Raises:
            DataError: It is no image, or too large.
        """
        with called(body, name):
            refuse_large(body, self._most_pixels)
        digest = hashlib.blake2b(body.read_bytes(), digest_size=12).hexdigest()
        image_id = f"u{digest}"
        image = LibraryImage(image_id, name, self._folder / image_id / "image", is_upload=True)
        with self._lock:
            image.path.parent.mkdir(exist_ok=True)
            shutil.move(body, image.path)
            self._uploads[image_id] = image
            while len(self._uploads) > MOST_UPLOADS:
                _, old = self._uploads.popitem(last=False)
                shutil.rmtree(old.path.parent, ignore_errors=True)
        return image


class called:  # noqa: N801 # reads as a clause in a with statement
    """Let messages about a file call it by the name that the client knows, and tell nothing of the file system."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, DataError):
            problem = error.problems[0]
            raise DataError(
                problem.what.replace(str(self.path), self.name), fix=problem.fix.replace(str(self.path), self.name)
            ) from None


def _name(path: Path, root: Path | None) -> str:
    return path.relative_to(root).as_posix() if root and path.is_relative_to(root) else path.name


def _id(name: str) -> str:
    return "i" + hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
