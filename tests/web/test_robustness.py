"""Nonsense of every kind, and a process that is killed while somebody paints."""

import subprocess
import sys
import time
from collections import Counter
from shutil import copytree

import numpy as np
import pytest

from perpixel.web.painting import Painting
from served import ask, served

pytestmark = pytest.mark.slow


def test_nonsense_gives_a_result_or_a_4xx(cells_run, cells, tmp_path):
    draw = np.random.default_rng(0)
    picture = (cells / "images" / "cell_0.png").read_bytes()
    names = ("%00", "..%2f..%2fetc%2fpasswd", "%ff%fe", "a" * 3000, "-1", "99999999999999999999", "{}", "'", "i0")
    seen = Counter()
    with served(cells_run.folder, copytree(cells / "images", tmp_path / "images"), label_studio=True) as server:
        images = [image["id"] for image in server.ask("GET", "/v1/images").json["images"]]
        for _ in range(600):
            endpoint = server.service_endpoints[draw.integers(len(server.service_endpoints))]
            if endpoint.path == "/v1/train":
                continue
            path = endpoint.path.replace(":int", "")
            for name in ("image", "layer", "level", "column", "row", "step", "name"):
                known = {"image": images[0], "layer": "mask", "step": "undo"}.get(name, str(draw.integers(3)))
                path = path.replace(f"{{{name}}}", known if draw.random() < 0.6 else str(draw.choice(names)))
            body = bytearray(picture)
            for place in draw.integers(0, len(body), draw.integers(0, 40)):
                body[place] = draw.integers(256)
            bodies = (bytes(body), b"", b"{", b"[]", b'{"points": [[1, "x"]]}', b'{"tasks": [{}]}', draw.bytes(99))
            kinds = ("image/png", "multipart/form-data; boundary=x", "multipart/form-data", "application/json", "x")
            headers = {"Content-Type": str(draw.choice(kinds)), "If-Match": str(draw.choice(['"0"', "*", "x"]))}
            query = str(draw.choice(["", "?as=overlay", "?as=%00", "?limit=-5", "?page=9", "?images=x&strategy=y"]))
            body = bodies[draw.integers(len(bodies))] if endpoint.method != "GET" else None
            answer = server.ask(endpoint.method, path + query, body, headers)
            seen[answer.status] += 1
            assert answer.status < 500, (endpoint.method, path, query, headers, body)
        assert server.ask("GET", "/health").status == 200
    print(dict(seen))
    assert seen[200] > 50


def test_nothing_that_was_answered_is_lost_when_the_process_is_killed(cells, tmp_path):
    images = copytree(cells / "images", tmp_path / "images")
    code = f"from perpixel.cli import main; main(['annotate', {str(images)!r}, '--classes', 'a,b', '--port', '0'])"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    url = process.stdout.readline().split()[1]
    image_id = ask(url, "GET", "/v1/images").json["images"][0]["id"]
    answered, end = 0, time.monotonic() + 2
    while time.monotonic() < end:
        stroke = {"tool": "brush", "class_index": answered % 2, "points": [[answered % 30, 5]], "radius": 1}
        path = f"/v1/images/{image_id}/labels/strokes"
        assert ask(url, "POST", path, stroke, {"If-Match": "*"}).status == 200
        answered += 1
    process.kill()
    process.communicate(timeout=20)
    (log,) = (tmp_path / "images-labels" / "log").glob("*.jsonl")
    found = Painting(tmp_path / "images-labels", log.stem, (24, 32), 2)
    print(answered, "strokes")
    assert found.version == answered
