"""dataset.yaml: what was understood of a folder, to be read, and edited to overrule it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from perpixel.dataset.annotations.tables import parse_colour
from perpixel.dataset.masks.classes import Reading, default_colours
from perpixel.dataset.overrides import NOTHING_STATED, Overrides
from perpixel.dataset.turns import MaskOrientation
from perpixel.errors import DataError, Problem, did_you_mean
from perpixel.files.atomic import write_text
from perpixel.files.parse import parse_yaml
from perpixel.files.whole_file import text_of
from perpixel.labels.labels import Colour, Encoding, Labels, Value, is_multilabel
from perpixel.runtime.choices import DuplicatesMode
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import LabelKind

FILE_NAME: Final = "dataset.yaml"
OF_OTHERS: Final = frozenset({"names", "nc", "train", "val", "test", "path", "download"})
"""Keys of a dataset.yaml that other programs read, such as YOLO."""
HEAD: Final = """\
# What perpixel understood of this folder. Edit it to overrule; the masks are then read by it.
# root: the folder, counted from this file. images, masks: which folders, where there are several.
# pairs: a CSV file of image,mask,split,group instead of finding pairs by names.
# reading: values | halves | nonzero | alpha | instances | objects | classes | channels | pages | drawn
# ignored: values in the masks that stand for no label; [] where each is a class.
# unlabelled: a value in the masks, or several, that nobody has labelled, such as what lies around strokes.
# mask_orientation: stored | shown, where images are turned by a tag: as their pixels lie, or as a viewer shows them.
# duplicates: group | ignore, whether images that show the same stay on one side of a split.
"""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClassLine(_Part):
    """One class: its name, its value (or colour) in the masks, and the colour to show it in."""

    name: str
    value: int | Colour | None = None
    colour: Colour | None = None


def _several(given: Json) -> Json:
    """One value as a list of one; a colour is one value."""
    return given if isinstance(given, list | tuple) and (not given or not _is_colour(given)) else (given,)


def _is_colour(given: Sequence[Json]) -> bool:
    return isinstance(given, tuple) and len(given) == 3 and all(isinstance(each, int) for each in given)


class DatasetDescription(_Part):
    """The content of dataset.yaml."""

    perpixel: Literal[1]
    root: str = "."
    images: str | None = None
    masks: str | None = None
    pairs: str | None = None
    kind: LabelKind = "multiclass"
    encoding: Encoding = "index"
    reading: Reading | None = None
    mask_orientation: MaskOrientation | None = None
    classes: tuple[ClassLine, ...] = ()
    ignored: tuple[int | Colour, ...] = ()
    unlabelled: Annotated[tuple[int | Colour, ...], BeforeValidator(_several)] = ()
    duplicates: DuplicatesMode | None = None

    def labels(self) -> Labels | None:
        """The labels that it states; None where it lists no classes."""
        if not self.classes:
            return None
        values: list[Value] = [k if line.value is None else line.value for k, line in enumerate(self.classes)]
        if is_multilabel(self.kind):
            values = [255 if line.value is None else line.value for line in self.classes]
        shown = default_colours(range(len(values)))
        colours = [
            line.colour or (value if isinstance(value, tuple) else shown[k])
            for k, (line, value) in enumerate(zip(self.classes, values, strict=True))
        ]
        names = tuple(line.name for line in self.classes)
        return Labels(self.kind, names, tuple(values), tuple(colours), self.ignored, self.encoding)

    def overrides(self, folder: Path) -> Overrides:
        """What it states beside the classes; its paths count from that folder."""
        return Overrides(
            self.images,
            self.masks,
            folder / self.pairs if self.pairs else None,
            self.mask_orientation,
            self.unlabelled,
            self.duplicates,
        )


def is_description(path: Path) -> bool:
    """Whether a file is a dataset.yaml of perpixel's (other programs use the name too)."""
    try:
        return path.is_file() and any(line.startswith("perpixel:") for line in text_of(path).splitlines())
    except (OSError, UnicodeDecodeError):
        return False


def lacks_its_line(path: Path) -> bool:
    """Whether a dataset.yaml has our keys but not the line that makes it count; YOLO's has other keys."""
    if not path.is_file() or is_description(path):
        return False
    try:
        data = parse_yaml(text_of(path), str(path))
    except (OSError, ValueError, DataError):
        return False
    if not isinstance(data, dict) or set(map(str, data)) & OF_OTHERS:
        return False
    paths_named = all(isinstance(data[key], str) for key in ("images", "masks", "pairs") if key in data)
    return paths_named and bool(set(map(str, data)) & (DatasetDescription.model_fields.keys() - {"root", "kind"}))


