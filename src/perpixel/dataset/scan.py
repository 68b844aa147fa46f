"""Understand a folder, or say exactly what to mend."""

import os
from dataclasses import replace
from pathlib import Path

from perpixel.dataset.annotations.drawn import other_outlines, recognise_drawn
from perpixel.dataset.annotations.mask_places import lying_elsewhere
from perpixel.dataset.annotations.rasters import recognise_rasters
from perpixel.dataset.annotations.unread import DEFAULT, folder_above, way_out
from perpixel.dataset.description import FILE_NAME, is_description, lacks_its_line, load_description
from perpixel.dataset.fit import Report, fitted, one_kind, pages_of
from perpixel.dataset.held_out_strokes import with_held_out_strokes
from perpixel.dataset.layout.by_content import recognise_by_content
from perpixel.dataset.layout.chosen import with_chosen
from perpixel.dataset.layout.claims import shared_masks
from perpixel.dataset.layout.folder import Dataset, mask_pages
from perpixel.dataset.layout.folder_tree import Tree, walk
from perpixel.dataset.layout.inventory import gathered, look_at_masks
from perpixel.dataset.layout.layouts import Layout, recognise
from perpixel.dataset.layout.pair_list import read_list, recognise_list
from perpixel.dataset.layout.published import recognise_published
from perpixel.dataset.layout.subset_lists import recognise_pair_lists, with_subsets
from perpixel.dataset.layout.unused import left_aside
from perpixel.dataset.masks.drawn_labels import with_drawn
from perpixel.dataset.masks.instance_maps import in_blocks
from perpixel.dataset.masks.understand import Found, Stated, understand, with_counts
from perpixel.dataset.overrides import NOTHING_STATED, Overrides
from perpixel.dataset.sample import Finding, warning
from perpixel.errors import DataError, Problem
from perpixel.files.read import read_header
from perpixel.labels.labels import Labels
from perpixel.language.plain_text import is_plain


def scan(
    path: Path, labels: Labels | None = None, *, whole: bool = False, overrides: Overrides = NOTHING_STATED
) -> Dataset:
    """Understand a folder of images and masks.

    Args:
        path: The folder, or a dataset.yaml that describes one. A dataset.yaml in the folder counts.
        labels: Read the masks by these, say those of a trained model; values unknown to them are an error.
        whole: Leave images whole that would be divided, into blocks or by their strokes; see `in_blocks` and
            `with_held_out_strokes`. Given labels are then those of a model that was trained on other data, and what
            the masks say by themselves is compared with them.
        overrides: What is stated of the folder; it counts more than its dataset.yaml.

    Returns:
        The data set. Every mask has been looked at once, and every image's header.

    Raises:
        DataError: All that must be mended, at once.
    """
    root, stated = _stated(Path(path), labels, overrides, whole)
    ignored = [_without_line(root / FILE_NAME)] if root == Path(path) and lacks_its_line(root / FILE_NAME) else []
    try:
        dataset = _understood(root, stated)
    except DataError as error:
        raise DataError.of([*(finding.problem for finding in ignored), *error.problems]) from error
    dataset = replace(dataset, findings=(*ignored, *dataset.findings))
    return dataset if whole else with_held_out_strokes(in_blocks(dataset))


def _stated(path: Path, labels: Labels | None, overrides: Overrides, whole: bool) -> tuple[Path, Stated]:
    """The folder, and what its dataset.yaml and the user say of it."""
    if not is_plain(str(path.absolute())):
        raise DataError(
            f"the path {path} is not UTF-8, or holds line breaks or other control characters.",
            fix="rename the folders in it, or move the data.",
        )
    if not os.path.exists(path):
        raise DataError(f"{path} does not exist.", fix="give the folder that holds the images and the masks.")
    if path.is_dir() and is_description(path / FILE_NAME):
        path = path / FILE_NAME
    if path.is_dir():
        return path, Stated(labels, overrides=overrides, is_model=whole and labels is not None)
    if path.suffix.lower() not in {".yaml", ".yml"}:
        raise DataError(f"{path} is not a folder.", fix="give the folder that holds the images and the masks.")
    description = load_description(path)
    root = path.parent / description.root
    if not os.path.isdir(root):  # a name that is too long is none, too
        raise DataError(f"{path} names the folder {root}, which does not exist.", fix="correct its line root.")
    own = description.labels()
    stated = Stated(
        labels or own,
        description.reading,
        description.ignored if "ignored" in description.model_fields_set else None,
        overrides.over(description.overrides(path.parent)),
        whole and labels is not None,
        own,
    )
    return root, stated


