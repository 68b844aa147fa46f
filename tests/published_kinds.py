"""Still more generated folders with their true labels: after data sets and tools of which no other kind is like."""

from pathlib import Path

import numpy as np
from scipy import ndimage

from annotation_kinds import CLASSES, drawn, dump
from folder_kinds import HEIGHT, WIDTH, Kind, Truth, coloured, lines, numbers, photo, save, write

FOUR = numbers(4)
SQUARE = np.s_[5:30, 5:35]
HOLE = np.s_[10:20, 10:20]
COLOURS_OF_ALL = ((0, 0, 0), (255, 255, 255), (0, 0, 255), (0, 255, 255))


def xbd(root: Path) -> Truth:
    """Well-known text in pixels."""
    items, labels = drawn(root, "train/images/{}.png", ["storm_1_pre_disaster", "storm_2_pre_disaster"])
    for name, _, shapes_ in items:
        features = [
            {
                "properties": {"feature_type": "building", "uid": "1"},
                "wkt": f"POLYGON (({', '.join(f'{x} {y}' for x, y in [*outline, outline[0]])}))",
            }
            for _, outline in shapes_
        ]
        meta = {"width": WIDTH, "height": HEIGHT, "img_name": f"{name}.png"}
        dump(root / f"train/labels/{name}.json", {"features": {"lng_lat": [], "xy": features}, "metadata": meta})
    return Truth({image: (target > 0).astype(np.uint8) for image, target in labels.items()}, ("building",))


def encord(root: Path) -> Truth:
    """Corners in shares of the sides."""
    items, labels = drawn(root)
    rows = []
    for name, _, shapes_ in items:
        objects = [
            {
                "name": label,
                "shape": "polygon",
                "polygon": {str(k): {"x": x / WIDTH, "y": y / HEIGHT} for k, (x, y) in enumerate(outline)},
            }
            for label, outline in shapes_
        ]
        unit = {"data_title": f"{name}.png", "width": WIDTH, "height": HEIGHT, "labels": {"objects": objects}}
        rows.append({"label_hash": name, "data_units": {name: unit}})
    dump(root / "export.json", rows)
    return Truth(labels, CLASSES)


def _targets(root: Path, image: str, target: np.ndarray) -> dict[str, np.ndarray]:
    for name in FOUR:
        save(root / image.format(name), photo(target, int(name)))
    return {image.format(name): target for name in FOUR}


def darwin_hole(root: Path) -> Truth:
    """A polygon of two paths, the second of which is a hole."""
    target = np.zeros((HEIGHT, WIDTH), np.uint8)
    target[SQUARE], target[HOLE] = 1, 0
    paths = [
        [{"x": x, "y": y} for x, y in ((a.start, b.start), (a.stop, b.start), (a.stop, b.stop), (a.start, b.stop))]
        for b, a in (SQUARE, HOLE)
    ]
    for name in FOUR:
        annotations = [{"name": "cat", "polygon": {"paths": paths}}]
        dump(root / f"annotations/{name}.json", {"item": {"name": f"{name}.png"}, "annotations": annotations})
    return Truth(_targets(root, "images/{}.png", target), ("cat",))


def cvat_ellipse(root: Path) -> Truth:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    target = (((columns - 25) / 12) ** 2 + ((rows - 20) / 8) ** 2 < 1).astype(np.uint8)
    drawn_ = '<ellipse label="cat" cx="25" cy="20" rx="8" ry="12" rotation="90" z_order="0"/>'
    images = (f'<image name="{n}.png" width="{WIDTH}" height="{HEIGHT}">{drawn_}</image>' for n in FOUR)
    lines(root / "annotations.xml", f"<annotations>{''.join(images)}</annotations>")
    return Truth(_targets(root, "images/{}.png", target), ("cat",))


