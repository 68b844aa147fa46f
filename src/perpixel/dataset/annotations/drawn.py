"""Recognise labels that are drawn as outlines: COCO, LabelMe, tools' exports, YOLO segments, GeoJSON, Shapefile."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from perpixel.dataset.annotations.coco import is_coco, parse, read_coco
from perpixel.dataset.annotations.geo import read_geo
from perpixel.dataset.annotations.labelled_shapes import is_labelme, read_labelme, read_yolo
from perpixel.dataset.annotations.tool_exports import read_exports
from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.layouts import Layout, named_apart
from perpixel.dataset.layout.matches import sample_of
from perpixel.dataset.sample import Drawn, Finding, Sample, info
from perpixel.errors import Problem
from perpixel.runtime.json_values import Json

LOOKED_AT: Final = 2
MOST_BYTES: Final = 2_000_000
"""Larger files are not looked into where the labels were found elsewhere."""


def recognise_drawn(tree: Tree) -> Layout | None:
    """Recognise outlines beside images; None where no file holds any. Images that none lists are unlabelled."""
    images = [image for folder in tree.folders for image in folder.images]
    files = [file for folder in tree.folders for file in folder.others]
    if not images:
        return None
    drawn, source = _read(files, images)
    if drawn is None:
        return None
    samples = [
        _with_split(sample_of(folder, image, (), shapes=drawn.shapes.get(image)), drawn)
        for folder in tree.folders
        for image in folder.images
    ]
    told = info(
        f"the labels are strokes ({source}); a later one covers an earlier one."
        if drawn.is_partial
        else f"the labels are outlines ({source}); a pixel belongs to the one that holds its centre, a later one "
        "covers an earlier one, and the rest is background.",
        fix="nothing to fix; give masks instead where the order matters.",
    )
    problems = drawn.problems
    if not drawn.shapes and not problems:
        problems = (Problem(f"the {source} files list no image that is here.", "put the images next to them."),)
    findings = (told, *drawn.findings, *other_outlines(tree, images, source))
    return Layout("drawn", named_apart(samples), drawn.classes, findings, problems, drawn.is_partial, drawn.order)


def other_outlines(tree: Tree, images: Sequence[Path], taken: str = "masks") -> list[Finding]:
    """What is said of labels of other formats than those that are taken, by the first few files of each kind.

    Args:
        tree: All files.
        images: Those that may have labels.
        taken: What the labels are taken from.
    """
    few: list[Path] = []
    for folder in tree.folders:
        small = [file for file in folder.others if file.stat().st_size <= MOST_BYTES]
        for ending in {file.suffix.lower() for file in small}:
            few += [file for file in small if file.suffix.lower() == ending][:LOOKED_AT]
    found = [source for drawn, source in _sources(few, images) if any(drawn.shapes.values()) and source != taken]
    if not found:
        return []
    what = f"the folder holds labels of several kinds: {taken} are used, and those of {', '.join(found)} are not."
    return [info(what, "move those that do not count out of the folder.")]


def _with_split(sample: Sample, drawn: Drawn) -> Sample:
    """The subset of the folder counts; else that of the file that lists the image."""
    return sample if sample.split is not None else replace(sample, split=drawn.splits.get(sample.image))


def names_of(files: Sequence[Path]) -> list[Path]:
    """The files that may name YOLO's classes: data.yaml, classes.txt, obj.names."""
    return [f for f in files if f.suffix.lower() in {".yaml", ".yml", ".names"} or f.name.lower() == "classes.txt"]


def _read(files: Sequence[Path], images: Sequence[Path]) -> tuple[Drawn | None, str]:
    """The first format that fits."""
    return next(_sources(files, images), (None, ""))


def _sources(files: Sequence[Path], images: Sequence[Path]) -> Iterator[tuple[Drawn, str]]:
    """Each format that files have, of the tools' exports the first; a format is read when it is asked for."""
    parsed: dict[Path, Json] = {path: parse(path) for path in files if path.suffix.lower() == ".json"}
    if coco := {path: data for path, data in parsed.items() if is_coco(data)}:
        yield read_coco(coco, images), "COCO"
    if labelme := {path: data for path, data in parsed.items() if is_labelme(data)}:
        yield read_labelme(labelme, images), "LabelMe"
    if (export := read_exports(files, parsed, images)) is not None:
        yield export
    texts = [path for path in files if path.suffix.lower() == ".txt" and path.name.lower() != "classes.txt"]
    if drawn := read_yolo(texts, images, names_of(files)):
        yield drawn, "YOLO"
    layers = [path for path in files if path.suffix.lower() in {".geojson", ".shp"}]
    layers += [path for path in parsed if path not in layers]
    if drawn := read_geo(layers, images):
        yield drawn, "GeoJSON or Shapefile"
