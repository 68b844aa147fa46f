"""What `check` prints: a small card that says at a glance what a folder holds and what to do next."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from perpixel.checking import parts_told, spelled_value
from perpixel.language import columns, counted, say, translated
from perpixel.language.choice import Language
from perpixel.runtime.colours import Paint
from perpixel.runtime.shell_words import shell_word

if TYPE_CHECKING:
    from perpixel.audit import Audit
    from perpixel.checking import Check
    from perpixel.dataset import Dataset
    from perpixel.split import Split

BAR_COLUMNS: Final = 20
CLASSES_SHOWN: Final = 20
SIZES_SHOWN: Final = 3
MARKS: Final = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("·", "blue")}
GROUPED: Final = re.compile(r"group (?P<group>.+) by (?P<source>.+?)(, with its copies)?")


def check_card(answer: "Check", paint: Paint) -> str:
    """The card of an answer, in the language that is spoken.

    Args:
        answer: What `perpixel.check` found.
        paint: Colours, or none.
    """
    lines = [_verdict(answer, paint)]
    if answer.dataset is not None and answer.audit is not None:
        lines += _images(answer.dataset, answer.audit)
        lines += _classes(answer.dataset, answer.audit, paint)
        lines += _splits(answer.splits)
    for finding in answer.findings:
        mark, colour = MARKS[finding.severity]
        head, *rest = str(finding.problem).splitlines()
        lines += ["", f"{paint(mark, colour, is_bold=True)} {head}", *(f"  {line}" for line in rest)]
    page = [f"{say('page: ')}{answer.page}"] if answer.page else []
    return "\n".join([*lines, "", *page, _next(answer, paint)])


def image_facts(dataset: "Dataset") -> list[str]:
    """How many images and channels there are, in the language that is spoken."""
    return [
        counted(len(dataset.samples), "image"),
        *([counted(len(dataset.unlabelled), "unlabelled image")] if dataset.unlabelled else []),
        *([counted(dataset.channels, "channel") + f" ({dataset.dtype})"] if dataset.dtype else []),
    ]


def kind_told(dataset: "Dataset") -> str:
    """Whether classes overlap, in the language that is spoken."""
    if dataset.labels.is_multilabel:
        return say("multilabel: classes may overlap")
    return say("multiclass: one class per pixel")


def reason_told(reason: str, language: Language | None = None) -> str:
    """Why an image is in its subset, in the language that is spoken.

    >>> reason_told("group tile3 by name")
    'group tile3 by name'
    """
    if found := GROUPED.fullmatch(reason):
        told = say(
            "group {group} by {source}",
            language=language,
            group=found["group"],
            source=say(found["source"], language=language),
        )
        return told + (say(", with its copies", language=language) if found[3] else "")
    return translated(reason, language)


def _verdict(answer: "Check", paint: Paint) -> str:
    mark, colour = ("✓", "green") if answer.is_usable else ("✗", "red")
    return f"{paint(mark, colour, is_bold=True)} {answer.verdict}"


def _images(dataset: "Dataset", audit: "Audit") -> list[str]:
    sizes = Counter(zip(audit.heights, audit.widths, strict=True)).most_common()
    shown = [f"{height} × {width}" + (f" ({n:,})" if len(sizes) > 1 else "") for (height, width), n in sizes]
    more = ", …" if len(shown) > SIZES_SHOWN else ""
    return [
        _row(say("images"), say(", ").join(image_facts(dataset))),
        _row(say("sizes"), say(", ").join(shown[:SIZES_SHOWN]) + more + " " + say("pixels (height × width)")),
    ]


def _classes(dataset: "Dataset", audit: "Audit", paint: Paint) -> list[str]:
    labels = dataset.labels
    total = max(sum(figures.pixels for figures in audit.classes), 1)
    if labels.is_multilabel:
        areas = sum(height * width for height, width in zip(audit.heights, audit.widths, strict=True))
        total = max(areas - audit.ignored_pixels, 1)
    lines = [_row(say("classes"), f"{len(labels)}{say(', ')}{kind_told(dataset)}")]
    names = [f"{name} = {spelled_value(value)}" for name, value in zip(labels.names, labels.values, strict=True)]
    widest = max(map(columns, names[:CLASSES_SHOWN]))
    for name, figures, colour in list(zip(names, audit.classes, labels.colours, strict=True))[:CLASSES_SHOWN]:
        share = min(figures.pixels / total, 1)
        filled = max(round(BAR_COLUMNS * share), 1 if figures.pixels else 0)
        bar = paint("█" * filled, colour) + "░" * (BAR_COLUMNS - filled)
        lines.append(f"    {_padded(name, widest)}  {bar} {100 * share:5.1f} %")
    if len(labels) > CLASSES_SHOWN:
        lines.append("    …")
    return lines


def _splits(splits: Sequence["Split"]) -> list[str]:
    lines = []
    for fold, divided in enumerate(splits):
        name = say("split") if len(splits) == 1 else say("fold {number}", number=fold)
        lines.append(_row(name, parts_told(divided)))
    if splits:
        lines.append(_row("", _how_divided([reason for _, reason in splits[0].parts.values()])))
    return lines


def _how_divided(reasons: Iterable[str]) -> str:
    """In a few words how the images were divided, from the reason of each."""
    groups: set[str] = set()
    sources: Counter[str] = Counter()
    others: Counter[str] = Counter()
    for reason in reasons:
        if found := GROUPED.fullmatch(reason):
            groups.add(found["group"])
            sources[found["source"]] += 1
        else:
            others[reason] += 1
    if sources:
        source = sources.most_common(1)[0][0]
        return say("by {source}: {groups}", source=say(source), groups=counted(len(groups), "group"))
    if others["given by the folder"]:
        return say("as given by the folder")
    if any(reason.startswith(("block", "gap")) for reason in others):
        return say("in blocks: neighbouring slices or tiles stay together")
    return say("at random: nothing says which images belong together")


def _next(answer: "Check", paint: Paint) -> str:
    shown = shell_word(answer.path)
    if answer.is_usable:
        told = f"perpixel train {shown}"
    elif any(f.severity == "error" for f in answer.findings):
        told = say("fix what is marked ✗, then perpixel check {path}", path=shown)
    else:
        told = f"perpixel check {shown}"
    return f"{paint(say('Next: '), is_bold=True)}{told}"


def _row(name: str, text: str) -> str:
    return f"  {_padded(name, 8)} {text}"


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - columns(text), 0)
