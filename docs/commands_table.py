"""Puts the reference of the command line, as the code has it, where a page says `<!-- all commands -->`."""

import inspect
from typing import Any

import typer

from perpixel.cli import app
from perpixel.language import say
from perpixel.language.choice import Language

PLACE = "<!-- all commands -->"
BAR = "\\|"
"""Inside a cell."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs for every page; a page named NAME.zh.md is in Chinese."""
    if PLACE not in markdown:
        return markdown
    return markdown.replace(PLACE, reference("zh" if page.file.src_uri.endswith(".zh.md") else "en"))


def reference(language: Language) -> str:
    """A chapter a command: what it does, its arguments and its options."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined] # of a group
    return "\n\n".join(_chapter(name, command, language) for name, command in commands.items())


def _chapter(name: str, command: Any, language: Language) -> str:
    about = [" ".join(each.split()) for each in inspect.cleandoc(command.help or "").split("\n\n")]
    rows = [_row(each, language) for each in command.params]
    heading = "| 参数 | 说明 |" if language == "zh" else "| option | what it does |"
    told = [say(each, language=language) for each in about]
    return "\n\n".join([f"## perpixel {name}", *told, "\n".join([heading, "|---|---|", *rows])])


def _row(parameter: Any, language: Language) -> str:
    is_option = parameter.param_type_name == "option"
    shown = ", ".join(parameter.opts) if is_option else (parameter.metavar or parameter.name.upper())
    kind = getattr(parameter, "type_descriptor", None) or getattr(parameter, "type", None)
    choices = getattr(kind, "choices", ())
    values = "".join([" ", BAR.join(map(str, choices))]) if choices else ""
    about = say(" ".join((getattr(parameter, "help", None) or "").split()), language=language).replace("|", BAR)
    return f"| `{shown}`{values} | {about} |"
