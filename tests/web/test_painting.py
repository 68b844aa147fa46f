"""Strokes, their log, and the labels that follow from it."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from shutil import copytree
from threading import Event

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt

from perpixel.errors import DataError, OutputError, RunError
from perpixel.shapes import IGNORED
from perpixel.web import ServeOptions, serving
from perpixel.web.painting import MODEL, PERSON, Painting
from perpixel.web.strokes import Stroke
from served import served

CLASSES = ["background", "cell"]


@pytest.fixture
def painting(tmp_path):
    return Painting(tmp_path, "a", (40, 60), 2)


def again(painting):
    """The same labels as another process finds them."""
    return Painting(painting.folder, painting.stem, painting.shape, painting.classes)


def line(k=1, tool="brush", radius=3.0, points=((10.0, 10.0), (30.0, 20.0))):
    return Stroke(tool, k, points, radius)


@pytest.mark.parametrize("radius", [1.0, 3.0, 8.5])
def test_a_brush_paints_what_lies_within_its_radius(painting, radius):
    painting.paint(line(radius=radius))
    middle = np.ones((40 * 8, 60 * 8), bool)  # the line in eighths of pixels, and the distance to it
    steps = np.linspace(0, 1, 2000)
    y, x = ((10 + 10 * steps) * 8).astype(int), ((10 + 20 * steps) * 8).astype(int)
    middle[y, x] = False
    distance = distance_transform_edt(middle)[4::8, 4::8] / 8
    is_painted = painting.labels == 1
    assert is_painted[distance < radius - 1].all()
    assert not is_painted[distance > radius + 1].any()


def test_a_polygon_is_filled_and_a_fill_stays_inside(painting):
    painting.paint(line(tool="polygon", points=((5.0, 5.0), (25.0, 5.0), (25.0, 25.0), (5.0, 25.0))))
    inside = painting.labels == 1
    assert inside[6:24, 6:24].all()
    assert abs(int(inside.sum()) - 400) < 50
    painting.paint(line(k=0, tool="fill", points=((10.5, 10.5),)))
    np.testing.assert_array_equal(painting.labels == 0, inside)
    painting.paint(line(k=1, tool="fill", points=((-3.0, 2.0),)))
    np.testing.assert_array_equal(painting.labels == 1, False)


def test_an_eraser_leaves_nothing(painting):
    painting.paint(line())
    painting.paint(line(tool="eraser", radius=5.0))
    assert (painting.labels == IGNORED).all()
    assert (painting.sources == 0).all()


def test_fifty_steps_are_undone_and_redone(painting):
    states = [painting.labels.copy()]
    for k in range(55):
        painting.paint(line(k=k % 2, radius=1.0, points=((float(k), float(k % 40)), (float(k) + 3, 9.0))))
        states.append(painting.labels.copy())
    for _ in range(60):
        painting.undo()
    np.testing.assert_array_equal(painting.labels, states[5])
    np.testing.assert_array_equal(again(painting).labels, states[5])
    for _ in range(60):
        painting.redo()
    np.testing.assert_array_equal(painting.labels, states[-1])
    painting.undo()
    painting.paint(line())
    assert painting.steps[1] == 0
    found = again(painting)
    np.testing.assert_array_equal(found.labels, painting.labels)
    assert (found.version, found.steps) == (painting.version, painting.steps)


def test_what_was_half_written_is_cut_off_and_the_rest_is_kept(painting):
    painting.paint(line())
    expected = painting.labels.copy()
    with painting.log_path.open("a", encoding="utf-8") as file:
        file.write('{"do": "stroke", "tool": "br')
    found = again(painting)
    np.testing.assert_array_equal(found.labels, expected)
    found.paint(line(k=0, radius=1.0))
    np.testing.assert_array_equal(again(painting).labels, found.labels)


@pytest.mark.parametrize(
    "step",
    [
        "nonsense",
        "[]",
        "{}",
        '{"do": "undo"}',
        '{"do": "stroke", "tool": "brush", "points": [], "class_index": 9}',
        '{"do": "put", "file": "/etc/passwd", "source": 1}',
        '{"do": "put", "file": "../../secret.png", "source": 1}',
        '{"do": "put", "file": "a-9.png", "source": 1}',
    ],
)
def test_a_damaged_log_is_told(painting, step):
    painting.paint(line())
    (painting.folder.parent / "secret.png").write_bytes(b"")
    painting.log_path.write_text(step + "\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"a\.jsonl is damaged"):
        again(painting)


def test_what_the_model_gave_is_kept_apart(painting):
    painting.paint(line())
    by_hand = painting.labels == 1
    painting.put(np.zeros((40, 60), np.uint8), source=MODEL)
    assert (painting.sources[by_hand] == PERSON).all()
    assert (painting.labels[by_hand] == 1).all()
    assert (painting.sources[~by_hand] == MODEL).all()
    painting.save()
    np.testing.assert_array_equal(np.asarray(Image.open(painting.mask_path)), painting.labels)
    np.testing.assert_array_equal(np.asarray(Image.open(painting.sources_path)), painting.sources)
    np.testing.assert_array_equal(again(painting).sources, painting.sources)


def test_labels_of_another_size_or_class_are_refused(painting):
    with pytest.raises(DataError, match="the labels are 3 × 4 pixels, the image 40 × 60"):
        painting.put(np.zeros((3, 4), np.uint8), source=PERSON)
    with pytest.raises(DataError, match="the labels hold a class beyond the 2"):
        painting.put(np.full((40, 60), 2, np.uint8), source=PERSON)


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (None, "it lacks tool"),
        ({"tool": "brush", "class_index": 0}, "it lacks tool"),
        ({"tool": "axe", "class_index": 0, "points": [[1, 1]]}, "its tool is none of brush"),
        ({"tool": "brush", "class_index": 2, "points": [[1, 1]]}, "there is no class 2"),
        ({"tool": "brush", "class_index": 0, "points": []}, "it has 0 points"),
        ({"tool": "brush", "class_index": 0, "points": [[1e9, 1]]}, "a point is out of bounds"),
        ({"tool": "brush", "class_index": 0, "points": [["nan", 1]]}, "a point is out of bounds"),
        ({"tool": "brush", "class_index": 0, "points": [[1, 1]], "radius": 0}, "its radius is not in"),
    ],
)
def test_what_is_no_stroke_is_refused(sent, told):
    with pytest.raises(DataError, match=f"the stroke cannot be drawn: {told}"):
        Stroke.of(sent, 2)


@pytest.fixture(scope="module")
def server(cells, tmp_path_factory):
    images = copytree(cells / "images", tmp_path_factory.mktemp("paint") / "images")
    with served(None, images, CLASSES) as server:
        yield server


def image_ids(server):
    return [image["id"] for image in server.ask("GET", "/v1/images").json["images"]]


def stroke(points, k=1, tool="brush", radius=2):
    return {"tool": tool, "class_index": k, "points": points, "radius": radius}


def test_a_stroke_on_old_labels_is_refused_and_told_the_new_ones(server):
    path = f"/v1/images/{image_ids(server)[0]}/labels"
    first = server.ask("POST", f"{path}/strokes", stroke([[5, 5]]), {"If-Match": '"0"'})
    assert (first.status, first.headers["ETag"], first.json["undo"]) == (200, '"1"', 1)
    stale = server.ask("POST", f"{path}/strokes", stroke([[9, 9]], 0), {"If-Match": '"0"'})
    assert (stale.status, stale.headers["ETag"]) == (409, '"1"')
    assert server.ask("POST", f"{path}/strokes", stroke([[9, 9]], 0)).status == 409
    merged = server.ask("POST", f"{path}/strokes", stroke([[9, 9]], 0), {"If-Match": stale.headers["ETag"]})
    assert merged.json["pixels"][1] > 0
    assert merged.json["pixels"][0] > 0


def test_two_who_paint_at_once_lose_nothing(server):
    path = f"/v1/images/{image_ids(server)[1]}/labels"

    def paint(k):
        for step in range(8):
            etag = '"0"'
            while (
                answer := server.ask(
                    "POST", f"{path}/strokes", stroke([[4 * step + 2, 4 + 16 * k]], k, radius=1), {"If-Match": etag}
                )
            ).status == 409:
                etag = answer.headers["ETag"]
            assert answer.status == 200

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(paint, (0, 1)))
    labels = np.asarray(Image.open(io.BytesIO(server.ask("GET", path).body)))
    for step in range(8):
        assert [labels[4 + 16 * k, 4 * step + 2] for k in (0, 1)] == [0, 1]


def test_whole_labels_are_put_and_given(server):
    path = f"/v1/images/{image_ids(server)[2]}/labels"
    labels = np.full((40, 28), 255, np.uint8)
    labels[3:9] = 1
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG")
    assert server.ask("PUT", path, buffer.getvalue(), {"If-Match": '"7"'}).status == 409
    assert server.ask("PUT", path, buffer.getvalue(), {"If-Match": '"0"'}).json["by_person"] == 6 * 28
    assert server.ask("PUT", path, b"nonsense", {"If-Match": "*"}).status == 422
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(server.ask("GET", path).body))), labels)
    tile = server.ask("GET", f"{path}/tiles/0/0/0").body
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(tile))), labels)
    server.ask("POST", f"{path}/steps/undo", {}, {"If-Match": '"1"'})
    assert server.ask("GET", f"{path}/state").json["unlabelled"] == 40 * 28


def test_a_preview_follows_the_strokes(server, cells):
    image_id = image_ids(server)[3]
    image = f"/v1/images/{image_id}"
    truth = np.asarray(Image.open(cells / "masks" / "cell_3.png")) > 0
    height, width = truth.shape
    box = {"top": 0, "left": 0, "bottom": height, "right": width}
    for k in (0, 1):
        y, x = np.argwhere(truth == k)[:: (truth == k).sum() // 4].T
        for point in zip(x.tolist(), y.tolist(), strict=True):
            etag = server.ask("GET", f"{image}/labels/state").headers["ETag"]
            server.ask("POST", f"{image}/labels/strokes", stroke([point], k, radius=1), {"If-Match": etag})
        if k == 0:
            refused = server.ask("POST", f"{image}/preview", box)
            assert (refused.status, refused.json["error"]) == (409, "a preview needs strokes of two classes.")
    assert server.ask("POST", f"{image}/preview", box).json["version"] == 1
    found = np.asarray(Image.open(io.BytesIO(server.ask("GET", f"{image}/preview/0/0/0").body)))
    assert (found == truth).mean() > 0.85
    for path in ("preview", "preview/features"):
        assert server.ask("POST", f"{image}/{path}", {"top": 5}).status == 400


def test_features_are_computed_before_a_preview_asks_for_them(server):
    image_id = image_ids(server)[4]
    box = {"top": 0, "left": 0, "bottom": 20, "right": 20}
    assert server.ask("POST", f"/v1/images/{image_id}/preview/features", box).status == 202
    done = Event()
    server.service.worker.soon(done.set)
    assert done.wait(60)
    assert (image_id, 0, 0) in server.service.previews._learner._maps


def test_the_model_may_fill_what_is_not_labelled(cells, cells_run, tmp_path):
    images = copytree(cells / "images", tmp_path / "images")
    with served(cells_run.folder, images) as server:
        image = f"/v1/images/{image_ids(server)[0]}"
        assert server.ask("POST", f"{image}/labels/accept", {}, {"If-Match": "*"}).status == 409
        server.ask("POST", f"{image}/predict", {})
        state = server.ask("POST", f"{image}/labels/accept", {}, {"If-Match": "*"}).json
        assert (state["by_model"], state["unlabelled"]) == (24 * 32, 0)
        listed = server.ask("GET", "/v1/next?images=3").json["images"]
        assert len(listed) == 3
        assert "cell_0.png" not in [each["name"] for each in listed]
        assert server.ask("POST", "/v1/train", {"minutes": 1}).json["error"].startswith("0 images are labelled")
        assert server.ask("POST", "/v1/train", {"minutes": "x"}).status == 400
        assert server.ask("GET", "/v1/train").json["state"] == "idle"
    assert sorted(path.name for path in (tmp_path / "images-labels").iterdir()) == [
        *("classes.json", "log", "masks", "sources")
    ]


def test_nothing_is_painted_where_the_server_looks_only(cells, cells_run):
    with served(cells_run.folder, cells / "images", read_only=True) as server:
        image = f"/v1/images/{image_ids(server)[0]}"
        assert server.ask("POST", f"{image}/labels/strokes", stroke([[1, 1]]), {"If-Match": "*"}).status == 403
        assert server.ask("POST", "/v1/train", {"minutes": 1}).status == 403
        assert server.ask("GET", "/v1/model").json["can_paint"] is False


def test_a_folder_with_other_labels_is_not_painted_over(cells, tmp_path):
    (tmp_path / "classes.json").write_text(json.dumps(["sky", "sea"]), encoding="utf-8")
    told = "holds labels of the classes sky, sea, not of background, cell"
    options = ServeOptions(port=0)
    with pytest.raises(OutputError, match=told), serving(None, cells / "images", options, CLASSES, tmp_path):
        pass
    told = "exists and holds no labels of perpixel's"
    with pytest.raises(OutputError, match=told), serving(None, cells / "images", options, CLASSES, cells):
        pass
