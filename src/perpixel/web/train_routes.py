"""Routes that train on what was painted, and that say what to label next."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Final

import numpy as np
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from perpixel.prediction.ranking import Ranking, rank_images
from perpixel.runtime.choices import DEFAULT_STRATEGY
from perpixel.runtime.json_values import Json
from perpixel.shapes import IGNORED
from perpixel.split.digests import file_digest
from perpixel.web.endpoints import Endpoint, Parameter, service_of
from perpixel.web.held_out import LabelledImage
from perpixel.web.image_routes import query_number
from perpixel.web.label_routes import sent_json, store_of
from perpixel.web.painting import PERSON
from perpixel.web.service import Service
from perpixel.web.training_job import TrainingJob

MOST_MINUTES: Final = 24 * 60
MOST_RANKED: Final = 500
"""Images that are predicted to rank them."""

EVENT_SECONDS: Final = 0.5


async def _train(request: Request) -> Response:
    """Begin a training."""
    service, job = service_of(request), job_of(request)
    minutes, with_accepted = _asked(await sent_json(request))
    if job.is_running:
        raise HTTPException(409, "a training goes on already.")
    images = await asyncio.to_thread(labelled_images, service, with_accepted=with_accepted)
    old = service.model.predictor if service.model else None
    await asyncio.to_thread(job.start, images, service.labels, minutes, old, service.base)
    return JSONResponse(asdict(job.status), 202)


async def train_status(request: Request) -> Response:
    """Say how far the training is."""
    return JSONResponse(asdict(job_of(request).status))


async def train_events(request: Request) -> Response:
    """Send how far the training is whenever that changes, until it ends."""
    job = job_of(request)

    async def events() -> AsyncIterator[str]:
        told = None
        while True:
            is_running, status = job.is_running, asdict(job.status)
            if status != told:
                told = status
                yield f"data: {json.dumps(status)}\n\n"
            if not is_running:
                return
            await asyncio.sleep(EVENT_SECONDS)

    return StreamingResponse(events(), media_type="text/event-stream")


async def stop(request: Request) -> Response:
    """End the training."""
    job = job_of(request)
    await asyncio.to_thread(job.stop)
    return JSONResponse(asdict(job.status))


async def swap(request: Request) -> Response:
    """Let the other model answer, whatever the comparison said."""
    service, job = service_of(request), job_of(request)
    if service.other is None or job.is_running:
        raise HTTPException(409, "there is no other model, or a training goes on.")
    await asyncio.to_thread(service.swap)
    return JSONResponse(await asyncio.to_thread(service.described))


async def _next_images(request: Request) -> Response:
    """Rank the images that are not labelled yet."""
    service, wanted = service_of(request), query_number(request, "images", 10)
    strategy = request.query_params.get("strategy", DEFAULT_STRATEGY)
    predictor, store = service.predictor, service.label_store
    open_ones = [each for each in service.library.images.values() if store is None or not store.has(each)]
    by_path = {each.path: each for each in open_ones[:MOST_RANKED]}

    def work() -> Ranking:
        return rank_images(predictor, list(by_path), strategy)

    with service.worker.place():
        ranked = await service.worker.run(request, work)
    listed = [
        {"id": by_path[each.path].id, "name": by_path[each.path].name, "score": round(each.score, 4)}
        for each in ranked[:wanted]
    ]
    return JSONResponse({"strategy": strategy, "images": listed})


def job_of(request: Request) -> TrainingJob:
    """The server's training. Raises HTTPException 403 where nothing is trained."""
    store_of(request)
    job = service_of(request).training
    assert job is not None, "labels and training go together"
    return job


def labelled_images(service: Service, *, with_accepted: bool) -> list[LabelledImage]:
    """Every image with labels that train: those of a person, and if wanted those accepted from the model."""
    store = service.label_store
    assert store is not None
    found = []
    for image in service.library.images.values():
        if not store.has(image):
            continue
        painting = store.open(image)
        with painting.lock:
            keep = painting.sources > 0 if with_accepted else painting.sources == PERSON
            target = np.where(keep, painting.labels, np.uint8(IGNORED))
        if (target != IGNORED).any():
            found.append(LabelledImage(image.name, image.path, target, file_digest(image.path)))
    return found


def _asked(sent: Json) -> tuple[float, bool]:
    try:
        minutes, with_accepted = float(sent["minutes"]), sent.get("with_accepted", False)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise HTTPException(400, "the body lacks minutes, or they are no number.") from None
    if not 0.05 <= minutes <= MOST_MINUTES or not isinstance(with_accepted, bool):
        raise HTTPException(400, f"minutes are 0.05 to {MOST_MINUTES:,}, with_accepted is true or false.")
    return minutes, with_accepted


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/train",
        _train,
        "Train on everything that is labelled, for some minutes.",
        status=202,
        body=("application/json",),
        errors=(403, 409, 422),
    ),
    Endpoint("GET", "/v1/train", train_status, "How far the training is.", errors=(403,)),
    Endpoint("POST", "/v1/train/stop", stop, "End the training.", errors=(403,)),
    Endpoint(
        "POST",
        "/v1/model/swap",
        swap,
        "Let the other model answer: the one that was trained last, or the one that answered before it.",
        errors=(403, 409),
    ),
    Endpoint(
        "GET",
        "/v1/train/events",
        train_events,
        "How far the training is, as server-sent events.",
        answers=("text/event-stream",),
        errors=(403,),
    ),
    Endpoint(
        "GET",
        "/v1/next",
        _next_images,
        "What to label next.",
        errors=(409, 422, 429),
        parameters=(Parameter("images", {"type": "integer"}), Parameter("strategy", {"type": "string"})),
    ),
)
