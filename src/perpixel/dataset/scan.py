"""Understand a folder, or say exactly what to mend."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perpixel.codec import Labels
from perpixel.dataset.classes import Reading, Understood, infer, merged_objects, overlapping, shown_colour
from perpixel.dataset.folder import Dataset
from perpixel.dataset.inventory import MaskFacts, Page, gathered, look_at_masks, packed
from perpixel.dataset.layouts import Layout, recognise
from perpixel.dataset.sample import Finding, Sample
from perpixel.dataset.tables import find_tables
from perpixel.dataset.tree import Tree, walk
from perpixel.errors import DataError, Problem
from perpixel.files.read import Header, read_header, read_mask


def scan(path: Path, labels: Labels | None = None) -> Dataset:
    """Understand a folder of images and masks.

    Args:
        path: The folder.
        labels: Read the masks by these, say those of a trained model; values unknown to them are an error.

    Returns:
        The data set. Every mask has been looked at once, and every image's header.

    Raises:
        DataError: All that must be mended, at once.
    """
    root = Path(path)
    if not root.is_dir():
        raise DataError(
            f"{root} is not a folder." if root.exists() else f"{root} does not exist.",
            fix="give the folder that holds the images and the masks.",
        )
    tree = walk(root)
    layout = recognise(tree)
    if layout is None:
        raise _nothing_found(tree)
    return _understood(tree, layout, labels)


def _understood(tree: Tree, layout: Layout, given: Labels | None) -> Dataset:
    headers, problems = gathered(read_header, sorted({s.image for s in layout.samples}))
    problems = [*tree.problems, *layout.problems, *problems]
    samples = [page for s in layout.samples if s.image in headers for page in _pages(s, headers[s.image], problems)]
    masks = sorted({(path, s.mask_page) for s in samples for path in s.masks})
    facts, unreadable = look_at_masks(masks)
    problems += unreadable
    findings = list(layout.findings)
    samples = _fitted(samples, headers, facts, problems, findings)
    channels, dtype = _one_kind(samples, headers, problems, findings)
    understood = None
    if any(s.is_labelled for s in samples):
        understood = _labels(tree, layout, samples, facts, given, problems)
        samples = [_counted(sample, facts, understood) for sample in samples]
    elif not problems:
        problems.append(Problem("no image has a mask.", "put the masks in a folder masks/ beside images/."))
    if problems or understood is None:
        raise DataError.of(problems)
    return Dataset(
        tree.root,
        understood.labels,
        understood.reading,
        channels,
        dtype,
        samples=tuple(s for s in samples if s.is_labelled),
        unlabelled=tuple(s for s in samples if not s.is_labelled),
        findings=(*findings, *understood.findings),
    )


def _nothing_found(tree: Tree) -> DataError:
    images = [image for folder in tree.folders for image in folder.images]
    if not images:
        return DataError(f"{tree.root} holds no images.", fix="give the folder that holds images/ and masks/.")
    return DataError(
        f"{len(images):,} images under {tree.root}, but no masks were found.",
        examples=[str(image) for image in images[:5]],
        fix="put them into images/ and masks/ with equal names, or name them NAME.png and NAME_mask.png.",
    )


def _pages(sample: Sample, header: Header, problems: list[Problem]) -> list[Sample]:
    """The sample with its size; a stack of slices gives one sample a page."""
    height, width = header.size
    if header.pages == 1:
        return [replace(sample, height=height, width=width)]
    for mask in sample.masks:
        try:
            pages = read_header(mask).pages
        except DataError as error:
            problems += error.problems
            return []
        if pages != header.pages:
            problems.append(
                Problem(
                    f"{sample.image} has {header.pages} pages; its mask {mask.name} has {pages}.",
                    fix="give the stack and its labels equally many pages.",
                )
            )
            return []
    digits = len(str(header.pages - 1))
    return [
        replace(
            sample,
            name=f"{sample.name}_{page:0{digits}d}",
            page=page,
            mask_page=page,
            height=height,
            width=width,
            group=sample.group or sample.name,
        )
        for page in range(header.pages)
    ]


def _fitted(
    samples: Sequence[Sample],
    headers: dict[Path, Header],
    facts: dict[Page, MaskFacts],
    problems: list[Problem],
    findings: list[Finding],
) -> list[Sample]:
    """Check each mask's size against its image's, and turn it as the image is turned."""
    fitted, unequal, guessed = [], [], []
    for sample in samples:
        pages = [facts[path, sample.mask_page] for path in sample.masks if (path, sample.mask_page) in facts]
        if len(pages) < len(sample.masks):
            continue
        header, sizes = headers[sample.image], {(fact.height, fact.width) for fact in pages}
        lying, shown = (header.height, header.width), header.size
        turn = header.orientation if sizes == {lying} else 1
        if (sizes - {lying} and sizes - {shown}) or len(sizes) > 1:
            size = next(iter(sizes - {shown}), shown)
            unequal.append(f"{sample.image} is {shown[0]} × {shown[1]}, its mask {size[0]} × {size[1]}")
            continue
        if header.orientation != 1 and sizes == {lying} == {shown}:
            guessed.append(sample.image.name)
        fitted.append(replace(sample, mask_turn=turn))
    if unequal:
        problems.append(
            Problem(
                f"{len(unequal)} of {len(samples)} images and their masks differ in size.",
                fix="export the masks at the size of their images (nearest neighbour, never smoothed).",
                examples=tuple(unequal),
            )
        )
    if guessed:
        findings.append(
            Finding(
                "warning",
                Problem(
                    f"{len(guessed)} images are turned by their EXIF orientation, and their masks were turned alike.",
                    fix="look at the overlays; where a mask is wrong, save its image upright without the tag.",
                    examples=tuple(guessed),
                ),
            )
        )
    return fitted


def _one_kind(
    samples: Sequence[Sample], headers: dict[Path, Header], problems: list[Problem], findings: list[Finding]
) -> tuple[int, str]:
    """The channels and the dtype that all images share; gray among colour is repeated."""
    kinds = Counter((headers[s.image].channels, headers[s.image].dtype) for s in samples)
    if not kinds:
        return 1, "uint8"
    (channels, dtype), _ = kinds.most_common(1)[0]
    if set(kinds) == {(1, dtype), (3, dtype)}:
        gray = tuple(s.image.name for s in samples if headers[s.image].channels == 1)
        findings.append(
            Finding(
                "info",
                Problem(
                    f"{len(gray)} of {len(samples)} images are gray among colour images; their channel is repeated.",
                    fix="remove them if they do not belong here.",
                    examples=gray,
                ),
            )
        )
        return 3, dtype
    odd = [s for s in samples if (headers[s.image].channels, headers[s.image].dtype) != (channels, dtype)]
    if odd:
        problems.append(
            Problem(
                f"{len(odd)} of {len(samples)} images differ in kind: most have {channels} channels of {dtype}.",
                fix="convert them all to one number of channels and one bit depth, or keep them in folders of their own.",
                examples=tuple(
                    f"{s.image}: {headers[s.image].channels} channels of {headers[s.image].dtype}" for s in odd
                ),
            )
        )
    return channels, dtype


def _labels(
    tree: Tree,
    layout: Layout,
    samples: Sequence[Sample],
    facts: dict[Page, MaskFacts],
    given: Labels | None,
    problems: list[Problem],
) -> Understood | None:
    """The classes and how the masks are read; unknown values become problems."""
    used = {page: facts[page] for page in dict.fromkeys((p, s.mask_page) for s in samples for p in s.masks)}
    try:
        understood = _inferred(tree, layout, used, given)
    except DataError as error:
        problems += error.problems
        return None
    if given is not None:
        understood = replace(understood, labels=given)
        if understood.reading in ("values", "halves"):
            problems += _unknown(used, given)
    return understood


def _counted(sample: Sample, facts: dict[Page, MaskFacts], understood: Understood | None) -> Sample:
    """The sample with its class counts, where its one mask holds them as they are."""
    if understood is None or understood.reading != "values" or len(sample.masks) != 1:
        return sample
    labels, fact = understood.labels, facts[sample.masks[0], sample.mask_page]
    place = {packed(v) if isinstance(v, tuple) else v: k for k, v in enumerate(labels.values)}
    pixels = [0] * (len(labels) + 1)
    for value, count in fact.values.items():
        shown = shown_colour(fact, value) if labels.encoding == "colour" else value
        pixels[place.get(shown, len(labels))] += count
    return replace(sample, pixels=tuple(pixels))


def _inferred(tree: Tree, layout: Layout, facts: dict[Page, MaskFacts], given: Labels | None) -> Understood:
    if layout.form == "objects":
        return Understood(merged_objects(), "objects")
    if layout.form == "classes":
        value = max((v for fact in facts.values() for v in fact.values), default=255)
        return Understood(overlapping(layout.classes, value or 255), "classes")
    if is_instance_map(facts):
        told = Problem(
            "the masks number the objects one by one; they are merged into background and object.",
            fix="if their values are classes, list these in dataset.yaml.",
        )
        return Understood(merged_objects(), "instances", (Finding("info", told),))
    if given is not None and not any(fact.lossy for fact in facts.values()):
        reading: Reading = "channels" if any(f.kind == "channels" for f in facts.values()) else "values"
        return Understood(given, reading)
    files = [file for folder in tree.folders for file in folder.others if len(folder.place.where) <= 1]
    folders = frozenset(part.lower() for f in tree.folders for part in f.path.relative_to(tree.root).parts)
    return infer(list(facts.values()), find_tables(files), folders)


def is_instance_map(facts: dict[Page, MaskFacts]) -> bool:
    """Whether masks number objects: many values beside 0, and nearly every one in a single piece.

    Judged on the four masks with most values.
    """
    if any(fact.kind != "index" or fact.palette or fact.lossy for fact in facts.values()):
        return False
    values = {value for fact in facts.values() for value in fact.values}
    if len(values) < 20 or 0 not in values:
        return False
    richest = sorted(facts, key=lambda page: -len(facts[page].values))[:4]
    pieces, objects = 0, 0
    for page in richest:
        mask = read_mask(*page).values
        for value in [value for value in facts[page].values if value][:100]:
            objects += 1
            pieces += _pieces(mask == value)
    return pieces <= 1.2 * objects


def _pieces(inside: NDArray[np.bool_]) -> int:
    from scipy import ndimage

    return int(ndimage.label(inside, np.ones((3, 3)))[1])


def _unknown(facts: dict[Page, MaskFacts], labels: Labels) -> list[Problem]:
    """Masks with values or colours that belong to none of the given classes."""
    known = {packed(v) if isinstance(v, tuple) else v for v in (*labels.values, *labels.ignored)}
    examples = []
    for (path, _), fact in facts.items():
        shown = {v: shown_colour(fact, v) if labels.encoding == "colour" else v for v in fact.values}
        odd = {value: fact.values[value] for value in fact.values if shown[value] not in known}
        if odd:
            spelled = [f"#{shown[v]:06X}" if labels.encoding == "colour" else str(v) for v in odd]
            examples.append(f"{path}: {', '.join(spelled[:5])} ({sum(odd.values()):,} pixels)")
    if not examples:
        return []
    classes = ", ".join(f"{n} = {v}" for n, v in zip(labels.names, labels.values, strict=True))
    return [
        Problem(
            f"{len(examples)} of {len(facts)} masks hold values that belong to no class.",
            fix=f"relabel them, or name them in dataset.yaml; the classes are {classes}.",
            examples=tuple(examples),
        )
    ]
