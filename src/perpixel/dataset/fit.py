"""Check that images and masks fit: pages, sizes, orientations, places on earth, channels, dtypes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from perpixel.dataset.annotations.rasters import elsewhere
from perpixel.dataset.layout.inventory import MaskFacts, Page
from perpixel.dataset.sample import Finding, Sample, Shape, info
from perpixel.dataset.turns import MaskOrientation, with_turns
from perpixel.errors import DataError, Problem
from perpixel.files.read import Header, read_header
from perpixel.language.agreement import agreed


@dataclass
class Report:
    """What is found while a folder is understood; it grows."""

    problems: list[Problem] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def pages_of(sample: Sample, header: Header, report: Report) -> list[Sample]:
    """The sample with its size and place; a stack of slices gives one sample a page."""
    height, width = header.size
    bounds = header.georeference.bounds(height, width) if header.georeference else None
    sized = replace(sample, height=height, width=width, bounds=bounds)
    if header.pages == 1:
        return [sized]
    if any(shape.page is None for shape in sample.shapes or ()):
        what = f"{sample.image} has {header.pages} pages, and its labels do not say of which they are."
        report.problems.append(Problem(what, "save the pages as images of their own."))
        return []
    for mask in sample.masks:
        try:
            pages = read_header(mask).pages
        except DataError as error:
            report.problems += error.problems
            return []
        if pages != header.pages:
            what = f"{sample.image} has {header.pages} pages; its mask {mask.name} has {pages}."
            report.problems.append(Problem(what, "give the stack and its labels equally many pages."))
            return []
    digits = len(str(header.pages - 1))
    return [
        replace(
            sized,
            name=f"{sample.name}_{page:0{digits}d}",
            page=page,
            mask_page=page,
            shapes=None if sample.shapes is None else _shapes_of(sample.shapes, page),
            group=sample.group or sample.name,
        )
        for page in range(header.pages)
    ]


def _shapes_of(shapes: Sequence[Shape], page: int) -> tuple[Shape, ...] | None:
    """Those of one page of a stack; None where it has none."""
    return tuple(shape for shape in shapes if shape.page == page) or None


def fitted(
    samples: Sequence[Sample],
    headers: Mapping[Path, Header],
    facts: Mapping[Page, MaskFacts],
    report: Report,
    orientation: MaskOrientation | None,
) -> list[Sample]:
    """Those whose masks fit, with the turn that the mask needs to lie as its image is read.

    Args:
        samples: Images with their masks.
        headers: Of the images.
        facts: Of the masks.
        report: Takes what does not fit.
        orientation: How masks lie where an image is turned and nothing tells it.
    """
    fitting: list[Sample] = []
    unequal: list[str] = []
    astray: list[str] = []
    for sample in samples:
        pages = [facts[path, sample.mask_page] for path in sample.masks if (path, sample.mask_page) in facts]
        if len(pages) < len(sample.masks):
            continue
        header = headers[sample.image]
        sizes = {(fact.height, fact.width) for fact in pages}
        shown = header.size
        lying = (header.height, header.width) if all(fact.orientation == 1 for fact in pages) else shown
        reasons = [elsewhere(header.georeference, shown, f.georeference, (f.height, f.width)) for f in pages]
        if any(reasons):
            astray.append(f"{sample.masks[0]}: {next(filter(None, reasons))}")
        elif not (sizes <= {lying} or sizes <= {shown}):
            height, width = next(iter(sizes - {shown}))
            unequal.append(f"{sample.image} is {shown[0]} × {shown[1]}, its mask {height} × {width}")
        else:
            fitting.append(sample)
    if unequal:
        report.problems.append(
            Problem(
                f"{len(unequal)} of {len(samples)} images and their masks differ in size.",
                "export the masks at the size of their images (nearest neighbour, never smoothed).",
                tuple(unequal),
            )
        )
    if astray:
        report.problems.append(
            Problem(
                f"{len(astray)} of {len(samples)} label rasters do not lie on their images.",
                "warp them to the grids of their images (rio warp --like IMAGE, nearest neighbour).",
                tuple(astray),
            )
        )
    turns = with_turns(fitting, {sample.name: headers[sample.image] for sample in fitting}, facts, orientation)
    report.problems += [turns.problem] if turns.problem else []
    report.findings += [turns.finding] if turns.finding else []
    return list(turns.samples)


def one_kind(samples: Sequence[Sample], headers: Mapping[Path, Header], report: Report) -> tuple[int, str]:
    """The channels and the dtype that all images share; gray among colour is repeated."""
    kinds = Counter((headers[s.image].channels, headers[s.image].dtype) for s in samples)
    if not kinds:
        return 1, "uint8"
    (channels, dtype), _ = kinds.most_common(1)[0]
    if set(kinds) == {(1, dtype), (3, dtype)}:
        gray = [s.image.name for s in samples if headers[s.image].channels == 1]
        report.findings.append(
            info(
                f"{len(gray)} of {len(samples)} images are gray among colour images; their channel is repeated.",
                "remove them if they do not belong here.",
                gray,
            )
        )
        return 3, dtype
    odd = [s for s in samples if (headers[s.image].channels, headers[s.image].dtype) != (channels, dtype)]
    if odd:
        report.problems.append(
            Problem(
                f"{len(odd)} of {len(samples)} images differ in kind: most have {channels} channel(s) of {dtype}.",
                "convert all to one number of channels and one bit depth, or keep them in folders of their own.",
                tuple(
                    f"{s.image}: {agreed(f'{headers[s.image].channels} channel(s)')} of {headers[s.image].dtype}"
                    for s in odd
                ),
            )
        )
    if channels in (2, 4) and dtype == "uint8":
        report.findings.append(
            info(
                f"the images have {channels} channels; where the last is an alpha, it varies and is kept.",
                "save the images without transparency if it means nothing.",
            )
        )
    return channels, dtype
