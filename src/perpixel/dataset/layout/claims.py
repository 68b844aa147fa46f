"""A mask belongs to one image, and an image is never a mask."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from perpixel.dataset.layout.folder_tree import Folder
from perpixel.dataset.layout.matches import Match, sample_of
from perpixel.dataset.sample import Finding, Sample, info, warning
from perpixel.errors import Problem


def claimed_once(matches: Sequence[Match]) -> tuple[list[Match], list[Finding]]:
    """Settle what two folders of images claim.

    Test images of the same names are unlabelled ones, and `images_small` is a copy of `images`. What is left in
    dispute is a problem of `shared_masks`.

    Returns:
        The matches without those claims, and what was decided.
    """
    rank = {m.folder.path: (m.folder.place.part == "test", bool(m.folder.place.rest)) for m in matches}
    rivals: dict[Path, set[Path]] = defaultdict(set)
    for images in _claims([sample for match in matches for sample in match.samples]).values():
        homes = {image.parent for image in images}
        for home in homes:
            rivals[home] |= homes - {home}
    first = {home for home in rivals if all(rank[home] < rank[other] for other in rivals[home])}
    losers = {home for home in rivals if rivals[home] and rivals[home] <= first and home not in first}
    settled: list[Match] = []
    findings: list[Finding] = []
    for match in matches:
        home = match.folder.path
        if home not in losers:
            settled.append(match)
        elif rank[home][0]:
            bare = [sample_of(match.folder, image, ()) for image in match.folder.images]
            settled.append(Match(match.folder, match.form, bare, [_unlabelled(home, rivals[home])]))
        else:
            findings.append(_copies(home, rivals[home]))
    return settled, findings


def without_strays(matches: Sequence[Match]) -> tuple[list[Match], list[Folder]]:
    """Leave out folders that no name calls images where one next to them is called so, and has more of the masks.

    A preview.jpg next to images/ and masks/ is none of the images.
    """
    kept, stray = [], []
    for match in matches:
        place, own = match.folder.place, len(match.samples)
        better = (
            other
            for other in matches
            if other.folder.place.role == "image" != place.role
            and (other.folder.place.where, other.folder.place.part) == (place.where, place.part)
            and len(other.samples) > own
        )
        if next(better, None) is None:
            kept.append(match)
        else:
            stray.append(match.folder)
    return kept, stray


def shared_masks(samples: Sequence[Sample]) -> list[Problem]:
    """Masks that serve two images, and images that are masks; each spoils the labels without a sign."""
    shared = {mask: images for mask, images in _claims(samples).items() if len(images) > 1}
    every = {sample.image for sample in samples}
    own = [str(mask) for sample in samples for mask in sample.masks if mask in every or _is_one_file(sample, mask)]
    problems = []
    if own:
        problems.append(
            Problem(
                f"{len(own)} file(s) [is|are] taken for an image and for a mask.",
                "name the folders in dataset.yaml (perpixel: 1, images: NAME, masks: NAME).",
                tuple(own),
            )
        )
    if shared and not own:
        problems.append(
            Problem(
                f"{len(shared)} mask(s) would serve two images each.",
                "rename the masks so that each is like one image, or name the folder of images in dataset.yaml "
                "(perpixel: 1, images: NAME).",
                tuple(f"{mask}: {', '.join(map(str, sorted(images)))}" for mask, images in shared.items()),
            )
        )
    return problems


def listed_twice(pairs: Sequence[tuple[Path, Path | None]], source: str) -> list[Problem]:
    """Images that a list gives two masks, or the same mask twice, as one problem.

    Args:
        pairs: An image with its mask, or with none, of each row.
        source: The list's name.
    """
    rows: dict[Path, list[str]] = defaultdict(list)
    for image, mask in pairs:
        rows[image].append("none" if mask is None else str(mask))
    twice = tuple(f"{image.name}: {', '.join(masks)}" for image, masks in rows.items() if len(masks) > 1)
    if not twice:
        return []
    return [
        Problem(f"{len(twice)} image(s) [stands|stand] in several rows of {source}.", "list each image once.", twice)
    ]


def _claims(samples: Sequence[Sample]) -> Mapping[Path, set[Path]]:
    """Of each mask the images that it is taken for."""
    claims: dict[Path, set[Path]] = defaultdict(set)
    for sample in samples:
        for mask in sample.masks:
            claims[mask].add(sample.image)
    return claims


def _is_one_file(sample: Sample, mask: Path) -> bool:
    try:
        return os.path.samefile(sample.image, mask)
    except OSError:  # told when it is read
        return False


def _unlabelled(home: Path, others: set[Path]) -> Finding:
    return info(
        f"the images in {home} have the names of those in {min(others)}, to which the masks belong: they are taken "
        "for unlabelled ones.",
        "put their masks into a folder of their own if they have any.",
    )


def _copies(home: Path, others: set[Path]) -> Finding:
    return warning(
        f"{home} is not used: its images have the names and the masks of those in {min(others)}.",
        f"to use it instead, name it in dataset.yaml (perpixel: 1, images: {home.name}).",
    )
