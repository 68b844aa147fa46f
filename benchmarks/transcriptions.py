"""The tutorials' networks as the tutorials write them: float32, contiguous, nothing thought of but the picture."""

import torch
from torch import nn


class FCN(nn.Module):
    """VGG16, then transposed convolutions with skips added."""

    def __init__(self, classes=2):
        super().__init__()
        widths = [(3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3)]
        self.blocks = nn.ModuleList()
        for before, after, count in widths:
            layers = []
            for number in range(count):
                layers += [nn.Conv2d(before if number == 0 else after, after, 3, padding=1), nn.ReLU(inplace=True)]
            self.blocks.append(nn.Sequential(*layers))
        self.pool = nn.MaxPool2d(2, 2)
        self.relu = nn.ReLU(inplace=True)
        self.deconv1 = self.deconv(512, 512)
        self.deconv2 = self.deconv(512, 512)
        self.deconv3 = self.deconv(512, 256)
        self.deconv4 = self.deconv(256, 128)
        self.deconv5 = self.deconv(128, classes)

    def deconv(self, before, after):
        return nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)

    def forward(self, x):
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
            x = self.pool(x)
        x = self.relu(self.deconv1(x)) + outputs[4]
        x = self.relu(self.deconv2(x)) + outputs[3]
        x = self.relu(self.deconv3(x)) + outputs[2]
        x = self.relu(self.deconv4(x))
        return self.deconv5(x)


def double_conv(before, after):
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class SimpleUNet(nn.Module):
    """Three poolings, no normalisation, bilinear upsampling."""

    def __init__(self, classes=2):
        super().__init__()
        self.dconv_down1 = double_conv(3, 64)
        self.dconv_down2 = double_conv(64, 128)
        self.dconv_down3 = double_conv(128, 256)
        self.dconv_down4 = double_conv(256, 512)
        self.maxpool = nn.MaxPool2d(2)
        self.upsample = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
        self.dconv_up3 = double_conv(256 + 512, 256)
        self.dconv_up2 = double_conv(128 + 256, 128)
        self.dconv_up1 = double_conv(128 + 64, 64)
        self.conv_last = nn.Conv2d(64, classes, 1)

    def forward(self, x):
        conv1 = self.dconv_down1(x)
        conv2 = self.dconv_down2(self.maxpool(conv1))
        conv3 = self.dconv_down3(self.maxpool(conv2))
        x = self.dconv_down4(self.maxpool(conv3))
        x = self.dconv_up3(torch.cat([self.upsample(x), conv3], dim=1))
        x = self.dconv_up2(torch.cat([self.upsample(x), conv2], dim=1))
        x = self.dconv_up1(torch.cat([self.upsample(x), conv1], dim=1))
        return self.conv_last(x)


class ConvBlock(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        layers = []
        for channels in (before, after):
            layers += [
                nn.Conv2d(channels, after, 3, 1, 1, padding_mode="reflect", bias=False),
                nn.BatchNorm2d(after),
                nn.Dropout2d(0.3),
                nn.LeakyReLU(),
            ]
        self.layer = nn.Sequential(*layers)

    def forward(self, x):
        return self.layer(x)


class ReflectUNet(nn.Module):
    """Four poolings, reflected borders, batch normalisation, dropout, transposed convolutions."""

    def __init__(self, classes=2):
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        self.downs = nn.ModuleList(ConvBlock(a, b) for a, b in zip([3, *widths[:-1]], widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(widths[:-1]))
        self.convs = nn.ModuleList(ConvBlock(2 * w, w) for w in reversed(widths[:-1]))
        self.out = nn.Conv2d(64, classes, 1)

    def forward(self, x):
        skips = []
        for index, down in enumerate(self.downs):
            x = down(self.pool(x) if index else x)
            skips.append(x)
        skips.pop()
        for up, conv in zip(self.ups, self.convs, strict=True):
            x = conv(torch.cat([skips.pop(), up(x)], dim=1))
        return self.out(x)


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

    def __init__(self, classes=2):
        super().__init__()
        nb = [32, 64, 128, 256, 512]
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
