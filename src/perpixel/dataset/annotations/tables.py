"""Class lists that lie beside the data."""

import csv
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.inventory import packed, unpacked
from perpixel.dataset.layout.text_tables import decoded_text, separator_of
from perpixel.errors import DataError
from perpixel.files.parse import parse_json, parse_xml, parse_yaml
from perpixel.labels.labels import Colour
from perpixel.runtime.json_values import Json

TABLE_NAMES: Final = re.compile(
    r"class|label|colou?r|codes|categor|palette|legend|ontology|mapping|object_?info|类别|类名|标签", re.IGNORECASE
)
SETTINGS: Final = frozenset(
    {"dataset.json", "meta.json", "config.json", "config.yaml", "config.yml", "data.yaml", "data.yml"}
    | {"dataset.yml", "meta.yaml", "meta.yml"}
)
"""Files of many things, one of which may be the classes."""
CLASS_KEYS: Final = ("classes", "names", "labels", "categories", "id2label")
NO_OBJECT: Final = frozenset(
    {"background", "bg", "back", "none", "nothing", "void", "ignore", "other", "others", "unlabeled", "unlabelled"}
    | {"unknown", "backgrounds", "clutter", "rest", "empty", "0", "hintergrund", "fondo", "fond", "背景"}
)
"""First names of class lists that say that 0 is no object."""
MOST_BYTES: Final = 1_000_000
ALWAYS_TABLES: Final = frozenset({".pbtxt", ".clr", ".gpl"})
"""Endings of files that hold nothing but classes."""
NAMES_A_FILE: Final = re.compile(r"\.(png|jpe?g|tiff?|bmp|gif|npy)\b", re.IGNORECASE)
"""What lists files is no list of classes."""
OPAQUE: Final = frozenset({"255", "1.0", "1"})
"""Alpha of a colour that is seen."""
IGNORED_BY_NNUNET: Final = "ignore"
CLASS_COLUMNS: Final = ("name", "class", "label", "title", "class_name", "classname", "label_name", "category")
VALUE_COLUMNS: Final = (
    *("value", "pixel value", "pixel_value", "id", "index", "idx", "class_id", "label_id", "class_index"),
)


@dataclass(frozen=True)
class ClassEntry:
    """One class of a list: its name, and its value or colour where the list gives them."""

    name: str
    value: int | None = None
    colour: Colour | None = None


