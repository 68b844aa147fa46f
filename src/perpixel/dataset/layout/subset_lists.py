"""Lists of the images of a subset: train.txt, ImageSets/Segmentation/val.txt, a table of names and splits."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Final
from unicodedata import normalize

from perpixel.dataset.layout.claims import listed_twice
from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.layouts import Layout, named_apart
from perpixel.dataset.layout.names import SUBSET_OF_WORD, stem, subset_named
from perpixel.dataset.layout.pair_list import columns_of, is_list
from perpixel.dataset.layout.text_tables import decoded_text, read_table
from perpixel.dataset.sample import Finding, Sample, info, warning
from perpixel.errors import DataError
from perpixel.files.parse import parse_json
from perpixel.runtime.choices import Subset

ENDINGS: Final = frozenset({".txt", ".lst", ".csv", ".tsv", ".json"})
NAME_COLUMNS: Final = (
    "image images filename file_name file name image_name image_id imageid id stem image_path path img".split()  # noqa: SIM905
)
SPLIT_COLUMNS: Final = ("split", "subset", "part", "set", "phase", "fold", "partition")
LEAST_FOUND: Final = 0.5
"""Of the lines of a list, at least this share names an image that is here; else it lists something else."""
LEAST_LISTED: Final = 0.5
"""Of all files, lists of pairs name at least this share; else they say no more than which subset."""


@dataclass(frozen=True)
class SubsetList:
    """The lines of a file that belong to one subset, each a few words: an image, and perhaps its mask."""

    path: Path
    part: Subset
    rows: tuple[tuple[str, ...], ...]


Assigned = tuple[dict[Path, Subset], str, tuple[str, ...], tuple[str, ...]]
"""The subset of each image; the lists that say so; images in several of them; and names that no image has."""


class Index:
    """Finds files by the end of a path, with or without their ending, however the path is written."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for file in files:
            name = normalize("NFC", file.name)
            for known in dict.fromkeys((name, stem(name))):
                self._by_name[known].append(file)

    def find(self, text: str) -> Path | None:
        """The one file that the text names; None where there is none, or several fit equally well."""
        *folders, name = normalize("NFC", text.strip("\"' ").replace("\\", "/")).split("/")
        found = self._by_name.get(name) or self._by_name.get(stem(name), [])
        if len(found) < 2:
            return found[0] if found else None
        ranked = sorted(((_shared(file, folders), file) for file in found), reverse=True)
        return ranked[0][1] if ranked[0][0] > ranked[1][0] else None


def _shared(file: Path, folders: Sequence[str]) -> int:
    """How many folders, from the last one up, are the same."""
    own = [normalize("NFC", folder) for folder in file.parts[:-1]]
    count = 0
    for ours, theirs in zip(reversed(own), reversed(folders), strict=False):
        if ours != theirs:
            break
        count += 1
    return count


def recognise_pair_lists(tree: Tree) -> Layout | None:
    """Recognise lists of which each line names an image and its mask; None where no such lists cover the files."""
    files = [file for folder in tree.folders for file in folder.images]
    index = Index(files)
    for lists in _by_folder(tree).values():
        pairs = [(of, _pair(row, index)) for of in lists for row in of.rows]
        whole = [(of, pair) for of, pair in pairs if pair is not None]
        masks = {mask for _, (_, mask) in whole}
        if not whole or len(whole) < len(pairs) or len(whole) + len(masks) < LEAST_LISTED * len(files):
            continue
        if masks & {image for _, (image, _) in whole}:
            continue
        parts = {of.part for of, _ in whole}
        first: dict[Path, Sample] = {}
        for of, (image, mask) in whole:
            part = of.part if len(parts) > 1 else None
            first.setdefault(image, Sample(stem(image.name), image, masks=(mask,), split=part))
        problems = listed_twice(
            list(dict.fromkeys(pair for _, pair in whole)), ", ".join(of.path.name for of in lists)
        )
        told = info(
            f"the pairs are those of {', '.join(of.path.name for of in lists)}.",
            "remove or rename them to let perpixel find the pairs.",
        )
        return Layout("values", named_apart(list(first.values())), (), (told,), tuple(problems))
    return None


def _pair(row: tuple[str, ...], index: Index) -> tuple[Path, Path] | None:
    if len(row) < 2:
        return None
    image, mask = index.find(row[0]), index.find(row[1])
    return None if image is None or mask is None or image == mask else (image, mask)


