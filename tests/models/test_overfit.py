"""Every network can learn four real images by heart. Slow: minutes each on two cores."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from perpixel.models import build
from perpixel.models.encoders.vgg import VGG
from perpixel.runtime.allocator import keep_freed_memory

pytestmark = pytest.mark.slow

NUCLEI = Path(__file__).parents[3] / "shared" / "data" / "dsb2018"
SIZE = 96


@pytest.fixture(scope="module")
def nuclei():
    """Four crops around the middle, the first images by name that are a quarter nuclei there; and their masks."""
    if not NUCLEI.is_dir():
        pytest.skip(f"no nuclei in {NUCLEI}")
    keep_freed_memory()
    images, targets = [], []
    for path in sorted((NUCLEI / "images").iterdir()):
        image, mask = (np.asarray(Image.open(NUCLEI / part / path.name)) for part in ("images", "masks"))
        top, left = (size // 2 - SIZE // 2 for size in mask.shape)
        window = (slice(top, top + SIZE), slice(left, left + SIZE))
        if 0.2 <= (mask[window] > 0).mean() <= 0.5:
            images.append(torch.from_numpy(image[window].copy()).permute(2, 0, 1) / 255)
            targets.append(torch.from_numpy(mask[window] > 0).long())
        if len(images) == 4:
            break
    image = torch.stack(images)
    image = (image - image.mean(dim=(2, 3), keepdim=True)) / image.std(dim=(2, 3), keepdim=True)
    return image.contiguous(memory_format=torch.channels_last), torch.stack(targets)


def learned_iou(model, image, target, *, steps, learning_rate=1e-3, goal=2.0):
    """IoU of the nuclei over the training images, with the network in evaluation, when it reaches the goal."""
    model = model.to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps)
    iou = 0.0
    for step in range(steps):
        outputs = model.training_outputs(image)
        loss = sum(model.loss_weights[name] * F.cross_entropy(outputs[name], target) for name in outputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 19 or step == steps - 1:
            iou = evaluate(model, image, target)
            if iou >= goal:
                break
    return iou


def evaluate(model, image, target):
    with torch.no_grad():
        predicted = model.eval()(image).argmax(dim=1)
    model.train()
    both = ((predicted == 1) & (target == 1)).sum()
    either = ((predicted == 1) | (target == 1)).sum()
    return float(both / either)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("unet", {"width": 16}),
        ("unet", {"encoder": "efficientnet_lite0", "weights": "auto"}),
        ("unet", {"encoder": "resnet18", "decoder": "full"}),
        ("unetplusplus", {"widths": (16, 32, 64, 128, 256), "supervision": "mean"}),
        ("unetplusplus", {"encoder": "efficientnet_lite0", "weights": "auto"}),
    ],
)
def test_the_unet_family_learns_four_images_by_heart(nuclei, name, options):
    torch.manual_seed(0)
    model = build(name, in_channels=3, classes=2, **options)
    assert learned_iou(model, *nuclei, steps=300, goal=0.95) >= 0.95


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("fcn_tutorial", {"encoder": "vgg11_bn"}),
        ("fcn_resnet50", {"encoder": "resnet50"}),
    ],
)
def test_the_others_learn_four_images_well(nuclei, name, options):
    torch.manual_seed(0)
    model = build(name, in_channels=3, classes=2, **options)
    assert learned_iou(model, *nuclei, steps=300, goal=0.85) >= 0.85


def without_last_upsampling(fcn):
    last = f"ups.{len(fcn.ups) - 1}."
    return {name: tensor for name, tensor in fcn.state_dict().items() if not name.startswith(last)}


def test_finer_fcns_learn_finer_masks(nuclei):
    ious, stage = {}, None
    for name in ("fcn32s", "fcn16s", "fcn8s"):
        torch.manual_seed(0)
        encoder = VGG(convolutions=(1, 1, 2, 2, 2), batch_norm=True, width=32)
        model = build(name, in_channels=3, classes=2, encoder=encoder, hidden=256, dropout=0.0)
        if stage is not None:
            model.load_state_dict(model.state_dict() | without_last_upsampling(stage))
        ious[name] = learned_iou(model, *nuclei, steps=120)
        stage = model
    assert ious["fcn32s"] < ious["fcn16s"] < ious["fcn8s"]
    assert ious["fcn8s"] >= 0.85
