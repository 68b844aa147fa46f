"""World files beside images and masks (a.tfw, a.pgw, a.jpgw, a.wld): whether both lie in the same place."""

from collections.abc import Mapping, Sequence

from perpixel.dataset.annotations.rasters import elsewhere
from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.inventory import MaskFacts, Page
from perpixel.dataset.sample import Sample
from perpixel.errors import Problem
from perpixel.files.world_files import ENDINGS, read_world_file


def lying_elsewhere(samples: Sequence[Sample], facts: Mapping[Page, MaskFacts], tree: Tree) -> list[Problem]:
    """The samples whose masks lie elsewhere than their images, by the world files of both; as one problem."""
    files = {p.with_suffix(""): p for f in tree.folders for p in f.others if p.suffix.lower() in ENDINGS}
    if not files:
        return []
    astray = []
    for sample in samples:
        for mask in sample.masks:
            fact = facts.get((mask, sample.mask_page))
            of_image, of_mask = (files.get(path.with_suffix("")) for path in (sample.image, mask))
            if fact is None or of_image is None or of_mask is None or of_image == of_mask:
                continue
            image_place, mask_place = read_world_file(of_image), read_world_file(of_mask)
            reason = elsewhere(image_place, (sample.height, sample.width), mask_place, (fact.height, fact.width))
            astray += [f"{mask}: {reason}, by {of_image.name} and {of_mask.name}"] if reason else []
    fix = "correct the world files, or remove them if they mean nothing."
    return (
        [Problem(f"{len(astray)} mask(s) [does|do] not lie on [its image|their images].", fix, tuple(astray))]
        if astray
        else []
    )
