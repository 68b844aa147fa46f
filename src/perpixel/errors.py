"""What perpixel says when the user can mend something.

Every message names the problem with its value and file, gives at most five examples, and ends with the
sentence that repairs it. All problems of one kind are collected and raised once.

    PerpixelError
    ├── DataError       images, masks, folders, splits
    ├── SettingsError   settings, options, budgets, model names
    ├── RunError        run folders and model files
    └── OutputError     what cannot be written
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from typing import Self

from perpixel.language import translated
from perpixel.language.agreement import agreed
from perpixel.language.plain_text import printable

EXAMPLES_SHOWN = 5
NAMES_SHOWN = 30
FAR_FROM_BEST = 0.15
"""Words this much less like a mistaken one than the best are not meant."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it was seen, and how to mend it.

    Args:
        what: The problem in one sentence, with its value and file; `(s)` and `[is|are]` agree with the number before.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "what", agreed(self.what))

    def in_english(self) -> str:
        """Its lines, whatever language is spoken."""
        lines = [self.what, *(f"  - {example}" for example in self.examples[:EXAMPLES_SHOWN])]
        if (more := len(self.examples) - EXAMPLES_SHOWN) > 0:
            lines.append(f"  … and {more:,} more")
        return "\n".join(map(printable, [*lines, f"Fix: {self.fix}"]))

    def __str__(self) -> str:
        return translated(self.in_english())


class PerpixelError(Exception):
    """Base of every error that the user can mend; its text is the whole message, in the language that is spoken."""

    def __init__(self, what: str, *, fix: str, examples: Sequence[str] = ()) -> None:
        self.problems: tuple[Problem, ...] = (Problem(what, fix, tuple(examples)),)
        super().__init__(self.problems[0].in_english())

    def __str__(self) -> str:
        return translated(self.args[0])

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
        return group[0].in_english()
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
