"""More generated folders with their true labels: names, lists and class tables as data sets and tools write them."""

from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from annotation_kinds import coco, drawn, dump, filled, outlines
from folder_kinds import Kind, Truth, bare, coloured, lines, numbers, photo, save, shapes, write

FOUR = numbers(4)
CELL, DEBRIS = (0, 255, 255), (255, 255, 0)


def binary(target):
    """0 and 255."""
    return target * np.uint8(255)


def named_by_its_task(root: Path) -> Truth:
    """Kvasir-SEG: the folder of the whole says segmentation."""
    labels = write(root, "Kvasir-SEG/images/{}.png", "Kvasir-SEG/masks/{}.png", FOUR, classes=2, as_mask=binary)
    dump(root / "Kvasir-SEG" / "kavsir_bboxes.json", {n: {"height": 40, "bbox": [{"xmin": 1}]} for n in FOUR})
    return Truth(labels)


def segmentation_set(root: Path) -> Truth:
    return Truth(write(root, "segmentation/train/images/{}.png", "segmentation/train/masks/{}.png", FOUR))


def flair(root: Path) -> Truth:
    return Truth(write(root, "aerial/IMG_{}.tif", "labels/MSK_{}.tif", FOUR))


def sen1floods(root: Path) -> Truth:
    """−1 is no data; names differ by a word, S1Hand and LabelHand."""
    labels = {}
    for k in range(4):
        target = shapes(k, 2).astype(np.int16)
        target[:5] = -1
        path = root / "S1Hand" / f"Ghana_{k}_S1Hand.tif"
        path.parent.mkdir(exist_ok=True)
        bands = photo(shapes(k, 2), k, 2).astype(np.float32)
        tifffile.imwrite(path, bands, planarconfig="contig", photometric="minisblack")
        save(root / "LabelHand" / f"Ghana_{k}_LabelHand.tif", target)
        labels[f"S1Hand/{path.name}"] = np.where(target < 0, 255, target).astype(np.uint8)
    return Truth(labels)


def a2d2(root: Path) -> Truth:
    image, mask = "s/camera/front/2018_camera_front_{}.png", "s/label/front/2018_label_front_{}.png"
    return Truth(write(root, image, mask, FOUR, as_mask=coloured))


def other_camera(root: Path) -> Truth:
    """Words that say nothing of masks are not exchanged: cam1_0001 is no image of cam2_0001."""
    return Truth(write(root, "images/cam1_{}.png", "masks/cam2_{}.png", FOUR), must_ask=True)


def pets(root: Path) -> Truth:
    names = [f"{breed}_{k}" for breed in ("pug", "beagle") for k in range(3)]
    labels = write(root, "images/{}.jpg", "annotations/trimaps/{}.png", names, as_mask=lambda t: t + 1)
    lines(root / "annotations" / "trainval.txt", *[f"{name} 1 1 1" for name in names[:4]])
    lines(root / "annotations" / "test.txt", *[f"{name} 2 1 1" for name in names[4:]])
    return Truth(labels, ("pet", "background", "border"), {"test": 2})


def davis(root: Path) -> Truth:
    """Lists of videos, which are folders."""
    labels = {}
    for video in ("bear", "bus"):
        image, mask = f"JPEGImages/480p/{video}/{{}}.jpg", f"Annotations/480p/{video}/{{}}.png"
        labels |= write(root, image, mask, FOUR[:3], classes=2, as_mask=binary)
    lines(root / "ImageSets" / "2017" / "train.txt", "bear")
    lines(root / "ImageSets" / "2017" / "val.txt", "bus")
    return Truth(labels, (), {"train": 3, "val": 3})


def json_split(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(6))
    dump(root / "split.json", {"train": numbers(4), "val": ["0004"], "test": ["0005"]})
    return Truth(labels, (), {"train": 4, "val": 1, "test": 1})


def cod10k(root: Path) -> Truth:
    """Edges and instances beside the objects."""
    labels = write(root, "Train/Image/{}.jpg", "Train/GT_Object/{}.png", FOUR, classes=2, as_mask=binary)
    for name in FOUR:
        save(root / f"Train/GT_Edge/{name}.png", binary(shapes(9, 2)))
        save(root / f"Train/GT_Instance/{name}.png", coloured(shapes(8, 4)))
    return Truth(labels)


def bdd100k_whole(root: Path) -> Truth:
    labels = {}
    for part, names in (("train", FOUR), ("val", ["a1", "a2"])):
        found = write(root, f"images/10k/{part}/{{}}.jpg", f"labels/sem_seg/masks/{part}/{{}}.png", names)
        for image, target in found.items():
            stem = Path(image).stem
            save(root / f"labels/sem_seg/colormaps/{part}/{stem}.png", coloured(target))
            save(
                root / f"labels/pan_seg/bitmasks/{part}/{stem}.png",
                np.dstack([target, target * 0, target * 0, target]),
            )
        labels |= found
    return Truth(labels, (), {"train": 4, "val": 2})


