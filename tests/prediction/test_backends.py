"""OpenVINO beside PyTorch: the same answer, chosen by speed, refused where it does not agree."""

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from generated import save
from perpixel.errors import SettingsError
from perpixel.prediction import PredictOptions, Predictor, backends, inference, openvino_core
from perpixel.prediction.backends import chosen_engine, chosen_precision
from perpixel.prediction.inference import Inference
from perpixel.runtime.race import Race
from prediction.networks import LooksAround, codec_for, image_of

INTERRUPTED = """
import signal
import torch
from perpixel.prediction.backends import OpenVinoNetwork

network, example = torch.nn.Conv2d(3, 2, 3).eval(), torch.zeros(1, 3, 16, 16)
first, second = OpenVinoNetwork(network, example), OpenVinoNetwork(network, example)
del first, second
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("Ctrl-C")
"""

LOGGED = """
import logging
import torch
from perpixel.prediction.backends import OpenVinoNetwork

OpenVinoNetwork(torch.nn.Conv2d(3, 2, 3).eval(), torch.zeros(1, 3, 16, 16))
print(logging.root.handlers)
"""

SMALL = {"tile_px": 96, "overlap_px": 32, "whole_px": 1, "precision": "32"}


class Unexportable(nn.Module):
    """Its path hangs on the data."""

    def forward(self, image):
        return image * 2 if image.sum() > 0 else image


class Again:
    """What OpenVINO makes of a network, for the tests that only look at the choice."""

    def __init__(self, network):
        self.network = network

    def __call__(self, image):
        return self.network(image)


def batch():
    return torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def quick(monkeypatch):
    """A stand-in for the compiler, which takes seconds."""
    monkeypatch.setattr(backends, "OpenVinoNetwork", lambda network, example: Again(network))


def test_the_answer_is_that_of_pytorch():
    image = image_of(300, 210)
    plain = Predictor(LooksAround(), codec_for(), options=PredictOptions(**SMALL, tta="d4"))
    other = Predictor(LooksAround(), codec_for(), options=PredictOptions(**SMALL, tta="d4", backend="openvino"))
    np.testing.assert_allclose(other.probabilities(image), plain.probabilities(image), rtol=0, atol=1e-5)
    assert plain.backend == "PyTorch."
    assert other.backend.startswith("OpenVINO: ")
    assert other.backend.endswith("times as fast as PyTorch, 0.0000% of the pixels differ.")


@pytest.mark.parametrize("backend", ["openvino", "int8"])
def test_what_is_for_a_cpu_is_told_on_a_gpu(backend):
    options = PredictOptions(**SMALL, backend=backend)
    on_gpu = Inference([LooksAround()], codec_for(), options, torch.device("cuda"))
    assert on_gpu.choose_engines(image_of(64, 64)[None]) == f"PyTorch: the backend {backend} is for a CPU."
    plain = Inference([LooksAround()], codec_for(), PredictOptions(**SMALL), torch.device("cuda"))
    assert plain.choose_engines(image_of(64, 64)[None]) == "PyTorch."


@pytest.mark.long
def test_compiling_leaves_the_log_as_it_was():
    """OpenVINO's reader of networks gives the root logger a handler, which would tell all things again."""
    ran = subprocess.run([sys.executable, "-c", LOGGED], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


def test_a_network_runs_as_another_process_runs_it():
    image, options = image_of(300, 210), PredictOptions(**SMALL, backend="openvino")
    first, second = (Predictor(LooksAround(), codec_for(), options=options) for _ in range(2))
    expected = first.probabilities(image)
    for backend, shapes in ((first.backend, first.inference.engine_shapes), ("PyTorch.", (None,)), ("", ())):
        second.adopt_backend(backend, shapes)
        assert (second.backend, second.inference.engine_shapes) == (backend, shapes)
    second.adopt_backend(first.backend, first.inference.engine_shapes)
    assert second.inference.engine_shapes == (((1, 3, 96, 96), ()),)
    np.testing.assert_array_equal(second.probabilities(image), expected)


@pytest.mark.slow
def test_ctrl_c_is_heard_after_networks_have_come_and_gone():
    ran = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "Ctrl-C\n")


def test_few_tiles_are_not_worth_compiling_and_that_is_said_once(caplog):
    predictor = Predictor(LooksAround(), codec_for(), options=PredictOptions(backend="openvino"))
    with caplog.at_level(logging.INFO, "perpixel"):
        for _ in range(2):
            predictor.target(image_of(40, 40))
    assert predictor.backend == ""
    assert caplog.messages == ["PyTorch: to compile a network pays from 8 tiles on."]


def test_many_images_of_one_size_are_worth_compiling(tmp_path, monkeypatch, quick):
    monkeypatch.setattr(backends, "race", lambda first, second, seconds: Race(1.0, 0.5, 2.0))
    for number in range(8):
        save(tmp_path / "new" / f"{number}.png", image_of(40, 40, seed=number))
    for number, backend in ((8, "OpenVINO: 2.00 times as fast"), (7, "")):
        predictor = Predictor(LooksAround(), codec_for(), options=PredictOptions(backend="auto"))
        paths = sorted((tmp_path / "new").iterdir())[:number]
        assert len(list(predictor.predict_files(paths, tmp_path / f"out{number}"))) == number
        assert predictor.backend.startswith(backend)
        assert bool(predictor.backend) == bool(backend)


