"""The tutorials' networks and losses as their texts write them: float32, contiguous, layer by layer.

They are the independent reference of `tests/models/test_tutorials.py` and the peer of `benchmarks/models.py`. Text 2
is written for Keras; its two layers that PyTorch defines otherwise are `same_transposed` and `VGG16`'s taps.
"""

import torch
import torch.nn.functional as F
from torch import nn

# Text 1: torchvision.models.segmentation.fcn_resnet50(pretrained=True), then model.classifier[4] replaced.


def fcn_resnet50(classes=2, auxiliary=True):
    """What the text builds; torchvision's pretrained network has an auxiliary head for its 21 classes."""
    from perpixel.models.torchvision_shim import prepare_torchvision

    prepare_torchvision()
    from torchvision.models.segmentation import fcn_resnet50 as build

    model = build(weights=None, weights_backbone=None, num_classes=21, aux_loss=auxiliary)
    model.classifier[4] = torch.nn.Conv2d(512, classes, kernel_size=(1, 1), stride=(1, 1))
    return model


def fcn_on(backbone, channels, classes=2):
    """torchvision's FCN and head on another backbone, which gives {"out": features}."""
    from perpixel.models.torchvision_shim import prepare_torchvision

    prepare_torchvision()
    from torchvision.models.segmentation.fcn import FCN as TorchvisionFCN  # noqa: N811
    from torchvision.models.segmentation.fcn import FCNHead

    return TorchvisionFCN(backbone, FCNHead(channels, classes))


def fcn_resnet50_loss(outputs, masks):
    return torch.nn.CrossEntropyLoss()(outputs["out"], masks)


# Text 2: Keras' VGG16, transposed convolutions with convolutions between them, skips added.


def same_transposed(x, weight, bias):
    """Keras' Conv2DTranspose(n, 3, strides=2, padding="same"): the gradient of the convolution that halves.

    TensorFlow pads an even side for a 3×3 convolution of stride 2 by nothing before and one pixel after.
    """
    batch, _, height, width = x.shape
    wide = torch.zeros(batch, weight.shape[1], 2 * height, 2 * width, dtype=x.dtype, requires_grad=True)
    halved = F.conv2d(F.pad(wide, (0, 1, 0, 1)), weight, stride=2)
    (doubled,) = torch.autograd.grad(halved, wide, x, create_graph=True)
    return doubled + bias.view(1, -1, 1, 1)


class SameTransposed(nn.Module):
    """That layer with its weights."""

    def __init__(self, before, after):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(before, after, 3, 3))
        self.bias = nn.Parameter(torch.zeros(after))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x):
        if torch.is_grad_enabled() and x.requires_grad:
            return same_transposed(x, self.weight, self.bias)
        return F.conv_transpose2d(x, self.weight, self.bias, stride=2)[..., :-1, :-1]


class FCN(nn.Module):
    """VGG16, then transposed convolutions with skips added; logits where the text ends in a softmax."""

    def __init__(self, classes=3, width=64):
        super().__init__()
        w1, w2, w3, w4 = width, 2 * width, 4 * width, 8 * width
        widths = [(3, w1, 2), (w1, w2, 2), (w2, w3, 3), (w3, w4, 3), (w4, w4, 3)]
        self.blocks = nn.ModuleList()
        for before, after, count in widths:
            layers = []
            for number in range(count):
                layers += [nn.Conv2d(before if number == 0 else after, after, 3, padding=1), nn.ReLU(inplace=True)]
            self.blocks.append(nn.Sequential(*layers))
        self.pool = nn.MaxPool2d(2, 2)
        self.transposed1 = SameTransposed(w4, w4)
        self.convolution1 = nn.Conv2d(w4, w4, 3, padding=1)
        self.transposed2 = SameTransposed(w4, w4)
        self.transposed3 = SameTransposed(w4, w3)
        self.convolution3 = nn.Conv2d(w3, w3, 3, padding=1)
        self.transposed4 = SameTransposed(w3, w2)
        self.convolution4 = nn.Conv2d(w2, w2, 3, padding=1)
        self.prediction = SameTransposed(w2, classes)

    def forward(self, x):
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
            x = self.pool(x)
        out_block3_conv3, out_block4_conv3, out_block5_conv3 = outputs[2:]
        x1 = F.relu(self.transposed1(x))
        x1 = F.relu(self.convolution1(x1))
        x2 = x1 + out_block5_conv3
        x2 = F.relu(self.transposed2(x2))
        x3 = x2 + out_block4_conv3
        x3 = F.relu(self.transposed3(x3))
        x3 = F.relu(self.convolution3(x3))
        x4 = x3 + out_block3_conv3
        x5 = F.relu(self.transposed4(x4))
        x5 = F.relu(self.convolution4(x5))
        return self.prediction(x5)