def _drivable(*, beside: bool = False, pictured: bool = False, other_task: bool = False) -> Kind:
    """BDD100K's drivable areas: the images' folder says how many there are, that of the masks their task."""

    def make(root: Path) -> Truth:
        home = "labels/drivable" if beside else "drivable"
        labels = {}
        for part in ("train", "val"):
            names = [f"{part}{k}" for k in range(3)]
            image, mask = f"images/100k/{part}/{{}}.jpg", f"{home}/masks/{part}/{{}}.png"
            labels |= write(root, image, mask, names, as_mask=lambda t: np.array([2, 0, 1], np.uint8)[t])
            for path in (root / home / "masks" / part).iterdir() if pictured else ():
                colours = coloured(np.array(Image.open(path)), ((219, 94, 86), (86, 211, 219), (0, 0, 0)))
                save(root / home / "colormaps" / part / path.name, colours)
            if other_task:
                write(root, f"images/10k/{part}/{{}}.jpg", f"labels/sem_seg/masks/{part}/{{}}.png", ["x1", "x2"])
        return Truth(labels, (), {"train": 3, "val": 3}, must_ask=other_task)

    return make


def _cvat_in_colours(image: str, mask: str, other: str) -> Kind:
    """CVAT's exports as KITTI and as Cityscapes: indices beside colours; the list counts its colours from 0 on."""

    def make(root: Path) -> Truth:
        colours = ((0, 0, 0), (128, 64, 128), (244, 35, 232))
        labels = write(root, image, mask, FOUR)
        for path, target in labels.items():
            save(root / other.format(Path(path).stem.removesuffix("_leftImg8bit")), coloured(target, colours))
        rows = zip(colours, ("background", "belt", "crate"), strict=True)
        lines(root / "label_colors.txt", *[f"{' '.join(map(str, colour))} {name}" for colour, name in rows])
        return Truth(labels, ("belt", "crate"))

    return make


def livecell(root: Path) -> Truth:
    """The images' folder names two subsets, the files of outlines one each."""
    items, labels = drawn(root, "images/livecell_train_val_images/A172/{}.tif")
    dump(root / "livecell_coco_train.json", coco(items[:3]))
    dump(root / "livecell_coco_val.json", coco(items[3:]))
    return Truth(labels, (), {"train": 3, "val": 1})


def nnunet_ignore(root: Path) -> Truth:
    labels = write(root, "imagesTr/c_{}_0000.png", "labelsTr/c_{}.png", FOUR, classes=4)
    classes = {"background": 0, "cell": 1, "debris": 2, "ignore": 3}
    dump(root / "dataset.json", {"channel_names": {"0": "R"}, "labels": classes, "file_ending": ".png"})
    bare(root, "imagesTs/c_{}_0000.png", ["90"])
    return Truth({k: np.where(t == 3, 255, t).astype(np.uint8) for k, t in labels.items()}, ("cell", "debris"))


def spacenet(root: Path) -> Truth:
    """A GeoJSON file an image, without classes and under other names."""
    import rasterio

    labels = {}
    for k in range(3):
        drawn = outlines(k)
        path = root / "RGB" / f"RGB_AOI_2_img{k}.tif"
        path.parent.mkdir(exist_ok=True)
        place = rasterio.Affine(0.5, 0, 1000.0 * k, 0, -0.5, 5000)
        target = (filled(drawn) > 0).astype(np.uint8)
        with rasterio.open(
            path, "w", width=56, height=40, count=3, dtype="uint8", crs="EPSG:32633", transform=place
        ) as f:
            f.write(np.moveaxis(photo(target, k), -1, 0))
        rings = [[[0.5 * x + 1000 * k, 5000 - 0.5 * y] for x, y in (*ring, ring[0])] for _, ring in drawn]
        features = [
            {
                "type": "Feature",
                "properties": {"building": "yes"},
                "geometry": {"type": "Polygon", "coordinates": [r]},
            }
            for r in rings
        ]
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}
        dump(
            root / f"geojson/buildings_img{k}.geojson",
            {"type": "FeatureCollection", "crs": crs, "features": features},
        )
        labels[f"RGB/{path.name}"] = target
    return Truth(labels)


def _table(name: str, text: str, encoding: str = "utf-8", *, names=("cell", "debris"), in_colour=False) -> Kind:
    """Masks with a class list beside them."""

    def build(root: Path) -> Truth:
        labels = write(root, "images/{}.png", "masks/{}.png", FOUR, as_mask=coloured if in_colour else lambda t: t)
        (root / name).write_text(text, encoding=encoding)
        return Truth(labels, names)

    return build


