"""Keeps a mark of punctuation on the line of the code that it follows: a browser breaks lines behind every box."""

import re
from typing import Any

MARKED = re.compile(r"([（(]?<code>[^<]*</code>[.,;:!?)，。；：、！？）]+)")


def on_page_content(html: str, **_: Any) -> str:
    """Called by mkdocs for every page."""
    return held(html)


def held(html: str) -> str:
    """The text with each piece of code and its marks in one box.

    >>> held("see <code>log/</code>。")
    'see <span class="held"><code>log/</code>。</span>'
    """
    return MARKED.sub(r'<span class="held">\1</span>', html)
