"""How large and how tangled the code is: each measure with its limit. `make measures` prints them all."""

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path

import pytest

import generated
import perpixel
from perpixel import api
from perpixel.settings.tree import TrainSettings
from perpixel.training.session import Session
from syntax import nodes_of, tree_of

SOURCE = Path(perpixel.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
VERBS_AND_COMMANDS = {"api", "cli"}
"""A verb and the command that calls it are one thing with one name."""


def name_of(path):
    return path.relative_to(SOURCE).as_posix()


def lines_of(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def public_definitions(path):
    """The functions and classes of a module, and its constants and aliases, without an underscore."""
    for node in tree_of(path).body:
        if isinstance(node, (*FUNCTION, ast.ClassDef)):
            yield node.name, True
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, False) for target in targets if isinstance(target, ast.Name))


def module_of(path):
    return ".".join(("perpixel", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


def imports(path, *, lazy):
    """The (module, name) pairs that a file imports; without the lazy ones, what is imported as it is loaded."""
    nodes = nodes_of(path) if lazy else tree_of(path).body
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, each.name) for each in node.names)


def long_modules():
    return [f"{name_of(path)}: {lines_of(path)} lines" for path in FILES if lines_of(path) > 400]


def test_no_module_is_longer_than_400_lines(capsys):
    show(capsys, "lines of the longest module (400)", max(map(lines_of, FILES)))
    assert long_modules() == []


def test_functions_are_short(capsys):
    lengths = sorted(
        node.end_lineno - node.lineno + 1 for path in FILES for node in nodes_of(path) if isinstance(node, FUNCTION)
    )
    percentile = lengths[len(lengths) * 95 // 100]
    show(capsys, "lines of a function, 95th percentile (30)", percentile)
    assert percentile <= 30


def test_no_modules_import_each_other_in_a_circle(capsys):
    """As they are loaded; `tests/test_layers.py` holds it for rooms, with the imports that come later."""
    known = {module_of(path): path for path in FILES}
    graph = {
        module: {each for each in names_imported(path) if each in known and each != module}
        for module, path in known.items()
    }
    done = set()
    while free := {module for module in graph.keys() - done if graph[module] <= done}:
        done |= free
    show(capsys, "modules in an import cycle (0)", len(graph.keys() - done))
    assert graph.keys() == done, f"in circles, or above one: {sorted(graph.keys() - done)}"


def names_imported(path):
    """The modules that a file imports as it is loaded, each as far down as it is named."""
    known = {module_of(each) for each in FILES}
    for module, name in imports(path, lazy=False):
        yield f"{module}.{name}" if f"{module}.{name}" in known else module


def test_the_top_level_has_at_most_30_rooms(capsys):
    rooms = {path.relative_to(SOURCE).parts[0] for path in FILES} - {"__init__.py", "__main__.py"}
    show(capsys, "rooms at the top level (30)", len(rooms))
    assert len(rooms) <= 30


def test_types_say_what_they_mean(capsys):
    """`Any` as a name in the syntax tree, wherever it stands but in the import."""
    uses = {name_of(path): sum(isinstance(n, ast.Name) and n.id == "Any" for n in nodes_of(path)) for path in FILES}
    most = sorted(uses.items(), key=lambda use: -use[1])[:10]
    show(capsys, "uses of Any (120)", sum(uses.values()))
    assert sum(uses.values()) <= 120, f"most in {most}"


def test_a_public_name_means_one_thing(capsys):
    """A function or class without an underscore, and a constant that another module imports, has one home."""
    imported = {pair for path in FILES for pair in imports(path, lazy=True)}
    homes = defaultdict(set)
    for path in FILES:
        for name, is_definition in public_definitions(path):
            if not name.startswith("_") and (is_definition or (module_of(path), name) in imported):
                homes[name].add(name_of(path))
    twice = {
        name: sorted(places)
        for name, places in homes.items()
        if len(places) > 1
        and not ({place.split("/")[0] for place in places} == VERBS_AND_COMMANDS and len(places) == 2)
    }
    show(capsys, "public names that are defined in two modules (0)", len(twice))
    assert twice == {}


def test_no_file_name_occurs_twice(capsys):
    names = [path.name for path in FILES if path.name != "__init__.py"]
    twice = sorted({name for name in names if names.count(name) > 1})
    show(capsys, "file names that occur twice (0)", len(twice))
    assert twice == []


def test_settings_are_validated_whenever_they_change(capsys):
    found = [name_of(path) for path in FILES if re.search(r"model_copy\(\s*update", path.read_text(encoding="utf-8"))]
    show(capsys, "model_copy(update=…) without validation (0)", len(found))
    assert found == []


def test_each_set_of_choices_is_written_once(capsys):
    places = defaultdict(list)
    for path in FILES:
        for node in nodes_of(path):
            if (
                isinstance(node, ast.Subscript)
                and ast.unparse(node.value) == "Literal"
                and "," in ast.unparse(node.slice)
            ):
                places[frozenset(ast.literal_eval(node.slice))].append(f"{name_of(path)}:{node.lineno}")
    twice = {tuple(sorted(map(str, words))): where for words, where in places.items() if len(where) > 1}
    show(capsys, "sets of choices that are written twice (0)", len(twice))
    assert twice == {}


CALLED_FROM_OUTSIDE = {"detect", "emit", "get_next", "to_frame", "tutorial_table"}
"""By CVAT, logging, ONNX Runtime, users, and by the test that holds the walks' tables to the recipes."""
CALLED_FROM_OUTSIDE |= {"write_usage", "write_heading", "write_text", "write_dl"}
"""By the parser of the command line, which has its help laid out."""


def names_used():
    """Every name that is read, imported, or written as a word of its own in a text or a template."""
    for path in FILES:
        for node in nodes_of(path):
            match node:
                case ast.Name(id=name, ctx=ast.Load()) | ast.Attribute(attr=name) | ast.alias(name=name):
                    yield name
                case ast.Constant(value=str(text)):
                    yield text
    for path in (SOURCE / "report" / "templates").glob("*.html"):
        yield from re.findall(r"\w+", path.read_text(encoding="utf-8"))


def test_every_function_has_a_caller_outside_the_tests(capsys):
    used = set(names_used())
    dead = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, (*FUNCTION, ast.ClassDef)) and not node.decorator_list
        and not node.name.startswith("_") and node.name not in used | CALLED_FROM_OUTSIDE
    ]  # fmt: skip
    show(capsys, "functions that only tests call (0)", len(dead))
    assert dead == []


