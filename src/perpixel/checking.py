"""What `check` finds out about a folder: what is understood of it, its figures, its split, and what is wrong."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

from perpixel.audit import Audit, audit
from perpixel.dataset import Dataset, Finding, Sample, scan
from perpixel.dataset.layout.inventory import CountProgress
from perpixel.dataset.overrides import NOTHING_STATED, Overrides
from perpixel.errors import DataError
from perpixel.files.write import labelled, picture
from perpixel.language import counted, say, translated
from perpixel.results import MAX_PICTURES, Picture, Result, Row
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.split import Split, SplitPart, refuse_too_few, split

PART_WORDS: Final[dict[SplitPart, str]] = {
    "train": "training",
    "val": "validation",
    "test": "test",
    "gap": "left out",
}
SEVERITIES: Final = ("error", "warning", "info")


@dataclass(frozen=True, repr=False)
class Check(Result):
    """The answer about a folder.

    Args:
        path: The folder.
        findings: All of them, errors first.
        dataset: As understood; None where errors stand in the way.
        audit: Its figures, None likewise.
        splits: How it would be divided: one split, or one a fold.
        page: check.html, where it was written.
    """

    bar: ClassVar[str] = "share"

    path: Path
    findings: tuple[Finding, ...]
    dataset: Dataset | None = None
    audit: Audit | None = None
    splits: tuple[Split, ...] = ()
    page: Path | None = None

    @property
    def is_usable(self) -> bool:
        """Whether `train` would take it."""
        return self.dataset is not None and all(finding.severity != "error" for finding in self.findings)

    @property
    def verdict(self) -> str:
        """Whether it is usable."""
        if self.is_usable:
            return say("{path} can be used.", path=self.path)
        return say("{path} cannot be used yet.", path=self.path)

    @property
    def headline(self) -> str:
        """Whether it is usable, and what is in it or what is wrong."""
        if self.dataset is None or not self.is_usable:
            problem = translated(self.findings[0].problem.what)
            return say("{path} is not usable yet: {problem}", path=self.path, problem=problem)
        data = self.dataset
        found = [counted(len(data.samples), "pair"), counted(len(data.labels), f"{data.labels.kind} class")]
        if warnings := sum(finding.severity == "warning" for finding in self.findings):
            found.append(counted(warnings, "warning"))
        return say("{path} is usable: {found}", path=self.path, found=say(", ").join(found))

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a class, and a row a finding."""
        findings = [{"severity": each.severity, **asdict(each.problem)} for each in self.findings]
        if self.dataset is None or self.audit is None:
            return {"findings": findings}
        return {"classes": class_rows(self.dataset, self.audit), "findings": findings}

    def pictures(self) -> Sequence[Picture]:
        """Images with their masks over them, evenly taken."""
        data = self.dataset
        chosen = evenly_taken(data.samples, MAX_PICTURES) if data is not None else ()
        return [Picture(each.name, with_mask(data, each)) for each in chosen if data is not None]

    def to_dict(self) -> JsonObject:
        """Plain numbers, strings, lists and dicts, ready for JSON."""
        findings = [{"severity": f.severity, **asdict(f.problem)} for f in self.findings]
        answer: JsonObject = {"schema": 1, "path": str(self.path), "usable": self.is_usable, "findings": findings}
        if self.dataset is None or self.audit is None:
            return answer
        data = self.dataset
        figures = {key: value for key, value in self.audit.to_dict().items() if key not in ("findings", "present")}
        parts = [dict(divided.counts) for divided in self.splits]
        return answer | {
            "pairs": len(data.samples),
            "unlabelled": len(data.unlabelled),
            "channels": data.channels,
            "dtype": data.dtype,
            "reading": data.reading,
            "labels": asdict(data.labels),
            "parts": parts[0] if parts else {},
            "audit": figures,
            **({"folds": parts} if len(parts) > 1 else {}),
        }

    def text(self) -> str:
        """The findings, and what was understood."""
        lines = [f"{finding.severity}: {finding.problem}\n" for finding in self.findings]
        if self.dataset is not None:
            lines += summary(self.dataset, self.splits)
        lines.append(self.verdict)
        return "\n".join(lines)


