"""The few well-known data sets that come without a class list."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class KnownSet:
    """A public data set whose masks say nothing of their classes, told by its names and values."""

    title: str
    folders: frozenset[str]
    names: Mapping[int, str]
    void: tuple[int, ...] = ()
    images: str = ".*"
    masks: str = ".*"
    """A pattern that the images' names match, where the folders' names are used by others too."""

    def fits(self, folders: frozenset[str], images: Sequence[str], masks: Sequence[str]) -> bool:
        """Whether the folders, and the stems of the images and of the masks, are named as the data set's."""
        is_named = all(re.fullmatch(self.images, name) for name in images)
        return self.folders <= folders and is_named and all(re.fullmatch(self.masks, name) for name in masks)


CITYSCAPES: Final = (
    "unlabeled",
    "ego vehicle",
    "rectification border",
    "out of roi",
    "static",
    "dynamic",
    "ground",
    "road",
    "sidewalk",
    "parking",
    "rail track",
    "building",
    "wall",
    "fence",
    "guard rail",
    "bridge",
    "tunnel",
    "pole",
    "polegroup",
    "traffic light",
    "traffic sign",
    "vegetation",
    "terrain",
    "sky",
    "person",
    "rider",
    "car",
    "truck",
    "bus",
    "caravan",
    "trailer",
    "train",
    "motorcycle",
    "bicycle",
)
"""By their ids. Source: labels.py of cityscapesScripts."""
IN_TRAINING: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""The ids of the classes that Cityscapes numbers from 0 on for training."""

KNOWN_SETS: Final = (
    KnownSet(
        "CamVid (the SegNet authors' 11 classes; 11 is unlabelled)",
        frozenset({"trainannot", "valannot", "testannot"}),
        dict(
            enumerate(
                [
                    "sky",
                    "building",
                    "pole",
                    "road",
                    "pavement",
                    "tree",
                    "sign",
                    "fence",
                    "car",
                    "pedestrian",
                    "bicyclist",
                ]
            )
        ),
        void=(11,),
    ),
    KnownSet(
        "LoveDA (0 is no data)",
        frozenset({"rural", "urban", "masks_png"}),
        dict(enumerate(["background", "building", "road", "water", "barren", "forest", "agriculture"], start=1)),
        void=(0,),
    ),
    KnownSet("Oxford-IIIT Pet trimaps", frozenset({"trimaps"}), {1: "pet", 2: "background", 3: "border"}),
    KnownSet(
        "PASCAL VOC",
        frozenset({"segmentationclass"}),
        dict(
            enumerate(
                [
                    "background",
                    "aeroplane",
                    "bicycle",
                    "bird",
                    "boat",
                    "bottle",
                    "bus",
                    "car",
                    "cat",
                    "chair",
                    "cow",
                    "diningtable",
                    "dog",
                    "horse",
                    "motorbike",
                    "person",
                    "pottedplant",
                    "sheep",
                    "sofa",
                    "train",
                    "tvmonitor",
                ]
            )
        ),
        void=(255,),
        images=r"\d{4}_\d{6}",
    ),
    KnownSet("Cityscapes (ids)", frozenset(), dict(enumerate(CITYSCAPES)), masks=r".*_gt(Fine|Coarse)_labelIds"),
    KnownSet(
        "Cityscapes (training ids)",
        frozenset(),
        {number: CITYSCAPES[k] for number, k in enumerate(IN_TRAINING)},
        void=(255,),
        masks=r".*_gt(Fine|Coarse)_labelTrainIds",
    ),
    KnownSet("KITTI (Cityscapes' ids)", frozenset({"image_2", "semantic"}), dict(enumerate(CITYSCAPES))),
)
"""Public data sets; the first that fits is taken."""
