"""perpixel: semantic segmentation of 2-D images, a label for every pixel.

>>> import perpixel
>>> run = perpixel.train("cells/", minutes=10)             # doctest: +SKIP
>>> print(perpixel.evaluate(run))                          # doctest: +SKIP
>>> mask = perpixel.load(run).predict(image)               # doctest: +SKIP
"""

from perpixel.api import (
    annotate,
    check,
    compare,
    convert,
    demo,
    evaluate,
    export,
    find_lr,
    load,
    next_images,
    plan,
    predict,
    prune,
    push,
    serve,
    train,
)
from perpixel.errors import DataError, OutputError, PerpixelError, RunError, SettingsError

__version__ = "0.2.0"

__all__ = [
    "DataError",
    "OutputError",
    "PerpixelError",
    "RunError",
    "SettingsError",
    "annotate",
    "check",
    "compare",
    "convert",
    "demo",
    "evaluate",
    "export",
    "find_lr",
    "load",
    "next_images",
    "plan",
    "predict",
    "prune",
    "push",
    "serve",
    "train",
]
