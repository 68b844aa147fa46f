"""What perpixel says when the user can mend something.

Every message names the problem with its value and file, gives at most five examples, and ends with the
sentence that repairs it. All problems of one kind are collected and raised once.

    PerpixelError
    ├── DataError       images, masks, folders, splits
    ├── SettingsError   settings, options, budgets, model names
    ├── RunError        run folders and model files
    └── OutputError     what cannot be written
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Self

EXAMPLES_SHOWN = 5
NAMES_SHOWN = 30
FAR_FROM_BEST = 0.15
"""Words this much less like a mistaken one than the best are not meant."""
_STEERING = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
"""Control characters but for the line break, those that turn the direction of writing, and what is no UTF-8."""


def printable(text: str) -> str:
    r"""The text with what would steer a terminal written out: escapes, bells, overwriting and turned-round letters.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return _STEERING.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def is_plain(name: str) -> bool:
    r"""Whether a name is UTF-8 and holds no line break and nothing else that would steer a terminal.

    >>> is_plain("a b.png"), is_plain("a\nb.png"), is_plain("\udcff.png")
    (True, False, False)
    """
    return "\n" not in name and _STEERING.search(name) is None


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it was seen, and how to mend it.

    Args:
        what: The problem in one sentence, with its value and file.
        fix: The sentence that repairs it.
        examples: Files or values that show it; at most five are printed.

    >>> print(Problem("1 of 3 images has no mask.", fix="add the mask.", examples=("a.png",)))
    1 of 3 images has no mask.
      - a.png
    Fix: add the mask.
    """

    what: str
    fix: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.what, *(f"  - {example}" for example in self.examples[:EXAMPLES_SHOWN])]
        if (more := len(self.examples) - EXAMPLES_SHOWN) > 0:
            lines.append(f"  … and {more:,} more")
        return "\n".join(map(printable, [*lines, f"Fix: {self.fix}"]))


class PerpixelError(Exception):
    """Base of every error that the user can mend; its text is the whole message."""

    def __init__(self, what: str, *, fix: str, examples: Sequence[str] = ()) -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, fix, tuple(examples)),)
        super().__init__(str(self.problems[0]))

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the message, without the way through the library that led to it."""
        return [f"{type(self).__name__}: {line}" if i == 0 else line for i, line in enumerate(str(self).split("\n"))]

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """One error that tells several problems, in their order. At least one is needed."""
        problems = tuple(problems)
        assert problems, "an error needs a problem"
        error = cls(problems[0].what, fix=problems[0].fix, examples=problems[0].examples)
        error.problems = problems
        error.args = (_message(problems),)
        return error


def _message(problems: Sequence[Problem]) -> str:
    """All problems; of more than five that one sentence repairs, the first five, and that sentence once."""
    alike = Counter(each.fix for each in problems if not each.examples)
    groups: dict[str | int, list[Problem]] = {}
    for number, each in enumerate(problems):
        is_of_many = not each.examples and alike[each.fix] > EXAMPLES_SHOWN
        groups.setdefault(each.fix if is_of_many else number, []).append(each)
    return "\n\n".join(_of_group(group) for group in groups.values())


def _of_group(group: Sequence[Problem]) -> str:
    if len(group) == 1:
        return str(group[0])
    lines = [each.what for each in group[:EXAMPLES_SHOWN]]
    more = len(group) - EXAMPLES_SHOWN
    return "\n".join(map(printable, [*lines, f"… and {more:,} more", f"Fix: {group[0].fix}"]))


class DataError(PerpixelError):
    """Images, masks, folders or splits are not usable as they are."""


class SettingsError(PerpixelError):
    """A setting, an option, a budget or a name is wrong."""


class RunError(PerpixelError):
    """A run folder or a model file is incomplete, altered or not one of perpixel's."""


class OutputError(PerpixelError):
    """Something cannot be written where it was asked for."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Name the closest known words, or list them, the first thirty of many.

    >>> did_you_mean("unett", ["unet", "fcn8s"])
    'did you mean unet?'
    >>> did_you_mean("xyz", ["unet", "fcn8s"])
    'choose one of fcn8s, unet.'
    """
    known = sorted(known)
    close = get_close_matches(word, known, n=3)
    if close:
        likeness = [SequenceMatcher(None, each, word).ratio() for each in close]
        close = [each for each, ratio in zip(close, likeness, strict=True) if ratio > likeness[0] - FAR_FROM_BEST]
        return f"did you mean {' or '.join(close)}?"
    more = f" and {len(known) - NAMES_SHOWN:,} more" if len(known) > NAMES_SHOWN else ""
    return f"choose one of {', '.join(known[:NAMES_SHOWN])}{more}."