def load_description(path: Path) -> DatasetDescription:
    """Read a dataset.yaml.

    Raises:
        DataError: It is no YAML, has unknown keys, or contradicts itself; all of it at once.
    """
    try:
        data = parse_yaml(text_of(path), str(path))
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read as YAML: {reason}.", fix="correct it, or remove it.") from error
    if not isinstance(data, dict) or "perpixel" not in data:
        raise DataError(
            f"{path} is no data set description: it does not begin with perpixel: 1.",
            fix="write one with `check` and its `out`, and edit that.",
        )
    try:
        description = DatasetDescription.model_validate(_colours_parsed(data))
    except ValidationError as error:
        raise DataError.of(_problem(path, item) for item in error.errors()) from error
    problems = list(_contradictions(path, description))
    if problems:
        raise DataError.of(problems)
    return description


def save_description(
    path: Path, root: Path, labels: Labels, reading: Reading, overrides: Overrides = NOTHING_STATED
) -> None:
    """Write a dataset.yaml; what is unlabelled is among the labels' ignored values. Raises OutputError."""
    pairs = overrides.pairs
    content: JsonObject = {
        "perpixel": 1,
        "root": _counted_from(path, root),
        "images": overrides.images,
        "masks": overrides.masks,
        "pairs": None if pairs is None else _counted_from(path, pairs),
        "kind": labels.kind,
        "encoding": labels.encoding,
        "reading": reading,
        "mask_orientation": overrides.mask_orientation,
        "duplicates": overrides.duplicates,
        "classes": [
            {"name": name, "value": spelled(value), "colour": spelled(colour)}
            for name, value, colour in zip(labels.names, labels.values, labels.colours, strict=True)
        ],
        "ignored": [spelled(value) for value in labels.ignored],
    }
    text = yaml.safe_dump(
        {k: v for k, v in content.items() if v is not None}, sort_keys=False, allow_unicode=True, width=118
    )
    write_text(path, HEAD + text)


def _counted_from(description: Path, path: Path) -> str:
    """A path relative to the folder of a description; in full on another drive."""
    try:
        return Path(os.path.relpath(path.absolute(), description.absolute().parent)).as_posix()
    except ValueError:
        return str(path.absolute())


def spelled(value: Value) -> int | str:
    """A value as it is written in files: a whole number, or a colour as "#RRGGBB"."""
    return value if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)


def _colours_parsed(data: Json) -> Json:
    """The same with "#RRGGBB" as (R, G, B), wherever it stands for a value or a colour."""
    if isinstance(data, dict):
        return {
            key: parse_colour(value) or value
            if key in ("value", "colour") and isinstance(value, str | list)
            else _colours_parsed(value)
            for key, value in data.items()
        }
    if isinstance(data, list):
        return tuple(
            _colours_parsed(parse_colour(item) or item if isinstance(item, str | list) else item) for item in data
        )
    return data


def _problem(path: Path, error: Any) -> Problem:
    """Say a pydantic error in the terms of the file."""
    where = ".".join(str(piece) for piece in error["loc"] if piece not in ("int", "tuple[int, int, int]"))
    key = str(error["loc"][-1])
    if error["type"] == "extra_forbidden":
        known = ClassLine.model_fields if error["loc"][0] == "classes" else DatasetDescription.model_fields
        return Problem(f"{path}: unknown key {where!r}.", did_you_mean(key, known))
    if key == "reading":
        return Problem(
            f"{path}: reading {error['input']!r} is unknown.", did_you_mean(str(error["input"]), get_args(Reading))
        )
    return Problem(f"{path}: {where}: {error['msg']}; it is {error['input']!r}.", "correct the value.")


def _contradictions(path: Path, description: DatasetDescription) -> list[Problem]:
    lines, problems = description.classes, []
    given = [line.value for line in lines if line.value is not None and not is_multilabel(description.kind)]
    columns: list[tuple[str, list[Any]]] = [("name", [line.name for line in lines]), ("value", [*given])]
    for what, values in columns:
        if twice := sorted({str(value) for value in values if values.count(value) > 1}):
            problems.append(
                Problem(
                    f"{path}: a {what} is given to several classes.", f"give each class its own {what}.", tuple(twice)
                )
            )
    if is_multilabel(description.kind) != (description.encoding == "files"):
        problems.append(
            Problem(
                f"{path}: kind {description.kind} does not go with encoding {description.encoding}.",
                "multilabel classes have encoding files, multiclass ones index, palette or colour.",
            )
        )
    if any(isinstance(line.value, tuple) != (description.encoding == "colour") for line in lines):
        problems.append(
            Problem(
                f"{path}: encoding {description.encoding} does not go with the classes' values.",
                'give "#RRGGBB" for colour, and whole numbers otherwise.',
            )
        )
    return problems
