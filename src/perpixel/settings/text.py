"""Settings as text: files of YAML, and assignments such as `train.learning_rate=3e-4`."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from perpixel.errors import SettingsError
from perpixel.files.parse import parse_yaml
from perpixel.files.whole_file import text_of
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject
from perpixel.settings.tree import BUDGETS, Settings, over


def settings_from_file(path: Path) -> JsonObject:
    """Read the tree of a YAML file of settings; unchecked. Raises SettingsError where it is not one."""
    try:
        tree = parse_yaml(text_of(path), str(path)) or {}
    except OSError as error:
        raise SettingsError(
            f"cannot read {path}: {error.strerror or error}.", fix="give an existing YAML file."
        ) from None
    except ValueError as error:
        raise SettingsError(f"{path} is not YAML: {error}.", fix="correct that line.") from None
    if not isinstance(tree, dict):
        raise SettingsError(f"{path} holds no settings.", fix="write lines like `train: {steps: 100}`.")
    return tree


def assign(tree: JsonMapping, assignments: Sequence[str]) -> JsonObject:
    """Put `section.key=value` assignments over a tree; the later wins. Values are YAML.

    >>> assign({}, ["train.learning_rate=3e-4", "model.name=fcn8s"])
    {'train': {'learning_rate': 0.0003}, 'model': {'name': 'fcn8s'}}
    """
    result = over(tree, {})
    for assignment in assignments:
        path, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"{assignment} has no value.", fix="write KEY=VALUE, as train.learning_rate=3e-4.")
        *sections, key = path.strip().split(".")
        place = result
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise SettingsError(f"{path}: {section} is a value.", fix=f"write {section}=….")
        place[key] = _parsed(value, assignment)
        if sections == ["train"] and key in BUDGETS:
            place.update({other: None for other in BUDGETS if other != key})
    return result


def to_yaml(settings: Settings, reasons: Mapping[str, str] | None = None) -> str:
    """The whole tree as YAML, in the order of the classes.

    Args:
        settings: The tree.
        reasons: By the dotted path of a setting, a comment that goes above it.
    """
    tree, lines = settings.model_dump(mode="json"), []
    for section, values in tree.items():
        if not isinstance(values, dict):
            lines.append(yaml.safe_dump({section: values}, allow_unicode=True))
            continue
        lines.append(f"{section}:\n")
        for key, value in values.items():
            if reason := (reasons or {}).get(f"{section}.{key}"):
                lines.append(f"  # {reason}\n")
            lines.append(textwrap.indent(yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True), "  "))
    return "".join(lines)


def as_yaml(value: object) -> str:
    """A value as it is written in YAML, on one line.

    >>> as_yaml((64, 64)), as_yaml(False), as_yaml("adam")
    ('[64, 64]', 'false', 'adam')
    """
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(value: str, assignment: str) -> Json:
    try:
        return parse_yaml(value, assignment)
    except ValueError:
        fix = "close its brackets and quotes, and quote the whole for the shell."
        raise SettingsError(f"{assignment}: {value} is not YAML.", fix=fix) from None
