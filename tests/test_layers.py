"""A module imports only what stands in its own layer or below: the order of CONTRIBUTING, checked."""

import ast
import re
from functools import cache
from pathlib import Path

import perpixel
from syntax import nodes_of

SOURCE = Path(perpixel.__file__).parent

LAYERS = (
    ("ground", ("errors", "language", "shapes", "results", "runtime")),
    ("mathematics", ("models", "losses", "metrics", "geometry", "instances", "labels")),
    ("data", ("settings", "files", "dataset", "audit", "split")),
    ("decisions", ("planning", "store")),
    ("verbs", ("checking", "training", "prediction", "evaluation", "conversion", "exporting")),
    ("telling", ("report", "diagnosis", "web", "api", "integrations", "__init__")),
    ("doors", ("cli", "__main__")),
)
LAYER = {room: height for height, (_, rooms) in enumerate(LAYERS) for room in rooms}
MATHEMATICS_MAY_NOT = ("settings", "files", "lightning_fabric", "typer", "pydantic")


def room_of(path):
    """The module or subpackage right under perpixel in which a file lies."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def imported_names(path):
    """Every module that a file imports, wherever in it, with the line; `from perpixel import api` is perpixel.api."""
    names = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names += [(name.name, node.lineno) for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by dots; write perpixel.…"
            whole = node.module == "perpixel"
            names += [(f"perpixel.{name.name}" if whole else node.module, node.lineno) for name in node.names]
    return names


def rooms_imported(path):
    for name, line in imported_names(path):
        if name.split(".")[0] == "perpixel":
            yield ([*name.split("."), "__init__"])[1], line


FILES = sorted(SOURCE.rglob("*.py"))


def test_every_module_has_its_layer():
    rooms = {room_of(path) for path in FILES}
    assert rooms - LAYER.keys() == set(), "give the new module a layer"
    assert LAYER.keys() - rooms == set(), "the table names what is gone"


def test_no_import_points_up():
    up = [
        f"{path.relative_to(SOURCE)}:{line} ({LAYERS[LAYER[room_of(path)]][0]}) imports {room} "
        f"({LAYERS[LAYER[room]][0]})"
        for path in FILES
        for room, line in rooms_imported(path)
        if room in LAYER and LAYER[room] > LAYER[room_of(path)]
    ]
    assert not sorted(set(up)), "\n".join(["imports that point up:", *sorted(set(up))])


def test_no_rooms_import_each_other_in_a_circle():
    graph = {room: set() for room in LAYER}
    for path in FILES:
        graph[room_of(path)] |= {room for room, _ in rooms_imported(path) if room != room_of(path)}
    done = set()
    while free := {room for room in graph.keys() - done if graph[room] & graph.keys() <= done}:
        done |= free
    assert graph.keys() == done, f"in circles, or above one: {sorted(graph.keys() - done)}"


def test_mathematics_touches_no_files_and_no_settings():
    mathematics = dict(LAYERS)["mathematics"]
    touched = [
        f"{path.relative_to(SOURCE)}:{line} imports {name}"
        for path in FILES
        if room_of(path) in mathematics
        for name, line in imported_names(path)
        if name.removeprefix("perpixel.").split(".")[0] in MATHEMATICS_MAY_NOT
    ]
    assert not touched, "\n".join(touched)


def test_doors_know_the_verbs_the_catalogue_the_settings_and_the_errors():
    rooms = {room for path in FILES if room_of(path) == "cli" for room, _ in rooms_imported(path)}
    assert rooms <= {"api", "cli", "errors", "language", "report", "runtime", "settings", "__version__"}


def test_each_big_library_has_one_home():
    homes = {
        "lightning_fabric": {"training"},
        "typer": {"cli"},
        "jinja2": {"report"},
        "matplotlib": {"report"},
        "starlette": {"web"},
        "onnxruntime": {"runtime", "exporting"},  # exporting takes its quantisation, after runtime imported it
    }
    for library, home in homes.items():
        users = {room_of(path) for path in FILES for name, _ in imported_names(path) if name.split(".")[0] == library}
        assert users <= home, f"{library} is used by {users}"


FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
OTHER_PROGRAMS = ("pip", "tensorboard", "mlflow", "hf download", "rio", "convmv", "cvat-cli", "nvidia-smi")
README_OF_AN_EXPORT = "perpixel predict "
"""A line of shell in the README of an exported folder; who reads it has the command line."""


def texts(path):
    """Every text of a file, docstrings and parts of f-strings too, with its line."""
    for node in nodes_of(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((line, node.lineno) for line in node.value.splitlines())


def test_below_the_doors_no_text_names_a_flag():
    """Messages name the argument of the Python function between backquotes; `cli/flags.py` makes the flag of it."""
    named = [
        f"{path.relative_to(SOURCE)}:{line} {text.strip()}"
        for path in FILES
        if room_of(path) not in ("cli", "web")
        for text, line in texts(path)
        if FLAG.search(text) and not any(program in text for program in (*OTHER_PROGRAMS, README_OF_AN_EXPORT))
    ]
    assert not named, "\n".join(named)


def test_below_the_doors_nothing_draws_a_progress_bar():
    """Progress is a callback; the command line makes bars of it, and a cell of a notebook its own picture."""
    drawn = [
        f"{path.relative_to(SOURCE)}:{line} imports {name}"
        for path in FILES
        for name, line in imported_names(path)
        if name.split(".")[0] in ("rich", "tqdm") and room_of(path) != "cli"
    ]
    printed = [
        f"{path.relative_to(SOURCE)}:{node.lineno} prints"
        for path in FILES
        if room_of(path) not in ("cli", "__main__") and path.name != "live_cell.py"
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not drawn + printed


def test_below_the_doors_nothing_reads_standard_input():
    readers = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in FILES
        if room_of(path) != "cli"
        for node in nodes_of(path)
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.stdin")
        or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "input")
    ]
    assert not readers, readers
