"""Nouns and verbs that agree with the number before them."""

import re
from typing import Final

NOUNS: Final = ("channel", "class", "file", "folder", "group", "image", "link", "mask", "name", "output", "page",
                "pair", "raster", "row", "run", "sample", "stack", "thread", "value")  # fmt: skip
"""What we count with `(s)`."""
_PLACE: Final = re.compile(
    rf"(?<![^\s(])(?:(?P<number>\d[\d,]*) (?P<words>(?:[A-Za-z\-]+ )*(?:{'|'.join(NOUNS)}))\((?P<ending>e?s)\)"
    r"|\[(?P<one>[\w ]+)\|(?P<many>[\w ]+)\])(?=[.,:;)]*(?:\s|$))"
)
"""A word of its own: what stands in a path or a pattern is not ours."""
_ENDING: Final = re.compile(r"\\\((e?s)\\\)")
_CHOICE: Final = re.compile(r"\\\[((?:\w|\\ )+)\\\|((?:\w|\\ )+)\\\]")


def agreed(sentence: str) -> str:
    """A sentence in which `(s)` and then `[verb of one|verb of many]` follow a number; others are a user's own.

    >>> agreed("1 link(s) [leads|lead] nowhere."), agreed("3 slices in 1,200 stack(s) of 2 class(es) [is|are] odd.")
    ('1 link leads nowhere.', '3 slices in 1,200 stacks of 2 classes are odd.')
    >>> agreed("1 name(s) in a[b|c]/2 copy(s) and 3 image(s)/4 [collides|collide].")
    '1 name in a[b|c]/2 copy(s) and 3 image(s)/4 collides.'
    """
    is_one: bool | None = None

    def word(found: re.Match[str]) -> str:
        nonlocal is_one
        if found["one"]:
            if is_one is None:
                return found[0]
            return found["one"] if is_one else found["many"]
        is_one = found["number"] == "1"
        return f"{found['number']} {found['words']}{'' if is_one else found['ending']}"

    return _PLACE.sub(word, sentence)


def either(pattern: str) -> str:
    r"""The pattern of a sentence, of one and of many.

    >>> re.findall(either(re.escape("link(s) [leads|lead] nowhere")), "link leads nowhere, links lead nowhere")
    ['link leads nowhere', 'links lead nowhere']
    """
    return _CHOICE.sub(r"(?:\1|\2)", _ENDING.sub(r"(?:\1)?", pattern))
