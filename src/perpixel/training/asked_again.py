"""Settings that are given again where a run is resumed: those of the machine may change, the others not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from perpixel.errors import SettingsError
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.settings.tree import decided, flat, request_from
from perpixel.store.run_folder import Run
from perpixel.training.threads import warn_of_other_threads

OF_THE_MACHINE: Final = ("train.device", "train.devices", "train.threads", "train.loggers", "data.cache_mb")
"""Settings that may change in a run: where it is trained, not what."""


def of_the_machine(asked: JsonMapping) -> dict[str, JsonObject]:
    """The part of a settings tree that says where a run is trained."""
    given = {tuple(key.split(".")): value for key, value in flat(asked).items() if key in OF_THE_MACHINE}
    sections = {section for section, _ in given}
    return {each: {name: value for (section, name), value in given.items() if section == each} for each in sections}


def on_this_machine(run: Run, asked: JsonMapping) -> Run:
    """The run with the devices that are asked for now."""
    tree = run.settings.model_dump(mode="json")
    for section, given in of_the_machine(asked).items():
        tree[section] |= given
    warn_of_other_threads(run.settings.train.threads, tree["train"]["threads"])
    return replace(run, settings=decided(request_from(tree)))


def refuse_changes(run: Run, asked: JsonMapping) -> None:
    """Raise SettingsError where settings are given again that are not those of the run."""
    weights = run.settings.train.class_weights
    have = flat(run.settings.model_dump(mode="json")) | {"train.class_weights": weights}
    have |= {f"train.{name}": value for name, value in run.budget.items()}
    checked = flat(request_from(asked).model_dump(mode="json"))
    asked_keys = [key for key, value in flat(asked).items() if value is not None]
    keys = [
        key if key in checked else ".".join(key.split(".")[:2]) for key in asked_keys
    ]  # of a setting that is made
    given = {key: checked[key] for key in keys}
    if isinstance(weights, Mapping) and given.get("train.class_weights") == "balanced":
        del given["train.class_weights"]  # which was frozen as numbers
    other = {key: value for key, value in given.items() if have.get(key) != value and key not in OF_THE_MACHINE}
    if other:
        raise SettingsError(
            f"{run.folder} was trained with other settings.",
            examples=[f"{key}: {have.get(key)} there, {value} asked for" for key, value in other.items()],
            fix="resume without them, or train from scratch into another folder.",
        )
