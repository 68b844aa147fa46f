"""Every set of choices that several rooms know, written once: words of settings, command line and Python."""

from typing import Final, Literal, TypeAlias

Backend: TypeAlias = Literal["torch", "openvino", "int8", "auto"]
"""What runs a network on a CPU; int8 is OpenVINO's."""
ConvertedTo: TypeAlias = Literal["masks", "coco", "yolo", "geojson"]
"""What a folder can be converted to."""
DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
"""What computes."""
DuplicatesMode: TypeAlias = Literal["group", "ignore"]
"""What becomes of images that show the same."""
Existing: TypeAlias = Literal["refuse", "skip", "replace"]
"""What to do where an output is there already."""
ExportPrecision: TypeAlias = Literal["float32", "fp16", "int8"]
"""Of the weights of an exported graph; int8 of its convolutions, too."""
InstanceMethod: TypeAlias = Literal["connected", "watershed"]
"""How the pixels of a class become objects."""
LoggerName: TypeAlias = Literal["tensorboard", "wandb", "mlflow"]
"""Where scores and pictures go, too."""
PartName: TypeAlias = Literal["test", "val", "train", "all"]
"""A part of the data that can be scored."""
PolygonFormat: TypeAlias = Literal["geojson", "geopackage"]
"""How outlines are written."""
Precision: TypeAlias = Literal["auto", "32", "bf16"]
"""What it computes with."""
ProbabilityDtype: TypeAlias = Literal["uint8", "uint16", "float32"]
"""How probabilities are written."""
RankingStrategy: TypeAlias = Literal["random", "foreground-random", "entropy", "class-entropy"]
"""By what images are ranked for labelling."""
DEFAULT_STRATEGY: Final = "entropy"
"""Of them: it won the simulation of `benchmarks/annotate.py`."""
ScheduleName: TypeAlias = Literal["one-cycle", "cosine", "poly", "step", "constant"]
"""How the learning rate moves."""
Subset: TypeAlias = Literal["train", "val", "test"]
"""A part of the data that a training tells apart."""
ThresholdWord: TypeAlias = Literal["calibrated", "argmax"]
"""How probabilities become classes, where no number says it."""
Tta: TypeAlias = Literal["none", "hflip", "flips", "d4"]
"""The views of an image over which predictions are averaged."""