def examine(
    path: Path,
    progress: CountProgress | None = None,
    *,
    folds: int | None = None,
    divides: bool = True,
    overrides: Overrides = NOTHING_STATED,
) -> Check:
    """Audit a folder; nothing is raised for what is wrong with it, the answer says it.

    Args:
        path: The folder, or its dataset.yaml.
        progress: Called with (done, total) images.
        folds: Divide into so many folds.
        divides: Whether to divide the images as training would; test images alone, which it refuses, can be read.
        overrides: What is stated of the folder; it counts more than its dataset.yaml.
    """
    dataset = figures = None
    splits: tuple[Split, ...] = ()
    findings: list[Finding] = []
    try:
        dataset = scan(path, overrides=overrides)
        findings = list(dataset.findings)
        figures = audit(dataset, progress)
        findings = list(figures.findings)
        refuse_too_few(dataset.samples)
        each: Sequence[int | None] = range(folds) if folds and folds > 1 else [None] if divides else []
        splits = tuple(split(dataset.samples, figures, folds=folds, fold=fold) for fold in each)
        findings += dict.fromkeys(finding for divided in splits for finding in divided.findings)
    except DataError as error:
        findings += [Finding("error", problem) for problem in error.problems]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Check(path, tuple(findings), dataset, figures, splits)


def summary(dataset: Dataset, splits: Sequence[Split]) -> list[str]:
    """What was understood, in a few lines."""
    labels = dataset.labels
    classes = ", ".join(
        f"{name} = {spelled_value(value)}" for name, value in zip(labels.names, labels.values, strict=True)
    )
    images = [counted(len(dataset.samples), "pair"), counted(len(dataset.unlabelled), "unlabelled image")]
    channels = say("{channels} of {dtype}", channels=counted(dataset.channels, "channel"), dtype=dataset.dtype)
    lines = [
        say(", ").join([*images, channels]),
        f"{counted(len(labels), f'{labels.kind} class')}{say(': ')}{classes}",
    ]
    if labels.ignored:
        lines.append(say("ignored: {values}", values=", ".join(map(spelled_value, labels.ignored))))
    for fold, divided in enumerate(splits):
        name = say("split") if len(splits) == 1 else say("fold {number}", number=fold)
        lines.append(f"{name}{say(': ')}{parts_told(divided)}")
    return lines


def parts_told(divided: Split) -> str:
    """How many images each part of a split has, in the language that is spoken."""
    counts = divided.counts
    return say(", ").join(f"{say(told)} {counts[part]:,}" for part, told in PART_WORDS.items() if counts[part])


def class_rows(dataset: Dataset, figures: Audit) -> list[JsonMapping]:
    """Of each class its value, share of the pixels, and figures."""
    total = max(sum(item.pixels for item in figures.classes) + figures.ignored_pixels, 1)
    if dataset.labels.is_multilabel:
        total = max(sum(h * w for h, w in zip(figures.heights, figures.widths, strict=True)), 1)
    return [
        {"name": item.name, "value": spelled_value(value), "share": item.pixels / total, **asdict(item)}
        for item, value in zip(figures.classes, dataset.labels.values, strict=True)
    ]


def evenly_taken(samples: Sequence[Sample], number: int) -> Sequence[Sample]:
    """At most so many of them."""
    return samples[:: max(len(samples) // number, 1)][:number]


def with_mask(dataset: Dataset, sample: Sample) -> Any:
    """The image of a sample with the classes' colours over it, (H, W, 3) uint8."""
    return labelled(picture(dataset.image(sample)), dataset.target(sample), dataset.labels)


def spelled_value(value: int | tuple[int, int, int]) -> str:
    """The value of a class in the masks: a number, or a colour as #RRGGBB.

    >>> spelled_value(3), spelled_value((255, 0, 0))
    ('3', '#FF0000')
    """
    return str(value) if isinstance(value, int) else "#{:02X}{:02X}{:02X}".format(*value)