def with_subsets(samples: Sequence[Sample], tree: Tree) -> tuple[tuple[Sample, ...], list[Finding]]:
    """Give the samples the subsets that lists of a folder name, where their own folders name none."""
    if all(sample.split is not None for sample in samples):
        return tuple(samples), []
    by_folder = [_assigned(lists, samples, tree.root) for lists in _by_folder(tree).values()]
    known = [each for each in by_folder if each is not None]
    assigned = _chosen(known)
    if assigned is None:
        return (tuple(samples), [_disagree(known)]) if known else _by_file_names(samples)
    found, source, twice, lost = assigned
    counts = Counter(found.values())
    findings = [
        info(
            f"{source} list the images of the subsets: {', '.join(f'{counts[p]} {p}' for p in sorted(counts))}.",
            "rename the lists to let perpixel divide the images.",
        )
    ]
    if twice:
        findings.append(
            warning(
                f"{len(twice)} images are listed for several subsets in {source}: they are kept out of training.",
                "list each image once.",
                twice,
            )
        )
    findings += _told_gaps(samples, found, source, lost)
    return tuple(s if s.split else replace(s, split=found.get(s.image)) for s in samples), findings


def _by_file_names(samples: Sequence[Sample]) -> tuple[tuple[Sample, ...], list[Finding]]:
    """The subsets that the images' own names say, where each says one: training.tif and testing.tif."""
    said = (subset_named(stem(sample.image.name)) for sample in samples)
    parts = [part for part in takewhile(bool, said) if part]
    counts = Counter(parts)
    if len(parts) < len(samples) or len(counts) < 2 or "train" not in counts or any(s.split for s in samples):
        return tuple(samples), []
    told = info(
        f"the names of the images say the subsets: {', '.join(f'{counts[p]} {p}' for p in sorted(counts))}.",
        "list the images in train.txt and val.txt if the names mean something else.",
    )
    return tuple(replace(s, split=part) for s, part in zip(samples, parts, strict=True)), [told]


def _told_gaps(
    samples: Sequence[Sample], found: Mapping[Path, Subset], source: str, lost: Sequence[str]
) -> list[Finding]:
    """What is said of names in lists that no image has, and of labelled images that no list names."""
    findings = []
    if lost:
        told = f"{len(lost)} names in {source} are of no image that is here with its labels."
        findings.append(warning(told, "add the images and their masks, or remove the names.", lost))
    out = [s.image.name for s in samples if s.is_labelled and not s.split and s.image not in found]
    if out:
        told = f"{len(out)} labelled images are in none of {source}: they are divided as if there were no lists."
        findings.append(info(told, "add them to a list.", out))
    return findings


def _disagree(lists: Sequence[Assigned]) -> Finding:
    return warning(
        f"{len(lists)} folders hold lists of the subsets, and they disagree: none is used.",
        "remove or rename all but those that count.",
        [source for _, source, *_ in lists],
    )


def _assigned(lists: Sequence[SubsetList], samples: Sequence[Sample], root: Path) -> Assigned | None:
    """The subset of each listed image, the lists that say so, images in several of them, and names of none."""
    images = Index(sample.image for sample in samples)
    masks = {mask: sample.image for sample in samples for mask in sample.masks}
    by_mask = Index(masks)
    of_folder = _folders_of(samples, root)
    found: dict[Path, Subset] = {}
    twice: list[str] = []
    lost: list[str] = []
    used = []
    for of in sorted(lists, key=lambda of: ("val", "test", "train").index(of.part)):
        named = [_meant(row[0], images, by_mask, masks) or of_folder.get(row[0], ()) for row in of.rows]
        here = [image for each in named for image in each]
        if sum(map(bool, named)) < LEAST_FOUND * len(named) or not here:
            continue
        used.append(of.path)
        lost += [row[0] for row, each in zip(of.rows, named, strict=True) if not each]
        for image in dict.fromkeys(here):
            if found.setdefault(image, of.part) != of.part and of.part == "train":
                twice.append(image.name)
    if len(set(found.values())) < 2 and not _is_test_alone(found, samples):
        return None
    names = dict.fromkeys(path.relative_to(root).as_posix() for path in used)
    return found, ", ".join(names), tuple(twice), tuple(lost)


def _is_test_alone(found: Mapping[Path, Subset], samples: Sequence[Sample]) -> bool:
    """Whether a list of test images stands beside one of all others: test.txt and trainval.txt."""
    return set(found.values()) == {"test"} and len(found) < len(samples)


def _folders_of(samples: Sequence[Sample], root: Path) -> Mapping[str, Sequence[Path]]:
    """The images below each folder, by the folder's name: a list may name the scenes (bear) or videos of a subset."""
    found: dict[str, list[Path]] = defaultdict(list)
    for sample in samples:
        for folder in dict.fromkeys(
            sample.image.relative_to(root).parts[:-1] if sample.image.is_relative_to(root) else ()
        ):
            found[folder].append(sample.image)
    return {folder: images for folder, images in found.items() if len(images) < len(samples)}


