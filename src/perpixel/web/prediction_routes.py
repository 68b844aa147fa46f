"""Routes for programs: the model, and predictions of images that are sent."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from perpixel.web.answers import FORMS, AnswerFile, answered
from perpixel.web.endpoints import Endpoint, Parameter, service_of
from perpixel.web.library import called
from perpixel.web.uploads import received, refuse_large

ANSWERS = ("image/png", "image/tiff", "application/geo+json", "application/zip")
AS = Parameter("as", {"type": "string", "enum": list(FORMS), "default": "mask"})
IMAGE_BODY = ("application/octet-stream", "image/*", "multipart/form-data")


async def health(_: Request) -> Response:
    """Say that the server runs; "UP" is what Label Studio asks for."""
    return JSONResponse({"status": "UP"})


async def model(request: Request) -> Response:
    """Say what the model is, its classes, and how it scored."""
    return JSONResponse(await asyncio.to_thread(service_of(request).described))


async def _predict(request: Request) -> Response:
    """Predict the image in the body."""
    service, form = service_of(request), form_of(request)
    predictor = service.predictor
    with service.worker.place():
        async with received(request, service.folder) as (path, name):
            folder = Path(mkdtemp(dir=service.folder, prefix="answer-"))

            def work() -> AnswerFile:
                with called(path, name):
                    refuse_large(path, service.options.upload_pixels)
                return answered(predictor, path, name, form, folder)

            return await sent(request, work, folder, "answer")


def form_of(request: Request) -> str:
    """The form that a request asks for. Raises HTTPException 400."""
    form = request.query_params.get("as", "mask")
    if form not in FORMS:
        raise HTTPException(400, f"as={form[:50]} is unknown; choose one of {', '.join(FORMS)}.")
    return form


async def sent(request: Request, work: Callable[[], AnswerFile], folder: Path, stem: str) -> Response:
    """Wait for an answer and send its file; the folder is removed afterwards, whatever happens."""
    try:
        answer = await service_of(request).worker.run(request, work)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    clean = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    name = f"{stem}{answer.path.suffix}"
    return FileResponse(answer.path, media_type=answer.media_type, filename=name, background=clean)


ENDPOINTS = (
    Endpoint("GET", "/health", health, "Whether the server runs."),
    Endpoint("GET", "/v1/model", model, "The model, its classes and its scores with 95 % intervals."),
    Endpoint(
        "POST",
        "/v1/predict",
        _predict,
        "Predict the image in the body.",
        answers=ANSWERS,
        body=IMAGE_BODY,
        errors=(408, 409, 413, 422, 429),
        parameters=(AS, Parameter("name", {"type": "string"})),
    ),
)
