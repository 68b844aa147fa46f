"""Small crops that show what a class looks like: where the masks hold much of it, in images that are evenly taken."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.audit import Audit
from perpixel.checking import evenly_taken
from perpixel.dataset import Dataset, Sample
from perpixel.files.write import labelled, picture
from perpixel.report.densest_window import densest_window
from perpixel.report.image_layers import encoded_jpeg, reduced_size

EXAMPLES_OF_A_CLASS: Final = 4
EXAMPLE_CLASSES: Final = 24
LEAST_CROP_PX: Final = 64
MOST_CROP_PX: Final = 256
SHOWN_PX: Final = 160**2


@dataclass(frozen=True)
class Example:
    """A crop of one image.

    Args:
        name: Of the image.
        image: JPEG as a URI.
        labelled: The same with all classes' colours over it.
    """

    name: str
    image: str
    labelled: str


def class_examples(dataset: Dataset, audit: Audit) -> list[tuple[str, list[Example]]]:
    """Name and crops of each class that occurs, about twice as wide as its typical object."""
    found: list[tuple[str, list[Example]]] = []
    for k, figures in enumerate(audit.classes[:EXAMPLE_CLASSES]):
        samples = [each for each in dataset.samples if k in audit.present.get(each.name, ())]
        wanted = 2 * figures.median_diameter if figures.objects else MOST_CROP_PX
        side = int(np.clip(wanted, LEAST_CROP_PX, MOST_CROP_PX))
        crops = [_example(dataset, sample, k, side) for sample in evenly_taken(samples, EXAMPLES_OF_A_CLASS)]
        found.append((figures.name, [each for each in crops if each is not None]))
    return [(name, crops) for name, crops in found if crops]


def _example(dataset: Dataset, sample: Sample, k: int, side: int) -> Example | None:
    target = dataset.target(sample)
    window = densest_window(dataset.labels.class_mask(target, k), side)
    if window is None:
        return None
    _, rows, columns = window
    shown: NDArray[np.uint8] = picture(dataset.image(sample))[rows, columns]
    size = reduced_size(shown.shape[0], shown.shape[1], SHOWN_PX)
    painted = labelled(shown, target[..., rows, columns], dataset.labels)
    return Example(sample.name, encoded_jpeg(shown, size), encoded_jpeg(painted, size))
