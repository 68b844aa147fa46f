"""Images with outlines: COCO, YOLO segments, GeoJSON. Each region of one class whose pixels touch is one object.

Outlines run along the edges of pixels, and COCO gets run lengths, so that each reads back pixel for pixel. What a
format cannot hold is refused, or said in docs/formats.md: YOLO has no pixels without a label, none has groups, and
classes that overlap come back as the later one covers the earlier.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray

from perpixel.conversion.image_files import place_image
from perpixel.conversion.mask_folder import MARK, write_classes
from perpixel.dataset import Dataset, Sample
from perpixel.dataset.annotations.placing import NO_LABEL
from perpixel.dataset.layout.inventory import CountProgress, gathered
from perpixel.errors import DataError
from perpixel.files.atomic import write_text
from perpixel.files.geojson import writing_geojson
from perpixel.files.places import WorldPlace, world_place
from perpixel.files.read import read_header
from perpixel.files.tiff_writer import georeference_tags
from perpixel.geometry.pixel_outlines import one_ring, rings_of, runs_in
from perpixel.geometry.polygons import PixelRing
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import IGNORED

DIGITS: Final = 9
"""Of YOLO's shares of a side: a ten-thousandth of a pixel in the largest image."""


@dataclass(frozen=True)
class OutlinedRegion:
    """Pixels of one class that touch: (h, w) bool, and where its upper left corner lies."""

    name: str
    mask: NDArray[np.bool_]
    top: int
    left: int

    def rings(self) -> list[PixelRing]:
        """Its outer ring and its holes, in pixels of the image."""
        return [ring + np.array([self.left, self.top]) for ring in rings_of(self.mask)]


def regions_of(dataset: Dataset, sample: Sample) -> Iterator[OutlinedRegion]:
    """The regions of each class but the background, and of what has no label."""
    from scipy import ndimage

    target, labels = dataset.target(sample), dataset.labels
    of_classes = [(labels.names[k], labels.class_mask(target, k)) for k in labels.foreground_classes]
    is_open = target == IGNORED if target.ndim == 2 else (target == IGNORED).any(axis=0)
    for name, mask in [*of_classes, (NO_LABEL, is_open)]:
        numbered, _ = ndimage.label(mask)
        for number, box in enumerate(ndimage.find_objects(numbered), start=1):
            yield OutlinedRegion(name, numbered[box] == number, box[0].start, box[1].start)


def _names(dataset: Dataset) -> list[str]:
    return [dataset.labels.names[k] for k in dataset.labels.foreground_classes]


def _each(
    dataset: Dataset,
    folder: Path,
    final: Path,
    progress: CountProgress | None,
    write: Callable[[Sample, str], None],
    under: Callable[[Sample], str],
) -> None:
    """Put each image into its folder, and write what belongs to it, if it is labelled. Raises DataError."""

    def place(index: int) -> None:
        sample = samples[index]
        home = under(sample) if sample.is_labelled else "unlabelled"
        name = place_image(sample, folder / home, final / home)
        if sample.is_labelled:
            write(sample, f"{home}/{name}")

    samples = [*dataset.samples, *dataset.unlabelled]
    _, problems = gathered(place, range(len(samples)), progress)
    if problems:
        raise DataError.of(problems)
    write_classes(folder / MARK, dataset.labels)


