"""The routes of a Label Studio machine-learning backend: predict, setup, webhook; health is everyone's."""

import base64
import binascii
import re
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from perpixel.errors import DataError
from perpixel.files.read import read_image
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject
from perpixel.web.endpoints import Endpoint, service_of
from perpixel.web.label_routes import sent_json
from perpixel.web.label_studio import BrushTag, brush_results, brush_tag, target_of
from perpixel.web.library import LibraryImage, called
from perpixel.web.painting import PERSON
from perpixel.web.service import Service
from perpixel.web.uploads import refuse_large

MOST_TASKS: Final = 50
UPLOAD_PREFIX: Final = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of an uploaded file."""

SAVED: Final = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")


async def _predict(request: Request) -> Response:
    """Predict tasks: masks for each."""
    service, sent = service_of(request), _object(await sent_json(request))
    predictor, tasks = service.predictor, sent.get("tasks")
    if not isinstance(tasks, list) or len(tasks) > MOST_TASKS:
        raise HTTPException(400, f"tasks is not a list of at most {MOST_TASKS} tasks.")
    tag = brush_tag(str(sent.get("label_config", "")))

    def work() -> list[JsonObject]:
        return [_predicted(service, predictor, _object(task), tag) for task in tasks]

    with service.worker.place():
        results = await service.worker.run(request, work)
    return JSONResponse({"results": results})


async def setup(request: Request) -> Response:
    """Say which model answers."""
    return JSONResponse({"model_version": _version(service_of(request))})


async def webhook(request: Request) -> Response:
    """Keep an annotation as labels of a person."""
    service, sent = service_of(request), _object(await sent_json(request))
    if sent.get("action") in SAVED and service.label_store is not None:
        image = _of_folder(service, _object(sent.get("task")))
        if image is not None:
            results = _object(sent.get("annotation")).get("result")
            await service.worker.run(request, lambda: _kept(service, image, results))
    return JSONResponse({}, 201)


def _predicted(service: Service, predictor: Any, task: JsonMapping, tag: BrushTag) -> JsonObject:
    address = _address(task)
    if address.startswith("data:"):
        target = _of_bytes(service, predictor, address)
    elif (image := _of_folder(service, task)) is not None:
        with called(image.path, image.name):
            target = predictor.target(read_image(image.path), image.name)
    else:
        name = PurePosixPath(urlsplit(address).path).name[:80]
        raise DataError(
            f"the image {name} of a task is not in the folder that is served.",
            fix="serve the folder that the tasks were imported from.",
        )
    results = brush_results(target, predictor.codec.labels, tag)
    return {"result": results, "score": 1.0, "model_version": _version(service)}


def _of_bytes(service: Service, predictor: Json, address: str) -> Json:
    try:
        content = base64.b64decode(address.partition(",")[2], validate=True)
    except binascii.Error:
        raise DataError("a data address is not base64.", fix="send the image as base64.") from None
    with NamedTemporaryFile(dir=service.folder, delete=False) as file:
        file.write(content)
    path = Path(file.name)
    try:
        with called(path, "the image"):
            refuse_large(path, service.options.upload_pixels)
            return predictor.target(read_image(path), "the image")
    finally:
        path.unlink()


def _of_folder(service: Service, task: JsonMapping) -> LibraryImage | None:
    """The image of the folder with the file name of a task; no address is opened, neither of a file nor of a site."""
    parts = urlsplit(_address(task))
    wanted = PurePosixPath(unquote(parts.query.rpartition("d=")[2] or parts.path)).name
    names = {wanted, UPLOAD_PREFIX.sub("", wanted)}
    return next((image for image in service.library.images.values() if PurePosixPath(image.name).name in names), None)


def _kept(service: Service, image: LibraryImage, results: Json) -> None:
    store = service.label_store
    assert store is not None
    painting = store.open(image)
    target = target_of(results, service.labels, painting.shape)
    store.begin()
    with painting.lock:
        painting.put(target, source=PERSON)
    service.save_soon()


def _address(task: JsonMapping) -> str:
    """What a task's data name as its image: the first text that looks like an address."""
    texts = [value for value in _object(task.get("data")).values() if isinstance(value, str)]
    return next((text for text in texts if text.startswith(("data:", "http:", "https:", "/", "s3:", "gs:"))), "")


def _version(service: Service) -> str:
    return service.model.path.name if service.model else "untrained"


def _object(sent: Json) -> JsonMapping:
    if not isinstance(sent, dict):
        raise HTTPException(400, "the body, or a part of it, is no object.")
    return sent


ENDPOINTS = (
    Endpoint(
        "POST",
        "/predict",
        _predict,
        "Label Studio: predict tasks.",
        body=("application/json",),
        errors=(409, 422, 429),
    ),
    Endpoint("POST", "/setup", setup, "Label Studio: which model answers.", body=("application/json",)),
    Endpoint(
        "POST",
        "/webhook",
        webhook,
        "Label Studio: keep an annotation.",
        status=201,
        body=("application/json",),
        errors=(422,),
    ),
)
