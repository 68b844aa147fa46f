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
from typing import Final, TypeAlias

from perpixel.dataset.layout.affixes import companions, named_after
from perpixel.dataset.layout.claims import claimed_once, without_strays
from perpixel.dataset.layout.class_folders import class_folders
from perpixel.dataset.layout.folder_tree import Folder, Tree
from perpixel.dataset.layout.matches import Form, Match, plainness, related, sample_of, which_of_equals, without_views
from perpixel.dataset.layout.names import file_role, stem, subset_named
from perpixel.dataset.layout.pairs import Pairs, are_bands, missing_masks, pair
from perpixel.dataset.layout.several import (
    class_files,
    mask_files_by_class,
    masks_of_one_image,
    told_absent,
    told_merged,
    with_numbered,
)
from perpixel.dataset.layout.unnamed_folders import rivals_of_instances, without_pictured
from perpixel.dataset.sample import Finding, Sample, info, warning
from perpixel.errors import Problem
from perpixel.runtime.choices import Subset

Where: TypeAlias = tuple[tuple[str, ...], Subset | None]


ABSENT_FIX: Final = (
    "add an empty mask (0 everywhere) where an image does not show the class; if nobody has looked, move the image "
    "out of the folder."
)


@dataclass(frozen=True)
class Layout:
    """Samples without sizes yet, in the order of their names."""

    form: Form
    samples: tuple[Sample, ...]
    classes: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    is_partial: bool | None = False
    """Whether the tool that drew the labels leaves what lies outside without one; None where both are usual."""
    order: tuple[str, ...] = ()
    """Drawn labels as their tool numbers them from 1 on, where it does."""


def recognise(tree: Tree) -> Layout | None:
    """Recognise folders of masks, or masks by their names; None where there is no file of masks."""
    folders = [_as_masks(folder, tree.folders) for folder in tree.folders]
    masks = [f for f in folders if f.images and f.place.role == "mask"]
    instances = [f for f in folders if f.images and f.place.role == "instance"]
    images = [f for f in folders if f.images and f.place.role not in ("mask", "instance")]
    if images and (masks or instances):
        layout = _by_folders(without_pictured(images), masks or instances, instances if masks else [])
        rivals = rivals_of_instances(images, [] if masks else instances)
        layout = replace(layout, problems=(*layout.problems, *rivals))
        if any(sample.masks for sample in layout.samples) or layout.problems:
            return _with_classes_named(layout)
    named = _by_names(tree.folders)
    return named and _with_classes_named(named)


def _as_masks(folder: Folder, folders: Sequence[Folder]) -> Folder:
    """A folder that no name calls anything as one of masks, if files in it say so and the others are named as images.

    In images/7.jpg, maps/7.png and maps/7_labelTrainIds.png, maps/7.png is no image.
    """
    if folder.place.role is not None or not folder.images:
        return folder
    said = [image for image in folder.images if file_role(stem(image.name)) == "mask"]
    others = {stem(image.name) for image in folder.images} - {stem(image.name) for image in said}
    images = (other for other in folders if other.place.role == "image")
    if not said or not others or not any(others <= {stem(i.name) for i in other.images} for other in images):
        return folder
    where, name = folder.place.where, folder.path.name
    where = where[:-1] if where[-1:] == (name,) else where
    return replace(folder, place=replace(folder.place, role="mask", where=where, variant=name))


def _with_classes_named(layout: Layout) -> Layout:
    """Several files an image are classes where their names recur, else objects."""
    if layout.form != "objects":
        return layout
    classes, ordered, unclear = mask_files_by_class([sample for sample in layout.samples if sample.masks])
    if not classes:
        return layout
    samples = (*ordered, *(sample for sample in layout.samples if not sample.masks))
    findings = (*layout.findings, *told_absent(ordered))
    problems = (*layout.problems, *unclear)
    return replace(layout, form="classes", classes=classes, samples=samples, findings=findings, problems=problems)


def _by_folders(images: list[Folder], masks: list[Folder], instances: list[Folder]) -> Layout:
    offered = _grouped(instances)
    masks = without_views(masks)
    found = [_matched(folder, masks) for folder in images]
    unmatched = [folder for folder, match in zip(images, found, strict=True) if match is None]
    matches, stray = without_strays([match for match in found if match is not None])
    taken = {path for match in matches for sample in match.samples for path in sample.masks}
    alone = [folder for folder in unmatched if not _is_derived(folder, [match.folder for match in matches])]
    farther, problems = related(alone, masks, taken)
    matches += farther.values()
    matches, findings = claimed_once(matches)
    samples = [
        sample
        for match in matches
        for sample in _with_instances(
            match.samples, match.folder, offered.get((match.folder.place.where, match.folder.place.part), [])
        )
    ]
    findings += [finding for match in matches for finding in match.findings]
    findings += [_not_used([str(folder.path) for folder in stray])] if stray else []
    samples += _unlabelled([folder for folder in unmatched if folder.path not in farther], images, findings)
    problems += [problem for match in matches for problem in match.problems]
    class_names = {match.classes for match in matches if match.classes}
    if len(class_names) > 1:
        listed = tuple(", ".join(names) for names in sorted(class_names))
        problems.append(
            Problem("the folders of masks hold different classes.", "make a folder for each class.", listed)
        )
    forms = {match.form for match in matches}
    form: Form = "objects" if "objects" in forms else next(iter(forms), "values")
    classes: tuple[str, ...] = min(class_names, default=())
    return Layout(form, named_apart(samples), classes, tuple(findings), tuple(problems))