@dataclass(frozen=True)
class ClassTable:
    """A list of classes found in a file."""

    path: Path
    entries: tuple[ClassEntry, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the order of the list."""
        return tuple(entry.name for entry in self.entries)

    @property
    def colours(self) -> frozenset[int]:
        """All its colours as 0xRRGGBB."""
        return frozenset(packed(entry.colour) for entry in self.entries if entry.colour)

    def for_values(self, values: Sequence[int]) -> dict[int, str] | None:
        """A name for every value, where the list gives values, or is a plain list that counts them.

        A plain list counts from 0; from −1 where it begins with `__ignore__`, as LabelMe's; and from 1 where the
        masks hold one value more than it has names, and it names no background: 0 is that.
        Gray levels that are the numbers times 17, 85 or 255 are those of 4, 2 or 1 bits.
        """
        named = {entry.value: entry.name for entry in self.entries if entry.value is not None}
        are_numbered = len(named) == len(self.entries)
        if not named and all(entry.colour and len({*entry.colour}) == 1 for entry in self.entries):
            named = {entry.colour[0]: entry.name for entry in self.entries if entry.colour}
            named = {0: "background", **named}  # Supervisely's gray levels leave out the background
        if not named and (not self.colours or self._is_of_cvat):
            named = dict(enumerate(self.names, start=-1 if self.names[0] == "__ignore__" else 0))
            if max(values, default=0) == len(self.names) and not self.has_background:
                named = {0: "background", **dict(enumerate(self.names, start=1))}
        if are_numbered and min(named) > 0 and max(values, default=0) != max(named) - 1:
            named = {0: "background", **named}  # ADE20K's and others' 0; masks that count from 0 end one earlier
        for scale in (1, 17, 85, 255):
            if all(value % scale == 0 and value // scale in named for value in values):
                return {value: named[value // scale] for value in values}
        return None

    @property
    def _is_of_cvat(self) -> bool:
        """Whether it is the list of CVAT's exports as KITTI and Cityscapes: it counts from a black background on."""
        is_black = self.has_background and self.entries[0].colour == (0, 0, 0)
        return is_black and self.path.name == "label_colors.txt"

    @property
    def is_uncertain(self) -> bool:
        """Whether it is a plain list that names no background: its first name may be that of 0 or of 1."""
        is_plain = not self.colours and all(entry.value is None for entry in self.entries)
        return is_plain and not self.has_background and self.names[0] != "__ignore__"

    @property
    def has_background(self) -> bool:
        """Whether the first of the names says that it is no object."""
        return self.names[0].strip("_ ").lower() in NO_OBJECT

    def for_colours(self, colours: set[int]) -> dict[int, str] | None:
        """The list as colour to name, if it names every colour given, up to the rounding of shares of 1."""
        named = {packed(entry.colour): entry.name for entry in self.entries if entry.colour}
        if not colours <= named.keys():
            nearest = {near: colour for colour in colours for near in named if _differ_by_rounding(colour, near)}
            if len(nearest) != len(colours) or {*nearest.values()} != colours:
                return None
            named = {nearest.get(colour, colour): name for colour, name in named.items()}
        return named or None


def _differ_by_rounding(colour: int, other: int) -> bool:
    """Whether no channel differs by more than one level."""
    return all(abs(ours - theirs) <= 1 for ours, theirs in zip(unpacked(colour), unpacked(other), strict=True))


def find_tables(files: Sequence[Path]) -> list[ClassTable]:
    """Read the class lists among the files (TXT, CSV, JSON, YAML, by their names); what is none is passed over."""
    tables = []
    for path in files:
        ending = path.suffix.lower()
        is_table = ending in ALWAYS_TABLES or (TABLE_NAMES.search(path.stem) and ending in READERS)
        if (is_table or path.name.lower() in SETTINGS) and path.stat().st_size < MOST_BYTES:
            try:
                entries = READERS[ending](decoded_text(path)) if is_table else _from_settings(path)
            except (OSError, ValueError, csv.Error, DataError):
                continue
            names = {entry.name for entry in entries}
            if len(entries) >= 2 and len(names) == len(entries) and not any(map(NAMES_A_FILE.search, names)):
                tables.append(ClassTable(path, tuple(entries)))
    return tables


def parse_colour(value: Json) -> Colour | None:
    """(R, G, B) of "#RRGGBB", "R G B", "R,G,B", or a list of three, or of four of which the last is full; else None.

    Numbers with a point are shares of 1.

    >>> parse_colour("#FF8000"), parse_colour([1, 2, 3]), parse_colour("red"), parse_colour([1.0, 0.5, 0])
    ((255, 128, 0), (1, 2, 3), None, (255, 128, 0))
    """
    if isinstance(value, str):
        if match := re.fullmatch(r"#?([0-9A-Fa-f]{6})", value.strip()):
            number = int(match[1], 16)
            return number >> 16, number >> 8 & 255, number & 255
        value = re.findall(r"[\d.]+", value) if re.fullmatch(r"[\d.\s,;()\[\]]+", value) else []
    if isinstance(value, list | tuple) and len(value) == 4 and str(value[3]).strip() in OPAQUE:
        value = value[:3]
    if isinstance(value, list | tuple) and len(value) == 3 and any("." in str(v) for v in value):
        value = [_level(str(v).strip()) for v in value]
    if isinstance(value, list | tuple) and len(value) == 3 and all(str(v).strip().isdigit() for v in value):
        red, green, blue = (int(v) for v in value)
        return (red, green, blue) if max(red, green, blue) <= 255 else None
    return None


def _level(share: str) -> str:
    """0..255 of a share of 1; empty where it is none."""
    return str(int(float(share) * 255 + 0.5)) if re.fullmatch(r"0?\.\d+|[01]|[01]\.0*|0\.\d+", share) else ""


def _from_object(data: Json) -> list[ClassEntry]:
    """Entries of parsed JSON or YAML: a list of names, of objects, or a mapping either way round."""
    if isinstance(data, dict):
        for word in CLASS_KEYS:
            if isinstance(data.get(word), list | dict):
                return _from_object(data[word])
        entries = [_from_pair(key, value) for key, value in data.items()]
    elif isinstance(data, list):
        entries = [_from_item(item) for item in data]
    else:
        return []
    return [entry for entry in entries if entry is not None] if all(entries) else []


def _from_settings(path: Path) -> list[ClassEntry]:
    """The classes of a file of many things, where it has a list of them."""
    read = parse_json if path.suffix == ".json" else parse_yaml
    data = read(decoded_text(path), str(path))
    if isinstance(data, dict) and isinstance(data.get("labels"), dict) and "file_ending" in data:  # nnU-Net's
        data = {"labels": {"__ignore__" if k == IGNORED_BY_NNUNET else k: v for k, v in data["labels"].items()}}
    return _from_object(data) if isinstance(data, dict) and any(key in data for key in CLASS_KEYS) else []


def _from_item(item: Json) -> ClassEntry | None:
    if isinstance(item, str):
        return ClassEntry(item)
    if not isinstance(item, dict):
        return None
    name = next((item[word] for word in ("name", "title", "label", "class") if isinstance(item.get(word), str)), None)
    value = next((item[word] for word in ("value", "id", "index") if isinstance(item.get(word), int)), None)
    colour = next((parse_colour(item[word]) for word in ("color", "colour", "rgb") if word in item), None)
    return ClassEntry(name, value, colour) if name else None


def _from_pair(key: Json, value: Json) -> ClassEntry | None:
    if isinstance(value, dict):  # {"1": {"name": "cell"}} or {"cell": {"id": 1}}
        return _from_item({"value": int(key), **value} if str(key).isdigit() else {"name": str(key), **value})
    if isinstance(value, str) and str(key).lstrip("-").isdigit():
        return ClassEntry(value, int(key))
    if isinstance(value, str) and (colour := parse_colour(key)):
        return ClassEntry(value, None, colour)
    if isinstance(value, int) and not isinstance(value, bool):
        return ClassEntry(str(key), value)
    colour = parse_colour(value)
    return ClassEntry(str(key), None, colour) if colour else None


def _from_lines(text: str) -> list[ClassEntry]:
    """A name a line; or a value or a colour before or after it; or a table of tabs."""
    first = text.split("\n", 1)[0].lower().split("\t")
    if len(first) > 1 and {cell.strip() for cell in first} & set(CLASS_COLUMNS):
        return _from_csv(text)
    entries = []
    for line in filter(None, (line.strip() for line in text.splitlines())):
        if line.startswith("#") and not parse_colour(line[:7]):
            continue
        if match := re.fullmatch(r"(\d+)\s+(\d+\s+\d+\s+\d+)\s+(\D.*)", line):  # value, colour, name: ESRI's .clr
            entries.append(ClassEntry(match[3], int(match[1])))
            continue
        if match := re.fullmatch(r"(\d+)[\s,;]+(\d+)[\s,;]+(\d+)[\s,;]+(\S.*)", line):
            entries.append(ClassEntry(match[4], None, parse_colour(list(match.groups()[:3]))))
        elif match := re.fullmatch(r"([^:]+):(\d+,\d+,\d+):.*", line):  # CVAT's labelmap.txt
            entries.append(ClassEntry(match[1], None, parse_colour(match[2])))
        elif match := re.fullmatch(r"(\d+)\s+(\D\S*)\s+(\d+\s+\d+\s+\d+)", line):  # value, name, colour
            entries.append(ClassEntry(match[2], int(match[1]), parse_colour(match[3])))
        elif match := re.fullmatch(r"(-?\d+)[\s,;:=]+(\D.*)", line):
            entries.append(ClassEntry(match[2], int(match[1])))
        elif match := re.fullmatch(r"(\D.*?)[\s,;:=]+(-?\d+)", line):
            entries.append(ClassEntry(match[1], int(match[2])))
        elif len(line) <= 60:
            entries.append(ClassEntry(line))
        else:
            return []
    return entries


def _from_csv(text: str) -> list[ClassEntry]:
    lines = [line for line in text.splitlines() if line.strip()]
    rows = list(csv.DictReader(lines, delimiter=separator_of(lines[0] if lines else ""), skipinitialspace=True))
    entries = []
    for row in rows:
        low = {str(k).strip().lower(): v.strip() for k, v in row.items() if k is not None and isinstance(v, str)}
        name = next((low[word] for word in CLASS_COLUMNS if low.get(word)), None)
        if name is None:
            return _from_lines(text)
        value = next((low[word] for word in VALUE_COLUMNS if low.get(word, "").isdigit()), None)
        rgb = [low.get(channel, low.get(channel[0], "")) for channel in ("red", "green", "blue")]
        colour = parse_colour(rgb) or parse_colour(low.get("color") or low.get("colour") or low.get("rgb") or "")
        entries.append(ClassEntry(name, int(value) if value else None, colour))
    return entries


def _from_markdown(text: str) -> list[ClassEntry]:
    """A table of bars, and nothing else but headings."""
    rows = [line.strip().strip("|") for line in text.splitlines() if "|" in line]
    return _from_csv(
        "\n".join(re.sub(r"\s*\|\s*", "\t", row.strip()) for row in rows if re.search(r"[^\s|:\-]", row))
    )


def _from_xml(text: str) -> list[ClassEntry]:
    """Elements of one kind with a name and a value or a colour, as attributes or as elements of their own."""
    items = [
        {**element.attrib, **{child.tag: (child.text or "").strip() for child in element}}
        for element in parse_xml(text, "the class list").iter()
    ]
    numbers = ({k: int(v) if k in VALUE_COLUMNS and v.isdigit() else v for k, v in item.items()} for item in items)
    entries = [entry for item in numbers if (entry := _from_item(item)) is not None]
    return entries if all(entry.value is not None or entry.colour for entry in entries) else []


def _from_gimp(text: str) -> list[ClassEntry]:
    """A GIMP palette: lines of red, green, blue and a name after a head."""
    rows = [line for line in text.splitlines() if re.match(r"\s*\d+\s+\d+\s+\d+\s+\S", line)]
    return _from_lines("\n".join(row.strip() for row in rows))


def _from_items(text: str) -> list[ClassEntry]:
    """TensorFlow's label map: item { id: 1 name: 'cell' }."""
    entries = []
    for item in re.findall(r"item\s*\{(.*?)\}", text, re.DOTALL):
        number = re.search(r"\bid\s*:\s*(\d+)", item)
        name = re.search(r"\b(?:display_name|name)\s*:\s*['\"]([^'\"]+)", item)
        if number is None or name is None:
            return []
        entries.append(ClassEntry(name[1], int(number[1])))
    return entries


READERS: Final[dict[str, Callable[[str], list[ClassEntry]]]] = {
    ".txt": _from_lines,
    ".csv": _from_csv,
    ".tsv": _from_csv,
    ".md": _from_markdown,
    ".xml": _from_xml,
    ".clr": _from_lines,
    ".gpl": _from_gimp,
    ".pbtxt": _from_items,
    ".json": lambda text: _from_object(parse_json(text, "the class list")),
    ".yaml": lambda text: _from_object(parse_yaml(text, "the class list")),
    ".yml": lambda text: _from_object(parse_yaml(text, "the class list")),
}
