"""Bodies of requests as files of the server's own; what is too large is refused before it is decoded."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from perpixel.errors import DataError
from perpixel.files.open_image import damage_told
from perpixel.files.read import read_header

CHUNK: Final = 2**20
NAME_LENGTH: Final = 200


@asynccontextmanager
async def received(request: Request, folder: Path) -> AsyncIterator[tuple[Path, str]]:
    """The image that a request carries, as a file and the name that the client gives it.

    Args:
        request: Its body is the image, or a form with one file.
        folder: Where the file is kept until the block ends; its name is the server's.

    Yields:
        The file, and a name to show.

    Raises:
        HTTPException: 400 for a form without a file, or an empty body.
    """
    descriptor, name = mkstemp(dir=folder, prefix="body-")
    path = Path(name)
    try:
        with open(descriptor, "wb") as file:
            if request.headers.get("content-type", "").startswith("multipart/form-data"):
                shown = await _from_form(request, file)
            else:
                async for chunk in request.stream():
                    file.write(chunk)
                shown = request.query_params.get("name", "the image")
        if path.stat().st_size == 0:
            raise HTTPException(400, "the body is empty; send the bytes of an image.")
        yield path, shown[:NAME_LENGTH]
    finally:
        path.unlink(missing_ok=True)


async def _from_form(request: Request, file: object) -> str:
    async with request.form(max_files=1, max_fields=8) as form:
        upload = next((part for part in form.values() if isinstance(part, UploadFile)), None)
        if upload is None:
            raise HTTPException(400, "the form holds no file.")
        while chunk := await upload.read(CHUNK):
            await run_in_threadpool(file.write, chunk)  # type: ignore[attr-defined]
        return upload.filename or "the image"


def refuse_large(path: Path, most_pixels: int) -> None:
    """Raise DataError for what is no image, or has too many pixels over its pages; little is decoded for that."""
    for height, width in (_declared(path),):
        _refuse(path, height * width, most_pixels)
    header = read_header(path)
    _refuse(path, header.pages * header.height * header.width * -(-header.channels // 4), most_pixels)


def _declared(path: Path) -> tuple[int, int]:
    """Height and width of a PNG as its first bytes say: an alpha makes the reader decode it to know its channels."""
    with damage_told(path), path.open("rb") as file:
        start = file.read(24)
    if start.startswith(b"\x89PNG") and len(start) == 24:
        width, height = struct.unpack(">II", start[16:])
        return height, width
    return 0, 0


def _refuse(path: Path, pixels: int, most_pixels: int) -> None:
    if pixels > most_pixels:
        raise DataError(
            f"{path} declares {pixels:,} pixels; at most {most_pixels:,} are taken from a client.",
            fix="send a smaller part of it, or put the file into the folder that is served.",
        )
