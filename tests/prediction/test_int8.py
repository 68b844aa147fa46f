"""int8 by OpenVINO: what it computes, on which layers, at what loss, and who decides."""

import json
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import perpixel
from generated import save
from perpixel.dataset import scan
from perpixel.errors import DataError, RunError, SettingsError
from perpixel.files.read import read_image
from perpixel.labels.decision import Calibration
from perpixel.language import translated
from perpixel.language.agreement import agreed
from perpixel.prediction import PredictOptions, Predictor, backends, inference
from perpixel.prediction.backends import OpenVinoNetwork, openvino_model
from perpixel.prediction.int8 import kept_int8, layer_search, tried
from perpixel.prediction.int8.layer_search import _middle
from perpixel.prediction.int8.quantised_graph import input_ranges, layers_kept, weight_spread
from perpixel.prediction.load import load_predictor
from perpixel.runtime.race import Race
from perpixel.shapes import IGNORED
from perpixel.split import Split
from perpixel.store.model_file import set_calibration
from prediction.networks import LooksAround, codec_for, image_of

pytest.importorskip("openvino")

SMALL = {"tile_px": 64, "overlap_px": 32, "whole_px": 1, "tta": "none", "precision": "32"}
IMAGE = image_of(150, 140)


class Mixed(nn.Module):
    """A plain convolution, a depthwise one, a transposed one and a head."""

    stride = 2

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.ReLU6(),
            nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4),
            nn.ConvTranspose2d(4, 5, 2, stride=2),
            nn.Conv2d(5, 2, 1),
        )

    def forward(self, image):
        return self.layers(image)


def batch_of(count=1, side=16):
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def run(cells_run, tmp_path):
    """A copy of a trained run, in whose folder something may be kept."""
    return type(cells_run).open(Path(shutil.copytree(cells_run.folder, tmp_path / "run")))


@pytest.fixture
def raced(monkeypatch):
    """Say how fast the second of two ways is, whatever the clock says."""

    def say(ratio):
        for module in (backends, layer_search):
            monkeypatch.setattr(module, "race", lambda first, second, seconds: Race(ratio, 1.0, ratio))

    return say


def test_a_convolution_is_that_of_rounded_values_and_weights():
    """PyTorch's own rounding is the reference: per tensor for what enters, per output channel for the weights."""
    torch.manual_seed(0)
    network = nn.Conv2d(3, 4, 3, padding=1).eval()
    batch = batch_of().clamp(-1, 2)
    found = OpenVinoNetwork(network, batch, ((-1.0, 2.0),))(batch).numpy()
    step = 3 / 255
    rounded = torch.fake_quantize_per_tensor_affine(batch, step, round(1 / step), 0, 255)
    greatest = network.weight.detach().abs().amax((1, 2, 3)) * weight_spread()
    weights = torch.fake_quantize_per_channel_affine(
        network.weight.detach(), greatest / 127, torch.zeros(4, dtype=torch.int32), 0, -127, 127
    )
    expected = F.conv2d(rounded, weights, network.bias.detach(), padding=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.abs(found - network(batch).detach().numpy()).max() > 1e-3, "nothing was rounded"


def test_the_range_of_what_enters_a_convolution_is_that_of_all_batches():
    network, seen = Mixed().eval(), []
    for layer in network.layers:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    batches = [batch_of(), 3 * batch_of()]
    graph = openvino_model(Mixed().eval(), batches[0])
    found = input_ranges(graph, [each.numpy() for each in batches])
    for each in batches:
        network(each)
    expected = [(min(0, *map(float, map(torch.min, both))), max(map(float, map(torch.max, both))))
                for both in zip(seen[:4], seen[4:], strict=True)]  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_usual_culprits_may_stay_in_float32():
    graph = openvino_model(Mixed().eval(), batch_of())
    assert layers_kept(graph) == {
        "all convolutions": set(),
        "all but the first and last": {0, 3},
        "all but depthwise ones": {1},
        "all but first, last and depthwise ones": {0, 1, 3},
    }


def test_each_kind_of_convolution_can_be_in_int8():
    network, batch = Mixed().eval(), batch_of()
    ranges = input_ranges(openvino_model(network, batch), [batch.numpy()])
    expected = network(batch).detach()
    for chosen in (ranges, (None, *ranges[1:]), (ranges[0], None, None, None)):
        difference = (OpenVinoNetwork(network, batch, chosen)(batch) - expected).abs().max()
        assert 0 < difference < 0.03 * expected.abs().max()
    np.testing.assert_allclose(OpenVinoNetwork(network, batch, (None,) * 4)(batch), expected, atol=1e-5)


def test_a_middle_smaller_than_its_window_is_mirrored_and_not_scored_there():
    image, target = IMAGE[:10, :40], np.ones((10, 40), np.uint8)
    window, truth = _middle(image, target, 20)
    np.testing.assert_array_equal(window[0, :10], image[:, 10:30])
    np.testing.assert_array_equal(window[0, 10], image[8, 10:30])
    assert (truth[:10] == 1).all()
    assert (truth[10:] == IGNORED).all()
    assert truth.shape == (20, 20)


def test_layers_are_searched_once_and_kept_with_the_run(run, raced, monkeypatch, caplog):
    raced(2.0)
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)
    options = PredictOptions(**SMALL, backend="int8")
    with caplog.at_level(logging.INFO, "perpixel"):
        first = load_predictor(run.folder, options)
        first.target(IMAGE)
    assert "In int8 it is 2.00 times as fast: all convolutions in int8; mean IoU " in first.backend
    assert "all but the first and last: mean IoU" in caplog.text
    in_chinese = translated(agreed(first.backend), "zh")
    assert not re.search("[a-z]{2,} [a-z]{2,}", in_chinese), in_chinese
    assert first.inference.engine_shapes[0].ranges
    stored = json.loads(run.int8_path.read_text(encoding="utf-8"))
    assert [each["layers"] for each in stored["tried"]] == ["all convolutions", "all but the first and last"]
    monkeypatch.setattr(layer_search, "_searched", None)
    for backend in ("int8", "auto"):
        again = load_predictor(run.folder, PredictOptions(**SMALL, backend=backend))
        np.testing.assert_array_equal(again.target(IMAGE), first.target(IMAGE))
        assert again.inference.engine_shapes == first.inference.engine_shapes
    like_training = np.tile(read_image(sorted((run.data / "images").iterdir())[0]), (3, 3, 1))
    found, expected = (
        each.probabilities(like_training) for each in (first, load_predictor(run.folder, PredictOptions(**SMALL)))
    )
    assert 0 < np.abs(found - expected).mean() < 0.01


