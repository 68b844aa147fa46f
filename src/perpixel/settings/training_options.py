"""What training, planning and the learning-rate finder are asked for by name.

An option is a setting with a short name: its value goes into the tree of settings as it is, never as text.
"""

from pathlib import Path
from typing import Annotated, Final, TypedDict

from perpixel.runtime.choices import DuplicatesMode, LoggerName
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.settings.options import Option, options_of


class PlanOptions(TypedDict, total=False):
    """What a plan can be asked for; a training is asked for the same."""

    minutes: Annotated[float | None, Option("train.minutes", "budget in minutes; 10 without any budget")]
    steps: Annotated[int | None, Option("train.steps", "budget in optimiser steps")]
    epochs: Annotated[int | None, Option("train.epochs", "budget in epochs")]
    model: Annotated[str | None, Option("model.name", "a name of `perpixel models`")]
    encoder: Annotated[
        str | None, Option("model.encoder", 'a name of `perpixel models` or of timm; "none" for the plain network')
    ]
    seed: Annotated[int | None, Option("seed", "random seed of split, order and initial weights")]
    unlabelled: Annotated[
        int | str | None,
        Option("data.unlabelled", "value in the masks that nobody has labelled, such as 0 around strokes"),
    ]
    duplicates: Annotated[
        DuplicatesMode | None,
        Option("data.duplicates", "what becomes of images that show the same: one subset, or taken for different"),
    ]
    fine_tune_from: Annotated[
        str | Path | None,
        Option(
            "model.fine_tune_from",
            "start from the weights of a run or model file",
            stored=lambda path: str(Path(path).resolve()),
        ),
    ]


class TrainOptions(PlanOptions, total=False):
    """What a training can be asked for."""

    folds: Annotated[
        int | None, Option("data.folds", "train one network per fold; predictions are averaged", least=2)
    ]
    gpus: Annotated[
        int | None, Option("train.devices", "GPUs of this machine", least=1, implied={"train.device": "cuda"})
    ]
    logger: Annotated[
        LoggerName | None,
        Option("train.loggers", "also log curves and images there", stored=lambda name: [name]),
    ]


OPTIONS: Final[dict[str, Option]] = {name: option for name, (_, option) in options_of(TrainOptions).items()}
"""Every option by its name."""


def options_tree(given: JsonMapping) -> JsonObject:
    """The settings that options stand for, as a tree; None asks for nothing.

    >>> options_tree({"minutes": 5.0, "model": "1e3", "gpus": 2, "seed": None})
    {'train': {'minutes': 5.0, 'devices': 2, 'device': 'cuda'}, 'model': {'name': '1e3'}}
    """
    tree: JsonObject = {}
    for name, value in given.items():
        if value is None:
            continue
        option = OPTIONS[name]
        for path, leaf in {option.setting: option.stored(value), **option.implied}.items():
            section, _, key = path.rpartition(".")
            (tree.setdefault(section, {}) if section else tree)[key] = leaf
    return tree