def _matched(folder: Folder, masks: list[Folder]) -> Match | None:
    """The masks that stand at the same place: images/ and masks/, or masks/CLASS/."""
    candidates = _grouped(masks)
    place = folder.place
    beside = candidates.get((place.where, place.part)) or candidates.get((place.where, None), [])
    if beside:
        return Match(folder, *_choose(folder, beside))
    below = _class_folders(folder, masks)
    if all(f.path.name.isdigit() for f in below):  # parts of many files: 0/00000_hair.png, 1/02000_hair.png
        files = class_files(folder, [mask for f in below for mask in f.images])
        if files:
            return Match(folder, "objects", files)
    if below:
        found, wrong = _with_classes(folder, below)
        return Match(folder, "classes", found, [], wrong, tuple(f.path.name for f in below))
    return None


def _is_derived(folder: Folder, matched: Sequence[Folder]) -> bool:
    """Whether an unnamed folder has the names of the images beside it, which have their masks: distance maps."""
    stems = {stem(image.name) for image in folder.images}
    return folder.place.role is None and any(
        other.place.role == "image"
        and other.path.parent == folder.path.parent
        and stems <= {stem(image.name) for image in other.images}
        for other in matched
    )


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


def _choose(
    folder: Folder, candidates: list[Folder]
) -> tuple[Form, list[Sample], list[Finding], list[Problem], tuple[str, ...]]:
    """Take the masks that pair with most images; among equals the plainest name, then the first by name."""
    matched = {candidate.path: pair(folder.images, candidate.images) for candidate in candidates}
    best = sorted(candidates, key=lambda c: (-len(matched[c.path].pairs), *plainness(c)))[0]
    pairs = matched[best.path]
    findings: list[Finding] = []
    others = [c for c in candidates if c is not best and matched[c.path].pairs]
    if others and (apart := class_folders([best, *others], {c.path: matched[c.path].pairs for c in [best, *others]})):
        samples, wrong = _with_classes(folder, apart)
        return "classes", samples, [], wrong, tuple(c.place.rest for c in apart)
    if files := class_files(folder, best.images):
        return "objects", files, findings, [], ()
    if others:
        findings.append(_told_others(folder, best, candidates, others))
    if len(folder.images) == 1 and len(best.images) > 1:
        return "objects", [sample_of(folder, folder.images[0], best.images)], findings, list(pairs.problems), ()
    samples = [sample_of(folder, image, (mask,)) for image, mask in pairs.pairs]
    pairs, passed_over = _without_companions(pairs)
    findings += passed_over
    problems = [*pairs.problems, *which_of_equals(folder, best, others)]
    samples, left = with_numbered(samples, pairs.without_image)
    pairs = replace(pairs, without_image=tuple(left))
    if any(len(sample.masks) > 1 for sample in samples):
        findings.append(told_merged(samples))
        return "objects", samples, findings, [*problems, *_missing(pairs, folder, best)], ()
    if not pairs.without_image and len(pairs.without_mask) > len(pairs.pairs) > 0 and not are_bands(pairs):
        samples += [sample_of(folder, image, ()) for image in pairs.without_mask]
        findings.append(_mostly_unlabelled(pairs, folder))
        return "values", samples, findings, problems, ()
    return "values", samples, findings, [*problems, *_missing(pairs, folder, best)], ()


def _told_others(folder: Folder, best: Folder, candidates: Sequence[Folder], others: Sequence[Folder]) -> Finding:
    told = warning if best.place.rest else info
    return told(
        f"{len(candidates)} folders hold masks for {folder.path}; {best.path.name} is used.",
        f"to use another one, name it in dataset.yaml (perpixel: 1, masks: {others[0].path.name}).",
        [candidate.path.name for candidate in candidates],
    )


def _missing(pairs: Pairs, images: Folder, masks: Folder) -> list[Problem]:
    return [missing_masks(pairs, images.images, masks.images)] if pairs.without_mask else []


