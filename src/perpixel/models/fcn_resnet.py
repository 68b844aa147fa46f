"""FCN on a dilated ResNet, as torchvision trains it, with an auxiliary head."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from perpixel.models.base import Encoder, SegmentationModel, resize_to

_LAST_LAYERS = ("classifier.4.", "aux_classifier.4.", "encoder.")


class FCNResNet(SegmentationModel):
    """A convolutional head on features at stride 8, and an auxiliary one on the stage before.

    torchvision's state dicts of `fcn_resnet50` and `fcn_resnet101` load into it.

    Args:
        encoder: The feature pyramid; a ResNet with output stride 8 in torchvision.
        classes: Classes K.
        auxiliary_weight: Weight of the auxiliary head in the loss; 0 for no such head. 0.5 in torchvision's
            training script.
        dropout: Share of activations dropped before the scores.

    Source: Long et al. (2015); dilation: Yu, Koltun (2016); auxiliary head: Zhao et al. (2017), section 3.3;
    torchvision, models/segmentation/fcn.py.
    """

    encoder: Encoder

    def __init__(
        self, *, encoder: Encoder, classes: int, auxiliary_weight: float = 0.5, dropout: float = 0.1
    ) -> None:
        weights = {"logits": 1.0} | ({"auxiliary": auxiliary_weight} if auxiliary_weight else {})
        super().__init__(stride=encoder.strides[-1], loss_weights=weights)
        self.encoder = encoder
        self.classifier = _head(encoder.out_channels[-1], classes, dropout)
        self.aux_classifier = _head(encoder.out_channels[-2], classes, dropout) if auxiliary_weight else None
        self.register_load_state_dict_pre_hook(_accept_torchvision)  # type: ignore[no-untyped-call]

    def predict(self, image: Tensor) -> Tensor:
        """Map a padded image to its logits, without the auxiliary head."""
        return resize_to(self.classifier(self.encoder(image)[-1]), image)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to the logits of both heads."""
        features = self.encoder(image)
        logits = {"logits": resize_to(self.classifier(features[-1]), image)}
        if self.aux_classifier is not None:
            logits["auxiliary"] = resize_to(self.aux_classifier(features[-2]), image)
        return logits

    def take_classifier(self, state: Mapping[str, Tensor]) -> None:
        """Take torchvision's heads but for their last layers, which score its own classes."""
        own = self.state_dict()
        for name, tensor in state.items():
            if name in own and own[name].shape == tensor.shape and not name.startswith(_LAST_LAYERS):
                own[name].copy_(tensor)


def _head(channels: int, classes: int, dropout: float) -> nn.Sequential:
    middle = max(1, channels // 4)
    return nn.Sequential(
        nn.Conv2d(channels, middle, 3, padding=1, bias=False),
        nn.BatchNorm2d(middle),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(middle, classes, 1),
    )


def _accept_torchvision(module: nn.Module, state: dict[str, Any], *_: object) -> None:
    """What is our encoder is torchvision's backbone."""
    for key in [key for key in state if key.startswith("backbone.")]:
        state["encoder." + key.removeprefix("backbone.")] = state.pop(key)
