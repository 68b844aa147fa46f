"""Recognise how a folder is laid out: which files are images, which are their masks.

The first that fits is taken, and every other candidate is told:

    folders    images/ + masks/ and their synonyms, with split folders above or below; masks/CLASS/ for overlapping
               labels; several files a mask where a folder of masks belongs to one image
    names      NAME.png + NAME_mask.png in one folder, an image stack beside its label stack
    drawn      COCO, LabelMe, YOLO, GeoJSON or Shapefile outlines (see `polygons`)
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from perpixel.dataset.layout.names import PICTURED_WORDS, Part, file_role, stem
from perpixel.dataset.layout.pairs import Pairs, missing_masks, pair
from perpixel.dataset.layout.tree import Folder, Tree
from perpixel.dataset.sample import Finding, Sample, Shape, info, warning
from perpixel.errors import DataError, Problem, did_you_mean

Form: TypeAlias = Literal["values", "objects", "classes", "drawn"]
"""How the masks of a sample are to be read: one file of values, one file an object, one file a class, outlines."""

Where: TypeAlias = tuple[tuple[str, ...], Part | None]


@dataclass(frozen=True)
class Layout:
    """Samples without sizes yet, in the order of their names."""

    form: Form
    samples: tuple[Sample, ...]
    classes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()


def recognise(tree: Tree, chosen: str | None = None) -> Layout | None:
    """Recognise folders of masks, or masks by their names; None where there is no file of masks.

    Args:
        tree: What lies in the folder.
        chosen: Of several folders of masks take those of this name.

    Raises:
        DataError: There is no folder of that name.
    """
    masks = [f for f in tree.folders if f.images and (f.path.name == chosen if chosen else f.place.role == "mask")]
    if chosen and not masks:
        names = {f.path.name for f in tree.folders if f.images}
        raise DataError(f"{tree.root} has no folder {chosen!r} of masks.", fix=did_you_mean(chosen, names))
    instances = [f for f in tree.folders if f.images and f.place.role == "instance"]
    images = [f for f in tree.folders if f.images and f.place.role not in ("mask", "instance")]
    if images and (masks or instances):
        layout = _by_folders(images, masks or instances, instances if masks else [])
        if layout.samples or layout.problems:
            return layout
    return _by_names(tree.folders)


def _by_folders(images: list[Folder], masks: list[Folder], instances: list[Folder]) -> Layout:
    candidates = _grouped(masks)
    offered = _grouped(instances)
    samples: list[Sample] = []
    findings: list[Finding] = []
    problems: list[Problem] = []
    forms: set[Form] = set()
    class_names: set[tuple[str, ...]] = set()
    unmatched: list[Folder] = []
    for folder in images:
        where = (folder.place.where, folder.place.part)
        beside = candidates.get(where) or candidates.get((folder.place.where, None), [])
        below = _class_folders(folder, masks)
        if beside:
            form, found, told, wrong = _choose(folder, beside)
            samples += _with_instances(found, folder, offered.get(where, []))
        elif below:
            form, told = "classes", []
            found, wrong = _with_classes(folder, below)
            class_names.add(tuple(f.path.name for f in below))
            samples += found
        else:
            unmatched.append(folder)
            continue
        forms.add(form)
        findings += told
        problems += wrong
    samples += _unlabelled(unmatched, findings)
    form = "objects" if "objects" in forms else next(iter(forms), "values")
    classes = min(class_names, default=())
    if len(class_names) > 1:
        listed = tuple(", ".join(names) for names in sorted(class_names))
        problems.append(
            Problem("the folders of masks hold different classes.", "make a folder for each class.", listed)
        )
    return Layout(form, named_apart(samples), classes, tuple(findings), tuple(problems))


def _grouped(folders: list[Folder]) -> dict[Where, list[Folder]]:
    grouped: dict[Where, list[Folder]] = defaultdict(list)
    for folder in folders:
        grouped[folder.place.where, folder.place.part].append(folder)
    return grouped


def _class_folders(folder: Folder, masks: list[Folder]) -> list[Folder]:
    """Folders named by a class in the folder of the masks: masks/CLASS/NAME.png."""
    place = folder.place
    return [
        mask
        for mask in masks
        if mask.place.where == (*place.where, mask.path.name) and mask.place.part in (place.part, None)
    ]


def _choose(folder: Folder, candidates: list[Folder]) -> tuple[Form, list[Sample], list[Finding], list[Problem]]:
    """Take the masks that pair with most images; among equals the plainest name, then the first by name."""
    matched = {candidate.path: pair(folder.images, candidate.images) for candidate in candidates}
    best = sorted(candidates, key=lambda c: (-len(matched[c.path].pairs), *_plainness(c)))[0]
    pairs = matched[best.path]
    findings: list[Finding] = []
    others = [c for c in candidates if c is not best and matched[c.path].pairs]
    if others:
        told = warning if best.place.rest else info
        findings.append(
            told(
                f"{len(candidates)} folders hold masks for {folder.path}; {best.path.name} is used.",
                f"to use another one, name it in dataset.yaml (masks: {others[0].path.name}).",
                [candidate.path.name for candidate in candidates],
            )
        )
    if len(folder.images) == 1 and len(best.images) > 1:
        return "objects", [sample_of(folder, folder.images[0], best.images)], findings, list(pairs.problems)
    samples = [sample_of(folder, image, (mask,)) for image, mask in pairs.pairs]
    problems = list(pairs.problems)
    if pairs.without_image:
        findings.append(_without_image(pairs, best.images))
    elif len(pairs.without_mask) > len(pairs.pairs) > 0:
        samples += [sample_of(folder, image, ()) for image in pairs.without_mask]
        findings.append(_mostly_unlabelled(pairs, folder))
        return "values", samples, findings, problems
    if pairs.without_mask:
        problems.append(missing_masks(pairs, folder.images, best.images))
    return "values", samples, findings, problems


def _mostly_unlabelled(pairs: Pairs, folder: Folder) -> Finding:
    return warning(
        f"{len(pairs.without_mask)} of {len(folder.images)} images in {folder.path} have no mask, and every mask has "
        "its image: they are taken for unlabelled ones.",
        "add their masks if they have any.",
        [image.name for image in pairs.without_mask],
    )


def _plainness(folder: Folder) -> tuple[bool, bool, str]:
    words = {word.lower() for word in folder.place.rest.split("_")} | {folder.place.variant.lower()}
    pictured = any(word in PICTURED_WORDS for name in words for word in name.replace("-", "_").split("_"))
    return pictured, folder.place.rest != "", folder.path.name


def _with_classes(folder: Folder, classes: list[Folder]) -> tuple[list[Sample], list[Problem]]:
    matched = [pair(folder.images, masks.images) for masks in classes]
    found: dict[Path, list[Path]] = defaultdict(list)
    for pairs in matched:
        for image, mask in pairs.pairs:
            found[image].append(mask)
    problems = [
        missing_masks(pairs, folder.images, masks.images)
        for pairs, masks in zip(matched, classes, strict=True)
        if pairs.without_mask
    ]
    whole = [sample_of(folder, i, tuple(found[i])) for i in folder.images if len(found[i]) == len(classes)]
    return whole, problems


def _with_instances(samples: list[Sample], folder: Folder, offered: list[Folder]) -> list[Sample]:
    if not offered:
        return samples
    instances = dict(pair(folder.images, offered[0].images).pairs)
    return [replace(s, instances=(instances[s.image],)) if s.image in instances else s for s in samples]


def _unlabelled(folders: list[Folder], findings: list[Finding]) -> list[Sample]:
    """Folders that are said to hold images have unlabelled ones; others are passed over, and told."""
    samples, passed_over = [], []
    for folder in folders:
        if folder.place.role == "image" or folder.place.part:
            samples += [sample_of(folder, image, ()) for image in folder.images]
        else:
            passed_over.append(folder)
    if passed_over:
        findings.append(_not_used([str(folder.path) for folder in passed_over]))
    return samples


def _by_names(folders: Sequence[Folder]) -> Layout | None:
    """NAME.png beside NAME_mask.png, an image stack beside its label stack, one raster beside its labels."""
    found = [(folder, *_by_role(folder.images)) for folder in folders if folder.images]
    beside = [(folder, images, masks) for folder, images, masks, _ in found if images and masks]
    if not beside:
        return _across_folders([(f, i) for f, i, m, _ in found if i], [m for _, _, masks, _ in found for m in masks])
    layouts = [_named_masks(folder, images, masks) for folder, images, masks in beside]
    instances = {folder.path: offered for folder, _, _, offered in found}
    samples = [
        replace(sample, instances=offered) if (offered := instances_of(sample, instances[folder.path])) else sample
        for (folder, _, _), layout in zip(beside, layouts, strict=True)
        for sample in layout.samples
    ]
    findings = [finding for layout in layouts for finding in layout.findings]
    if unused := [str(folder.path) for folder, images, masks, _ in found if not (images and masks)]:
        findings.append(_not_used(unused))
    problems = tuple(problem for layout in layouts for problem in layout.problems)
    return Layout("values", named_apart(samples), (), tuple(findings), problems) if samples or problems else None


def _by_role(files: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Images, masks and instance maps, by their names."""
    roles = {file: file_role(stem(file.name)) for file in files}
    masks = [file for file, role in roles.items() if role == "mask"]
    instances = [file for file, role in roles.items() if role == "instance"]
    return [file for file in files if file not in masks and file not in instances], masks, instances


