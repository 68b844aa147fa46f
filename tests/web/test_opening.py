"""The page is there before the model is."""

import threading
import time
from contextlib import contextmanager
from queue import Queue

import pytest

from perpixel.errors import RunError
from perpixel.web import ServeOptions, serve_until_stopped, server, serving
from served import ask


@contextmanager
def opened(build, monkeypatch):
    """A server whose service is built by `build`; gives its address, and the queue of what `serve` raised."""
    addresses, ended, servers = Queue(), Queue(), []
    http_server = server.http_server

    def remembered(app):
        servers.append(http_server(app))
        return servers[-1]

    def run():
        try:
            serve_until_stopped(build, ServeOptions(port=0), addresses.put)
            ended.put(None)
        except RunError as error:
            ended.put(error)

    monkeypatch.setattr(server, "http_server", remembered)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield addresses.get(timeout=20), ended
    finally:
        servers[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def test_the_page_comes_first_and_the_rest_waits_for_the_model(cells_run, cells, monkeypatch):
    may_build, was_asked = threading.Event(), threading.Event()

    @contextmanager
    def build():
        was_asked.set()
        assert may_build.wait(20)
        with serving(cells_run.folder, cells / "images", ServeOptions(port=0, read_only=True)) as service:
            yield service

    with opened(build, monkeypatch) as (url, ended):
        answers = Queue()
        waiting = threading.Thread(target=lambda: answers.put(ask(url, "GET", "/v1/model")))
        waiting.start()
        assert was_asked.wait(20)
        page = ask(url, "GET", "/")
        assert page.status == 200
        assert b"app.js" in page.body
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert ask(url, "GET", "/static/app.js").status == 200
        assert ask(url, "GET", "/static/..%2f..%2fapi.py").status == 404
        assert answers.empty()
        may_build.set()
        assert answers.get(timeout=20).json["name"] == cells_run.folder.name
        waiting.join(20)
        assert ended.empty()


def test_loading_waits_until_the_page_is_out(monkeypatch):
    begin, built = time.monotonic(), Queue()

    @contextmanager
    def build():
        built.put(time.monotonic())
        raise RunError("there is no model.", fix="train one.")
        yield

    with opened(build, monkeypatch) as (_, ended):
        error = ended.get(timeout=20)
    assert built.get() - begin >= 0.2
    assert str(error).startswith("there is no model.")


def test_what_is_missing_is_told_before_an_address_is_announced(tmp_path):
    announced = []

    @contextmanager
    def build():
        raise RunError("there is no model.", fix="train one.")
        yield

    with pytest.raises(RunError, match="there is no model"):
        serve_until_stopped(build, ServeOptions(port=0), announced.append, needed=(tmp_path / "nothing",))
    assert announced == []
