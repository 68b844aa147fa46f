"""The application: all routes behind the guard, and errors as sentences in JSON."""

from contextlib import suppress

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from perpixel.errors import PerpixelError
from perpixel.web import (
    image_routes,
    label_routes,
    label_studio_routes,
    page_routes,
    prediction_routes,
    preview_routes,
    train_routes,
)
from perpixel.web.endpoints import Endpoint
from perpixel.web.guard import Guard
from perpixel.web.service import Service
from perpixel.web.worker import ClientGone

CLIENT_CLOSED = 499
"""Nobody reads this answer: the client is gone."""


def endpoints_of(service: Service) -> list[Endpoint]:
    """The endpoints that a server has."""
    shared = (page_routes, prediction_routes, image_routes, label_routes, preview_routes, train_routes)
    studio = (label_studio_routes,) if service.options.label_studio else ()
    return [endpoint for routes in (*shared, *studio) for endpoint in routes.ENDPOINTS]


def application(service: Service) -> Starlette:
    """Build the application around what it serves."""
    endpoints = endpoints_of(service)

    app = Starlette(
        routes=[Route(each.path, each.handler, methods=[each.method]) for each in endpoints],
        middleware=[Middleware(Guard, options=service.options)],
        exception_handlers={
            HTTPException: _refused,
            PerpixelError: _told,
            ClientGone: _gone,
            ClientDisconnect: _gone,
        },
    )
    app.state.service, app.state.endpoints = service, endpoints
    app.state.page_files = page_routes.page_files()
    return app


async def _refused(request: Request, error: Exception) -> Response:
    """A refusal. What the client still sends is read, so that it can read the answer."""
    assert isinstance(error, HTTPException)
    if error.status_code == 429:
        with suppress(HTTPException, ClientDisconnect):
            async for _ in request.stream():
                pass
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _told(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=CLIENT_CLOSED)
