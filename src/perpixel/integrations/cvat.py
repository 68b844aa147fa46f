"""A function for CVAT's automatic annotation: every instance that a model finds becomes a mask.

cvat-cli task auto-annotate ID --function-module perpixel.integrations.cvat -p model=str:runs/cells
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.errors import SettingsError
from perpixel.instances import label
from perpixel.prediction import Predictor
from perpixel.prediction.load import load_predictor


def create(model: str, least_px: int = 0) -> "MaskFunction":
    """Make the function; cvat-cli calls this with the values of its option -p.

    Args:
        model: A run folder or a model file.
        least_px: Instances of fewer pixels are left out.

    Raises:
        SettingsError: cvat-sdk is not installed.
        RunError: There is no model.
    """
    return MaskFunction(load_predictor(Path(model)), least_px)


class MaskFunction:
    """What CVAT calls.

    Args:
        predictor: The model.
        least_px: Instances of fewer pixels are left out.

    Attributes:
        spec: The labels that CVAT matches with those of a task by name.
    """

    def __init__(self, predictor: Predictor, least_px: int = 0) -> None:
        try:
            import cvat_sdk.auto_annotation as annotation
        except ImportError:
            raise SettingsError("cvat-sdk is not installed.", fix="pip install cvat-sdk.") from None
        self._annotation, self._predictor, self._least_px = annotation, predictor, least_px
        labels = predictor.codec.labels
        self._classes = [k for k in range(len(labels)) if k != labels.background]
        self.spec = annotation.DetectionFunctionSpec(
            labels=[annotation.label_spec(labels.names[k], k, type="mask") for k in self._classes]
        )

    def detect(self, context: Any, image: Image.Image) -> list[Any]:
        """The instances of an image as masks; the context says nothing that matters here."""
        is_grey = self._predictor.codec.channels == 1
        target = self._predictor.target(np.asarray(image.convert("L" if is_grey else "RGB")))
        labels, found = self._predictor.codec.labels, []
        for k in self._classes:
            numbers = label(labels.class_mask(target, k), least_px=self._least_px)
            masks = (numbers == number for number in range(1, int(numbers.max()) + 1))
            found += [self._annotation.mask(k, encoded(mask)) for mask in masks]
        return found


def encoded(mask: NDArray[np.bool_]) -> list[int]:
    """A mask (H, W) that is not empty as CVAT's run lengths: inside its box, from zeros on, then the box.

    Source: docs.cvat.ai, format of masks: "points" are run lengths, then x1, y1, x2 − 1, y2 − 1.

    >>> encoded(np.array([[0, 0, 0], [0, 1, 1]], bool))
    [0, 2, 1, 1, 2, 1]
    """
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
    inside = mask[top : bottom + 1, left : right + 1].ravel()
    changes = np.flatnonzero(np.diff(inside, prepend=False))  # the first run is of zeros, and may be empty
    runs = np.diff(changes, prepend=0, append=len(inside))
    return [*runs.tolist(), left, top, right, bottom]
