"""The page itself, from package data, and the run's report."""

from importlib.resources import files
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from perpixel.files.whole_file import text_of
from perpixel.web.endpoints import Endpoint, openapi, service_of

MEDIA_TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
REPORT_POLICY: Final = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
"""The report is one file with its own script; in a sandbox it reaches nothing of the server."""


def page_files() -> dict[str, tuple[bytes, str]]:
    """Every file of the page with its media type, by name: nothing else can be asked for."""
    return {
        file.name: (file.read_bytes(), MEDIA_TYPES[ending])
        for file in files("perpixel.web").joinpath("static").iterdir()
        if (ending := f".{file.name.rpartition('.')[2]}") in MEDIA_TYPES
    }


async def index(request: Request) -> Response:
    """The page."""
    content, kind = request.app.state.page_files["index.html"]
    return Response(content, media_type=kind)


async def static(request: Request) -> Response:
    """A file of the page."""
    try:
        content, kind = request.app.state.page_files[request.path_params["name"]]
    except KeyError:
        raise HTTPException(404, "there is no such file.") from None
    return Response(content, media_type=kind)


async def report(request: Request) -> Response:
    """The run's report."""
    model = service_of(request).model
    run = model.run if model is not None else None
    if run is None or not run.report_path.is_file():
        raise HTTPException(404, "there is no report.")
    text = text_of(run.report_path)
    return HTMLResponse(text, headers={"Content-Security-Policy": REPORT_POLICY})


async def document(request: Request) -> Response:
    """The OpenAPI document."""
    from importlib.metadata import version

    return JSONResponse(openapi(request.app.state.endpoints, version("perpixel")))


def is_own_file(path: str) -> bool:
    """Whether a path is the page or a file of it, for which no model is needed."""
    return path == "/" or path.startswith("/static/")


OWN_FILES: Final = (
    Endpoint("GET", "/", index, "The page.", answers=("text/html",)),
    Endpoint(
        "GET",
        "/static/{name}",
        static,
        "A file of the page.",
        answers=("text/javascript", "text/css", "image/svg+xml"),
        errors=(404,),
    ),
)
ENDPOINTS = (
    *OWN_FILES,
    Endpoint("GET", "/report", report, "The run's report.", answers=("text/html",), errors=(404,)),
    Endpoint("GET", "/openapi.json", document, "This document."),
)
