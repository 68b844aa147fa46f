"""Routes of the labels: tiles, strokes, whole label images; each with the ETag that tells what it changes."""

import asyncio
from collections.abc import Callable
from typing import Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from perpixel.errors import DataError
from perpixel.files.parse import parse_json
from perpixel.files.read import read_image
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import IGNORED
from perpixel.web.endpoints import Endpoint, Parameter, service_of
from perpixel.web.image_routes import COUNT, TILE, existing, tile_place
from perpixel.web.label_store import LabelStore
from perpixel.web.painting import MODEL, PERSON, Painting
from perpixel.web.strokes import Stroke
from perpixel.web.tiles import TILE_PX, png
from perpixel.web.uploads import received

IF_MATCH: Final = Parameter("If-Match", {"type": "string"}, "header")
TAKEN_BACK: Final = {"undo": Painting.undo, "redo": Painting.redo}


def store_of(request: Request) -> LabelStore:
    """Where labels go. Raises HTTPException 403 where nothing is painted."""
    store = service_of(request).label_store
    if store is None:
        raise HTTPException(403, "nothing is painted here: the server was started to look only.")
    return store


async def painting_of(request: Request) -> Painting:
    """The labels of the image that a path names."""
    image = service_of(request).image(request)
    return await asyncio.to_thread(store_of(request).open, image)


async def labels(request: Request) -> Response:
    """The labels of an image: a PNG of class indices, 255 for none."""
    painting = await painting_of(request)
    with painting.lock:
        content, etag = painting.labels.copy(), painting.etag
    return Response(await asyncio.to_thread(png, content), media_type="image/png", headers={"ETag": etag})


async def put_labels(request: Request) -> Response:
    """Replace the labels of an image."""
    painting, service = await painting_of(request), service_of(request)
    with service.worker.place():
        async with received(request, service.folder) as (path, name):
            try:
                sent = await asyncio.to_thread(read_image, path)
            except DataError:
                raise HTTPException(422, f"{name} is not an image of class indices.") from None
    if sent.shape[2] != 1 or sent.dtype != np.uint8:
        raise HTTPException(422, "labels are one channel of 8 bits: class indices, 255 for none.")
    return await _changed(request, painting, lambda: painting.put(sent[..., 0], source=PERSON))


async def stroke(request: Request) -> Response:
    """Paint one stroke."""
    painting, store = await painting_of(request), store_of(request)
    taken = Stroke.of(await sent_json(request), len(store.labels))
    return await _changed(request, painting, lambda: painting.paint(taken))


async def take_back(request: Request) -> Response:
    """Undo or redo a step."""
    painting, what = await painting_of(request), request.path_params["step"]
    if what not in TAKEN_BACK:
        raise HTTPException(404, "there is undo, and redo.")
    return await _changed(request, painting, lambda: TAKEN_BACK[what](painting))


async def accept(request: Request) -> Response:
    """Take the model's mask where nothing is labelled yet; it is kept apart from what a person paints."""
    painting, service = await painting_of(request), service_of(request)
    try:
        layers = service.layers.find(request.path_params["image"])
    except KeyError:
        raise HTTPException(409, "the image is not predicted yet.") from None
    predicted = await asyncio.to_thread(read_image, layers.masks[0])
    return await _changed(request, painting, lambda: painting.put(predicted[..., 0], source=MODEL))


async def label_state(request: Request) -> Response:
    """How far an image is labelled."""
    painting = await painting_of(request)
    return JSONResponse(_state(painting), headers={"ETag": painting.etag})


async def label_tile(request: Request) -> Response:
    """One tile of the labels."""
    painting, place = await painting_of(request), tile_place(request)
    side = TILE_PX * 2**place.level
    box = np.s_[place.row * side : (place.row + 1) * side, place.column * side : (place.column + 1) * side]

    def drawn() -> bytes:
        with painting.lock:
            pixels = painting.labels[box][:: 2**place.level, :: 2**place.level].copy()
        return png(existing(pixels))

    return Response(await asyncio.to_thread(drawn), media_type="image/png")


async def _changed(request: Request, painting: Painting, change: Callable[[], None]) -> Response:
    """Change labels if they are still those that the client saw; 409 tells how they are now."""
    seen, store = request.headers.get("if-match"), store_of(request)

    def work() -> bool:
        store.begin()
        with painting.lock:
            if seen not in (painting.etag, "*"):
                return False
            change()
            return True

    done = await asyncio.to_thread(work)
    if done:
        service_of(request).save_soon()
    error = {} if done else {"error": "the labels were changed elsewhere meanwhile, or no If-Match was sent."}
    return JSONResponse(_state(painting) | error, 200 if done else 409, {"ETag": painting.etag})


async def sent_json(request: Request) -> Json:
    """The body as JSON. Raises HTTPException 400."""
    try:
        return parse_json((await request.body()).decode(), "the body")
    except (ValueError, DataError):
        raise HTTPException(400, "the body is no JSON.") from None


def _state(painting: Painting) -> JsonObject:
    with painting.lock:
        undo, redo = painting.steps
        counts = np.bincount(painting.labels.ravel()[::1], minlength=256)
        by_source = np.bincount(painting.sources.ravel(), minlength=3)
        return {
            "version": painting.version,
            "undo": undo,
            "redo": redo,
            "pixels": counts[: painting.classes].tolist(),
            "unlabelled": int(counts[IGNORED]),
            "by_person": int(by_source[PERSON]),
            "by_model": int(by_source[MODEL]),
        }


_CHANGES: Final = (403, 404, 409, 422)
ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/images/{image}/labels",
        labels,
        "The labels: a PNG of class indices, 255 for none.",
        answers=("image/png",),
        errors=(403, 404, 422),
    ),
    Endpoint(
        "PUT",
        "/v1/images/{image}/labels",
        put_labels,
        "Replace the labels.",
        body=("image/png",),
        errors=(*_CHANGES, 413, 429),
        parameters=(IF_MATCH,),
    ),
    Endpoint(
        "GET", "/v1/images/{image}/labels/state", label_state, "How far it is labelled.", errors=(403, 404, 422)
    ),
    Endpoint(
        "POST",
        "/v1/images/{image}/labels/strokes",
        stroke,
        "Paint one stroke.",
        body=("application/json",),
        errors=_CHANGES,
        parameters=(IF_MATCH,),
    ),
    Endpoint(
        "POST",
        "/v1/images/{image}/labels/steps/{step}",
        take_back,
        "Undo or redo a step.",
        errors=_CHANGES,
        parameters=(IF_MATCH,),
    ),
    Endpoint(
        "POST",
        "/v1/images/{image}/labels/accept",
        accept,
        "Take the model's mask where nothing is labelled.",
        errors=_CHANGES,
        parameters=(IF_MATCH,),
    ),
    Endpoint(
        "GET",
        f"/v1/images/{{image}}/labels/tiles/{TILE}",
        label_tile,
        "A tile of the labels.",
        answers=("image/png",),
        errors=(403, 404, 422),
        parameters=(Parameter("page", COUNT), Parameter("v", COUNT)),
    ),
)
