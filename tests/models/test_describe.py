import pytest
import torch
from torch import nn

from perpixel.models import describe_network
from perpixel.models.base import SegmentationModel
from perpixel.models.describe import describe_model


class Small(SegmentationModel):
    def __init__(self):
        super().__init__(stride=1)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.relu = nn.ReLU()
        self.head = nn.Conv2d(8, 2, 1)

    def heads(self, image):
        return {"logits": self.head(self.relu(self.first(image)))}


def test_counts_are_those_of_a_calculation_by_hand():
    description = describe_model(Small().to("meta"), (4, 3, 10, 20), title="small")
    assert [layer.name for layer in description.layers] == ["first", "relu", "head"]
    assert [layer.multiply_adds for layer in description.layers] == [4 * 200 * 8 * 27, 0, 4 * 200 * 2 * 8]
    assert description.parameters == 8 * 28 + 2 * 9
    kept = 4 * 200 * (3 + 8) * 4  # the image for the first convolution, and what the ReLU gives
    assert description.activation_bytes == kept
    assert description.training_bytes == kept + 16 * description.parameters


def test_vgg16s_multiply_adds_are_the_known_15_3_billion():
    description = describe_network("fcn_tutorial", (224, 224))
    convolutions = sum(layer.multiply_adds for layer in description.layers if layer.name.startswith("encoder"))
    assert round(convolutions / 1e9, 1) == 15.3


def test_the_table_names_layers_shapes_and_sums():
    table = str(describe_network("unet", (64, 64), width=4, depth=1))
    assert "first.0" in table
    assert "1 × 4 × 64 × 64" in table
    assert "parameters" in table
    assert "MiB in float32 with Adam" in table


@pytest.mark.parametrize("name", ["smp/deeplabv3plus", "fcn_resnet50"])
def test_nothing_is_computed(name):
    description = describe_network(name, (512, 512), encoder="resnet18", batch=3)
    assert description.input_shape == (3, 3, 512, 512)
    assert description.layers[-1].output_shape[0] == 3
    assert torch.tensor(0.0).device.type == "cpu"
