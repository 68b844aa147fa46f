"""Puts the tables of settings and of metrics, as the code has them, where a page says `<!-- all settings -->`."""

import json
from typing import Any, get_args

from pydantic import BaseModel

from perpixel.language import say
from perpixel.language.choice import Language
from perpixel.metrics.metric_table import LEVELS, METRICS
from perpixel.settings.named import SettingsSection
from perpixel.settings.tree import Settings

PLACE = "<!-- all settings -->"
METRICS_PLACE = "<!-- all metrics -->"
BAR = "\\|"
"""Inside a cell."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs for every page; a page named NAME.zh.md is in Chinese."""
    language: Language = "zh" if page.file.src_uri.endswith(".zh.md") else "en"
    for place, made in ((PLACE, table), (METRICS_PLACE, metrics_table)):
        markdown = markdown.replace(place, made(language)) if place in markdown else markdown
    return markdown


def metrics_table(language: Language) -> str:
    """A row a metric: its key in metrics.json, its name, what it is of, its unit and definition."""
    place = ("en", "zh").index(language)
    heads = ("| key | name | of | unit | definition |", "| 键 | 名称 | 级别 | 单位 | 定义 |")
    rows = [
        f"| `{key}` | {each.label[place]} | {each.level} | {each.unit or '–'} | {each.about[place]} |"
        for key, each in METRICS.items()
    ]
    levels = [f"- **{level}**: {about[place]}" for level, about in LEVELS.items()]
    return "\n".join([heads[place], "|---|---|---|---|---|", *rows, "", *levels])


def table(language: Language) -> str:
    """A row a setting: its key, its default, what it says of itself."""
    rows = [
        f"| `{key}` | `{default}` | {say(about, language=language).replace('|', BAR)} |"
        for key, default, about in rows_of(Settings)
    ]
    return "\n".join(
        ["| 设置 | 默认值 | 说明 |" if language == "zh" else "| setting | default | |", "|---|---|---|", *rows]
    )


def rows_of(part: type[BaseModel], prefix: str = "") -> list[tuple[str, str, str]]:
    """Key, default and description of every setting below a part."""
    rows: list[tuple[str, str, str]] = []
    for name, field in part.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, SettingsSection):
            rows += rows_of(inner, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        shown = default if isinstance(default, str) else json.dumps(default)
        words = [str(word) for word in get_args(inner) if isinstance(word, str)]
        about = field.description or (", ".join(words) if words else "")
        rows.append((prefix + name, shown, about))
    return rows
