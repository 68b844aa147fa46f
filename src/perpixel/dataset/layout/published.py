"""Layouts of published sets that keep to no convention; each is told by its own names of files and folders."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.folder_tree import Folder, Tree
from perpixel.dataset.layout.layouts import Layout, named_apart
from perpixel.dataset.layout.matches import sample_of
from perpixel.dataset.layout.names import stem
from perpixel.dataset.sample import Finding, Sample, info, warning

FRAME: Final = re.compile(r"t(\d{3,})")
TRUE_FRAME: Final = re.compile(r"man_seg(\d{3,})")


def recognise_published(tree: Tree) -> Layout | None:
    """The Cell Tracking Challenge or PH2; None where the folder is neither."""
    folders = {folder.path: folder for folder in tree.folders if folder.images}
    return _cell_tracking(folders) or _dermoscopy(folders)


def _cell_tracking(folders: Mapping[Path, Folder]) -> Layout | None:
    """01/t000.tif with 01_GT/SEG/man_seg000.tif by hand, or 01_ST/SEG/man_seg000.tif by a majority of methods.

    Source: Maška et al. (2023), The Cell Tracking Challenge: 10 years of objective benchmarking.
    """
    samples: list[Sample] = []
    findings: list[Finding] = []
    for path, folder in folders.items():
        frames = {match[1]: image for image in folder.images if (match := FRAME.fullmatch(stem(image.name)))}
        if not re.fullmatch(r"\d\d", path.name) or len(frames) < len(folder.images):
            continue
        gold, silver = (
            _true_frames(folders.get(path.parent / f"{path.name}_{kind}" / "SEG")) for kind in ("GT", "ST")
        )
        masks = silver if len(silver) > len(gold) else gold
        if not set(masks) & set(frames):
            continue
        findings.append(_told_truth(path, len(gold), len(silver)))
        samples += [sample_of(folder, image, (masks[n],) if n in masks else ()) for n, image in frames.items()]
    return Layout("values", named_apart(samples), findings=tuple(findings)) if samples else None


def _true_frames(folder: Folder | None) -> dict[str, Path]:
    images: Sequence[Path] = folder.images if folder else ()
    return {match[1]: image for image in images if (match := TRUE_FRAME.fullmatch(stem(image.name)))}


def _told_truth(path: Path, gold: int, silver: int) -> Finding:
    if silver > gold:
        return info(
            f"{path.name} is a film of the Cell Tracking Challenge: its silver truth ({path.name}_ST, {silver} "
            f"frames) is used, since the gold truth has {gold} frames.",
            f"remove {path.name}_ST to use the gold truth alone.",
        )
    return warning(
        f"{path.name} is a film of the Cell Tracking Challenge: its gold truth ({path.name}_GT) is used, which in "
        "some films leaves cells out.",
        "look at the overlays; remove the masks of frames where cells are left out.",
    )


def _dermoscopy(folders: Mapping[Path, Folder]) -> Layout | None:
    """IMD002/IMD002_Dermoscopic_Image/IMD002.bmp with IMD002/IMD002_lesion/IMD002_lesion.bmp; _roi/ holds no labels.

    Source: Mendonça et al. (2013), PH2: a dermoscopic image database.
    """
    samples = []
    for path, folder in folders.items():
        case = path.name.removesuffix("_Dermoscopic_Image")
        lesion = folders.get(path.parent / f"{case}_lesion")
        if case != path.name and lesion and len(folder.images) == len(lesion.images) == 1:
            samples.append(sample_of(folder, folder.images[0], lesion.images))
    return Layout("values", named_apart(samples)) if samples else None
