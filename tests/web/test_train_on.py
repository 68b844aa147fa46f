"""From strokes to a trained model that takes the old one's place, or does not: on the page and for programs."""

import http.client
import io
import json
from shutil import copytree
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

import generated
from browser import needs_chromium
from devtools import chromium
from page_tools import label_values, layer_values, paint
from perpixel.web.held_out import LEAST_COMPARED
from served import served

pytestmark = pytest.mark.slow


def strokes_of(truth):
    """A stroke a class on an image, as somebody would draw them who sees the truth."""
    for k in (0, 1):
        y, x = np.argwhere(truth == k)[:: max(1, (truth == k).sum() // 6)].T
        for point in zip((x + 0.5).tolist(), (y + 0.5).tolist(), strict=True):
            yield {"tool": "brush", "class_index": k, "points": [point], "radius": 1}


def label(server, cells, images):
    """Paint on images by requests; give their names."""
    for image in images:
        truth = np.asarray(Image.open(cells / "masks" / image.path.name)) > 0
        for stroke in strokes_of(truth):
            path = f"/v1/images/{image.id}/labels/strokes"
            assert server.ask("POST", path, stroke, {"If-Match": "*"}).status == 200


def events_of(server):
    """The server-sent events of the training that goes on, until it ends."""
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=300)
    connection.request("GET", "/v1/train/events")
    with connection.getresponse() as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        events = [json.loads(line[6:]) for line in response if line.startswith(b"data: ")]
    connection.close()
    return events


@needs_chromium
def test_from_no_model_to_a_better_one_on_the_page(tmp_path):
    cells = generated.write_cells(tmp_path / "cells", 26)
    images = copytree(cells / "images", tmp_path / "images")
    state = "document.getElementById('train-state').textContent"
    with served(None, images, ["background", "cell"]) as server, chromium(tmp_path / "chromium") as tab:
        library = list(server.service.library.images.values())
        tab.open(server.url)
        tab.evaluate("document.getElementById('view').focus()")
        tab.key("b")
        paint(tab, 1, (14, 10), (18, 12))
        paint(tab, 0, (2, 2), (8, 2), (28, 2))
        tab.wait("(await import('/static/app.js')).page.preview")
        label(server, cells, library[1:3])
        tab.evaluate("document.getElementById('minutes').value = 1; document.getElementById('train').click()")
        tab.wait(f"/first model|failed/.test({state})", 240)
        assert tab.evaluate(f"return {state}") == "The first model is here."
        tab.wait("!document.getElementById('predict').disabled")
        assert layer_values(tab).shape == (24, 32)

        label(server, cells, library[3:])
        tab.evaluate("document.getElementById('minutes').value = 1; document.getElementById('train').click()")
        tab.wait(f"/held-out labels|not shown to be better|failed/.test({state})", 240)
        status = server.ask("GET", "/v1/train").json
        print(status)
        assert status["images"][1] >= LEAST_COMPARED
        assert status["is_better"] is (status["difference"][1] > 0)
        name = "trained/2" if status["is_better"] else "trained/1"
        tab.wait("document.querySelector('#layer option[value=both]')")  # there are two models now
        tab.wait(f"document.getElementById('model-name').textContent.endsWith('{name}')")
        tab.evaluate(
            "const s = document.getElementById('layer'); s.value = 'both'; s.dispatchEvent(new Event('change'))"
        )
        assert layer_values(tab, "mask?model=other").shape == (24, 32)
        kept = label_values(tab)
        tab.open(server.url)
        np.testing.assert_array_equal(label_values(tab), kept)
        assert tab.evaluate(f"return {state}")
        assert tab.evaluate("return document.getElementById('model-name').textContent") == name
        tab.evaluate("document.getElementById('swap').click()")
        tab.wait(f"!document.getElementById('model-name').textContent.endsWith('{name}')")
        in_use = server.ask("GET", "/v1/model").json["name"]
        assert not tab.errors
    with served(None, images, ["background", "cell"]) as server:
        assert server.ask("GET", "/v1/model").json["name"] == in_use


def test_a_program_trains_on_a_run_and_follows_it(cells_run, tmp_path):
    cells = generated.write_cells(tmp_path / "cells", 26)  # the first eight are those of the run
    images = copytree(cells / "images", tmp_path / "images")
    with served(cells_run.folder, images) as server:
        label(server, cells, list(server.service.library.images.values()))
        answer = server.ask("POST", "/v1/train", {"minutes": 1})
        assert (answer.status, answer.json["state"]) == (202, "training")
        assert answer.json["images"] == [20, 6]
        assert server.ask("POST", "/v1/train", {"minutes": 1}).status == 409
        assert server.ask("POST", "/v1/model/swap", {}).status == 409
        events = events_of(server)
        print(events[-1])
        assert [event["state"] for event in events][-1] == "done"
        assert {"training", "comparing"} <= {event["state"] for event in events}
        assert max(event["step"] for event in events) > 0
        low = events[-1]["difference"][1]
        assert events[-1]["is_better"] is (low > 0)
        model = server.ask("GET", "/v1/model").json
        own, trained = cells_run.folder.name, "images-labels/1"
        names = (model["name"].rpartition("/")[2], model["other"].rpartition("/")[2])
        assert names == (("1", own) if low > 0 else (own, "1")), trained
        picture = (images / "cell_9.png").read_bytes()
        before = np.asarray(Image.open(io.BytesIO(server.ask("POST", "/v1/predict", picture).body)))
        assert server.ask("POST", "/v1/model/swap", {}).json["name"] == model["other"]
        after = np.asarray(Image.open(io.BytesIO(server.ask("POST", "/v1/predict", picture).body)))
        assert before.shape == after.shape


def test_too_few_held_out_labels_decide_nothing_and_the_old_model_stays(cells_run, tmp_path):
    cells = generated.write_cells(tmp_path / "cells", 12)
    with served(cells_run.folder, copytree(cells / "images", tmp_path / "images")) as server:
        label(server, cells, list(server.service.library.images.values()))
        assert server.ask("POST", "/v1/train", {"minutes": 1}).status == 202
        last = events_of(server)[-1]
        assert (last["state"], last["is_better"], last["difference"]) == ("done", False, None), last
        assert last["images"][1] < last["held_out_needed"] == LEAST_COMPARED
        assert server.ask("GET", "/v1/model").json["name"] == cells_run.folder.name


def test_a_training_that_fails_is_told_and_the_server_goes_on(cells_run, tmp_path):
    cells = generated.write_cells(tmp_path / "cells", 3)
    images = copytree(cells / "images", tmp_path / "images")
    with served(cells_run.folder, images) as server:
        label(server, cells, list(server.service.library.images.values()))
        server.service.base = tmp_path / "nowhere"
        assert server.ask("POST", "/v1/train", {"minutes": 0.05}).status == 202
        last = events_of(server)[-1]
        assert last["state"] == "failed"
        assert "nowhere" in last["message"]
        assert server.ask("GET", "/health").status == 200