def write_coco_folder(dataset: Dataset, folder: Path, final: Path, progress: CountProgress | None = None) -> None:
    """Write images/ and annotations/instances.json, or one a subset; run lengths, category `__ignore__` for no label.

    Raises:
        DataError: An image or a mask cannot be read.
        OutputError: A file cannot be written.
    """
    names = [*_names(dataset), NO_LABEL]
    found: dict[str, tuple[JsonObject, list[JsonObject]]] = {}

    def write(sample: Sample, image: str) -> None:
        height, width = sample.height, sample.width
        objects = []
        for region in regions_of(dataset, sample):
            tall, wide = region.mask.shape
            counts = runs_in(region.mask, region.top, region.left, height, width)
            objects.append(
                {
                    "category_id": names.index(region.name) + 1,
                    "segmentation": {"size": [height, width], "counts": counts},
                    "area": int(region.mask.sum()),
                    "bbox": [region.left, region.top, wide, tall],
                    "iscrowd": 1,
                }
            )
        found[sample.name] = {"file_name": Path(image).name, "height": height, "width": width}, objects

    _each(dataset, folder, final, progress, write, lambda _: "images")
    by_part: dict[str, list[str]] = defaultdict(list)
    for sample in dataset.samples:
        by_part[f"instances_{sample.split}" if sample.split else "instances"].append(sample.name)
    has_open = any(o["category_id"] == len(names) for _, objects in found.values() for o in objects)
    categories = [{"id": k, "name": name} for k, name in enumerate(names if has_open else names[:-1], start=1)]
    for part, members in by_part.items():
        images: list[JsonObject] = []
        annotations: list[JsonObject] = []
        for number, name in enumerate(members, start=1):
            image, objects = found[name]
            images.append({"id": number, **image})
            annotations += [{"id": len(annotations) + k, "image_id": number, **o} for k, o in enumerate(objects, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        write_text(folder / "annotations" / f"{part}.json", json.dumps(content, ensure_ascii=False))


def write_yolo_folder(dataset: Dataset, folder: Path, final: Path, progress: CountProgress | None = None) -> None:
    """Write images/, labels/ and data.yaml, with a folder for each subset; holes are reached by a way and back.

    Raises:
        DataError: An image or a mask cannot be read, or pixels have no label, for which YOLO has no sign.
        OutputError: A file cannot be written.
    """
    names = _names(dataset)

    def write(sample: Sample, image: str) -> None:
        rows = []
        for region in regions_of(dataset, sample):
            if region.name == NO_LABEL:
                raise DataError(
                    f"{sample.image} has pixels without a label, for which YOLO has no sign.",
                    fix="convert to coco or masks, which have one.",
                )
            ring = one_ring(region.rings())
            shares = (ring / [sample.width, sample.height]).ravel().tolist()
            rows.append(" ".join([str(names.index(region.name)), *(f"{share:.{DIGITS}f}" for share in shares)]))
        label = Path("labels", *Path(image).parts[1:]).with_suffix("")
        write_text(folder / label.parent / f"{label.name}.txt", "".join(f"{row}\n" for row in rows))

    parts = {sample.split for sample in dataset.samples} - {None}
    _each(dataset, folder, final, progress, write, lambda s: f"images/{s.split or 'train'}" if parts else "images")
    homes = {part: f"images/{part}" for part in sorted(filter(None, parts))} or {"train": "images"}
    content = {"path": ".", **homes, "nc": len(names), "names": names}
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
    write_text(folder / "data.yaml", text)


def write_geojson_folder(dataset: Dataset, folder: Path, final: Path, progress: CountProgress | None = None) -> None:
    """Write images/ and a GeoJSON file next to each, in its coordinates on the earth, or in pixels.

    Raises:
        DataError: An image or a mask cannot be read.
        OutputError: A file cannot be written, or a coordinate system has no EPSG number.
    """

    def write(sample: Sample, image: str) -> None:
        georeference = read_header(sample.image).georeference
        place = WorldPlace()
        if georeference is not None:
            georeference.refuse_inexact(str(sample.image))
            place = world_place(georeference, georeference_tags(sample.image), str(sample.image))
        path = (folder / image).parent / f"{Path(image).stem}.geojson"
        with writing_geojson(path, place) as file:
            for region in regions_of(dataset, sample):
                file.add(region.rings(), {"class": region.name})

    parts = {sample.split for sample in dataset.samples} - {None}
    _each(dataset, folder, final, progress, write, lambda s: f"images/{s.split}" if parts and s.split else "images")
