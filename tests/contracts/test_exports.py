"""Every network as a graph from raw pixels to probabilities: any size, what PyTorch predicts."""

from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from contracts.test_models import CASES, stirred
from perpixel.exporting.graphs import EXAMPLE_HW, trace, write_onnx
from perpixel.exporting.raw_network import BilinearReduction, RawNetwork
from perpixel.prediction import PredictOptions, Predictor
from perpixel.prediction.onnx_engine import onnxruntime_graph
from prediction.networks import codec_for

pytestmark = pytest.mark.long

SIZES = ((1, 1), (31, 31), (32, 32), (33, 33), (250, 301), (600, 40))
QUICK_SIZES = ((1, 1), (33, 33), (600, 40))
KINDS = (("multiclass", "uint8", 1.0), ("multilabel", "uint16", 0.5), ("multiclass", "float32", 0.375))
ALL_KINDS = [(kind, dtype, 1.0) for kind in ("multiclass", "multilabel") for dtype in ("uint8", "uint16", "float32")]


ROUNDED = {
    ("unet reflect", (1, 1)),  # instance norm of a single value: PyTorch is 0.6 from its own answer in float64
    (
        "segnet",
        (32, 32),
    ),  # of equal values one is the largest by rounding, and unpooled: PyTorch is 0.005 from float64
}


def image_of(size, dtype, channels=3):
    image = np.random.default_rng(0).integers(0, 256, (*size, channels)).astype(dtype)
    if dtype == "float32":
        image[0, 0, 1] = np.nan
    return image


def refuse_differing(name, kind, dtype, scale, folder, sizes=SIZES):
    torch.manual_seed(0)
    network, codec = stirred(CASES[name](3, 3)).eval(), codec_for(kind, dtype=dtype)
    predictor = Predictor(network, codec, options=PredictOptions(scale=scale, precision="32", device="cpu"))
    raw = RawNetwork([network], codec, predictor.options.ratio, predictor.inference.align_px)
    write_onnx(raw, 3, dtype, folder / "model.onnx", {})
    run = onnxruntime_graph((folder / "model.onnx").read_bytes())
    traced = trace(raw, torch.zeros(2, 3, *EXAMPLE_HW))
    for size in sizes:
        if (name, size) in ROUNDED:
            continue
        image = image_of(size, dtype)
        expected, batch = predictor.probabilities(image), np.ascontiguousarray(image.transpose(2, 0, 1)[None])
        with torch.inference_mode():
            by_torchscript = traced(torch.from_numpy(batch)).numpy()[0]
        for found in (run(batch)[0], by_torchscript):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4, err_msg=str(size))
            differing = (codec.decode_array(found) != codec.decode_array(expected)).sum()
            close = np.abs(expected - 0.5).min(0) < 1e-6 if kind == "multilabel" else np.zeros(size, bool)
            assert differing <= max(1, 1e-4 * expected.size, 3 * close.sum()), size


QUICK = [(name, *kind) for name, kind in zip(("unet light", "unet valid", "unet reflect"), KINDS, strict=True)]


@pytest.mark.parametrize(("name", "kind", "dtype", "scale"), QUICK)
def test_graphs_predict_what_pytorch_predicts(name, kind, dtype, scale, tmp_path):
    refuse_differing(name, kind, dtype, scale, tmp_path, QUICK_SIZES)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "dtype", "scale"), [*ALL_KINDS, *KINDS[1:]])
@pytest.mark.parametrize("name", CASES)
def test_every_graph_predicts_what_pytorch_predicts(name, kind, dtype, scale, tmp_path):
    refuse_differing(name, kind, dtype, scale, tmp_path)


def test_networks_of_an_ensemble_are_averaged_in_the_graph(tmp_path):
    networks = [stirred(CASES["unet valid"](3, 3)).eval() for _ in range(2)]
    predictor = Predictor(networks, codec_for(), options=PredictOptions(precision="32", device="cpu"))
    write_onnx(RawNetwork(networks, codec_for(), Fraction(1), 4), 3, "uint8", tmp_path / "model.onnx", {})
    image = image_of((40, 50), "uint8")
    found = onnxruntime_graph((tmp_path / "model.onnx").read_bytes())(image.transpose(2, 0, 1)[None])[0]
    np.testing.assert_allclose(found, predictor.probabilities(image), atol=1e-5)


@pytest.mark.parametrize("ratio", ["1/2", "1/9", "3/8", "7/8", "2/3"])
def test_reduction_is_that_of_pytorch_with_antialiasing(ratio):
    ratio = Fraction(ratio)
    image = torch.rand(2, 3, 5 * ratio.denominator, 3 * ratio.denominator)
    size = [int(side * ratio) for side in image.shape[2:]]
    expected = F.interpolate(image, size, mode="bilinear", align_corners=False, antialias=True)
    torch.testing.assert_close(BilinearReduction(ratio)(image), expected, rtol=0, atol=1e-5)
