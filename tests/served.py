"""A server in a thread of the test, and plain requests to it."""

import http.client
import json
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

from perpixel.web import ServeOptions, serving
from perpixel.web.application import application, endpoints_of
from perpixel.web.page_routes import page_files
from perpixel.web.server import address_of, http_server, listening


@contextmanager
def served(model=None, images=None, classes=(), **options):
    """A running server: `.url`, `.service`, and `.ask(method, path, body, headers)`."""
    chosen = ServeOptions(port=0, **options)
    with serving(model, images, chosen, classes) as service, listening(chosen) as listener:
        server = http_server(application(service))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        url = address_of(listener)
        try:
            yield SimpleNamespace(
                url=url,
                service=service,
                service_address=listener.getsockname(),
                service_endpoints=endpoints_of(service),
                service_files=page_files(),
                ask=lambda *what, **more: ask(url, *what, **more),
            )
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def ask(url, method, path, body=None, headers=None):
    """One request on a connection of its own: `.status`, `.headers`, `.body`, `.json`."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)
    try:
        if isinstance(body, dict):
            body, headers = json.dumps(body), {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    is_json = response.getheader("Content-Type", "").startswith("application/json")
    return SimpleNamespace(
        status=response.status,
        headers=response.headers,
        body=content,
        json=json.loads(content) if is_json else None,
    )
