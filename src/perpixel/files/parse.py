"""YAML, JSON and XML with bounds: the one place where text from outside is parsed.

A few hundred bytes of YAML aliases can stand for more values than there are atoms, and brackets can nest deeper than
a program can follow. Both are counted before anything is built.
"""

import json
import re
from typing import Any, Final
from xml.etree import ElementTree
from xml.etree.ElementTree import Element as Element  # noqa: PLC0414 # the readers of XML name its type from here

import yaml

from perpixel.errors import DataError
from perpixel.files.limits import MAX_DEPTH, MAX_NODES, MAX_YAML_NODES
from perpixel.runtime.json_values import Json


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which 3e-4 is a number, as in YAML 1.2; in YAML 1.1 it is a word."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_BRACKETS: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def parse_yaml(text: str, name: str) -> Json:
    """Parse YAML of plain values.

    Args:
        text: The content.
        name: What to call it in a message.

    Raises:
        ValueError: It is no YAML; the message is one line.
        DataError: It holds more values, or is nested deeper, than the limits allow.

    >>> parse_yaml("a: [1, 3e-4]", "it")
    {'a': [1, 0.0003]}
    """
    try:
        _refuse_many(text, name)
        return yaml.load(text, _Loader)  # a safe loader
    except (yaml.YAMLError, RecursionError, AttributeError, TypeError, KeyError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def parse_json(text: str, name: str) -> Json:
    """Parse JSON. Args as `parse_yaml`.

    Raises:
        ValueError: It is no JSON.
        DataError: It holds more values, or is nested deeper, than the limits allow.
    """
    if text.count(",") + text.count("[") + text.count("{") > MAX_NODES:
        raise _too_much(name, f"more than {MAX_NODES:,} values", "PERPIXEL_MAX_NODES")
    depth = 0
    for match in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match[0], 0)
        if depth > MAX_DEPTH:
            raise _too_much(name, f"values nested deeper than {MAX_DEPTH}", "PERPIXEL_MAX_DEPTH")
    return json.loads(text)


def parse_xml(text: str, name: str) -> Element:
    """Parse XML without declared entities, which can stand for anything. Args and Raises as `parse_json`."""
    if "<!" in text.replace("<!--", "").replace("<![CDATA[", ""):
        raise _too_much(name, "declarations (<!…), which no label needs")
    if text.count("<") > MAX_YAML_NODES:
        raise _too_much(name, f"more than {MAX_YAML_NODES:,} tags", "PERPIXEL_MAX_YAML_NODES")
    parser: Any = ElementTree.XMLPullParser(("start", "end"))
    depth = 0
    try:
        parser.feed(text)
        for event, _ in parser.read_events():
            depth += 1 if event == "start" else -1
            if depth > MAX_DEPTH:
                raise _too_much(name, f"values nested deeper than {MAX_DEPTH}", "PERPIXEL_MAX_DEPTH")
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None


def _refuse_many(text: str, name: str) -> None:
    """Count the values of YAML as if every alias were written out."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    nodes = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise _too_much(name, f"an alias *{event.anchor} of nothing that is whole before it")
            nodes += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, nodes))
            nodes += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor is not None:
                sizes[anchor] = nodes - before
        elif isinstance(event, yaml.ScalarEvent):
            nodes += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        if nodes > MAX_YAML_NODES:
            raise _too_much(name, f"more than {MAX_YAML_NODES:,} values", "PERPIXEL_MAX_YAML_NODES")
        if len(opened) > MAX_DEPTH:
            raise _too_much(name, f"values nested deeper than {MAX_DEPTH}", "PERPIXEL_MAX_DEPTH")


def _too_much(name: str, what: str, variable: str | None = None) -> DataError:
    fix = f"correct or remove it; if it is meant, allow more by the environment variable {variable}."
    return DataError(f"{name} holds {what}.", fix=fix if variable else "correct or remove it.")
