"""Routes of the preview: a prediction from the strokes alone."""

import asyncio
from typing import Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from perpixel.runtime.json_values import Json
from perpixel.web.endpoints import Endpoint, Parameter, service_of
from perpixel.web.image_routes import COUNT, TILE, existing, tile_place
from perpixel.web.label_routes import painting_of, sent_json
from perpixel.web.library import called
from perpixel.web.tiles import png

SIDES: Final = ("top", "left", "bottom", "right")


async def _preview(request: Request) -> Response:
    """Predict what is seen from the strokes."""
    service, painting = service_of(request), await painting_of(request)
    found, box = service.image(request), _box(await sent_json(request))

    def work() -> int:
        with painting.lock:
            labels = painting.labels.copy()
        with called(found.path, found.name):
            return service.previews.refresh(found.id, labels, box, service.pyramids.get(found.path))

    with service.worker.place():
        try:
            version = await service.worker.run(request, work)
        except LookupError as error:
            raise HTTPException(409, str(error.args[0])) from None
    return JSONResponse({"version": version})


async def _features(request: Request) -> Response:
    """Compute the features of what is seen while nobody waits for them."""
    service, painting = service_of(request), await painting_of(request)
    found, box = service.image(request), _box(await sent_json(request))
    if service.previews.want(found.id, painting.shape, box, lambda: service.pyramids.get(found.path)):
        service.worker.soon(service.previews.prepare)
    return JSONResponse({}, 202)


async def preview_tile(request: Request) -> Response:
    """One tile of the preview."""
    service, place = service_of(request), tile_place(request)
    try:
        pixels = await asyncio.to_thread(service.previews.tile, request.path_params["image"], place)
    except KeyError:
        raise HTTPException(404, "there is no preview of this image.") from None
    return Response(await asyncio.to_thread(png, np.ascontiguousarray(existing(pixels))), media_type="image/png")


def _box(sent: Json) -> tuple[int, int, int, int]:
    try:
        top, left, bottom, right = (int(sent[side]) for side in SIDES)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise HTTPException(400, f"the body lacks {', '.join(SIDES)}, or they are no numbers.") from None
    if not (0 <= top < bottom <= 2**24 and 0 <= left < right <= 2**24):
        raise HTTPException(400, "the part that is seen holds no pixel.")
    return top, left, bottom, right


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/images/{image}/preview",
        _preview,
        "Predict a part of an image from the strokes alone.",
        body=("application/json",),
        errors=(403, 404, 409, 422, 429),
    ),
    Endpoint(
        "POST",
        "/v1/images/{image}/preview/features",
        _features,
        "Compute in the background what a preview of a part of an image needs, so that the first one is quick.",
        status=202,
        body=("application/json",),
        errors=(403, 404, 422),
    ),
    Endpoint(
        "GET",
        f"/v1/images/{{image}}/preview/{TILE}",
        preview_tile,
        "A tile of the preview.",
        answers=("image/png",),
        errors=(404,),
        parameters=(Parameter("page", COUNT), Parameter("v", COUNT)),
    ),
)
