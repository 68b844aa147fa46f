"""The interface for programs: answers, limits, refusals."""

import io
import json
import socket
import subprocess
import sys
import threading
import time
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from starlette.exceptions import HTTPException

import generated
from perpixel.cli import main
from perpixel.errors import OutputError, SettingsError
from perpixel.prediction.load import load_predictor
from perpixel.web import ServeOptions, serving
from perpixel.web.server import listening, named_labels
from perpixel.web.worker import Worker
from served import ask, served


@pytest.fixture(scope="module")
def server(cells_run, cells):
    with served(cells_run.folder, cells / "images") as server:
        yield server


@pytest.fixture(scope="module")
def picture(cells):
    return (cells / "images" / "cell_0.png").read_bytes()


@pytest.mark.parametrize(
    ("form", "option", "file"),
    [
        ("mask", (), "cell_0.png"),
        ("overlay", ("--overlay",), "overlays/cell_0.png"),
        ("geojson", ("--polygons", "geojson"), "polygons/cell_0.geojson"),
        ("instances", ("--instances", "connected"), "instances/cell_0.tif"),
        ("probabilities", ("--probabilities", "float32"), "probabilities/cell_0.tif"),
    ],
)
def test_an_answer_is_the_file_of_the_command_line(server, cells_run, cells, picture, tmp_path, form, option, file):
    image = str(cells / "images" / "cell_0.png")
    assert main(["predict", str(cells_run.folder), image, "--out", str(tmp_path), *option]) == 0
    answer = server.ask("POST", f"/v1/predict?as={form}", picture)
    assert answer.status == 200
    assert answer.body == (tmp_path / file).read_bytes()


def test_a_form_is_taken_like_a_body(server, picture):
    head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="../../etc/x.png"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = server.ask("POST", "/v1/predict", head + picture + b"\r\n--b--\r\n", headers)
    assert answer.body == server.ask("POST", "/v1/predict", picture).body


def test_multilabel_masks_come_as_one_archive(tmp_path):
    from perpixel.training import train_run

    data = generated.write_overlapping(tmp_path / "data")
    run = train_run(data, tmp_path / "run", generated.tiny_settings())
    body = (data / "images" / "shape_0.png").read_bytes()
    with served(run.folder, data / "images") as server:
        answer = server.ask("POST", "/v1/predict", body)
        assert answer.headers["Content-Type"] == "application/zip"
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            names = server.service.labels.names
            masks = [np.asarray(Image.open(archive.open(f"{name}.png"))) for name in names]
        expected = load_predictor(run.folder).target(np.asarray(Image.open(io.BytesIO(body))))
        np.testing.assert_array_equal([mask > 0 for mask in masks], expected == 1)
        image_id = server.ask("GET", "/v1/images").json["images"][0]["id"]
        server.ask("POST", f"/v1/images/{image_id}/predict", {})
        tile = server.ask("GET", f"/v1/images/{image_id}/layers/mask/0/0/0").body
        bits = np.asarray(Image.open(io.BytesIO(tile)))[..., 0]
        np.testing.assert_array_equal([bits & 1, bits >> 1], expected == 1)


def test_the_folder_is_listed_and_shown_in_tiles(server, cells):
    found = server.ask("GET", "/v1/images?offset=2&limit=3").json
    assert (found["total"], [image["name"] for image in found["images"]]) == (8, [f"cell_{k}.png" for k in (2, 3, 4)])
    image = server.ask("GET", f"/v1/images/{found['images'][0]['id']}").json
    expected = np.asarray(Image.open(cells / "images" / "cell_2.png"))
    assert (image["height"], image["width"], image["levels"]) == (*expected.shape[:2], 1)
    tile = server.ask("GET", f"/v1/images/{image['id']}/tiles/0/0/0").body
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(tile))), expected)
    for beyond in ("tiles/0/1/0", "tiles/25/0/0", "layers/mask/0/0/0", "layers/nothing/0/0/0", "tiles/0/0/0?page=3"):
        assert server.ask("GET", f"/v1/images/{image['id']}/{beyond}").status == 404


def test_what_is_no_image_is_refused_without_a_path(server):
    answer = server.ask("POST", "/v1/predict?name=notes.txt", b"no image at all")
    assert answer.status == 422
    assert answer.json["error"].startswith("notes.txt cannot be read: its first bytes")
    assert server.ask("POST", "/v1/predict", b"").status == 400
    assert server.ask("POST", "/v1/predict?as=song", b"x").status == 400


