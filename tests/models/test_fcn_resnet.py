import pytest
import torch

from perpixel.models import build
from perpixel.models.torchvision_shim import prepare_torchvision

prepare_torchvision()


@pytest.mark.parametrize("depth", [50, pytest.param(101, marks=pytest.mark.slow)])
def test_torchvisions_state_dict_loads_and_gives_its_logits(depth):
    import torchvision

    torch.manual_seed(0)
    theirs = torchvision.models.get_model(
        f"fcn_resnet{depth}", weights=None, weights_backbone=None, num_classes=5, aux_loss=True
    ).eval()
    ours = build(f"fcn_resnet{depth}", in_channels=3, classes=5).eval()
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(1, 3, 64, 72)
    with torch.no_grad():
        expected, outputs = theirs(image), ours.training_outputs(image)
        torch.testing.assert_close(outputs["logits"], expected["out"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(outputs["auxiliary"], expected["aux"], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(ours(image), expected["out"], rtol=1e-5, atol=1e-5)


def test_the_auxiliary_head_has_its_own_weight_or_is_absent():
    assert build("fcn_resnet50", in_channels=3, classes=2, encoder="resnet18").loss_weights == {
        "logits": 1.0,
        "auxiliary": 0.5,
    }
    alone = build("fcn_resnet50", in_channels=3, classes=2, encoder="resnet18", auxiliary_weight=0)
    assert alone.loss_weights == {"logits": 1.0}
    assert list(alone.eval().training_outputs(torch.rand(1, 3, 32, 32))) == ["logits"]
