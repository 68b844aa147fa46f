"""The classes of a data set, and everything that depends on whether a pixel can have several of them.

A label is multiclass (each pixel has one class: softmax, argmax; two classes are K = 2) or multilabel (each pixel has
any subset of the classes: a sigmoid for each). Targets of each kind have a shape of their own; whoever needs the mask
of a class, an empty target or logits asks `Labels`, and compares no kind.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.language.plain_text import is_plain
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import IGNORED, MAX_CLASSES, LabelKind, TargetArray

Colour: TypeAlias = tuple[int, int, int]
Value: TypeAlias = int | Colour
Encoding: TypeAlias = Literal["index", "palette", "colour", "files"]
Floats: TypeAlias = NDArray[np.float32]

DISTINCT_COLOURS: Final[tuple[Colour, ...]] = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233), (240, 228, 66),
    (40, 40, 240), (40, 240, 40), (240, 40, 220), (140, 100, 220), (120, 120, 40), (160, 80, 60), (120, 240, 240),
    (60, 40, 100), (220, 180, 140),
)  # fmt: skip
"""Okabe and Ito (2008), told apart with any colour vision; then each as far as can be in CIELAB from all before, and
from black, grey and white."""

BACKGROUND_NAMES: Final = frozenset({
    "background", "bg", "bgd", "backdrop", "rest", "none", "nothing", "empty", "outside", "void",
    "unlabelled", "unlabeled", "unlabel", "unannotated", "nolabel", "noclass", "nodata", "notlabelled", "notlabeled",
    "背景", "无", "未标注", "未标记", "其他背景", "hintergrund", "fond", "fondo", "sfondo", "fundo",
})  # fmt: skip
"""What a class is called that stands for "nothing of interest", in lower case and without blanks and hyphens."""
NOTHING_BEFORE: Final = ("no ", "non ", "not ", "without ", "非", "无")
"""How the name of the class begins that is the other of two: "no crack", "non-water"."""
PLAIN_NAME: Final = re.compile(r"(class |label |value |foreground$|object$|objects$|#)?[0-9a-f]*$")
"""A name that says nothing but a value, so that the value has to decide."""
LEAST_PROBABILITY: Final = 1e-6
"""Probabilities are kept this far from 0 and 1 before they become logits."""


@dataclass(frozen=True)
class Labels:
    """The classes, and how their masks are written.

    Args:
        kind: "multiclass" or "multilabel".
        names: One name a class, K of them, in channel order.
        values: The value of each class in a mask file: an integer, or (R, G, B) where `encoding` is "colour".
            For "files" the value of a pixel that has the class (the others hold 0).
        colours: (R, G, B) of each class, 0..255, for overlays and palettes.
        ignored: Values that stand for no label; they become IGNORED.
        encoding: "index" (one-channel values), "palette" (a palette PNG; the indices count), "colour" (RGB),
            or "files" (one mask a class, the only one for multilabel labels).
    """

    kind: LabelKind
    names: tuple[str, ...]
    values: tuple[Value, ...]
    colours: tuple[Colour, ...]
    ignored: tuple[Value, ...] = ()
    encoding: Encoding = "index"

    def __post_init__(self) -> None:
        assert len(self.names) == len(self.values) == len(self.colours)
        assert self.is_multilabel == (self.encoding == "files")
        if odd := [name for name in self.names if not is_plain(name)]:
            raise DataError(
                f"{len(odd)} class name(s) [holds|hold] line breaks or other control characters.",
                fix="rename the classes.",
                examples=odd,
            )
        if not 1 <= len(self.names) <= MAX_CLASSES:
            raise DataError(
                f"{len(self.names)} classes; perpixel handles 1 to {MAX_CLASSES}.",
                fix="merge classes, or treat an instance map as one class of objects.",
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def is_multilabel(self) -> bool:
        """Whether a pixel can have several classes, so that a target has a layer for each."""
        return is_multilabel(self.kind)

    @property
    def layers(self) -> int:
        """How many maps a target has: 1 for multiclass labels, K for multilabel ones."""
        return len(self) if self.is_multilabel else 1

    @property
    def background(self) -> int | None:
        """The class that stands for "nothing of interest", if there is one; multilabel labels have none.

        Names decide before values: a class called background, in any of `BACKGROUND_NAMES`, else the one of two that
        is called "no …". Without such a name it is the class of value 0 or black, unless both of two classes have
        names of their own: membrane and inside are both of interest.
        """
        if self.is_multilabel:
            return None
        names = [_plain(name) for name in self.names]
        named = [k for k, name in enumerate(names) if name.replace(" ", "") in BACKGROUND_NAMES]
        if not named and len(names) == 2:
            named = [k for k, name in enumerate(names) if name.startswith(NOTHING_BEFORE)]
        zero = next((k for k, value in enumerate(self.values) if value in {0, (0, 0, 0)}), None)
        if named:
            return zero if zero in named else named[0]
        both_named = len(names) == 2 and not any(PLAIN_NAME.match(name) for name in names)
        return None if both_named else zero

    @property
    def foreground_classes(self) -> tuple[int, ...]:
        """Every class but the background."""
        return tuple(k for k in range(len(self)) if k != self.background)

    @property
    def lone_foreground(self) -> int | None:
        """The foreground of two multiclass classes, where one is background."""
        return self.foreground_classes[0] if len(self) == 2 and self.background is not None else None

    @property
    def positive(self) -> int:
        """Of two classes the one that a threshold is about: the foreground, or else the second."""
        return 0 if self.background == 1 else 1

    def class_mask(self, target: TargetArray, k: int) -> NDArray[np.bool_]:
        """Which pixels (H, W) of a target, (H, W) or (K, H, W), have class k; ignored ones have none."""
        return np.asarray(target[k] == 1 if self.is_multilabel else target == k)

    def class_masks(self, target: TargetArray) -> Iterator[NDArray[np.bool_]]:
        """The `class_mask` of every class in turn."""
        return (self.class_mask(target, k) for k in range(len(self)))

    def foreground(self, target: TargetArray) -> NDArray[np.bool_]:
        """Which pixels (H, W) have a class that is not the background."""
        found = np.zeros(target.shape[-2:], bool)
        for k in self.foreground_classes:
            found |= self.class_mask(target, k)
        return found

    def empty_target(self, height: int, width: int, value: int = 0) -> TargetArray:
        """A target of one value: uint8 (H, W), or (K, H, W)."""
        return np.full((len(self), height, width) if self.is_multilabel else (height, width), value, np.uint8)

    def known(self, target: TargetArray) -> NDArray[np.bool_]:
        """Which pixels (H, W) have a label, of every class."""
        layers = target.reshape(-1, *target.shape[-2:])
        return np.asarray((layers != IGNORED).all(0))

    def logits(self, probabilities: Floats) -> Floats:
        """Logits (K, …) that give these probabilities (K, …), which are kept off 0 and, of sigmoids, off 1."""
        kept = np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY if self.is_multilabel else None)
        logits: Floats = np.log(kept / (1 - kept)) if self.is_multilabel else np.log(kept)
        return logits

    def probabilities(self, logits: Floats) -> Floats:
        """Sigmoid or softmax over the first axis of logits (K, …)."""
        weights = np.exp(logits if self.is_multilabel else logits - logits.max(0))
        found: Floats = weights / (1 + weights if self.is_multilabel else weights.sum(0))
        return found

    def tempered(self, probabilities: Floats, temperature: float) -> Floats:
        """Probabilities (K, …) of the logits divided by the temperature.

        >>> labels = Labels("multiclass", ("a", "b"), (0, 1), ((0, 0, 0),) * 2)
        >>> labels.tempered(np.array([[[0.9]], [[0.1]]], np.float32), 2.0).ravel().round(2).tolist()
        [0.75, 0.25]
        """
        return self.probabilities(self.logits(probabilities) / np.float32(temperature))

    @classmethod
    def from_dict(cls, data: JsonObject) -> Self:
        """Read back what `dataclasses.asdict` and JSON made of it (lists for tuples)."""
        return cls(**{key: as_tuples(value) for key, value in data.items()})


def is_multilabel(kind: LabelKind) -> bool:
    """Whether labels of this kind can share a pixel."""
    return kind == "multilabel"


def as_tuples(value: Json) -> Json:
    """Lists of lists as tuples of tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def _plain(name: str) -> str:
    """A name in lower case, with blanks for underscores and hyphens."""
    return re.sub(r"[\s_\-]+", " ", unicodedata.normalize("NFC", name)).strip().lower()