@pytest.mark.parametrize("changed", ["model", "processor", "libraries", "lost", "damaged"])
def test_what_is_kept_of_another_model_or_processor_is_searched_again(run, raced, changed):
    raced(2.0)
    of = load_predictor(run.folder, PredictOptions(**SMALL, backend="int8"))
    found = layer_search.int8_of(run, of.inference, True)
    assert layer_search.int8_of(run, of.inference, False) == found
    if changed == "damaged":
        run.int8_path.write_text(run.int8_path.read_text(encoding="utf-8")[:-100], encoding="utf-8")
    else:
        stored = json.loads(run.int8_path.read_text(encoding="utf-8"))
        (stored["tried"][0] if changed == "lost" else stored["of"])[changed] = "another"
        run.int8_path.write_text(json.dumps(stored), encoding="utf-8")
    assert layer_search.int8_of(run, of.inference, False) is None


def test_what_is_kept_and_does_not_fit_the_network_stops_int8_alone(run, raced, monkeypatch):
    raced(2.0)
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)
    load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).target(IMAGE)
    stored = json.loads(run.int8_path.read_text(encoding="utf-8"))
    for each in stored["tried"]:
        each["ranges"].pop()
    run.int8_path.write_text(json.dumps(stored), encoding="utf-8")
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert predictor.backend.endswith("int8 was not tried: OpenVINO cannot run this network (ValueError).")
    assert not predictor.inference.engine_shapes[0].ranges
    with pytest.raises(SettingsError, match="OpenVINO cannot run this network"):
        load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).target(IMAGE)


def test_without_openvino_nothing_is_asked_of_what_is_kept(run, monkeypatch):
    run.int8_path.write_text("{}", encoding="utf-8")
    for module in (backends, inference):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.delattr(kept_int8, "parse_json")
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert predictor.backend == "PyTorch: OpenVINO is not installed."


def test_a_model_beside_damaged_settings_predicts_though_not_in_int8(run, raced, monkeypatch):
    raced(2.0)
    monkeypatch.setattr(inference, "SEARCHED_FROM_S", 0)
    (run.folder / "settings.yaml").write_text("data: [", encoding="utf-8")
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert re.search(r"\nint8 was not tried: .*settings\.yaml is damaged: ", predictor.backend)
    with pytest.raises(RunError, match=r"settings\.yaml is damaged"):
        load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).target(IMAGE)


def test_what_openvino_gets_wrong_in_float32_counts_as_lost(run, raced, monkeypatch):
    raced(2.0)
    of = load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).inference
    right = layer_search.int8_of(run, of, True)
    run.int8_path.unlink()

    class Wrong(OpenVinoNetwork):
        def __call__(self, batch):
            return 20 * torch.randn(super().__call__(batch).shape)

    monkeypatch.setattr(layer_search, "OpenVinoNetwork", Wrong)
    wrong = layer_search.int8_of(run, of, True)
    assert wrong.mean_iou == right.mean_iou
    assert wrong.tried[0].lost != pytest.approx(0, abs=1e-6)


