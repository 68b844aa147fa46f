"""The page about a folder, with pictures, and the dataset.yaml to edit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from perpixel.audit import Audit
from perpixel.checking import PART_WORDS, Check, class_rows, evenly_taken
from perpixel.dataset import Dataset, Sample
from perpixel.dataset.description import FILE_NAME
from perpixel.files.atomic import write_text
from perpixel.language import counted, current, say, translated
from perpixel.report import sections
from perpixel.report.check_card import image_facts, kind_told, reason_told
from perpixel.report.class_examples import class_examples
from perpixel.report.page import rendered
from perpixel.report.thumbnails import overlaid, thumbnail
from perpixel.runtime.json_values import JsonObject
from perpixel.split import Split

PAGE_NAME: Final = "check.html"
PICTURED: Final = 8
"""Pairs of image and mask on the page; as many pairs of duplicates at most."""


def write_check(answer: Check, out: Path) -> Check:
    """Write check.html, and dataset.yaml where the folder was understood; give the answer that knows its page.

    Raises:
        OutputError: They cannot be written.
    """
    write_text(out / PAGE_NAME, _page(answer))
    if answer.dataset is not None:
        answer.dataset.save_description(out / FILE_NAME)
    return replace(answer, page=out / PAGE_NAME)


def _page(answer: Check) -> str:
    data, figures = answer.dataset, answer.audit
    return rendered(
        "audit.html",
        {},
        current(),
        say=say,
        translated=translated,
        title=say("Check of {path}", path=answer.path),
        answer=answer,
        facts=_facts(data, answer.splits) if data else [],
        classes=_class_rows(data, figures) if data and figures else [],
        sizes=Counter(zip(figures.heights, figures.widths, strict=True)).most_common(8) if figures else [],
        intensities=[_bars(shares) for shares in figures.histogram] if figures else [],
        channels=list(zip(figures.mean, figures.std, figures.least, figures.greatest, strict=True))
        if figures
        else [],
        splits=[_part_rows(divided) for divided in answer.splits],
        examples=class_examples(data, figures) if data and figures else [],
        pictures=[_pictured(data, sample) for sample in evenly_taken(data.samples, PICTURED)] if data else [],
        duplicates=_duplicates(data, figures, answer.splits) if data and figures else [],
    )


def _facts(data: Dataset, splits: Sequence[Split]) -> list[str]:
    facts = [*image_facts(data), counted(len(data.labels), "class") + say(", ") + kind_told(data)]
    if len(splits) == 1:
        counts = splits[0].counts
        facts += [f"{say(told)} {counts[part]:,}" for part, told in PART_WORDS.items() if counts[part]]
    return facts


def _class_rows(dataset: Dataset, figures: Audit) -> list[JsonObject]:
    rows = zip(class_rows(dataset, figures), dataset.labels.colours, strict=True)
    return [{**row, "colour": sections.css(colour)} for row, colour in rows]


def _part_rows(divided: Split) -> list[tuple[str, int, str]]:
    reasons = {part: Counter(r for p, r in divided.parts.values() if p == part) for part in PART_WORDS}
    return [
        (
            say(PART_WORDS[part]),
            counts.total(),
            _listed([f"{reason_told(why)} ({n})" for why, n in counts.most_common()]),
        )
        for part, counts in reasons.items()
        if counts
    ]


def _listed(reasons: Sequence[str], shown: int = 6) -> str:
    more = len(reasons) - shown
    return say("; ").join([*reasons[:shown], *([say("… and {more} more", more=f"{more:,}")] if more > 0 else [])])


def _pictured(dataset: Dataset, sample: Sample) -> tuple[str, str, str]:
    image = dataset.image(sample)
    return sample.name, thumbnail(image), overlaid(image, dataset.target(sample), dataset.labels)


def _duplicates(dataset: Dataset, figures: Audit, splits: Sequence[Split]) -> list[tuple[str, str, str, str]]:
    """Name and picture of both, those on two sides of a split first."""
    by_name = {sample.name: sample for sample in (*dataset.samples, *dataset.unlabelled)}
    ordered = sorted(figures.duplicates, key=lambda pair: not any(divided.tears(*pair) for divided in splits))
    return [
        (first, thumbnail(dataset.image(by_name[first])), second, thumbnail(dataset.image(by_name[second])))
        for first, second in ordered[:PICTURED]
    ]


def _bars(shares: Sequence[float]) -> list[tuple[float, float]]:
    """(x, height) of each bar of a histogram in a box of 64 × 24."""
    most = max(*shares, 1e-12)
    return [(float(x), 24 * share / most) for x, share in enumerate(shares)]
