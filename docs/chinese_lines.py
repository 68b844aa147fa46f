"""Joins the lines of a Chinese paragraph, which a browser would show with a gap between them."""

import re
from typing import Any

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
WIDE = "\u3000-\u303f\u4e00-\u9fff\uff00-\uffef"
BREAK = re.compile(rf"(?<=[{WIDE}])\n *(?=[{WIDE}])|(?<=[，。；：、）（？！])\n *(?=[\w`(\[])(?!\d+\.)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Called by mkdocs for every page; a page named NAME.zh.md is in Chinese."""
    return joined(markdown) if page.file.src_uri.endswith(".zh.md") else markdown


def joined(markdown: str) -> str:
    """The text with its paragraphs in one line each; code stays as it is."""
    pieces, place = [], 0
    for fence in FENCED.finditer(markdown):
        pieces += [BREAK.sub("", markdown[place : fence.start()]), fence[0]]
        place = fence.end()
    return "".join([*pieces, BREAK.sub("", markdown[place:])])