def test_validation_images_are_scored_by_the_model_s_own_thresholds(run, raced):
    """From a probability of 0 on each pixel is a cell, so that the mean IoU is half the share of cells."""
    raced(2.0)
    set_calibration(run.model_path, Calibration(1.0, (0.0, 0.0), 4, 0.1, 0.9))
    of = load_predictor(run.folder, PredictOptions(**SMALL, backend="int8", threshold="argmax")).inference
    dataset = scan(run.data)
    truths = [dataset.target(each) for each in Split.load(run.split_path, dataset.samples).part("val")]
    cells, pixels = sum(int((each == 1).sum()) for each in truths), sum(each.size for each in truths)
    assert layer_search.int8_of(run, of, True).mean_iou == pytest.approx(cells / pixels / 2)


@pytest.mark.parametrize(("ratio", "lost", "why"), [
    (1.2, 1.0, "no choice of layers in int8 is 1.3 times as fast and loses at most"),
    (2.0, -2.0, "no choice of layers in int8 is 1.3 times as fast and loses at most"),
])  # fmt: skip
def test_what_loses_too_much_or_gains_too_little_is_not_taken(run, raced, monkeypatch, ratio, lost, why):
    raced(ratio)
    monkeypatch.setattr(tried, "MOST_LOST", lost)
    monkeypatch.setattr(inference, "SEARCHED_FROM_S", 0)
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert why in predictor.backend
    assert not predictor.inference.engine_shapes[0].ranges
    with pytest.raises(
        SettingsError, match=rf"{why}[\s\S]*all convolutions: mean IoU [\s\S]*Fix: choose the backend auto"
    ):
        load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).target(IMAGE)


def test_a_gain_that_is_not_there_on_real_tiles_is_not_taken(run, raced, monkeypatch):
    raced(2.0)
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)
    load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).target(IMAGE)
    raced(1.2)
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert predictor.backend.endswith("In int8 it would be 1.20 times as fast; 1.3 is asked.")
    assert not predictor.inference.engine_shapes[0].ranges


def test_nothing_is_searched_for_a_short_job(run, raced):
    raced(2.0)
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert predictor.backend.startswith("OpenVINO: 2.00 times as fast")
    assert not run.int8_path.exists()


def test_without_the_images_auto_says_so_and_int8_is_refused(run, raced, monkeypatch):
    raced(2.0)
    monkeypatch.setattr(inference, "SEARCHED_FROM_S", 0)

    def gone(*_, **__):
        raise DataError("the folder is gone.", fix="bring it back.")

    monkeypatch.setattr(layer_search, "scan", gone)
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="auto"))
    predictor.target(IMAGE)
    assert predictor.backend.endswith("int8 was not tried: the folder is gone.")
    with pytest.raises(DataError, match="the folder is gone"):
        load_predictor(run.folder, PredictOptions(**SMALL, backend="int8")).target(IMAGE)


def test_a_folder_that_cannot_be_written_keeps_nothing_and_predicts(run, raced, monkeypatch):
    raced(2.0)
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)

    def refuse(path, text):
        raise kept_int8.OutputError(f"cannot write {path}.", fix="free some space.")

    monkeypatch.setattr(kept_int8, "write_text", refuse)
    predictor = load_predictor(run.folder, PredictOptions(**SMALL, backend="int8"))
    predictor.target(IMAGE)
    assert "In int8 it is 2.00 times as fast" in predictor.backend
    assert not run.int8_path.exists()


def test_only_a_run_of_one_network_can_be_in_int8(cells_run):
    wrong = r"int8 needs a run of one network, .*\nFix: give the run's folder, or choose the backend auto"
    options = PredictOptions(**SMALL, backend="int8")
    with pytest.raises(SettingsError, match=wrong):
        load_predictor(cells_run.model_path, options)
    with pytest.raises(SettingsError, match=wrong):
        Predictor([LooksAround(), LooksAround()], codec_for(), options=options)


def test_what_cannot_be_had_for_any_image_is_said_once(run, raced, tmp_path):
    raced(1.2)
    for number in range(8):
        save(tmp_path / "new" / f"{number}.png", IMAGE[:40, :40])
    predictor = load_predictor(run.folder, PredictOptions(backend="int8"))
    with pytest.raises(SettingsError) as refused:
        list(predictor.predict_files(sorted((tmp_path / "new").iterdir()), tmp_path / "out"))
    assert len(refused.value.problems) == 1


@pytest.mark.long
def test_a_bundle_keeps_the_precision_that_it_was_exported_in(cells_run, tmp_path):
    pytest.importorskip("onnx")
    bundle = perpixel.export(cells_run, tmp_path / "out").path
    with pytest.raises(SettingsError, match=r"not in int8 by choice.\nFix: export the run with `precision`"):
        load_predictor(bundle, PredictOptions(backend="int8"))


def test_another_process_computes_in_int8_as_the_first_one_does(run, raced, monkeypatch):
    raced(2.0)
    monkeypatch.setattr(tried, "MOST_LOST", 1.0)
    options = PredictOptions(**SMALL, backend="int8")
    first, second = (load_predictor(run.folder, options) for _ in range(2))
    expected = first.probabilities(IMAGE)
    second.adopt_backend(first.backend, first.inference.engine_shapes)
    assert second.inference.engine_shapes == first.inference.engine_shapes
    np.testing.assert_array_equal(second.probabilities(IMAGE), expected)