class StepReachedError(Exception):
    """The first step is about to be taken."""


def modules_on_the_way():
    """The modules that the calls from the API down to here stay in, one after another."""
    frame, stays = sys._getframe(2), []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(SOURCE) and stays[-1:] != [name_of(path)]:
            stays.append(name_of(path))
        frame = frame.f_back
    return stays[::-1]


@pytest.fixture
def ways(monkeypatch, tmp_path, cells):
    """For every time that the learning rate is read, up to the first step: the modules from the API to there."""
    found = []
    read = TrainSettings.__getattribute__

    def watched(settings, name):
        if name == "learning_rate":
            found.append(modules_on_the_way())
        return read(settings, name)

    def reached(*_args, **_kwargs):
        found.append(modules_on_the_way())
        raise StepReachedError

    monkeypatch.setattr(TrainSettings, "__getattribute__", watched)
    monkeypatch.setattr(Session, "step", reached)
    with pytest.raises(StepReachedError):
        api.train(cells, tmp_path / "run", settings=generated.TINY)
    return found


def test_a_setting_is_followed_through_few_modules(capsys, ways):
    """From `perpixel.train` to the step, with every place that reads the setting on the way."""
    modules = {module for way in ways for module in way}
    most = max(way.count(module) for way in ways for module in set(way))
    show(capsys, "modules from the API to the step, following a setting (12)", len(modules))
    show(capsys, "times that one of them is entered (2)", most)
    assert len(modules) <= 12, sorted(modules)
    assert most <= 2, ways


def show(capsys, what, value):
    """A line of `make measures`."""
    with capsys.disabled():
        if "-s" in sys.argv:
            print(f"{value:>6}  {what}")