def list_of_files(root: Path) -> Truth:
    """Labels.txt names files, and no classes."""
    labels = write(root, "train/{}.png", "train/Label/{}_label.png", FOUR, classes=2, as_mask=binary)
    lines(root / "train" / "Label" / "Labels.txt", "1", "0000 1 0000.PNG 1 0000_label.PNG")
    return Truth(labels, ("background", "foreground"))


def drive_as_given_today(root: Path) -> Truth:
    """The test images have the field of view, and no labels."""
    labels = {}
    for part, names in (("training", ["21", "22", "23"]), ("test", ["01", "02"])):
        for name in names:
            target = shapes(int(name), 2)
            image = f"DRIVE/{part}/images/{name}_{part}.tif"
            save(root / image, photo(target))
            save(root / f"DRIVE/{part}/mask/{name}_{part}_mask.gif", np.full(target.shape, 255, np.uint8))
            if part == "training":
                save(root / f"DRIVE/{part}/1st_manual/{name}_manual1.gif", binary(target))
                labels[image] = target
    return Truth(labels, (), {"train": 3})


def objects_in_random_colours(root: Path) -> Truth:
    draw = np.random.default_rng(0)

    def painted(target):
        return np.vstack([[0, 0, 0], draw.integers(20, 255, (6, 3))]).astype(np.uint8)[target]

    return Truth(write(root, "images/{}.png", "masks/{}.png", FOUR, classes=7, as_mask=painted), must_ask=True)


def cell_tracking(root: Path) -> Truth:
    """Gold truth of a film; objects are numbered, of which a frame has three."""
    labels = {}
    for k in range(4):
        numbered = shapes(k, 4).astype(np.uint16)
        save(root / f"01/t{k:03}.tif", photo(numbered, k, 1))
        save(root / f"01_GT/SEG/man_seg{k:03}.tif", numbered)
        save(root / f"01_GT/TRA/man_track{k:03}.tif", (numbered > 0).astype(np.uint16))
        labels[f"01/t{k:03}.tif"] = (numbered > 0).astype(np.uint8)
    return Truth(labels)


def idrid(root: Path) -> Truth:
    """The folder of the whole task is named after segmentation, and a folder a class lies below that of the part."""
    labels = {}
    for part in ("a. Training Set", "b. Testing Set"):
        home = root / "A. Segmentation"
        for k in range(3):
            name, target = f"IDRiD_{k + len(part):02}", shapes(k + len(part))
            save(home / "1. Original Images" / part / f"{name}.jpg", photo(target, k))
            for value, (folder, short) in enumerate((("1. Microaneurysms", "MA"), ("2. Haemorrhages", "HE")), 1):
                truth = home / "2. All Segmentation Groundtruths" / part / folder / f"{name}_{short}.tif"
                save(truth, (target == value).astype(np.uint8))
            labels[f"A. Segmentation/1. Original Images/{part}/{name}.jpg"] = target
    return Truth(labels, parts={"train": 3, "test": 3})


def ph2(root: Path) -> Truth:
    labels = {}
    for k in range(3):
        case, target = f"IMD{k:03}", shapes(k, 2)
        image = f"PH2 Dataset images/{case}/{case}_Dermoscopic_Image/{case}.bmp"
        save(root / image, photo(target, k))
        save(root / f"PH2 Dataset images/{case}/{case}_lesion/{case}_lesion.bmp", binary(target))
        save(root / f"PH2 Dataset images/{case}/{case}_roi/{case}_R1_Label3.bmp", binary(np.roll(target, 3)))
        labels[image] = target
    return Truth(labels)


