"""A route and what is said of it: the same table makes the application and its OpenAPI document."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from perpixel.runtime.json_values import JsonMapping, JsonObject

if TYPE_CHECKING:
    from perpixel.web.service import Service

Handler = Callable[[Request], Awaitable[Response]]

ERROR: Final = {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
OBJECT: Final = {"type": "object"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a query or a header.

    Args:
        name: As it is sent.
        schema: JSON schema.
        place: "query" or "header".
    """

    name: str
    schema: JsonMapping
    place: str = "query"


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    Args:
        method: GET, POST or PUT.
        path: With {names} in braces.
        handler: What answers.
        summary: One sentence.
        answers: Media type of a good answer.
        status: Of a good answer.
        body: Media types that are taken; empty for none.
        errors: Further status codes that it may give.
        parameters: Of query and headers.
        schema: Of a good answer in JSON.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Sequence[str] = ("application/json",)
    status: int = 200
    body: Sequence[str] = ()
    errors: Sequence[int] = ()
    parameters: Sequence[Parameter] = ()
    schema: JsonMapping = field(default_factory=lambda: OBJECT)


def service_of(request: Request) -> "Service":
    """What the application holds."""
    service: Service = request.app.state.service
    return service


def openapi(endpoints: Sequence[Endpoint], version: str) -> JsonObject:
    """Describe endpoints as an OpenAPI 3.1 document. Source: OpenAPI Specification 3.1.0."""
    paths: dict[str, JsonObject] = {}
    for endpoint in endpoints:
        paths.setdefault(_plain(endpoint.path), {})[endpoint.method.lower()] = _operation(endpoint)
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}, "basic": {"type": "http", "scheme": "basic"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "perpixel", "version": version},
        "paths": paths,
        "components": {"schemas": {"Error": ERROR}, "securitySchemes": schemes},
        "security": [{}, {"bearer": []}, {"basic": []}],
    }


def _operation(endpoint: Endpoint) -> JsonObject:
    names = re.findall(r"{(\w+)", endpoint.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    parameters += [{"name": p.name, "in": p.place, "schema": dict(p.schema)} for p in endpoint.parameters]
    content = {
        kind: {"schema": dict(endpoint.schema)} if kind == "application/json" else {} for kind in endpoint.answers
    }
    failure = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    codes = sorted({400, 401, 403, 421, *endpoint.errors})
    operation: JsonObject = {
        "operationId": f"{endpoint.method.lower()}{re.sub(r'[^a-z0-9]+', '_', _plain(endpoint.path))}".rstrip("_"),
        "summary": endpoint.summary,
        "parameters": parameters,
        "responses": {str(endpoint.status): {"description": endpoint.summary, "content": content}}
        | {str(code): {"description": "refused", **failure} for code in codes},
    }
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": {kind: {} for kind in endpoint.body}}
    return operation


def _plain(path: str) -> str:
    """The path without the converters of its parameters."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", path)