def _without_line(path: Path) -> Finding:
    return warning(
        f"{path} is not used: it has no line perpixel: 1.",
        "write perpixel: 1 as its first line if it is meant for perpixel; else nothing to fix.",
    )


def _understood(root: Path, stated: Stated) -> Dataset:
    tree = walk(root)
    layout = _layout(tree, stated)
    headers, problems = gathered(read_header, sorted({s.image for s in layout.samples}))
    shared = shared_masks(layout.samples)
    report = Report([*tree.problems, *layout.problems, *shared, *problems], list(layout.findings))
    samples = [page for s in layout.samples if s.image in headers for page in pages_of(s, headers[s.image], report)]
    pages = {s.name: mask_pages(s, stated.labels, stated.reading) for s in samples}
    facts, problems = look_at_masks(sorted({page for each in pages.values() for page in each}))
    report.problems += [*problems, *lying_elsewhere(samples, facts, tree)]
    samples = fitted(samples, headers, facts, report, stated.overrides.mask_orientation)
    channels, dtype = one_kind(samples, headers, report)
    labelled = any(sample.is_labelled for sample in samples)
    if not labelled and not report.problems:
        report.problems.append(Problem("no image has a mask.", "put the masks in a folder masks/ next to images/."))
    used = {page: facts[page] for page in dict.fromkeys(page for s in samples for page in pages[s.name])}
    try:
        understood = understand(Found(tree, layout, samples, used), stated) if labelled else None
        if understood is not None and understood.reading == "drawn":
            samples = with_drawn(samples, layout, understood)
    except DataError as error:
        report.problems += error.problems
    if report.problems or understood is None:
        raise DataError.of(report.problems)
    samples = [with_counts(sample, facts, understood) for sample in samples]
    return Dataset(
        root,
        understood.labels,
        understood.reading,
        channels,
        dtype,
        samples=tuple(s for s in samples if s.is_labelled),
        unlabelled=tuple(s for s in samples if not s.is_labelled),
        findings=(*report.findings, *understood.findings),
        overrides=stated.overrides,
    )


def _layout(tree: Tree, stated: Stated) -> Layout:
    """The first layout that fits; the order is that of how plainly it is said."""
    chosen = stated.overrides
    if chosen.pairs is not None:
        return read_list(chosen.pairs)
    if chosen.images is not None or chosen.masks is not None:
        layout = recognise(with_chosen(tree, chosen.images, chosen.masks))
    else:
        layout = recognise_list(tree) or recognise_pair_lists(tree) or recognise_published(tree)
        layout = layout or recognise(tree) or recognise_rasters(tree)
    layout = layout or recognise_drawn(tree) or recognise_by_content(tree)
    if layout is not None:
        samples, findings = with_subsets(layout.samples, tree)
        aside, problems = left_aside(layout, tree)
        aside += other_outlines(tree, [s.image for s in samples]) if layout.form != "drawn" else []
        findings = [*layout.findings, *findings, *aside]
        return replace(layout, samples=samples, findings=tuple(findings), problems=(*layout.problems, *problems))
    images = [image for folder in tree.folders for image in folder.images]
    if tree.problems:
        raise DataError.of(tree.problems)
    if not images:
        told = way_out([file for folder in tree.folders for file in folder.others])
        fix = "give the folder that holds images/ and masks/." if told == DEFAULT else told
        raise DataError(f"{tree.root} holds no images.", fix=fix)
    told = way_out([file for folder in tree.folders for file in folder.others], images)
    raise DataError(
        f"{len(images):,} image(s) under {tree.root}, but no masks were found.",
        examples=[str(image) for image in images],
        fix=folder_above(tree.root) if told == DEFAULT else told,
    )
