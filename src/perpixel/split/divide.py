"""Divide samples into training, validation and test so that nothing leaks from one to another."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from perpixel.audit import Audit
from perpixel.dataset import Finding, Sample
from perpixel.dataset.duplicates import together
from perpixel.dataset.layout.names import natural
from perpixel.dataset.sample import info, warning
from perpixel.errors import DataError
from perpixel.runtime.choices import Subset
from perpixel.shapes import AnyArray
from perpixel.split.groups import groups_of
from perpixel.split.parts import PARTS, Split, SplitPart

MOST_FOLDS: Final = 2**16
GAP_FROM: Final = 20
"""Slices from which a stack can spare one at each border between parts."""


@dataclass(frozen=True)
class _Unit:
    """Samples that stay together."""

    members: tuple[int, ...]
    reason: str


def split(  # noqa: PLR0913  (all but two are options)
    samples: Sequence[Sample],
    audit: Audit,
    *,
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1),
    seed: int = 0,
    group_by: str | None = None,
    folds: int | None = None,
    fold: int | None = None,
) -> Split:
    """Divide labelled samples.

    Splits given by the folder are kept; what it leaves open is divided by groups (see `groups_of`), near
    duplicates on one side, slices of a stack in contiguous blocks, each class in each part where that is possible.

    Args:
        samples: At least two.
        audit: Of their data set.
        fractions: Of training, validation and test.
        seed: Of all choices.
        group_by: A regular expression searched in the names; its first bracket (or the whole match) is the group.
        folds: Divide into K folds instead; fold number `fold` validates, the others train, none is test unless given.
        fold: From 0.

    Raises:
        DataError: Too few samples or groups, or a pattern that does not fit the names.
    """
    refuse_too_few(samples)
    if folds is not None and folds > max(len(samples), MOST_FOLDS):
        raise DataError(
            f"{len(samples)} labelled images cannot be divided into {folds} folds.",
            fix=f"ask for at most {len(samples)} folds.",
        )
    parts, open_parts = _given(samples, folds)
    rest = [index for index, sample in enumerate(samples) if sample.name not in parts]
    if {sample.split for sample in samples} == {"test"}:
        raise DataError(
            f"all {len(samples)} labelled images are given as the test set: none is left to train on.",
            fix="move some of them to a folder train/.",
        )
    findings: list[Finding] = []
    if rest and open_parts:
        shares = _shares(fractions, open_parts, folds, fold)
        chosen = [samples[index] for index in rest]
        parts |= _divided(chosen, audit, shares, np.random.default_rng(seed), group_by, findings)
    divided = Split(tuple(samples), {sample.name: parts[sample.name] for sample in samples})
    return replace(divided, findings=(*findings, *_leaks(divided, audit)))


def refuse_too_few(samples: Sequence[Sample]) -> None:
    """Raise DataError for less than two labelled images, which are no data set."""
    if len(samples) < 2:
        raise DataError(
            f"{len(samples)} labelled image(s): training and validation need at least one each.",
            fix="label one more image, or cut the image into pieces.",
        )


def _given(
    samples: Sequence[Sample], folds: int | None
) -> tuple[dict[str, tuple[SplitPart, str]], tuple[Subset, ...]]:
    """The parts that the folder settles, and those that are left to divide among the other samples."""
    present = {sample.split for sample in samples}
    settled: set[str] = {"test"} & {str(p) for p in present}
    if folds is None and {"train", "val"} <= present:
        settled |= {"train", "val"}
    elif folds is None and "val" in present and None in present:
        settled |= {"val"}
    parts: dict[str, tuple[SplitPart, str]] = {
        sample.name: (sample.split, "given by the folder")
        for sample in samples
        if sample.split is not None and sample.split in settled
    }
    open_parts = tuple(part for part in PARTS if part not in settled)
    if (len(parts) < len(samples) and not open_parts) or open_parts == ("test",):
        open_parts = ("train",)
    return parts, open_parts


def _shares(
    fractions: tuple[float, float, float], open_parts: Sequence[str], folds: int | None, fold: int | None
) -> list[tuple[SplitPart, float]]:
    if folds is None and fold is not None:
        raise DataError(f"fold {fold} was asked for, but not of how many.", fix="give the number of folds, too.")
    if folds is not None:
        number = fold or 0
        if folds < 2 or not 0 <= number < folds:
            raise DataError(
                f"fold {number} of {folds} does not exist.",
                fix="give at least 2 folds, and a fold from 0 to folds - 1.",
            )
        return [("val" if index == number else "train", 1 / folds) for index in range(folds)]
    if min(fractions) < 0 or fractions[0] <= 0 or sum(fractions) <= 0:
        raise DataError(f"the fractions {fractions} leave nothing to train on.", fix="give some like 0.8, 0.1, 0.1.")
    wanted: list[tuple[SplitPart, float]] = [
        (part, share) for part, share in zip(PARTS, fractions, strict=True) if part in open_parts and share > 0
    ]
    total = sum(share for _, share in wanted)
    return [(part, share / total) for part, share in wanted]


def _divided(
    samples: Sequence[Sample],
    audit: Audit,
    shares: Sequence[tuple[SplitPart, float]],
    random: np.random.Generator,
    group_by: str | None,
    findings: list[Finding],
) -> dict[str, tuple[SplitPart, str]]:
    """Divide by units; a single stack is cut into blocks."""
    told = groups_of(samples, group_by)
    findings += _grouping(samples, told)
    stacks = _stacks(samples, audit) if told is None else []
    if stacks:
        findings.append(_told_stacks(samples, stacks))
        return _blocks(samples, stacks, audit, shares, random)
    units = _units(samples, audit, told)
    usable = _usable(units, shares, findings)
    places = _balanced(units, samples, audit, [share for _, share in usable], random)
    return {
        samples[member].name: (usable[place][0], unit.reason)
        for unit, place in zip(units, places, strict=True)
        for member in unit.members
    }


def _grouping(samples: Sequence[Sample], told: tuple[list[str], str] | None) -> list[Finding]:
    """How the images were grouped; or that they lie in two folders, which are too few to be kept apart."""
    if told is not None:
        names = sorted(set(told[0]), key=natural)
        what = f"images of one group stay in one subset: {len(names)} groups by {told[1]}."
        return [info(what, "say otherwise with the setting data.group_by.", names)]
    folders = sorted({sample.group for sample in samples}, key=natural)
    if len(folders) != 2 or len(samples) <= 2:
        return []
    return [
        warning(
            f"the images lie in 2 folders, too few for three subsets: images of {' and of '.join(folders)} "
            "are in several of them. Where a folder is a patient, a film or a place, the scores are too good.",
            "add images of a third one, or put the folders into train/, val/ and test/.",
        )
    ]


def _told_stacks(samples: Sequence[Sample], stacks: Sequence[Sequence[int]]) -> Finding:
    """How images that follow one another are divided."""
    inside = sum(map(len, stacks))
    return info(
        f"{inside} images follow one another, as the slices of a stack or the frames of a film do "
        f"(stacks or films: {len(stacks)}): each subset gets a block of neighbours, and an image between two blocks "
        "is left out.",
        "set data.group_by where they belong together otherwise.",
        [samples[stack[0]].group or samples[stack[0]].image.name for stack in stacks],
    )


def _usable(
    units: Sequence[_Unit], shares: Sequence[tuple[SplitPart, float]], findings: list[Finding]
) -> Sequence[tuple[SplitPart, float]]:
    """The parts that the units suffice for: training first, then validation."""
    if len(units) >= len(shares):
        return shares
    if len(units) < 2:
        is_copied = "shows the same" in units[0].reason or "copies" in units[0].reason
        raise DataError(
            f"all labelled images belong to one group ({units[0].reason}); it cannot be divided.",
            fix="add images of another group, or give train and val folders yourself"
            + ("; or write duplicates: ignore into dataset.yaml if they are no copies." if is_copied else "."),
        )
    if len(shares) > len(PARTS) or shares[-1][0] != "test":
        raise DataError(
            f"{len(units)} group(s) of images cannot be divided into {len(shares)} folds.",
            fix=f"ask for at most {len(units)} folds.",
        )
    findings.append(
        warning(
            f"{len(units)} group(s) of images [is|are] fewer than {len(shares)} parts; there is no test part.",
            "label more images.",
        )
    )
    return shares[: len(units)]


def _units(samples: Sequence[Sample], audit: Audit, told: tuple[list[str], str] | None) -> list[_Unit]:
    """Samples of one group, and near duplicates, joined."""
    names = [sample.name for sample in samples]
    pairs = list(audit.duplicates)
    groups, source = told or (names, "")
    first: dict[str, str] = {}
    pairs += [(first.setdefault(group, name), name) for group, name in zip(groups, names, strict=True)]
    representative = together(names, pairs)
    copied = {name for pair in audit.duplicates for name in pair}
    members: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        members[representative[name]].append(index)
    units = []
    for inside in members.values():
        kinds = sorted({groups[index] for index in inside}, key=natural)
        alone = "alone" if samples[inside[0]].corner is None else "block of a raster"
        reason = (
            f"group {' + '.join(kinds[:3])} by {source}" if told and (len(inside) > 1 or source != "name") else alone
        )
        if len(inside) > 1 and any(names[index] in copied for index in inside):
            reason = "shows the same as another" if reason == alone else f"{reason}, with its copies"
        units.append(_Unit(tuple(inside), reason))
    return units


def _balanced(
    units: Sequence[_Unit],
    samples: Sequence[Sample],
    audit: Audit,
    shares: Sequence[float],
    random: np.random.Generator,
) -> list[int]:
    """A part for each unit, so that every part gets its share of images and of images with each class.

    Source: Sechidis, Tsoumakas, Vlahavas (2011), On the Stratification of Multi-Label Data, algorithm 1, over units.
    """
    sizes = np.array([len(unit.members) for unit in units], float)
    classes = 1 + max((k for present in audit.present.values() for k in present), default=0)
    holds = np.zeros((len(units), classes))  # images of the unit in which the class occurs
    for row, unit in enumerate(units):
        for member in unit.members:
            holds[row, list(audit.present.get(samples[member].name, ()))] += 1
    wanted = np.array(shares) * sizes.sum()  # (parts,)
    wanted_class = np.outer(shares, holds.sum(axis=0))  # (parts, classes)
    places = np.full(len(units), -1)
    shuffled = random.permutation(len(units))
    left = set(range(len(units)))
    while left:
        rows = [int(row) for row in shuffled if int(row) in left]
        counts = holds[rows].sum(axis=0)
        rare = int(np.argmin(np.where(counts > 0, counts, np.inf))) if counts.any() else None
        chosen = rows if rare is None else [row for row in rows if holds[row, rare]]
        for row in sorted(chosen, key=lambda row: -sizes[row]):
            need = wanted if rare is None else wanted_class[:, rare] + 1e-6 * wanted
            place = int(np.argmax(need))
            places[row] = place
            wanted[place] -= sizes[row]
            wanted_class[place] -= holds[row]
            left.discard(row)
    _fill_empty(places, sizes, len(shares))
    return [int(place) for place in places]


def _fill_empty(places: AnyArray, sizes: AnyArray, parts: int) -> None:
    """Give every empty part the smallest unit of the part with most units."""
    for part in range(parts):
        if not (places == part).any():
            donor = int(np.bincount(places, minlength=parts).argmax())
            units = np.flatnonzero(places == donor)
            places[units[np.argmin(sizes[units])]] = part


def _stacks(samples: Sequence[Sample], audit: Audit) -> list[list[int]]:
    """Samples that are slices of one file or frames of one sequence, in their order."""
    members: dict[object, list[int]] = defaultdict(list)
    files = Counter(sample.image for sample in samples)
    for index, sample in enumerate(samples):
        if sample.corner is not None:  # blocks of a raster lie in two dimensions
            continue
        if files[sample.image] > 1:
            members[sample.image].append(index)
        elif sample.group in audit.sequences:
            members[sample.group].append(index)
    return [
        sorted(inside, key=lambda index: (samples[index].page, natural(samples[index].name)))
        for inside in members.values()
        if len(inside) >= 3
    ]


def _blocks(
    samples: Sequence[Sample],
    stacks: Sequence[Sequence[int]],
    audit: Audit,
    shares: Sequence[tuple[SplitPart, float]],
    random: np.random.Generator,
) -> dict[str, tuple[SplitPart, str]]:
    """Cut each stack into one block a part, with a slice left out at each border where it can be spared."""
    parts: dict[str, tuple[SplitPart, str]] = {}
    is_folds = len({part for part, _ in shares}) < len(shares)
    for stack in stacks:
        order = list(shares) if is_folds else [shares[int(k)] for k in random.permutation(len(shares))]
        for index, part in zip(stack, _block_parts(len(stack), order), strict=True):
            reason = "gap between blocks of a stack" if part == "gap" else "block of a stack"
            parts[samples[index].name] = part, reason
    others = [sample for sample in samples if sample.name not in parts]
    units = _units(others, audit, None)
    places = [0] * len(units)
    if len(units) >= len(shares):
        places = _balanced(units, others, audit, [share for _, share in shares], random)
    for unit, place in zip(units, places, strict=True):
        parts |= {others[member].name: (shares[place][0], unit.reason) for member in unit.members}
    parts = _without_copies(parts, audit)
    used = {part for part, _ in parts.values()}
    if lacking := [part for part in PARTS[:2] if part in dict(shares) and part not in used]:
        raise DataError(
            f"{len(samples)} slices in {len(stacks)} stack(s) cannot be divided: none is left for {lacking[0]}.",
            fix="ask for fewer folds, or remove slices that show the same as others.",
        )
    return parts


def _without_copies(parts: dict[str, tuple[SplitPart, str]], audit: Audit) -> dict[str, tuple[SplitPart, str]]:
    """Of images that show the same in several parts, keep those of the least part; the others are used by none."""
    copies: dict[str, list[str]] = defaultdict(list)
    for name, first in together(list(parts), audit.duplicates).items():
        copies[first].append(name)
    for names in copies.values():
        present = {parts[name][0] for name in names} - {"gap"}
        if len(present) > 1:
            kept = next(part for part in ("val", "test", "train") if part in present)
            for name in names:
                if parts[name][0] not in (kept, "gap"):
                    parts[name] = "gap", f"shows the same as an image in {kept}"
    return parts


def _block_parts(count: int, order: Sequence[tuple[SplitPart, float]]) -> list[SplitPart]:
    """The part of each of `count` slices: contiguous blocks by share, every block at least one slice."""
    borders = [round(count * sum(share for _, share in order[: k + 1])) for k in range(len(order))]
    for k in range(len(borders)):
        borders[k] = min(max(borders[k], (borders[k - 1] if k else 0) + 1), count - (len(borders) - 1 - k))
    parts: list[SplitPart] = []
    for (part, _), border in zip(order, borders, strict=True):
        parts += [part] * max(border - len(parts), 0)
    if count >= GAP_FROM:
        for index in range(1, count):
            before, here = parts[index - 1], parts[index]
            if before != here and "gap" not in (before, here):
                parts[index if here == "train" or before != "train" else index - 1] = "gap"
    return parts


def _leaks(divided: Split, audit: Audit) -> list[Finding]:
    """Near duplicates on two sides, which only a given split can bring about."""
    torn = tuple(
        f"{first} ({divided.parts[first][0]}) and {second} ({divided.parts[second][0]})"
        for first, second in audit.duplicates
        if divided.tears(first, second)
    )
    if not torn:
        return []
    return [
        warning(
            f"{len(torn)} pair(s) of images that show the same [is|are] on two sides of the given split: a leak.",
            "move one of each pair, or let perpixel divide the images; or write duplicates: ignore into dataset.yaml "
            "if they are no copies.",
            torn,
        )
    ]