def sparse_categorical_crossentropy(logits, masks):
    """Keras' loss of the softmax, averaged over pixels."""
    probabilities = torch.softmax(logits, dim=1)
    return -torch.log(probabilities.gather(1, masks[:, None])).mean()


# Text 3: U-Net of three poolings on six shapes.


def double_conv(before, after):
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class SimpleUNet(nn.Module):
    """Three poolings, no normalisation, bilinear upsampling."""

    def __init__(self, classes=6, width=64):
        super().__init__()
        w1, w2, w3, w4 = width, 2 * width, 4 * width, 8 * width
        self.dconv_down1 = double_conv(3, w1)
        self.dconv_down2 = double_conv(w1, w2)
        self.dconv_down3 = double_conv(w2, w3)
        self.dconv_down4 = double_conv(w3, w4)
        self.maxpool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.dconv_up3 = double_conv(w3 + w4, w3)
        self.dconv_up2 = double_conv(w2 + w3, w2)
        self.dconv_up1 = double_conv(w2 + w1, w1)
        self.conv_last = nn.Conv2d(w1, classes, 1)

    def forward(self, x):
        conv1 = self.dconv_down1(x)
        conv2 = self.dconv_down2(self.maxpool(conv1))
        conv3 = self.dconv_down3(self.maxpool(conv2))
        x = self.dconv_down4(self.maxpool(conv3))
        x = self.dconv_up3(torch.cat([self.upsample(x), conv3], dim=1))
        x = self.dconv_up2(torch.cat([self.upsample(x), conv2], dim=1))
        x = self.dconv_up1(torch.cat([self.upsample(x), conv1], dim=1))
        return self.conv_last(x)


def dice_loss(pred, target, smooth=1.0):
    intersection = (pred * target).sum(dim=2).sum(dim=2)
    sizes = pred.sum(dim=2).sum(dim=2) + target.sum(dim=2).sum(dim=2)
    return (1 - ((2.0 * intersection + smooth) / (sizes + smooth))).mean()


def calc_loss(pred, target, bce_weight=0.5):
    bce = F.binary_cross_entropy_with_logits(pred, target)
    dice = dice_loss(torch.sigmoid(pred), target)
    return bce * bce_weight + dice * (1 - bce_weight)


# Text 4: U-Net with reflected borders on aerial images.


