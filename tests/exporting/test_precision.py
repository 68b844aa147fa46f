"""Lower precision: measured on validation images, refused where it loses too much, predicted with like any bundle."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

import perpixel
from perpixel.cli import main
from perpixel.errors import RunError, SettingsError
from perpixel.exporting import precision
from perpixel.prediction import PredictOptions
from perpixel.prediction.int8 import tried
from perpixel.prediction.load import load_predictor
from perpixel.runtime.race import Race
from perpixel.store.bundle import Bundle

onnx = pytest.importorskip("onnx")

pytestmark = pytest.mark.long
IMAGE = np.random.default_rng(0).integers(0, 256, (50, 61, 3), np.uint8)


@pytest.fixture(autouse=True)
def _untimed(monkeypatch):
    monkeypatch.setattr(precision, "race", lambda *_, seconds: Race(1.0, 0.8, 1.25))


def operators(path):
    return {node.op_type for node in onnx.load(path / "model.onnx").graph.node}


def test_weights_in_float16_are_half_as_large_and_predict_the_same(cells_run, tmp_path, capsys):
    plain = perpixel.export(cells_run, tmp_path / "plain").path
    assert main(["export", str(cells_run.folder), "--out", str(tmp_path / "half"), "--precision", "fp16"]) == 0
    assert "all weights in float16: mean IoU" in capsys.readouterr().out
    sizes = [(tmp_path / name / "model.onnx").stat().st_size for name in ("plain", "half")]
    assert sizes[1] < 0.8 * sizes[0]
    assert Bundle.open(tmp_path / "half").card.precision == "fp16"
    plainly = PredictOptions(tta="none")
    found = load_predictor(tmp_path / "half", plainly).probabilities(IMAGE)
    np.testing.assert_allclose(found, load_predictor(plain, plainly).probabilities(IMAGE), atol=5e-3)


def test_int8_is_searched_by_layers_and_the_table_is_kept(cells_run, tmp_path, monkeypatch):
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)
    exported = perpixel.export(cells_run, tmp_path / "out", precision="int8")
    assert "QuantizeLinear" in operators(exported.path)
    stored = json.loads((exported.path / "precision.json").read_text(encoding="utf-8"))
    assert [each["layers"] for each in stored] == ["all convolutions", "all but the first and last"]
    assert stored == [each.to_dict() for each in exported.tried]
    assert all(each["holds"] and each["times_as_fast"] == 1.25 for each in stored)
    assert perpixel.load(exported.path).predict(IMAGE).mask.shape == (50, 61)
    assert Bundle.open(exported.path).card.precision == "int8"


@pytest.mark.parametrize(("asked", "way"), [("int8", "in fp16"), ("fp16", "in float32")])
def test_what_loses_too_much_is_refused_with_the_table(cells_run, tmp_path, monkeypatch, asked, way):
    for module in (tried, precision):
        monkeypatch.setattr(module, "MOST_LOST", -2.0)
    with pytest.raises(
        RunError, match=rf"{asked} loses more than -2 of the mean IoU [\s\S]*times as fast[\s\S]*{way}"
    ):
        perpixel.export(cells_run, tmp_path / "out", precision=asked)
    assert not list(tmp_path.iterdir())


def test_targets_that_cannot_are_named(cells_run, tmp_path):
    with pytest.raises(
        SettingsError, match=r"bioimageio is not exported in int8.\nFix: .* onnx, openvino, huggingface"
    ):
        perpixel.export(cells_run, tmp_path / "out", target="bioimageio", precision="int8")


def test_openvino_takes_both(cells_run, tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)
    for asked in ("fp16", "int8"):
        exported = perpixel.export(cells_run, tmp_path / asked, target="openvino", precision=asked)
        assert exported.tried
        assert exported.parities[0].largest_difference < 0.2


def convolution(name, group=1):
    return SimpleNamespace(name=name, attribute=[SimpleNamespace(name="group", i=group)])


def test_first_last_and_depthwise_layers_of_each_network_are_known():
    nodes = [convolution("/reduce/Conv"), *(
        convolution(f"/networks.{n}/{layer}/Conv", group)
        for n in (0, 1)
        for layer, group in (("first", 1), ("depthwise", 8), ("middle", 1), ("head", 1))
    )]  # fmt: skip
    choices = precision._choices(nodes)
    assert choices["all convolutions"] == {"/reduce/Conv"}
    kept = choices["all but first, last and depthwise ones"]
    assert {node.name for node in nodes} - kept == {"/networks.0/middle/Conv", "/networks.1/middle/Conv"}
    assert list(choices) == [
        "all convolutions",
        "all but the first and last",
        "all but depthwise ones",
        "all but first, last and depthwise ones",
    ]
