"""Label Studio's run lengths against those of its own SDK, and its routes."""

import base64
import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest
from PIL import Image

import generated
from perpixel.errors import DataError
from perpixel.prediction.load import load_predictor
from perpixel.web.label_studio import brush_tag, decode_rle, encode_rle, target_of
from served import served

GOLDEN = json.loads(Path(__file__).with_name("label_studio_rle.json").read_text(encoding="utf-8"))
"""Made by label_studio_sdk 2.1.2, converter.brush.encode_rle(np.repeat(mask.ravel() * 255, 4)), and read by its
decode_rle; "packed" is np.packbits of the mask."""

CONFIG = """<View><Image name="image" value="$image"/><BrushLabels name="tag" toName="image">
<Label value="foreground"/><Label value="other"/></BrushLabels></View>"""


def golden_mask(case):
    height, width = case["shape"]
    return np.unpackbits(np.array(case["packed"], np.uint8))[: height * width].reshape(height, width) > 0


@pytest.mark.parametrize("name", GOLDEN)
def test_run_lengths_are_those_of_the_sdk(name):
    case = GOLDEN[name]
    mask = golden_mask(case)
    np.testing.assert_array_equal(decode_rle(case["rle"], *mask.shape), mask)
    ours = encode_rle(mask)
    assert ours[:7] == case["rle"][:7]
    np.testing.assert_array_equal(decode_rle(ours, *mask.shape), mask)
    assert ours == case["rle"][: len(ours)]
    assert not any(case["rle"][len(ours) :])  # the SDK may add a byte of zeros


def test_long_runs_are_cut():
    mask = np.ones((300, 300), bool)
    np.testing.assert_array_equal(decode_rle(encode_rle(mask), 300, 300), mask)


def test_single_words_are_read():
    bits = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    bits += "000" + f"{7:03b}" + "".join(f"{value:08b}" for value in (9, 9, 9, 255, 0, 0, 0, 0))
    bits += "0" * (-len(bits) % 8)
    rle = list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    assert decode_rle(rle, 1, 2).tolist() == [[True, False]]


@pytest.mark.parametrize("rle", [[], [0], None, "x", [1, 2, 3] * 9, [0, 0, 0, 8, 57, 27, 254], [300], [[1]]])
def test_what_is_no_run_length_is_refused(rle):
    with pytest.raises(DataError, match="a mask is not the run lengths of 1 × 2 pixels"):
        decode_rle(rle, 1, 2)


def test_the_interface_names_the_tag():
    tag = brush_tag(CONFIG)
    assert (tag.from_name, tag.to_name, tag.names) == ("tag", "image", ("foreground", "other"))
    for config, told in (("<View/>", "has no BrushLabels"), ("<View", "is no XML"), ("<!DOCTYPE x>", "entities")):
        with pytest.raises(DataError, match=told):
            brush_tag(config)


@pytest.fixture(scope="module")
def server(cells, cells_run, tmp_path_factory):
    images = copytree(cells / "images", tmp_path_factory.mktemp("studio") / "images")
    with served(cells_run.folder, images, label_studio=True) as server:
        yield server


@pytest.mark.parametrize(
    "address", ["/data/upload/3/0123abcd-cell_0.png", "/data/local-files/?d=any/cell_0.png", "http://x/a/cell_0.png"]
)
def test_a_task_is_predicted_by_the_name_of_its_image(server, cells, cells_run, address):
    body = {"tasks": [{"id": 1, "data": {"image": address}}], "label_config": CONFIG}
    found = server.ask("POST", "/predict", body).json["results"][0]
    expected = load_predictor(cells_run.folder).target(np.asarray(Image.open(cells / "images" / "cell_0.png")))
    (result,) = found["result"]
    assert (result["from_name"], result["to_name"], result["value"]["brushlabels"]) == (
        "tag",
        "image",
        ["foreground"],
    )
    mask = decode_rle(result["value"]["rle"], result["original_height"], result["original_width"])
    np.testing.assert_array_equal(mask, expected == 1)
    assert found["model_version"] == server.ask("POST", "/setup", {}).json["model_version"] == cells_run.folder.name


def test_an_image_may_lie_in_the_task(server, cells):
    content = base64.b64encode((cells / "images" / "cell_0.png").read_bytes()).decode()
    body = {"tasks": [{"data": {"image": f"data:image/png;base64,{content}"}}], "label_config": CONFIG}
    assert len(server.ask("POST", "/predict", body).json["results"]) == 1


@pytest.mark.parametrize("address", ["file:///etc/passwd", "/etc/passwd", "http://169.254.169.254/x.png", "data:,!"])
def test_no_address_is_opened(server, address):
    body = {"tasks": [{"data": {"image": address}}], "label_config": CONFIG}
    assert server.ask("POST", "/predict", body).status == 422


def test_bodies_of_another_shape_are_refused(server):
    for body in (b"[]", b"x", b'{"tasks": 3}', b'{"tasks": [1], "label_config": "<View><BrushLabels/></View>"}'):
        assert server.ask("POST", "/predict", body).status == 400


def test_an_annotation_becomes_labels_of_a_person(server):
    mask = np.zeros((24, 32), bool)
    mask[3:9, 4:20] = True
    value = {"format": "rle", "rle": encode_rle(mask), "brushlabels": ["foreground"]}
    body = {
        "action": "ANNOTATION_CREATED",
        "task": {"data": {"image": "/data/upload/1/0123abcd-cell_0.png"}},
        "annotation": {"result": [{"type": "brushlabels", "value": value}, {"value": 3}, None]},
    }
    assert server.ask("POST", "/webhook", body).status == 201
    image_id = server.ask("GET", "/v1/images").json["images"][0]["id"]
    assert server.ask("GET", f"/v1/images/{image_id}/labels/state").json["by_person"] == mask.sum()
    assert server.ask("POST", "/webhook", {"action": "PROJECT_UPDATED"}).status == 201


def test_without_the_option_there_are_no_such_routes(cells_run):
    with served(cells_run.folder) as server:
        assert server.ask("POST", "/setup", {}).status == 404


def test_what_is_not_a_mask_is_left_out():
    assert (target_of(None, generated.binary_labels(), (2, 2)) == 255).all()