class DoubleConv(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(before, after, kernel_size=3, padding=1, padding_mode="reflect"),
            nn.BatchNorm2d(after),
            nn.Dropout2d(0.3),
            nn.LeakyReLU(inplace=True),
            nn.Conv2d(after, after, kernel_size=3, padding=1, padding_mode="reflect"),
            nn.BatchNorm2d(after),
            nn.Dropout2d(0.3),
            nn.LeakyReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.up = nn.ConvTranspose2d(before, after, kernel_size=2, stride=2)
        self.conv = DoubleConv(before, after)

    def forward(self, x1, x2):
        return self.conv(torch.cat([x2, self.up(x1)], dim=1))


class ReflectUNet(nn.Module):
    """Four poolings, reflected borders, batch normalisation, dropout, transposed convolutions."""

    def __init__(self, classes=2, width=64):
        super().__init__()
        w1, w2, w3, w4, w5 = (width * 2**level for level in range(5))
        self.inc = DoubleConv(3, w1)
        self.pool = nn.MaxPool2d(2)
        self.down1 = DoubleConv(w1, w2)
        self.down2 = DoubleConv(w2, w3)
        self.down3 = DoubleConv(w3, w4)
        self.down4 = DoubleConv(w4, w5)
        self.up1 = Up(w5, w4)
        self.up2 = Up(w4, w3)
        self.up3 = Up(w3, w2)
        self.up4 = Up(w2, w1)
        self.outc = nn.Conv2d(w1, classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(self.pool(x1))
        x3 = self.down2(self.pool(x2))
        x4 = self.down3(self.pool(x3))
        x5 = self.down4(self.pool(x4))
        x = self.up1(x5, x4)
        x = self.up2(x, x3)
        x = self.up3(x, x2)
        x = self.up4(x, x1)
        return self.outc(x)


# Text 5: U-Net++ on nuclei.


class VGGBlock(nn.Module):
    def __init__(self, before, middle, after):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(before, middle, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = nn.Conv2d(middle, after, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)))


class NestedUNet(nn.Module):
    """U-Net++ with deep supervision: a list of four outputs."""

    def __init__(self, classes=1, width=32):
        super().__init__()
        nb = [width * 2**level for level in range(5)]
        self.pool = nn.MaxPool2d(2, 2)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.conv0_0 = VGGBlock(3, nb[0], nb[0])
        for level in range(1, 5):
            setattr(self, f"conv{level}_0", VGGBlock(nb[level - 1], nb[level], nb[level]))
        for column in range(1, 5):
            for level in range(5 - column):
                block = VGGBlock(nb[level] * column + nb[level + 1], nb[level], nb[level])
                setattr(self, f"conv{level}_{column}", block)
        self.finals = nn.ModuleList(nn.Conv2d(nb[0], classes, 1) for _ in range(4))

    def forward(self, x):
        x0_0 = self.conv0_0(x)
        x1_0 = self.conv1_0(self.pool(x0_0))
        x0_1 = self.conv0_1(torch.cat([x0_0, self.up(x1_0)], 1))
        x2_0 = self.conv2_0(self.pool(x1_0))
        x1_1 = self.conv1_1(torch.cat([x1_0, self.up(x2_0)], 1))
        x0_2 = self.conv0_2(torch.cat([x0_0, x0_1, self.up(x1_1)], 1))
        x3_0 = self.conv3_0(self.pool(x2_0))
        x2_1 = self.conv2_1(torch.cat([x2_0, self.up(x3_0)], 1))
        x1_2 = self.conv1_2(torch.cat([x1_0, x1_1, self.up(x2_1)], 1))
        x0_3 = self.conv0_3(torch.cat([x0_0, x0_1, x0_2, self.up(x1_2)], 1))
        x4_0 = self.conv4_0(self.pool(x3_0))
        x3_1 = self.conv3_1(torch.cat([x3_0, self.up(x4_0)], 1))
        x2_2 = self.conv2_2(torch.cat([x2_0, x2_1, self.up(x3_1)], 1))
        x1_3 = self.conv1_3(torch.cat([x1_0, x1_1, x1_2, self.up(x2_2)], 1))
        x0_4 = self.conv0_4(torch.cat([x0_0, x0_1, x0_2, x0_3, self.up(x1_3)], 1))
        return [final(x) for final, x in zip(self.finals, (x0_1, x0_2, x0_3, x0_4), strict=True)]


def bce_dice_loss(output, target):
    """`BCEDiceLoss`."""
    bce = F.binary_cross_entropy_with_logits(output, target)
    smooth = 1e-5
    output = torch.sigmoid(output)
    num = target.size(0)
    output, target = output.reshape(num, -1), target.reshape(num, -1)
    intersection = output * target
    dice = (2.0 * intersection.sum(1) + smooth) / (output.sum(1) + target.sum(1) + smooth)
    return 0.5 * bce + 1 - dice.sum() / num


def lovasz_grad(gt_sorted):
    gts = gt_sorted.sum()
    intersection = gts - gt_sorted.float().cumsum(0)
    union = gts + (1 - gt_sorted).float().cumsum(0)
    jaccard = 1.0 - intersection / union
    jaccard[1:] = jaccard[1:] - jaccard[:-1].clone()
    return jaccard


def lovasz_hinge(logits, labels):
    """`LovaszHingeLoss`: a loss for each image, averaged."""
    losses = []
    for scores, truth in zip(logits.flatten(1), labels.flatten(1), strict=True):
        errors = 1.0 - scores * (2.0 * truth - 1.0)
        ordered, order = torch.sort(errors, descending=True)
        losses.append(torch.dot(F.relu(ordered), lovasz_grad(truth[order]).to(ordered.dtype)))
    return sum(losses) / len(losses)


def lovasz_softmax(probabilities, labels):
    """`lovasz_softmax` over the classes that are present, the batch as one."""
    flat = probabilities.permute(0, 2, 3, 1).reshape(-1, probabilities.shape[1])
    truth, losses = labels.flatten(), []
    for k in range(flat.shape[1]):
        here = (truth == k).to(flat.dtype)
        if here.sum() > 0:
            ordered, order = torch.sort((here - flat[:, k]).abs(), descending=True)
            losses.append(torch.dot(ordered, lovasz_grad(here[order]).to(flat.dtype)))
    return sum(losses) / len(losses)
