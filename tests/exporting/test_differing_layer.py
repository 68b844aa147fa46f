"""An export that is refused names the layer at fault."""

import numpy as np
import pytest
import torch

import perpixel
from contracts.test_models import CASES, stirred
from perpixel.errors import RunError
from perpixel.exporting import to_onnx
from perpixel.exporting.differing_layer import first_differing_layer
from perpixel.exporting.graphs import write_onnx

onnx = pytest.importorskip("onnx")

pytestmark = pytest.mark.long
IMAGE = np.random.default_rng(0).integers(0, 256, (70, 90, 3)).astype(np.float32) / 255


def spoilt(path, scope):
    """Double the weights of the convolution of a scope."""
    model = onnx.load(path)
    (node,) = (each for each in model.graph.node if each.name.startswith(scope) and each.op_type == "Conv")
    (weights,) = (each for each in model.graph.initializer if each.name == node.input[1])
    weights.CopyFrom(onnx.numpy_helper.from_array(2 * onnx.numpy_helper.to_array(weights), weights.name))
    onnx.save(model, path)


def test_the_layer_that_was_changed_is_named(cells_run, tmp_path, monkeypatch):
    def write(network, channels, dtype, path, metadata, more=()):
        write_onnx(network, channels, dtype, path, metadata, more)
        scope = next(n.name for n in onnx.load(path).graph.node if "/ups.0/convolutions/convolutions.3/" in n.name)
        spoilt(path, scope)

    monkeypatch.setattr(to_onnx, "write_onnx", write)
    with pytest.raises(
        RunError, match=r"first layer that gives something else: \S*networks\.0\.ups\.0\.convolutions\.3"
    ):
        perpixel.export(cells_run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["unet light", "unetplusplus", "fcn8s"])
def test_in_a_sound_graph_no_layer_differs(name, tmp_path):
    torch.manual_seed(0)
    network = stirred(CASES[name](3, 2)).eval()
    write_onnx(network, 3, "float32", tmp_path / "model.onnx", {})
    assert first_differing_layer(network, (tmp_path / "model.onnx").read_bytes(), IMAGE) is None