def instances_of(sample: Sample, offered: Sequence[Path]) -> tuple[Path, ...]:
    """The instance map that pairs with the image of this sample, if there is one."""
    return tuple(file for _, file in pair([sample.image], offered).pairs) if offered else ()


def _named_masks(folder: Folder, images: list[Path], masks: list[Path]) -> Layout:
    findings: list[Finding] = []
    if len(images) == 1 and len(masks) > 1:
        masks = sorted(masks, key=lambda m: (len(m.name), m.name))
        findings.append(
            info(
                f"{len(masks)} files may be the mask of {images[0]}; {masks[0].name} is used.",
                "to use another one, list the pairs in a CSV file and name it in dataset.yaml (pairs: FILE).",
                [m.name for m in masks],
            )
        )
        masks = masks[:1]
    pairs = pair(images, masks)
    problems = list(pairs.problems)
    if pairs.without_mask:
        problems.append(missing_masks(pairs, images, masks))
    if pairs.without_image:
        findings.append(_without_image(pairs, masks))
    return Layout(
        "values", tuple(sample_of(folder, i, (m,)) for i, m in pairs.pairs), (), tuple(findings), tuple(problems)
    )


def _across_folders(images: Sequence[tuple[Folder, list[Path]]], masks: Sequence[Path]) -> Layout | None:
    """NAME.png in one folder and NAME_mask.png in another, neither of which says what it is."""
    every = [image for _, files in images for image in files]
    pairs = pair(every, masks) if every and masks else Pairs(())
    if not pairs.pairs:
        return None
    home = {image: folder for folder, files in images for image in files}
    problems = list(pairs.problems)
    if pairs.without_mask:
        problems.append(missing_masks(pairs, every, masks))
    samples = [sample_of(home[image], image, (mask,)) for image, mask in pairs.pairs]
    return Layout("values", named_apart(samples), (), (), tuple(problems))