def test_a_bomb_is_refused_before_it_is_decoded(server):
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    size = (16_000).to_bytes(4, "big") * 2
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + b"\x08\x06\0\0\0")
    bomb = head + chunk(b"IDAT", zlib.compress(bytes(64_001))) + chunk(b"IEND", b"")
    answer = server.ask("POST", "/v1/predict?name=bomb.png", bomb)
    assert answer.status == 422
    assert "bomb.png declares 256,000,000 pixels; at most 67,108,864" in answer.json["error"]
    assert server.ask("POST", "/v1/images?name=bomb.png", bomb).status == 422


def test_a_large_body_is_refused(cells_run):
    with served(cells_run.folder, upload_bytes=1000) as server:
        assert server.ask("POST", "/v1/predict", bytes(1001)).status == 413
        assert server.ask("POST", "/v1/predict", bytes(999)).status == 422


def test_a_slow_body_is_given_up(cells_run):
    head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"
    with (
        served(cells_run.folder, body_seconds=0.2) as server,
        socket.create_connection(server.service_address, 10) as client,
    ):
        client.sendall(head)
        assert client.recv(99).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
        ({"Host": "[::1"}, 421),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
def test_requests_from_other_sites_are_refused(server, headers, status):
    assert server.ask("GET", "/v1/model", headers=headers).status == status


def test_a_link_from_another_site_may_open_the_page_alone(server):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert server.ask("GET", "/", headers=headers).status == 200
    assert server.ask("GET", "/v1/model", headers=headers).status == 403


def test_a_token_opens_everything_but_the_health(cells_run):
    with served(cells_run.folder, token="long-enough") as server:
        assert server.ask("GET", "/health").json == {"status": "UP"}
        assert server.ask("GET", "/v1/model").status == 401
        assert server.ask("GET", "/?token=wrong").status == 401
        opened = server.ask("GET", "/?token=long-enough")
        assert (opened.status, opened.headers["Location"]) == (303, "/")
        cookie = opened.headers["Set-Cookie"].split(";")[0]
        assert "HttpOnly" in opened.headers["Set-Cookie"]
        for headers in (
            {"Cookie": cookie},
            {"Authorization": "Bearer long-enough"},
            {"Authorization": "Basic eDpsb25nLWVub3VnaA=="},
        ):
            assert server.ask("GET", "/v1/model", headers=headers).status == 200
        for headers in ({"Cookie": "perpixel_token=é"}, {"Authorization": "Basic !"}, {"Authorization": "Bearer é"}):
            encoded = {key: value.encode("latin-1") for key, value in headers.items()}
            assert server.ask("GET", "/v1/model", headers=encoded).status == 401


def test_options_are_checked():
    with pytest.raises(SettingsError, match=r"0\.0\.0\.0 can be reached from other machines, and no token is set"):
        ServeOptions(host="0.0.0.0")
    with pytest.raises(SettingsError, match="the token has fewer than 8 characters"):
        ServeOptions(token="short")
    with pytest.raises(SettingsError, match=r"port 70000 is not in 0\.\.65535"):
        ServeOptions(port=70_000)
    with pytest.raises(SettingsError, match="the classes cell are not two or more different names"):
        named_labels(["cell"])


def test_a_taken_port_is_told(tmp_path):
    with (
        listening(ServeOptions(port=0)) as taken,
        pytest.raises(OutputError, match=r"cannot listen on 127\.0\.0\.1, port \d+: "),
        listening(ServeOptions(port=taken.getsockname()[1])),
    ):
        pass