def segments_ai(root: Path) -> Truth:
    """Three files an image: numbered objects, classes, colours."""
    labels = write(root, "images/{}.jpg", "labels/{}_label_ground-truth_semantic.png", FOUR)
    for image, target in labels.items():
        name = f"labels/{Path(image).stem}_label_ground-truth"
        save(root / f"{name}.png", (target > 0) * (np.arange(target.shape[1], dtype=np.uint8) // 7))
        save(root / f"{name}_colored.png", coloured(target))
    return Truth(labels)


def distance_maps_beside(root: Path) -> Truth:
    """NuInsSeg: two folders of masks, and what is made of them, under the names of the images."""
    labels = write(root, "liver/tissue images/{}.png", "liver/mask binary/{}.png", FOUR, classes=2, as_mask=binary)
    for image, target in labels.items():
        save(root / f"liver/distance maps/{Path(image).name}", target * 10)
        save(root / f"liver/label masks/{Path(image).name}", target)
    return Truth(labels)


def numbers_padded_apart(root: Path) -> Truth:
    labels = {}
    for k in range(8, 12):
        target = labels[f"images/img_{k}.png"] = shapes(k)
        save(root / f"images/img_{k}.png", photo(target, k))
        save(root / f"masks/mask_{k:03}.png", target)
    return Truth(labels)


def isat(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, image, outlined in items:
        objects = [
            {"category": label, "group": k, "segmentation": outline, "layer": float(k)}
            for k, (label, outline) in enumerate(outlined)
        ]
        height, width = labels[image].shape
        info = {"description": "ISAT", "name": f"{name}.png", "height": height, "width": width}
        dump(root / f"labels/{name}.json", {"info": info, "objects": objects})
    return Truth(labels, ("cat", "dog"))


def _world_files(*, shifted: bool) -> Kind:
    def build(root: Path) -> Truth:
        labels = write(root, "images/{}.png", "masks/{}.png", FOUR)
        for name in FOUR:
            lines(root / f"images/{name}.pgw", "0.5", "0", "0", "-0.5", "440000.25", "5330000.75")
            lines(root / f"masks/{name}.pgw", "0.5", "0", "0", "-0.5", f"{440000.25 + 9 * shifted}", "5330000.75")
        return Truth(labels, must_ask=shifted)

    return build


KINDS: dict[str, Kind] = {
    "segments_ai": segments_ai,
    "distance_maps_beside": distance_maps_beside,
    "numbers_padded_apart": numbers_padded_apart,
    "isat": isat,
    "cell_tracking": cell_tracking,
    "idrid": idrid,
    "ph2": ph2,
    "world_files": _world_files(shifted=False),
    "world_files_elsewhere": _world_files(shifted=True),
    "table_xml": _table(
        "classes.xml", "<c><i id='0' name='bg'/><i id='1' name='cell'/><i id='2' name='debris'/></c>"
    ),
    "table_markdown": _table("labels.md", "| value | class |\n|---|---|\n| 0 | bg |\n| 1 | cell |\n| 2 | debris |\n"),
    "table_nested": _table("mapping.json", '{"0": {"name": "bg"}, "1": {"name": "cell"}, "2": {"name": "debris"}}'),
    "drive_as_given_today": drive_as_given_today,
    "objects_in_random_colours": objects_in_random_colours,
    "named_by_its_task": named_by_its_task,
    "segmentation_set": segmentation_set,
    "flair": flair,
    "sen1floods": sen1floods,
    "a2d2": a2d2,
    "other_camera": other_camera,
    "pets": pets,
    "davis": davis,
    "json_split": json_split,
    "cod10k": cod10k,
    "bdd100k_whole": bdd100k_whole,
    "cvat_as_kitti": _cvat_in_colours(
        "default/image_2/{}.png", "default/semantic/{}.png", "default/semantic_rgb/{}.png"
    ),
    "cvat_as_cityscapes": _cvat_in_colours(
        "imgsFine/leftImg8bit/default/{}_leftImg8bit.png",
        "gtFine/default/{}_gtFine_labelIds.png",
        "gtFine/default/{}_gtFine_color.png",
    ),
    "livecell": livecell,
    "drivable": _drivable(),
    "drivable_in_colours_too": _drivable(pictured=True),
    "drivable_labels": _drivable(beside=True, pictured=True),
    "drivable_and_scenes": _drivable(beside=True, other_task=True),
    "nnunet_ignore": nnunet_ignore,
    "spacenet": spacenet,
    "list_of_files": list_of_files,
    "table_pbtxt": _table("labelmap.pbtxt", "item {\n id: 1\n name: 'cell'\n}\nitem {\n id: 2\n name: 'debris'\n}\n"),
    "table_clr": _table("styles.clr", "0 0 0 0 bg\n1 0 255 255 cell\n2 255 255 0 debris\n"),
    "table_gimp": _table(
        "colours.gpl", "GIMP Palette\nName: x\n#\n 0 0 0\tbg\n0 255 255\tcell\n255 255 0\tdebris\n", in_colour=True
    ),
    "table_settings": _table(
        "config.yaml",
        "classes:\n" + "".join(f"- {{name: {n}, value: {k}}}\n" for k, n in enumerate(("bg", "cell", "debris"))),
    ),
    "table_gb18030": _table("classes.txt", "背景\n细胞\n碎片\n", "gb18030", names=("细胞", "碎片")),
    "table_from_1": _table("objectInfo150.txt", "Idx\tRatio\tName\n1\t0.1\tcell\n2\t0.1\tdebris\n"),
    "table_paddle": _table("autosave_label.txt", "1 cell 0 255 255\n2 debris 255 255 0\n"),
}
