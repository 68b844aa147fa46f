"""An upload against a server on loopback that speaks as much of the Hub's protocol as the client asks for."""

import base64
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

import perpixel
from perpixel.errors import OutputError, RunError

hub = pytest.importorskip("huggingface_hub")

pytestmark = pytest.mark.long


class FakeHub(BaseHTTPRequestHandler):
    """Makes repositories, takes every file as a regular one, keeps what is committed."""

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.path.endswith("/create"):
            given = json.loads(content)
            owner = given.get("organization", "me")
            self.answer({"url": f"{self.server.address}/{owner}/{given['name']}", "name": given["name"]})
        elif self.path.endswith("/validate-yaml"):
            self.answer({"errors": [], "warnings": []})
        elif "/preupload/" in self.path:
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(content)["files"]
            ]
            self.answer({"files": files})
        elif "/commit/" in self.path:
            for line in map(json.loads, content.splitlines()):
                if line["key"] == "file":
                    self.server.kept[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            self.answer({"commitUrl": f"{self.server.address}/me/cells/commit/1", "commitOid": "1", "success": True})
        else:
            self.answer({"error": "unknown"}, 404)

    def do_GET(self):
        self.answer({"error": "unknown"}, 404)

    def answer(self, value, status=200):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    made = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    made.asked, made.kept = [], {}
    made.address = address = f"http://127.0.0.1:{made.server_port}"
    thread = Thread(target=made.serve_forever, daemon=True)
    thread.start()
    create = hub.HfApi.__init__

    def on_loopback(self, **named):
        create(self, **{"endpoint": address, "token": "hf_secret", **named})

    monkeypatch.setattr(hub.HfApi, "__init__", on_loopback)
    yield made
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(scope="module")
def folder(cells_run, tmp_path_factory):
    return perpixel.export(cells_run, tmp_path_factory.mktemp("hub") / "out", target="huggingface").path


@pytest.mark.filterwarnings("ignore")
def test_every_file_of_the_export_arrives(folder, server):
    pushed = perpixel.push(folder, "me/cells")
    assert str(pushed).endswith("me/cells")
    assert pushed.to_dict()["address"] == pushed.address
    assert server.kept == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {token for _, token in server.asked} == {"Bearer hf_secret"}


@pytest.mark.filterwarnings("ignore")
def test_without_a_server_the_reason_is_given(folder, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(OutputError, match=r"cannot be uploaded to me/cells: .*\nFix: check the connection"):
        perpixel.push(folder, "me/cells")


def test_other_exports_are_not_uploaded(cells_run, tmp_path):
    path = perpixel.export(cells_run, tmp_path / "out").path
    with pytest.raises(RunError, match=r"was exported for onnx.\nFix: export the run for huggingface"):
        perpixel.push(path, "me/cells")
