import pytest
import torch
import torch.nn.functional as F

from models.parity import check_equal
from perpixel.models import ConvolutionStyle, build
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.unet import UNet, valid_margins

prepare_torchvision()


FIGURE_1 = (  # kernel, channels in and out of the 23 convolutions of Ronneberger et al. (2015)
    *((3, 1, 64), (3, 64, 64), (3, 64, 128), (3, 128, 128), (3, 128, 256), (3, 256, 256)),
    *((3, 256, 512), (3, 512, 512), (3, 512, 1024), (3, 1024, 1024)),
    *((2, 1024, 512), (3, 1024, 512), (3, 512, 512), (2, 512, 256), (3, 512, 256), (3, 256, 256)),
    *((2, 256, 128), (3, 256, 128), (3, 128, 128), (2, 128, 64), (3, 128, 64), (3, 64, 64), (1, 64, 2)),
)


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_parameter_counts_of_the_paper_and_of_the_tutorials():
    paper = UNet(in_channels=1, classes=2, style=ConvolutionStyle(norm="none", padding="valid"))
    assert parameters(paper) == sum(k * k * a * b + b for k, a, b in FIGURE_1)
    three = UNet(
        in_channels=3,
        classes=6,
        depth=3,
        upsampling="bilinear_corners",
        style=ConvolutionStyle(norm="none"),
    )
    assert parameters(three) == 7_783_238
    four = build("unet", in_channels=3, classes=1, padding="reflect", dropout=0.3, activation="leaky_relu")
    assert round(parameters(four) / 1e6, 2) == 31.04


def logits_side(side, depth=4):
    """What the poolings and unpadded convolutions leave of a side that passes without a remainder."""
    factor = 1 << depth
    bottom, remainder = divmod(side - 4 * (factor - 1), factor)
    assert not remainder
    return factor * (bottom - 4) - 4 * (factor - 1)


def test_unpadded_convolutions_map_572_to_388_pixels_as_in_the_paper():
    model = UNet(in_channels=1, classes=2, width=2, style=ConvolutionStyle(norm="none", padding="valid"))
    assert logits_side(572) == 388
    assert model.bare(torch.rand(1, 1, 572, 572)).shape[-2:] == (388, 388)


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
@pytest.mark.parametrize("size", [1, 7, 64, 129])
def test_margins_are_the_least_that_give_logits_for_every_pixel(depth, size):
    before, after = valid_margins(size, depth)
    assert logits_side(size + before + after, depth) >= size
    assert logits_side(size + before + after, depth) < size + 2**depth


def test_unpadded_logits_of_the_middle_do_not_depend_on_the_mirrored_border():
    model = UNet(in_channels=1, classes=2, width=2, depth=2, style=ConvolutionStyle(norm="none", padding="valid"))
    image = torch.rand(1, 1, 200, 200)
    with torch.no_grad():
        bare = model.bare(image)
        margin = (200 - bare.shape[-1]) // 2
        torch.testing.assert_close(model(image)[..., margin:-margin, margin:-margin], bare)


def test_the_border_is_mirrored_as_numpy_mirrors_it():
    import numpy as np

    from perpixel.models.unet import _mirror

    image = torch.rand(1, 1, 5, 9)
    margins = [valid_margins(size, 1) for size in (5, 9)]
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), *margins], mode="reflect")
    assert torch.equal(_mirror(image, 1), torch.from_numpy(expected))


@pytest.mark.parametrize("encoder", ["resnet18", pytest.param("resnet50", marks=pytest.mark.slow)])
def test_the_full_decoder_equals_segmentation_models_pytorchs(encoder):
    import segmentation_models_pytorch as smp

    ours = build("unet", in_channels=3, classes=2, encoder=encoder, decoder="full").eval()
    check_equal(ours, smp.Unet(encoder, encoder_weights=None, classes=2).eval())


def test_the_light_decoder_folds_pixels_and_back():
    image = torch.rand(1, 3, 6, 8)
    assert torch.equal(F.pixel_shuffle(F.pixel_unshuffle(image, 2), 2), image)
    light, full = (
        build("unet", in_channels=3, classes=2, encoder="efficientnet_lite0", decoder=decoder)
        for decoder in ("light", "full")
    )
    assert parameters(light) < 0.75 * parameters(full)