def test_the_page_allows_no_inline_script_and_nothing_from_outside(server):
    answer = server.ask("GET", "/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    for name in server.service_files:
        file = server.ask("GET", f"/static/{name}")
        assert (file.status, file.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert b"https://" not in file.body
        assert b"style=" not in file.body
    for name in ("..%2fserve_options.py", "serve_options.py", "%2e%2e/serve_options.py", ""):
        assert server.ask("GET", f"/static/{name}").status == 404


def test_places_are_bounded_and_given_back():
    worker = Worker(1)
    with worker.place():
        with pytest.raises(HTTPException, match="the server is busy") as caught, worker.place():
            pass
        assert (caught.value.status_code, caught.value.headers) == (429, {"Retry-After": "1"})
    with worker.place():
        pass
    worker.close()


def test_a_busy_server_says_when_to_come_again(cells_run, picture):
    with served(cells_run.folder, places=2) as server:
        hold, holding = threading.Event(), threading.Event()
        server.service.worker._executor.submit(lambda: (holding.set(), hold.wait(30)))
        holding.wait(10)
        answers = []
        clients = [
            threading.Thread(target=lambda: answers.append(ask(server.url, "POST", "/v1/predict", picture)))
            for _ in range(2)
        ]
        for client in clients:
            client.start()
        end = time.monotonic() + 10
        while server.service.worker._free and time.monotonic() < end:
            time.sleep(0.01)
        refused = server.ask("POST", "/v1/predict", picture * 50)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        hold.set()
        for client in clients:
            client.join(30)
        assert [answer.status for answer in answers] == [200, 200]


def test_a_request_that_is_given_up_is_dropped(cells_run, picture, monkeypatch):
    with served(cells_run.folder, places=2) as server:
        worker, predicted = server.service.worker, []
        monkeypatch.setattr("perpixel.web.prediction_routes.answered", lambda *_: predicted.append(1))
        hold, holding = threading.Event(), threading.Event()
        worker._executor.submit(lambda: (holding.set(), hold.wait(30)))
        holding.wait(10)
        with socket.create_connection(server.service_address, 10) as client:
            head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(picture)}\r\n\r\n"
            client.sendall(head.encode() + picture)
            end = time.monotonic() + 10
            while worker._free == 2 and time.monotonic() < end:
                time.sleep(0.01)
            assert worker._free == 1
        while worker._free < 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert worker._free == 2
        hold.set()
        worker._executor.submit(lambda: None).result(10)
        assert predicted == []


def test_every_route_is_in_the_openapi_document(server):
    document = server.ask("GET", "/openapi.json").json
    assert document["openapi"].startswith("3.1")
    routes = {(path, method) for path, operations in document["paths"].items() for method in operations}
    served_routes = {
        (endpoint.path.replace(":int", ""), endpoint.method.lower()) for endpoint in server.service_endpoints
    }
    assert routes == served_routes
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len({each["operationId"] for each in operations}) == len(operations)
    for path, each in document["paths"].items():
        for operation in each.values():
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert operation["responses"]
            assert operation["summary"].endswith(".")


def test_without_a_model_there_are_classes_and_no_prediction(cells):
    with served(None, cells / "images", ["background", "cell"]) as server:
        model = server.ask("GET", "/v1/model").json
        assert (model["is_trained"], [each["name"] for each in model["classes"]]) == (False, ["background", "cell"])
        assert server.ask("POST", "/v1/predict", b"x").status == 409
        assert server.ask("GET", "/report").status == 404


def test_the_report_is_shown_in_a_sandbox(cells_run, tmp_path):
    from shutil import copytree

    run = copytree(cells_run.folder, tmp_path / "run")
    (run / "report.html").write_text("<p>report</p>", encoding="utf-8")
    scores = {
        "split": "test",
        "images": 2,
        "dataset": {"mean_iou": 0.5},
        "classes": {"background": {"iou": 0.6}, "foreground": {"iou": 0.4}},
        "intervals": {
            "dataset": {"mean_iou": [0.4, 0.6]},
            "classes": {"background": {"iou": [0.5, 0.7]}, "foreground": {"iou": None}},
        },
    }
    (run / "evaluation").mkdir()
    (run / "evaluation" / "metrics.json").write_text(json.dumps(scores), encoding="utf-8")
    with served(run) as server:
        report = server.ask("GET", "/report")
        assert report.body == b"<p>report</p>"
        assert report.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src 'none'")
        found = server.ask("GET", "/v1/model").json
        assert (found["report"], found["scores"]["interval"]) == (True, [0.4, 0.6])
        assert found["scores"]["classes"][1] == {"name": "foreground", "iou": 0.4, "interval": None}


def test_a_missing_extra_is_told(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    told = "the server needs starlette, uvicorn, python_multipart"
    with pytest.raises(SettingsError, match=told), serving(None, None, ServeOptions()):
        pass


@pytest.mark.long
def test_the_command_says_where_the_page_is(cells_run):
    code = f"from perpixel.cli import main; main(['serve', {str(cells_run.folder)!r}, '--port', '0'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("page: http://127.0.0.1:")
        assert ask(line.split()[1], "GET", "/health").json == {"status": "UP"}
    finally:
        process.terminate()
        process.communicate(timeout=20)
