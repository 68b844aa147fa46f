"""Routes of the page: images, their tiles, their predictions, and files to download."""

import asyncio
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from perpixel.runtime.json_values import JsonObject
from perpixel.web.answers import answered
from perpixel.web.endpoints import Endpoint, Parameter, service_of
from perpixel.web.library import LibraryImage, called
from perpixel.web.prediction_layers import LayerStore, TilePlace
from perpixel.web.prediction_routes import ANSWERS, AS, IMAGE_BODY, form_of, sent
from perpixel.web.tiles import TILE_PX, levels, png
from perpixel.web.uploads import received

MOST_LISTED = 500
MOST_LEVEL = 24
MOST_PLACE = 2**20

COUNT = {"type": "integer", "minimum": 0}
PAGE = Parameter("page", COUNT)
MODELS = ("current", "other")
MODEL = Parameter("model", {"type": "string", "enum": list(MODELS), "default": MODELS[0]})


async def images(request: Request) -> Response:
    """List a part of the images."""
    service = service_of(request)
    offset, limit = query_number(request, "offset", 0), min(query_number(request, "limit", 100), MOST_LISTED)
    every = list(service.library.images.values())
    listed = [{"id": image.id, "name": image.name} for image in every[offset : offset + limit]]
    return JSONResponse({"total": len(every), "offset": offset, "images": listed})


async def upload(request: Request) -> Response:
    """Take an image that is looked at on the page; it is forgotten when the server stops."""
    service = service_of(request)
    with service.worker.place():
        async with received(request, service.folder) as (path, name):
            image = await asyncio.to_thread(service.library.add, path, name)
    return JSONResponse(await asyncio.to_thread(_described, image), 201)


async def image(request: Request) -> Response:
    """Say how large an image is, and how its tiles are counted."""
    return JSONResponse(await asyncio.to_thread(_described, service_of(request).image(request)))


async def tile(request: Request) -> Response:
    """One tile of an image, as it is shown."""
    service, place = service_of(request), tile_place(request)
    found = service.image(request)

    def drawn() -> bytes:
        with called(found.path, found.name):
            _refuse_page(found, place.page)
            return png(existing(service.pyramids.get(found.path, place.page).shown(*_of_page(place))))

    return Response(await asyncio.to_thread(drawn), media_type="image/png")


async def predict_image(request: Request) -> Response:
    """Predict an image of the library, so that its layers can be looked at."""
    service, store = service_of(request), _layers_of(request)
    found, predictor = service.image(request), service.predictor
    if store is service.other_layers:
        if service.other is None:
            raise HTTPException(409, "there is no other model.")
        predictor = service.other.predictor
    with service.worker.place():
        layers = await service.worker.run(request, lambda: store.predict(predictor, found, found.header()))
    return JSONResponse({"version": layers.version, "has_probabilities": layers.probabilities is not None})


async def layer_tile(request: Request) -> Response:
    """One tile of a layer of a prediction."""
    service, place, store = service_of(request), tile_place(request), _layers_of(request)
    image_id, layer = request.path_params["image"], request.path_params["layer"]

    def drawn() -> bytes:
        return png(existing(store.tile(store.find(image_id), service.labels, layer, place)))

    try:
        return Response(await asyncio.to_thread(drawn), media_type="image/png")
    except KeyError:
        raise HTTPException(404, "the image is not predicted, or has no such layer.") from None


async def download(request: Request) -> Response:
    """Predict an image of the library into a file."""
    service, form = service_of(request), form_of(request)
    found, predictor = service.image(request), service.predictor
    with service.worker.place():
        folder = Path(mkdtemp(dir=service.folder, prefix="answer-"))
        work = partial(answered, predictor, found.path, found.name, form, folder)
        return await sent(request, work, folder, f"{PurePosixPath(found.name).stem}-{form}")


def _layers_of(request: Request) -> LayerStore:
    """The layers of the model that answers, or of the other one. Raises HTTPException 400."""
    service, which = service_of(request), request.query_params.get("model", MODELS[0])
    if which not in MODELS:
        raise HTTPException(400, f"model is none of {', '.join(MODELS)}.")
    return service.layers if which == MODELS[0] else service.other_layers


def query_number(request: Request, name: str, default: int) -> int:
    """A whole number of the query. Raises HTTPException 400."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdecimal()) or len(text) > 9:
        raise HTTPException(400, f"{name} is not a whole number.")
    return int(text)


def tile_place(request: Request) -> TilePlace:
    """The tile that a path names. Raises HTTPException 404."""
    level, column, row = (int(request.path_params[name]) for name in ("level", "column", "row"))
    if level > MOST_LEVEL or max(column, row) > MOST_PLACE:
        raise HTTPException(404, "there is no such tile.")
    return TilePlace(query_number(request, "page", 0), level, column, row)


def existing(pixels: Any) -> Any:
    """The pixels of a tile. Raises HTTPException 404 where it has none."""
    if pixels.size == 0:
        raise HTTPException(404, "there is no such tile.")
    return pixels


def _of_page(place: TilePlace) -> tuple[int, int, int]:
    return place.level, place.column, place.row


def _refuse_page(found: LibraryImage, page: int) -> None:
    if page and page >= found.header().pages:
        raise HTTPException(404, "there is no such page.")


def _described(found: LibraryImage) -> JsonObject:
    header = found.header()
    height, width = header.size
    return {
        "id": found.id,
        "name": found.name,
        "height": height,
        "width": width,
        "pages": header.pages,
        "is_upload": found.is_upload,
        "tile_px": TILE_PX,
        "levels": levels(height, width),
    }


TILE = "{level:int}/{column:int}/{row:int}"
ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/images",
        images,
        "The images of the folder that is served.",
        parameters=(Parameter("offset", COUNT), Parameter("limit", COUNT)),
    ),
    Endpoint(
        "POST",
        "/v1/images",
        upload,
        "Send an image to look at; it is forgotten when the server stops.",
        status=201,
        body=IMAGE_BODY,
        errors=(408, 413, 422, 429),
        parameters=(Parameter("name", {"type": "string"}),),
    ),
    Endpoint("GET", "/v1/images/{image}", image, "Size and tiles of an image.", errors=(404, 422)),
    Endpoint(
        "GET",
        f"/v1/images/{{image}}/tiles/{TILE}",
        tile,
        "A tile of an image; each level halves the resolution.",
        answers=("image/png",),
        errors=(404, 422),
        parameters=(PAGE,),
    ),
    Endpoint(
        "POST",
        "/v1/images/{image}/predict",
        predict_image,
        "Predict an image of the folder, to look at its layers.",
        errors=(404, 409, 422, 429),
        parameters=(MODEL,),
    ),
    Endpoint(
        "GET",
        f"/v1/images/{{image}}/layers/{{layer}}/{TILE}",
        layer_tile,
        "A tile of the layer mask, uncertainty or probability-K of a predicted image.",
        answers=("image/png",),
        errors=(404, 422),
        parameters=(PAGE, MODEL, Parameter("v", COUNT)),
    ),
    Endpoint(
        "GET",
        "/v1/images/{image}/download",
        download,
        "Predict an image of the folder into a file.",
        answers=ANSWERS,
        errors=(404, 409, 422, 429),
        parameters=(AS,),
    ),
)
