"""AlexNet (Krizhevsky 2014), with torchvision's key names."""

from torch import Tensor, nn

from perpixel.models.base import Encoder


class AlexNet(Encoder):
    """Five convolutions as a feature pyramid: each feature map before it is pooled, and the last pooling.

    Borders are padded so that each map has the image's size divided by its stride; torchvision, which pads less,
    loses up to a pixel at each pooling.

    Args:
        in_channels: Channels of the image.

    Source: Krizhevsky (2014), "One weird trick for parallelizing convolutional neural networks"; torchvision.
    """

    def __init__(self, *, in_channels: int = 3) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 64, 11, stride=4, padding=4),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.out_channels = (64, 192, 256, 256)
        self.strides = (4, 8, 16, 32)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to four feature maps, at strides 4, 8, 16 and 32."""
        x, features = image, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                features.append(x)
            x = layer(x)
        return [*features, x]