def test_tiles_of_a_large_image_are_compiled_for_after_whole_images(monkeypatch):
    seen = []
    compiled = lambda network, example: seen.append(tuple(example.shape)) or Again(network)  # noqa: E731
    monkeypatch.setattr(backends, "OpenVinoNetwork", compiled)
    monkeypatch.setattr(backends, "race", lambda first, second, seconds: Race(1.0, 0.5, 2.0))
    predictor = Predictor(
        LooksAround(), codec_for(), options=PredictOptions(**{**SMALL, "whole_px": 5000}, backend="auto")
    )
    predictor.images = 8
    for side in (40, 48, 40, 200, 300, 40):
        predictor.target(image_of(side, side))
    assert seen == [(1, 3, 40, 40), (1, 3, 96, 96)]


def test_the_faster_one_is_taken(monkeypatch, quick):
    ratios = iter([0.5, 2.0])
    monkeypatch.setattr(backends, "race", lambda first, second, seconds: Race(1.0, 1.0, next(ratios)))
    network = LooksAround().eval()
    engine, why = chosen_engine(network, batch(), codec_for(), "auto")
    assert engine is network
    assert why.startswith("PyTorch: OpenVINO is 0.50 times as fast")
    engine, why = chosen_engine(network, batch(), codec_for(), "auto")
    assert engine is not network
    assert why.startswith("OpenVINO: 2.00 times as fast")


@pytest.mark.parametrize(("ratio", "kind"), [(0.8, None), (1.01, None), (1.5, "bf16")])
def test_the_faster_precision_is_taken_where_the_processor_has_both(monkeypatch, ratio, kind):
    monkeypatch.setattr(inference, "has_bf16_instructions", lambda: True)
    monkeypatch.setattr(backends, "race", lambda first, second, seconds: Race(ratio, 1.0, ratio))
    monkeypatch.setattr(backends, "MOST_DIFFERING", 1)
    predictor = Predictor(LooksAround(), codec_for(), options=PredictOptions(**{**SMALL, "precision": "auto"}))
    predictor.probabilities(image_of(300, 210))
    assert predictor.inference.engine_shapes == (kind,)
    assert f"{ratio:.2f} times as fast as float32" in predictor.backend
    assert predictor.backend.startswith("PyTorch in bfloat16: " if kind else "PyTorch: bfloat16 is ")
    other = Predictor(LooksAround(), codec_for(), options=PredictOptions(**{**SMALL, "precision": "auto"}))
    other.adopt_backend(predictor.backend, predictor.inference.engine_shapes)
    assert other.inference.engine_shapes == (kind,)


def test_bfloat16_that_changes_pixels_is_not_taken(monkeypatch):
    monkeypatch.setattr(backends, "race", lambda first, second, seconds: Race(9.0, 1.0, 9.0))
    monkeypatch.setattr(backends, "MOST_DIFFERING", -1)
    network = LooksAround().eval()
    engine, why = chosen_precision(network, batch(), codec_for())
    assert engine is network
    assert why.startswith("PyTorch: bfloat16 is 9.00 times as fast as float32, ")


def test_one_that_disagrees_is_not_taken(monkeypatch, quick):
    monkeypatch.setattr(backends, "MOST_DIFFERING", -1)
    network = LooksAround().eval()
    engine, why = chosen_engine(network, batch(), codec_for(), "auto")
    assert engine is network
    assert why.startswith("PyTorch: OpenVINO is ")
    with pytest.raises(SettingsError, match=r"OpenVINO does not agree: .* of the pixels differ\.\nFix: choose"):
        chosen_engine(network, batch(), codec_for(), "openvino")


def test_a_network_that_cannot_be_exported_stays_with_pytorch():
    network = Unexportable().eval()
    engine, why = chosen_engine(network, batch(), codec_for(), "auto")
    assert engine is network
    assert why.startswith("PyTorch: OpenVINO cannot run this network")
    with pytest.raises(SettingsError, match=r"OpenVINO cannot run this network \(\w+\)\.\nFix: choose the"):
        chosen_engine(network, batch(), codec_for(), "openvino")


def test_without_openvino_the_way_out_is_told(monkeypatch):
    for module in (backends, openvino_core):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"OpenVINO is not installed\.\nFix: pip install 'perpixel\[openvino\]'"):
        openvino_core.require_openvino()
    with pytest.raises(SettingsError, match="OpenVINO is not installed"):
        Predictor(LooksAround(), codec_for(), options=PredictOptions(backend="openvino"))
    assert chosen_engine(LooksAround(), batch(), codec_for(), "auto")[1] == "PyTorch: OpenVINO is not installed."