def _without_companions(pairs: Pairs) -> tuple[Pairs, list[Finding]]:
    """Leave out what stands next to every image under its name: 7_superpixels.png next to 7.jpg."""
    left = [stem(path.name) for path in pairs.without_mask]
    found = companions(left, [stem(image.name) for image, _ in pairs.pairs]) if left else []
    if not found or len(found) < len(left) or len(found) < len(pairs.pairs) / 2:
        return pairs, []
    told = info(
        f"{len(left)} files next to the images are named like them and have no mask: they are not used.",
        "move them out of the folder, or give them masks of their own names.",
        [path.name for path in pairs.without_mask],
    )
    return replace(pairs, without_mask=()), [told]


def _mostly_unlabelled(pairs: Pairs, folder: Folder) -> Finding:
    return warning(
        f"{len(pairs.without_mask)} of {len(folder.images)} images in {folder.path} have no mask, and every mask has "
        "its image: they are taken for unlabelled ones.",
        "add their masks if they have any.",
        [image.name for image in pairs.without_mask],
    )


def _with_classes(folder: Folder, classes: list[Folder]) -> tuple[list[Sample], list[Problem]]:
    matched = [pair(folder.images, masks.images) for masks in classes]
    found: dict[Path, list[Path]] = defaultdict(list)
    for pairs in matched:
        for image, mask in pairs.pairs:
            found[image].append(mask)
    problems = [
        missing_masks(pairs, folder.images, masks.images, fix=ABSENT_FIX)
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


def _unlabelled(folders: Sequence[Folder], images: Sequence[Folder], findings: list[Finding]) -> list[Sample]:
    """Folders that are said to hold images have unlabelled ones; others are passed over, and told."""
    told = {folder.place.part for folder in images if folder.place.role == "image"}
    samples, passed_over = [], []
    for folder in folders:
        place = folder.place
        if place.role == "image" or (place.part and (not place.where or place.part not in told)):
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
    form: Form = "objects" if any(layout.form == "objects" for layout in layouts) else "values"
    return Layout(form, named_apart(samples), (), tuple(findings), problems) if samples or problems else None


def _by_role(files: Sequence[Path]) -> tuple[list[Path], list[Path], list[Path]]:
    """Images, masks and instance maps, by their names."""
    stems = {file: stem(file.name) for file in files}
    roles = {file: file_role(name) for file, name in stems.items()}
    masks = [file for file, role in roles.items() if role == "mask"]
    instances = [file for file, role in roles.items() if role == "instance"]
    masks, instances = masks or instances, instances if masks else []
    images = [file for file in files if file not in masks and file not in instances]
    # every name may say mask (seg_1, seg_1_mask), or none (a.jpg, a.jpg.png)
    if (not images or not masks) and (places := named_after(list(stems.values()))):
        masks = [files[longer] for _, longer in places]
        images = [files[shorter] for shorter, _ in places]
    return images, masks, instances


def instances_of(sample: Sample, offered: Sequence[Path]) -> tuple[Path, ...]:
    """The instance map that pairs with the image of this sample, if there is one."""
    return tuple(file for _, file in pair([sample.image], offered).pairs) if offered else ()


def _named_masks(folder: Folder, images: list[Path], masks: list[Path]) -> Layout:
    findings: list[Finding] = []
    if len(images) == 1 and len(masks) > 1:
        masks, findings = masks_of_one_image(images[0], masks)
        if len(masks) > 1:
            return Layout("objects", (sample_of(folder, images[0], tuple(masks)),))
    if files := class_files(replace(folder, images=tuple(images)), masks):
        return Layout("objects", tuple(files), (), tuple(findings))
    pairs, bare = _without_test(pair(images, masks), masks)
    pairs, passed_over = _without_companions(pairs)
    findings += passed_over
    problems = list(pairs.problems)
    if pairs.without_mask:
        problems.append(missing_masks(pairs, images, masks))
    samples, _ = with_numbered([sample_of(folder, i, (m,)) for i, m in pairs.pairs], pairs.without_image)
    form: Form = "objects" if any(len(sample.masks) > 1 for sample in samples) else "values"
    findings += [told_merged(samples)] if form == "objects" else []
    samples += [replace(sample_of(folder, image, ()), split="test") for image in bare]
    return Layout(form, tuple(samples), (), tuple(findings), tuple(problems))


def _without_test(pairs: Pairs, masks: Sequence[Path]) -> tuple[Pairs, list[Path]]:
    """Images called test next to masks of which none is called so: they are unlabelled."""
    if any(subset_named(stem(mask.name)) == "test" for mask in masks):
        return pairs, []
    bare = [image for image in pairs.without_mask if subset_named(stem(image.name)) == "test"]
    return replace(pairs, without_mask=tuple(i for i in pairs.without_mask if i not in bare)), bare


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


def _not_used(folders: Sequence[str]) -> Finding:
    return info(
        f"{len(folders)} folder(s) with images [is|are] not used: [it has|they have] no masks.",
        "to use one of them, give it to perpixel by itself.",
        folders,
    )


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