def monusac(root: Path) -> Truth:
    """A folder a patient; the class is the name of an attribute."""
    items, labels = drawn(root, "{}.tif", [f"TCGA-{k}/TCGA-{k}_1" for k in range(3)])
    for name, _, shapes_ in items:
        layers = ""
        for label, outline in shapes_:
            corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in outline)
            attributes = f'<Attributes><Attribute Name="Description"/><Attribute Name="{label}"/></Attributes>'
            regions = f"<Regions><Region><Vertices>{corners}</Vertices></Region></Regions>"
            layers += f"<Annotation>{attributes}{regions}</Annotation>"
        lines(root / f"{name}.xml", f"<Annotations>{layers}</Annotations>")
    return Truth(labels, CLASSES)


def vaihingen_eroded(root: Path) -> Truth:
    """Two folders of masks, of which one is black along all borders."""

    def eroded(target):
        borders = ndimage.maximum_filter(target, 3) != ndimage.minimum_filter(target, 3)
        return np.where(borders[..., None], 0, coloured(target + 1, COLOURS_OF_ALL))

    labels = write(root, "top/area{}.tif", "gts/area{}.tif", FOUR, as_mask=lambda t: coloured(t + 1, COLOURS_OF_ALL))
    for image, target in labels.items():
        save(root / f"gts_eroded/{Path(image).stem}_noBoundary.tif", eroded(target).astype(np.uint8))
    return Truth(labels)


def cholec(root: Path) -> Truth:
    """Three files of each image: classes, colours, and what marks borders."""
    labels = write(root, "video01/f_{}_endo.png", "video01/f_{}_endo_mask.png", FOUR, as_mask=lambda t: t * 5 + 10)
    for image, target in labels.items():
        name = f"video01/{Path(image).stem}"
        save(root / f"{name}_color_mask.png", coloured(target))
        save(root / f"{name}_watershed_mask.png", np.where(np.roll(target, 1) != target, 255, target))
    return Truth(labels)


def phenobench(root: Path) -> Truth:
    labels = write(root, "train/images/{}.png", "train/semantics/{}.png", FOUR, classes=4)
    for image, target in labels.items():
        numbered = ndimage.label(target)[0].astype(np.uint16)
        save(root / f"train/plant_instances/{Path(image).name}", numbered)
        save(root / f"train/leaf_instances/{Path(image).name}", numbered * 2)
    return Truth(labels)


def equal_places_in_parts(root: Path) -> Truth:
    """dataA/dataA/CameraRGB and dataB/dataB/CameraRGB, with equal names: the folders tell them apart."""
    labels = {}
    for part in ("dataA", "dataB"):
        labels |= write(root, f"{part}/{part}/CameraRGB/{{}}.png", f"{part}/{part}/CameraSeg/{{}}.png", FOUR)
    return Truth(labels)


def cihp(root: Path) -> Truth:
    """Classes in a folder whose name says nothing, beside numbered objects."""
    labels = write(root, "Training/Images/{}.jpg", "Training/Category_ids/{}.png", FOUR)
    for image, target in labels.items():
        save(root / f"Training/Instance_ids/{Path(image).stem}.png", ndimage.label(target)[0].astype(np.uint8))
    return Truth(must_ask=True)


def named_by_subset(root: Path) -> Truth:
    """EPFL's stacks, and images whose names begin with their subset."""
    names = [f"{part}_{k}" for part in ("train", "test") for k in range(3)]
    return Truth(write(root, "images/{}.png", "masks/{}.png", names), (), {"train": 3, "test": 3})


KINDS: dict[str, Kind] = {
    "cihp": cihp,
    "named_by_subset": named_by_subset,
    "xbd": xbd,
    "encord": encord,
    "darwin_hole": darwin_hole,
    "cvat_ellipse": cvat_ellipse,
    "monusac": monusac,
    "vaihingen_eroded": vaihingen_eroded,
    "cholec": cholec,
    "phenobench": phenobench,
    "equal_places_in_parts": equal_places_in_parts,
}
