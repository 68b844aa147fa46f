"""Sentences in the language that is spoken."""

import re
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final
from unicodedata import east_asian_width

from perpixel.language.agreement import either
from perpixel.language.catalogue_file import entries
from perpixel.language.choice import Language, current
from perpixel.language.plain_text import printable

NOUNS: Final[dict[str, tuple[str, str]]] = {
    "image": ("images", "幅图像"),
    "unlabelled image": ("unlabelled images", "幅无标注图像"),
    "class": ("classes", "个类别"),
    "channel": ("channels", "个通道"),
    "group": ("groups", "组"),
    "fold": ("folds", "折"),
    "step": ("steps", "步"),
    "pass": ("passes", "遍"),
    "mask": ("masks", "个掩膜"),
    "pixel": ("pixels", "个像素"),
    "error": ("errors", "个错误"),
    "warning": ("warnings", "个警告"),
    "labelled image": ("labelled images", "幅有标注图像"),
    "training image": ("training images", "幅训练图像"),
    "pair": ("pairs", "对图像与掩膜"),
    "multiclass class": ("multiclass classes", "个单标签类别"),
    "multilabel class": ("multilabel classes", "个多标签类别"),
    "level": ("levels", "级"),
    "run": ("runs", "次运行"),
    "object": ("objects", "个目标"),
}
"""Plural, and counter with noun in Chinese, of what is counted."""
WORDS: Final = {"train": "训练集", "val": "验证集", "test": "测试集", "all": "全部", "data": "其他数据"}
"""Subsets of the images, where `{1:word}` in a Chinese sentence says that a value is one."""
PLACEHOLDER: Final = re.compile(r"\{(\w+)(?::word|:list)?\}")
NUMBERED: Final = re.compile(r"\{\d+\}")
"""Values of sentences that are recognised; those with named values are said by `say` alone."""
GAP: Final = re.compile(r"( {2,})")
"""What parts the cells of a table."""
RIGHT_FROM: Final = 5
"""Cells of a line from which it is one of figures, which stand at the right of their columns."""


def counted(number: int, noun: str, language: Language | None = None) -> str:
    """A number with its noun, in agreement.

    >>> counted(1, "image"), counted(1200, "class"), counted(3, "image", "zh")
    ('1 image', '1,200 classes', '3 幅图像')
    """
    plural, chinese = NOUNS[noun]
    if (language or current()) == "zh":
        return f"{number:,} {chinese}"
    return f"{number:,} {noun if number == 1 else plural}"


def subset(name: str) -> str:
    """The name of a subset of the images, in the language that is spoken.

    >>> subset("val")
    'val'
    """
    return WORDS.get(name, name) if current() == "zh" else name


def say(sentence: str, /, *, language: Language | None = None, **values: Any) -> str:
    """A sentence in the language that is spoken, with its values filled in.

    Args:
        sentence: In English, with {names} of the values; a key of zh.po.
        language: Another language than the one that is spoken.
        **values: By name.

    >>> say("ready at {clock}", clock="14:32"), say("ready at {clock}", language="zh", clock="14:32")
    ('ready at 14:32', '预计 14:32 完成')
    """
    known = chinese().get(sentence, sentence) if (language or current()) == "zh" else sentence
    return known.format(**values) if values else known


def translated(text: str, language: Language | None = None) -> str:
    """What another room wrote in English, line by line; a line that is not known stays as it is.

    What would steer a terminal is written out.

    >>> translated("Fix: restore the file, or train again.", "zh")
    '修正：恢复该文件，或重新训练。'
    """
    text = printable(text)
    if (language or current()) == "en":
        return text
    return "\n".join(map(_line, text.split("\n")))


@cache
def chinese() -> dict[str, str]:
    """The Chinese sentence by the English one."""
    return entries((files("perpixel.language") / "zh.po").read_text(encoding="utf-8"))


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """What recognises a sentence with values, and its Chinese; those with more words of their own come first."""
    with_values = [(english, chinese_) for english, chinese_ in chinese().items() if NUMBERED.search(english)]
    with_values.sort(key=lambda pair: -len(PLACEHOLDER.sub("", pair[0])))
    return [(_recognising(english), chinese_) for english, chinese_ in with_values]


def _recognising(english: str) -> re.Pattern[str]:
    pieces, place, seen = [], 0, set()
    for found in PLACEHOLDER.finditer(english):
        pieces.append(either(re.escape(english[place : found.start()])))
        pieces.append(f"(?P=v{found[1]})" if found[1] in seen else f"(?P<v{found[1]}>.+?)")
        seen.add(found[1])
        place = found.end()
    return re.compile("".join([*pieces, either(re.escape(english[place:]))]))


def _line(line: str) -> str:
    text = line.strip()
    start = line[: len(line) - len(line.lstrip())]
    for english, chinese_ in _PREFIXES.items():
        if text.startswith(english):
            return start + chinese_ + _sentence(text.removeprefix(english))
    cells = _cells(text) if GAP.search(text) else text
    return start + (cells if cells != text else _sentence(text))


def _cells(text: str) -> str:
    """A line of a table, cell by cell, each in its column."""
    pieces = GAP.split(text)  # cells, and the gaps between them
    is_figures = len(pieces[::2]) >= RIGHT_FROM
    line = ""
    for place, cell in enumerate(pieces[::2]):
        known = _sentence(cell)
        gap = pieces[2 * place + 1] if 2 * place + 1 < len(pieces) else ""
        spare = columns(cell) - columns(known)
        if is_figures and place:
            line = _spaced(line, spare) + known + gap
        else:
            line += known + (_spaced(gap, spare) if gap else "")
    return line


def _spaced(text: str, spare: int) -> str:
    """A text with so many blanks more at its end, or less, of which two are left."""
    return text + " " * spare if spare > 0 else text[: max(len(text) + spare, len(text.rstrip()) + 2)]


def columns(text: str) -> int:
    """Columns on a terminal: letters of Chinese are two wide.

    >>> columns("nucleus"), columns("细胞核")
    (7, 6)
    """
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _sentence(text: str) -> str:
    if (known := chinese().get(text)) is not None:
        return known
    for pattern, chinese_ in _patterns():
        if found := pattern.fullmatch(text):
            return PLACEHOLDER.sub(partial(_value, found), chinese_)
    return text


def _value(found: re.Match[str], place: re.Match[str]) -> str:
    """A value of a sentence, which may be a sentence itself, the name of a subset, or several between commas."""
    value = found[f"v{place[1]}"]
    if place[0].endswith(":word}"):
        return WORDS.get(value, value)
    if place[0].endswith(":list}"):
        return value.replace(", ", "、")
    return _sentence(value) if " " in value else value


_PREFIXES: Final = {"Fix: ": "修正：", "error: ": "错误：", "warning: ": "警告：", "info: ": "提示："}
