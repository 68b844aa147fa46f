"""What the functions are given, opened: paths, runs, settings."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from perpixel.language import current
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.settings.training_options import options_tree

if TYPE_CHECKING:
    from perpixel.language.choice import Language
    from perpixel.store.run_folder import Run

PathLike: TypeAlias = str | Path


def model_path(run: "Run | PathLike") -> Path:
    """The folder of a run, or the path of what else holds a model."""
    return Path(run) if isinstance(run, str | Path) else run.folder


def opened_run(run: "Run | PathLike") -> "Run":
    """The run that lies in a folder, or that an exported bundle stands for."""
    from perpixel.store.bundle import is_bundle
    from perpixel.store.run_folder import Run

    if not isinstance(run, str | Path):
        return run
    return Run.of_bundle(Path(run)) if is_bundle(Path(run)) else Run.open(Path(run))


def settings_tree(settings: JsonMapping | PathLike | None, recipe: str | None, options: JsonMapping) -> JsonObject:
    """The options over the settings, and both over those of the recipe."""
    from perpixel.settings.recipes import with_recipe
    from perpixel.settings.text import settings_from_file
    from perpixel.settings.tree import nested, over

    given = settings_from_file(Path(settings)) if isinstance(settings, str | Path) else settings or {}
    tree = over(nested(given), options_tree(options))
    return tree if recipe is None else with_recipe(recipe, tree)


def page_language(asked: "Language | None", run: "Run") -> "Language":
    """Of a page: what is asked for, else what the run keeps, else what is spoken."""
    return asked or run.settings.language or current()


def scores_folder(path: Path) -> Path:
    """Where the scores of a run or an exported bundle go unless told otherwise."""
    from perpixel.store.run_folder import evaluation_folder

    return evaluation_folder(path)
