"""The arrays that travel along the straight line, named once.

    image    (H, W, C) uint8, uint16 or float32   as it lies in the file
    batch    (N, C, H, W) float32                  normalised
    target   (H, W) uint8                          multiclass labels: the class index, or IGNORED
             (K, H, W) uint8                       multilabel labels: 0, 1, or IGNORED
    logits   (N, K, H, W) float                    what a network gives
    mask     (H, W) or (H, W, 3)                   as it lies in the mask file: values, indices or colours

C channels, K classes, N images, H × W pixels. In a loss, a target batch is (N, H, W) int64 or (N, K, H, W) uint8.
"""

from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

IGNORED: Final = 255
"""The target value of a pixel that no loss and no count looks at; so there are at most 255 classes."""

MAX_CLASSES: Final = 255

LEAST_SCALE: Final = 1 / 64
"""The coarsest working resolution, over the native one."""

ImageArray: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
TargetArray: TypeAlias = NDArray[np.uint8]

AnyArray: TypeAlias = NDArray[Any]
"""Numbers of whatever dtype the file, or the caller, has."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
WholeArray: TypeAlias = NDArray[np.integer[Any]]
AnyDtype: TypeAlias = np.dtype[Any]

MaskArray: TypeAlias = AnyArray
LabelKind: TypeAlias = Literal["multiclass", "multilabel"]
"""Each pixel has one class (softmax, argmax), or any subset of the classes (sigmoid per channel)."""
