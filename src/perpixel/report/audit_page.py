"""What `perpixel check` says of a folder: one answer, one page with pictures, and the dataset.yaml to edit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from perpixel.audit import Audit, audit
from perpixel.dataset import Dataset, Finding, Sample, scan
from perpixel.dataset.description import FILE_NAME
from perpixel.dataset.layout.inventory import Progress
from perpixel.errors import DataError
from perpixel.files.atomic import write_text
from perpixel.report.page import rendered
from perpixel.report.thumbnails import overlaid, thumbnail
from perpixel.split import Split, SplitPart, split

PAGE_NAME: Final = "check.html"
PICTURED: Final = 8
"""Pairs of image and mask on the page; as many pairs of duplicates at most."""
ALL_PARTS: Final[tuple[SplitPart, ...]] = ("train", "val", "test", "gap")
SEVERITIES: Final = ("error", "warning", "info")


@dataclass(frozen=True)
class Check:
    """The answer about a folder.

    Args:
        path: The folder.
        findings: All of them, errors first.
        dataset: As understood; None where errors stand in the way.
        audit: Its figures, likewise.
        splits: How it would be divided, likewise: one split, or one a fold.
    """

    path: Path
    findings: tuple[Finding, ...]
    dataset: Dataset | None = None
    audit: Audit | None = None
    splits: tuple[Split, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether `train` would take it."""
        return self.dataset is not None and all(finding.severity != "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dicts, ready for JSON."""
        findings = [{"severity": f.severity, **asdict(f.problem)} for f in self.findings]
        answer: dict[str, Any] = {"schema": 1, "path": str(self.path), "usable": self.is_usable, "findings": findings}
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

    def __str__(self) -> str:
        lines = [f"{finding.severity}: {finding.problem}\n" for finding in self.findings]
        if self.dataset is not None:
            lines += summary(self.dataset, self.splits)
        lines.append(f"{self.path} is {'usable' if self.is_usable else 'not usable yet'}.")
        return "\n".join(lines)


def check(
    path: Path, out: Path | None = None, progress: Progress | None = None, *, folds: int | None = None
) -> Check:
    """Audit a folder; nothing is raised for what is wrong with it, the answer says it.

    Args:
        path: The folder, or its dataset.yaml.
        out: Write check.html and dataset.yaml there.
        progress: Called with (done, total) images.
        folds: Divide into so many folds.

    Raises:
        OutputError: The page cannot be written.
    """
    answer = _answer(Path(path), progress, folds)
    if out is not None:
        write_text(out / PAGE_NAME, _page(answer))
        if answer.dataset is not None:
            answer.dataset.save_description(out / FILE_NAME)
    return answer


def summary(dataset: Dataset, splits: Sequence[Split]) -> list[str]:
    """What was understood, in a few lines."""
    labels = dataset.labels
    classes = ", ".join(
        f"{name} = {_spelled(value)}" for name, value in zip(labels.names, labels.values, strict=True)
    )
    lines = [
        f"{len(dataset.samples):,} pairs, {len(dataset.unlabelled):,} unlabelled images; "
        f"{dataset.channels} channel(s) of {dataset.dtype}.",
        f"{labels.kind} classes: {classes}."
        + (f" Ignored: {', '.join(map(_spelled, labels.ignored))}." if labels.ignored else ""),
    ]
    for fold, divided in enumerate(splits):
        counts = ", ".join(f"{part} {divided.counts[part]:,}" for part in ALL_PARTS if divided.counts[part])
        lines.append(f"fold {fold}: {counts}." if len(splits) > 1 else f"{counts}.")
    return lines


def _answer(path: Path, progress: Progress | None, folds: int | None) -> Check:
    dataset = figures = None
    splits: tuple[Split, ...] = ()
    findings: list[Finding] = []
    try:
        dataset = scan(path)
        findings = list(dataset.findings)
        figures = audit(dataset, progress)
        findings = list(figures.findings)
        each: Sequence[int | None] = range(folds) if folds and folds > 1 else [None]
        splits = tuple(split(dataset.samples, figures, folds=folds, fold=fold) for fold in each)
        findings += dict.fromkeys(finding for divided in splits for finding in divided.findings)
    except DataError as error:
        findings += [Finding("error", problem) for problem in error.problems]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Check(path, tuple(findings), dataset, figures, splits)


def _page(answer: Check) -> str:
    data, figures = answer.dataset, answer.audit
    return rendered(
        "audit.html",
        {},
        "en",
        title=f"Check of {answer.path}",
        answer=answer,
        facts=summary(data, answer.splits[:1] if len(answer.splits) == 1 else ()) if data else [],
        classes=_class_rows(data, figures) if data and figures else [],
        sizes=Counter(zip(figures.heights, figures.widths, strict=True)).most_common(8) if figures else [],
        intensities=[_bars(shares) for shares in figures.histogram] if figures else [],
        channels=list(zip(figures.mean, figures.std, figures.least, figures.greatest, strict=True))
        if figures
        else [],
        splits=[_part_rows(divided) for divided in answer.splits],
        pictures=[_pictured(data, sample) for sample in _spread(data.samples)] if data else [],
        duplicates=_duplicates(data, figures, answer.splits) if data and figures else [],
    )


def _class_rows(dataset: Dataset, figures: Audit) -> list[dict[str, Any]]:
    total = max(sum(item.pixels for item in figures.classes) + figures.ignored_pixels, 1)
    if dataset.labels.is_multilabel:
        total = max(sum(h * w for h, w in zip(figures.heights, figures.widths, strict=True)), 1)
    return [
        {"colour": _css(colour), "value": _spelled(value), "share": item.pixels / total, **asdict(item)}
        for item, colour, value in zip(figures.classes, dataset.labels.colours, dataset.labels.values, strict=True)
    ]


def _part_rows(divided: Split) -> list[tuple[str, int, str]]:
    reasons = {part: Counter(r for p, r in divided.parts.values() if p == part) for part in ALL_PARTS}
    return [
        (part, counts.total(), _listed([f"{reason} ({count})" for reason, count in counts.most_common()]))
        for part, counts in reasons.items()
        if counts
    ]


def _listed(reasons: Sequence[str], shown: int = 6) -> str:
    more = len(reasons) - shown
    return "; ".join([*reasons[:shown], *([f"… and {more:,} more"] if more > 0 else [])])


def _spread(samples: Sequence[Sample]) -> Sequence[Sample]:
    return samples[:: max(len(samples) // PICTURED, 1)][:PICTURED]


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


def _spelled(value: int | tuple[int, int, int]) -> str:
    return str(value) if isinstance(value, int) else _css(value)


def _css(colour: tuple[int, int, int]) -> str:
    return "#{:02X}{:02X}{:02X}".format(*colour)