def _meant(text: str, images: Index, by_mask: Index, masks: Mapping[Path, Path]) -> tuple[Path, ...]:
    if (image := images.find(text)) is not None:
        return (image,)
    mask = by_mask.find(text)
    return () if mask is None else (masks[mask],)


def _chosen(found: Sequence[Assigned]) -> Assigned | None:
    """The lists of the folder that name most images, those for segmentation first; none where two of them differ."""
    ranked = sorted(found, key=_weight, reverse=True)
    rivals = [each for each in ranked[1:] if _weight(each) == _weight(ranked[0])]
    return ranked[0] if ranked and all(each[0] == ranked[0][0] for each in rivals) else None


def _weight(assigned: Assigned) -> tuple[bool, int]:
    return "seg" in assigned[1].lower(), len(assigned[0])


def _by_folder(tree: Tree) -> dict[Path, list[SubsetList]]:
    """All lists of subsets, by the folder that holds them."""
    lists: dict[Path, list[SubsetList]] = defaultdict(list)
    for folder in tree.folders:
        for path in folder.others:
            if path.suffix.lower() not in ENDINGS:
                continue
            try:
                found = _listed(path)
            except (DataError, ValueError, OSError):  # no text, or no JSON
                continue
            if found:
                lists[folder.path] += found
    return lists


def _listed(path: Path) -> list[SubsetList]:
    """The lists in a file: one by its name, or one for each subset that a column or a key names."""
    if path.suffix.lower() == ".json":
        return _listed_by_key(path)
    part = subset_named(path.stem)
    if part is not None and is_list(path):
        columns, (_, table) = columns_of(path), read_table(path)
        pairs = ((row[columns["image"]].strip(), row[columns["mask"]].strip()) for row in table)
        return [SubsetList(path, part, tuple(pairs))]
    if part is not None:
        lines = [line.strip() for line in decoded_text(path).splitlines()]
        rows = [_words(line) for line in lines if line and not line.startswith("#")]
        return [SubsetList(path, part, tuple(_without_head(rows)))] if rows else []
    if path.suffix.lower() not in {".csv", ".tsv"}:
        return []
    header, table = read_table(path)
    low = {name.strip().lower(): name for name in header}
    name = next((low[word] for word in NAME_COLUMNS if word in low), None)
    subset = next((low[word] for word in SPLIT_COLUMNS if word in low), None)
    if name is None or subset is None:
        return []
    by_part: dict[Subset, list[tuple[str, ...]]] = defaultdict(list)
    for row in table:
        if (of := SUBSET_OF_WORD.get(row.get(subset, "").strip().lower())) is not None and row.get(name, "").strip():
            by_part[of].append((row[name].strip(),))
    return [SubsetList(path, of, tuple(found)) for of, found in by_part.items()]


def _listed_by_key(path: Path) -> list[SubsetList]:
    """The lists of {"train": ["a.png", …], "val": […]}; none where a JSON file holds anything else."""
    with path.open("rb") as file:
        first = re.match(rb'\s*\{\s*"(\w{1,20})"\s*:\s*\[', file.read(64))
    if first is None or first[1].decode().lower() not in SUBSET_OF_WORD:  # of thousands of outlines nothing is read
        return []
    data = parse_json(decoded_text(path), str(path))
    if not isinstance(data, dict) or not all(isinstance(key, str) and key.lower() in SUBSET_OF_WORD for key in data):
        return []
    if not all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in data.values()):
        return []
    return [
        SubsetList(path, SUBSET_OF_WORD[k.lower()], tuple((n,) for n in names)) for k, names in data.items() if names
    ]


def _words(line: str) -> tuple[str, ...]:
    """The cells of a line, parted by tabs, semicolons or commas, else by blanks where each word has an ending.

    >>> _words("a.jpg;b.png"), _words("x/my scan.png"), _words("a.jpg b.png"), _words("2007_000032 -1")
    (('a.jpg', 'b.png'), ('x/my scan.png',), ('a.jpg', 'b.png'), ('2007_000032', '-1'))
    """
    for mark in ("\t", ";", ","):
        if mark in line:
            return tuple(cell.strip() for cell in line.split(mark))
    words = line.split()
    are_files = all(re.search(r"\.[A-Za-z]{1,4}\d?$", word) for word in words)
    is_flag = len(words) in (2, 4) and all(re.fullmatch(r"-?\d{1,2}", word) for word in words[1:])
    return tuple(words) if are_files or is_flag else (line,)


def _without_head(rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
    return rows[1:] if rows[0][0].strip().lower() in NAME_COLUMNS else rows