def _without_image(pairs: Pairs, masks: Sequence[Path]) -> Finding:
    return warning(
        f"{len(pairs.without_image)} of {len(masks)} masks in {masks[0].parent} belong to no image.",
        "add their images, or remove them.",
        [mask.name for mask in pairs.without_image],
    )


def _not_used(folders: Sequence[str]) -> Finding:
    return info(
        f"{len(folders)} folder(s) with images are not used: they have no masks.",
        "to use one of them, give it to perpixel by itself.",
        folders,
    )


def sample_of(
    folder: Folder, image: Path, masks: tuple[Path, ...], shapes: tuple[Shape, ...] | None = None
) -> Sample:
    """A sample of this folder, of unknown size."""
    group = "/".join(folder.place.where)
    return Sample(stem(image.name), image, masks=masks, shapes=shapes, group=group, split=folder.place.part)


def named_apart(samples: list[Sample]) -> tuple[Sample, ...]:
    """Make names unique: where two collide, all get the names of their part and their group before them."""
    if len({sample.name for sample in samples}) == len(samples):
        return tuple(samples)
    renamed: list[Sample] = []
    taken: set[str] = set()
    for sample in samples:
        name = "_".join(filter(None, (sample.split or "", *sample.group.split("/"), sample.name)))
        number, unique = 2, name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.add(unique)
        renamed.append(replace(sample, name=unique))
    return tuple(renamed)
