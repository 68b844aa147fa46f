"""What a split is: each sample's part, and the reason."""

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias, cast

from perpixel.dataset import Finding, Sample
from perpixel.dataset.layout.names import natural
from perpixel.dataset.sample import warning
from perpixel.errors import RunError
from perpixel.files.atomic import write_text
from perpixel.files.csv_cells import CSV_ERRORS, plain_cell, safe_cell
from perpixel.files.whole_file import text_of
from perpixel.runtime.choices import Subset
from perpixel.split.digests import digests_of

SplitPart: TypeAlias = Literal["train", "val", "test", "gap"]
"""Samples in the gap between the blocks of a stack are used by no part."""

PARTS: Final[tuple[Subset, ...]] = ("train", "val", "test")
COLUMNS: Final = ("name", "image", "page", "mask", "group", "part", "reason", "image_digest", "label_digest")


@dataclass(frozen=True)
class Split:
    """Which sample is in which part, and why.

    Args:
        samples: All that were divided.
        parts: For each name its part and the reason.
        findings: Leaks that remain, and parts that stay empty.
        seen: For each name the digests of image and label when it was divided; of a split that is read back.
    """

    samples: tuple[Sample, ...]
    parts: Mapping[str, tuple[SplitPart, str]]
    findings: tuple[Finding, ...] = field(default=())
    seen: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def part(self, name: SplitPart) -> tuple[Sample, ...]:
        """The samples of one part, in their order."""
        return tuple(sample for sample in self.samples if self.parts[sample.name][0] == name)

    @property
    def counts(self) -> Counter[SplitPart]:
        """How many samples each part has."""
        return Counter(part for part, _ in self.parts.values())

    def tears(self, first: str, second: str) -> bool:
        """Whether two samples are in different parts; the gap is none."""
        sides = {self.parts[name][0] for name in (first, second) if name in self.parts} - {"gap"}
        return len(sides) == 2

    def save(self, path: Path) -> None:
        """Write split.csv, one row a sample. Raises OutputError."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        digests = digests_of(self.samples)
        for sample in self.samples:
            part, reason = self.parts[sample.name]
            mask = sample.masks[0] if sample.masks else ""
            row = [sample.name, sample.image, sample.page, mask, sample.group, part, reason, *digests[sample.name]]
            writer.writerow(map(safe_cell, row))
        write_text(path, text.getvalue())

    @classmethod
    def load(cls, path: Path, samples: Sequence[Sample]) -> Self:
        """Read split.csv back for the samples of the same data set.

        Raises:
            RunError: The file is missing or damaged, or names other samples.
        """
        try:
            rows = list(csv.DictReader(text_of(path).splitlines()))
            parts = {plain_cell(row["name"]): (cast("SplitPart", row["part"]), row["reason"]) for row in rows}
            seen = {
                plain_cell(row["name"]): (row.get("image_digest") or "", row.get("label_digest") or "")
                for row in rows
            }
        except (OSError, *CSV_ERRORS) as error:
            raise RunError(f"{path} cannot be read as a split.", fix="restore the file, or train again.") from error
        names = {sample.name for sample in samples}
        if odd := sorted(names ^ set(parts), key=natural):
            raise RunError(
                f"{path} does not fit the data: {len(odd)} sample(s) [is|are] in one but not in the other.",
                fix="give the data that the split was made for, or train again.",
                examples=odd,
            )
        if any(part not in (*PARTS, "gap") for part, _ in parts.values()):
            raise RunError(
                f"{path} names a part that is none of {', '.join(PARTS)}, gap.", fix="correct the column part."
            )
        return cls(tuple(samples), parts, seen=seen)

    def changed(self, samples: Sequence[Sample]) -> list[Finding]:
        """What is not as it was when the split was made: a warning for images, and one for labels.

        Args:
            samples: Those to look at; their files are read.
        """
        now = digests_of(samples)
        findings = []
        for place, what in enumerate(("images", "labels")):
            other = tuple(name for name, digests in now.items() if self.seen[name][place] not in ("", digests[place]))
            if other:
                told = (
                    f"the {what} of {len(other)} of {len(samples)} samples are not those that the split was made of."
                )
                fix = "restore the files, or train again on what is there now; scores of both are not comparable."
                findings.append(warning(told, fix, other))
        return findings
