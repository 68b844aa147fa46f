"""Small generated folders as people have them, each with its true labels: layouts of data sets and of tools.

Each function writes a folder and returns its truth. Own drawings after public descriptions of the layouts.
"""

import shutil
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from folders import save

HEIGHT, WIDTH = 40, 56
COLOURS = ((0, 0, 0), (0, 255, 255), (255, 255, 0), (255, 0, 255))


@dataclass
class Truth:
    """What a folder holds.

    Args:
        labels: Of each labelled image its class indices (H, W), or (K, H, W) of 0 and 1 where classes overlap.
        names: Class names that must not be lost.
        parts: How many images the folder gives to each subset.
        may_ask: Whether a refusal that asks is as good as the right answer.
        must_ask: Whether only a refusal is right.
    """

    labels: dict[str, NDArray[Any]] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    parts: dict[str, int] = field(default_factory=dict)
    may_ask: bool = False
    must_ask: bool = False


Kind = Callable[[Path], Truth]


def shapes(seed: int, classes: int = 3, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Blobs of each class but 0, apart from each other."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    target = np.zeros((height, width), np.uint8)
    for k in range(1, classes):
        left = (k - 1) * width / (classes - 1)
        row = random.uniform(0.3, 0.7) * height
        column = left + random.uniform(0.4, 0.6) * width / (classes - 1)
        down, across = random.uniform(0.15, 0.28, 2) * (height, width / (classes - 1))
        target[((rows - row) / down) ** 2 + ((columns - column) / across) ** 2 < 1] = k
    return target


def photo(target: NDArray[Any], seed: int = 0, channels: int = 3) -> NDArray[np.uint8]:
    """An image (H, W, C) that changes where the classes do."""
    random = np.random.default_rng(seed + 500)
    bright = 50 + 60 * (target.astype(int) % 4)[..., None] + np.arange(channels) * 5
    return np.clip(bright + random.normal(0, 9, (*target.shape, channels)), 0, 255).astype(np.uint8)


def coloured(target: NDArray[Any], colours: tuple[tuple[int, ...], ...] = COLOURS) -> NDArray[np.uint8]:
    """The colour of each class, (H, W, 3)."""
    return np.array(colours, np.uint8)[target]


def binary(target: NDArray[Any], k: int = 1) -> NDArray[np.uint8]:
    """0 and 255."""
    return np.where(target == k, 255, 0).astype(np.uint8)


def write(
    root: Path,
    image: str,
    mask: str,
    names: list[str],
    *,
    classes: int = 3,
    as_mask: Callable[[NDArray[Any]], NDArray[Any]] = lambda target: target,
) -> dict[str, NDArray[Any]]:
    """Write an image and a mask for each name, which stands for {} in the patterns; return the labels by image."""
    labels = {}
    for name in names:
        target = shapes(sum(map(ord, image + name)), classes)
        save(root / image.format(name), photo(target, len(labels)))
        save(root / mask.format(name), as_mask(target))
        labels[image.format(name)] = target
    return labels


def bare(root: Path, image: str, names: list[str]) -> None:
    """Images without masks."""
    for name in names:
        save(root / image.format(name), photo(shapes(sum(map(ord, name)))))


def lines(path: Path, *rows: str) -> None:
    """A text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def numbers(count: int, first: int = 0) -> list[str]:
    """Names 0000, 0001, …"""
    return [f"{k:04d}" for k in range(first, first + count)]


def deepglobe(root: Path) -> Truth:
    labels = write(root, "train/{}_sat.jpg", "train/{}_mask.png", ["119", "2334", "455", "606"], as_mask=coloured)
    bare(root, "valid/{}_sat.jpg", ["5", "6"])
    rows = [
        f"{n},{r},{g},{b}"
        for n, (r, g, b) in zip(("unknown", "urban_land", "range_land", "x"), COLOURS, strict=False)
    ]
    lines(root / "class_dict.csv", "name,r,g,b", *rows)
    return Truth(labels, ("urban_land", "range_land"))


def camvid_segnet_lists(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 4), ("val", 2), ("test", 2)):
        names = [f"0016E5_{k:05d}" for k in range(hash(part) % 7, hash(part) % 7 + count)]
        names = [f"{part}{k}" for k in range(count)]
        labels |= write(root, part + "/{}.png", part + "annot/{}.png", names)
        rows = [f"/SegNet/CamVid/{part}/{n}.png /SegNet/CamVid/{part}annot/{n}.png" for n in names]
        lines(root / f"{part}.txt", *rows)
    return Truth(labels, (), {"train": 4, "val": 2, "test": 2})


def ade20k_few(root: Path) -> Truth:
    labels = {}
    for part, short, count in (("training", "train", 4), ("validation", "val", 2)):
        names = [f"ADE_{short}_{k:08d}" for k in range(count)]
        labels |= write(root, f"images/{part}/{{}}.jpg", f"annotations/{part}/{{}}.png", names, classes=4)
    lines(
        root / "objectInfo150.txt", "Idx\tRatio\tTrain\tVal\tName", "1\t0.1\t11\t12\twall", "2\t0.2\t3\t4\tbuilding"
    )
    return Truth(labels, (), {"train": 4, "val": 2})


def voc(root: Path) -> Truth:
    names = [f"2007_{k:06d}" for k in range(6)]
    labels = write(root, "JPEGImages/{}.jpg", "SegmentationClass/{}.png", names)
    for name in names:
        save(root / f"SegmentationObject/{name}.png", labels[f"JPEGImages/{name}.jpg"])
        lines(root / f"Annotations/{name}.xml", "<annotation><object><name>cat</name></object></annotation>")
    bare(root, "JPEGImages/{}.jpg", [f"2008_{k:06d}" for k in range(9)])
    for file, listed in (("train", names[:4]), ("val", names[4:]), ("trainval", names)):
        lines(root / f"ImageSets/Segmentation/{file}.txt", *listed)
    lines(root / "ImageSets/Main/train.txt", *[f"2008_{k:06d}" for k in range(9)])
    return Truth(labels, (), {"train": 4, "val": 2})


def voc_in_years(root: Path) -> Truth:
    truth = voc(root / "VOCdevkit" / "VOC2012")
    return Truth({f"VOCdevkit/VOC2012/{k}": v for k, v in truth.labels.items()}, (), truth.parts)


def stems_in_root(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(6))
    lines(root / "train.txt", *numbers(4))
    lines(root / "val.txt", *numbers(2, 4))
    return Truth(labels, (), {"train": 4, "val": 2})


def names_in_root(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(7))
    lines(root / "train_list.txt", *[f"{n}.png" for n in numbers(4)])
    lines(root / "val_list.txt", *[f"{n}.png" for n in numbers(2, 4)])
    lines(root / "test_list.txt", *[f"{n}.png" for n in numbers(1, 6)])
    return Truth(labels, (), {"train": 4, "val": 2, "test": 1})


def mmseg_splits(root: Path) -> Truth:
    labels = write(root, "img_dir/{}.jpg", "ann_dir/{}.png", numbers(6))
    lines(root / "splits/train.txt", *numbers(4))
    lines(root / "splits/val.txt", *numbers(2, 4))
    return Truth(labels, (), {"train": 4, "val": 2})


def _pair_lines(
    separator: str, image: str = "scans/{}.png", mask: str = "truth/{}_final.png", head: str = ""
) -> Kind:
    def kind(root: Path) -> Truth:
        labels = write(root, "scans/{}.png", "truth/{}_final.png", numbers(6))
        for part, names in (("train", numbers(4)), ("val", numbers(2, 4))):
            rows = [separator.join((image.format(n), mask.format(n))) for n in names]
            lines(root / f"{part}.txt", *([head] if head else []), *rows)
        return Truth(labels, (), {"train": 4, "val": 2})

    return kind


def _csv(separator: str, columns: str, file: str = "list.csv", encoding: str = "utf-8") -> Kind:
    def kind(root: Path) -> Truth:
        labels = write(root, "scans/{}.png", "truth/{}_final.png", numbers(6))
        rows = [
            separator.join((f"scans/{n}.png", f"truth/{n}_final.png", "train" if k < 4 else "val"))
            for k, n in enumerate(numbers(6))
        ]
        (root / file).write_text("\n".join((columns.replace(",", separator), *rows)) + "\n", encoding=encoding)
        return Truth(labels, (), {"train": 4, "val": 2})

    return kind


def split_table(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(6))
    rows = [f"{n}.png,{'train' if k < 4 else 'test'}" for k, n in enumerate(numbers(6))]
    lines(root / "split.csv", "filename,split", *rows)
    return Truth(labels, (), {"train": 4, "test": 2})


def lists_of_tiles_that_are_not_there(root: Path) -> Truth:
    labels = write(root, "images/{}.tif", "masks/{}.tif", ["M-33-20", "M-34-13", "N-33-60"])
    lines(root / "train.txt", *[f"M-33-20_{k}" for k in range(9)])
    lines(root / "val.txt", *[f"M-34-13_{k}" for k in range(9)])
    return Truth(labels)


def mapillary(root: Path) -> Truth:
    labels = {}
    for part, names in (("training", ["a", "b", "c"]), ("validation", ["d", "e"])):
        labels |= write(root, part + "/images/{}.jpg", part + "/labels/{}.png", names)
        for name in names:
            target = labels[f"{part}/images/{name}.jpg"]
            save(root / part / "instances" / f"{name}.png", (target.astype(np.uint16) * 256 + (target > 0)))
    listed = ",".join(
        f'{{"name": "x--{n}", "readable": "{n}", "color": [0, 0, {k}]}}'
        for k, n in enumerate(("Rest", "Car", "Tree"))
    )
    lines(root / "config.json", f'{{"version": 1.2, "labels": [{listed}]}}')
    return Truth(labels, (), {"train": 3, "val": 2})


def loveda(root: Path) -> Truth:
    labels = {}
    for part, start in (("Train", 0), ("Val", 20)):
        for scene, first in (("Rural", start + 5), ("Urban", start + 10)):
            folder = f"{part}/{scene}/"
            labels |= write(
                root,
                folder + "images_png/{}.png",
                folder + "masks_png/{}.png",
                [str(k) for k in range(first, first + 3)],
                as_mask=lambda t: t + 1,
            )
    bare(root, "Test/Rural/images_png/{}.png", ["90", "91"])
    return Truth(labels, (), {"train": 6, "val": 6})


def vaihingen(root: Path) -> Truth:
    names = [f"top_mosaic_09cm_area{k}" for k in (1, 3, 11, 26)]
    labels = write(root, "top/{}.tif", "gts_for_participants/{}.tif", names, as_mask=coloured)
    for name in names:
        save(root / "dsm" / f"dsm_09cm_matching_{name.split('_')[-1]}.tif", np.ones((HEIGHT, WIDTH), np.float32))
    return Truth(labels)


def isic2018(root: Path) -> Truth:
    names = [f"ISIC_{k:07d}" for k in (0, 1, 13, 14)]
    labels = write(
        root,
        "ISIC2018_Task1-2_Training_Input/{}.jpg",
        "ISIC2018_Task1_Training_GroundTruth/{}_segmentation.png",
        names,
        classes=2,
        as_mask=binary,
    )
    bare(root, "ISIC2018_Task1-2_Validation_Input/{}.jpg", ["ISIC_0012255", "ISIC_0012346"])
    lines(root / "ISIC2018_Task1-2_Training_Input/ATTRIBUTION.txt", "CC-0")
    return Truth(labels)


def isic2018_attributes(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k, 3)
        layers = np.stack([target == 1, target >= 1]).astype(np.uint8)
        save(root / f"ISIC2018_Task1-2_Training_Input/ISIC_{k:07d}.jpg", photo(target))
        for name, layer in zip(("milia_like_cyst", "pigment_network"), layers, strict=False):
            save(root / f"ISIC2018_Task2_Training_GroundTruth/ISIC_{k:07d}_attribute_{name}.png", layer * 255)
        labels[f"ISIC2018_Task1-2_Training_Input/ISIC_{k:07d}.jpg"] = layers
    return Truth(labels, may_ask=True)


def stare(root: Path) -> Truth:
    names = [f"im{k:04d}" for k in (1, 2, 3, 77)]
    labels = write(root, "stare-images/{}.ppm", "labels-ah/{}.ah.ppm", names, classes=2, as_mask=binary)
    shutil.copytree(root / "labels-ah", root / "labels-vk")
    for name in names:
        (root / "labels-vk" / f"{name}.ah.ppm").rename(root / "labels-vk" / f"{name}.vk.ppm")
    return Truth(labels, may_ask=True)


def chase(root: Path) -> Truth:
    names = [f"Image_{k:02d}{s}" for k in range(1, 4) for s in "LR"]
    labels = write(root, "{}.jpg", "{}_1stHO.png", names, classes=2, as_mask=binary)
    for name in names:
        save(root / f"{name}_2ndHO.png", np.roll(binary(labels[f"{name}.jpg"]), 1, 0))
    return Truth(labels, may_ask=True)


def hrf(root: Path) -> Truth:
    names = ["01_dr", "01_g", "01_h", "02_dr"]
    labels = write(root, "images/{}.JPG", "manual1/{}.tif", names, classes=2, as_mask=binary)
    for name in names:
        save(root / "mask" / f"{name}_mask.tif", np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    return Truth(labels)


def bbbc039(root: Path) -> Truth:
    labels = {}
    for k in range(6):
        target = shapes(k, 6 + 2 * k)
        save(root / f"images/IXMtest_{k:02d}.tif", photo(target, k, 1).astype(np.uint16) * 9)
        rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        rgba[..., 0], rgba[..., 3] = target, 255
        save(root / f"masks/IXMtest_{k:02d}.png", rgba)
        labels[f"images/IXMtest_{k:02d}.tif"] = (target > 0).astype(np.uint8)
    for file, which in (("training", range(4)), ("validation", [4]), ("test", [5])):
        lines(root / f"metadata/{file}.txt", *[f"IXMtest_{k:02d}.png" for k in which])
    return Truth(labels, (), {"train": 4, "val": 1, "test": 1}, may_ask=True)


def nnunet_two_channels(root: Path) -> Truth:
    labels = write(root, "imagesTr/case_{}_0000.png", "labelsTr/case_{}.png", ["001", "002", "003"])
    bare(root, "imagesTr/case_{}_0001.png", ["001", "002", "003"])
    lines(
        root / "dataset.json",
        '{"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "a": 1, "b": 2}}',
    )
    return Truth(labels, must_ask=True)


def nnunet_names(root: Path) -> Truth:
    labels = write(root, "imagesTr/case_{}_0000.png", "labelsTr/case_{}.png", ["001", "002", "003", "004"])
    bare(root, "imagesTs/case_{}_0000.png", ["101"])
    lines(
        root / "dataset.json",
        '{"channel_names": {"0": "RGB"}, "labels": {"background": 0, "liver": 1, "tumor": 2}, "numTraining": 4}',
    )
    return Truth(labels, ("liver", "tumor"))


def nnunet_names_turned(root: Path) -> Truth:
    labels = write(root, "imagesTr/case_{}_0000.png", "labelsTr/case_{}.png", ["001", "002", "003", "004"])
    lines(
        root / "dataset.json",
        '{"modality": {"0": "RGB"}, "labels": {"0": "background", "1": "liver", "2": "tumor"}, "numTraining": 4}',
    )
    return Truth(labels, ("liver", "tumor"))


def _folders(image: str, mask: str) -> Kind:
    def kind(root: Path) -> Truth:
        return Truth(write(root, image + "/{}.png", mask + "/{}.png", numbers(4)))

    return kind


def _parts_named(*names: str, image: str = "{}/images", mask: str = "{}/masks") -> Kind:
    def kind(root: Path) -> Truth:
        labels, parts = {}, {}
        for k, (name, part) in enumerate(zip(names, ("train", "val", "test"), strict=False)):
            labels |= write(
                root, image.format(name) + f"/{k}{{}}.png", mask.format(name) + f"/{k}{{}}.png", numbers(4 - k)
            )
            parts[part] = 4 - k
        return Truth(labels, (), parts)

    return kind


def chinese_files(root: Path) -> Truth:
    labels = write(root, "训练集/图片/细胞{}.jpg", "训练集/标注/细胞{}.png", numbers(4))
    labels |= write(root, "验证集/图片/细胞{}.jpg", "验证集/标注/细胞{}.png", numbers(2, 4))
    lines(root / "类别.txt", "背景", "细胞", "细菌")
    return Truth(labels, (), {"train": 4, "val": 2})


def chinese_suffix(root: Path) -> Truth:
    return Truth(write(root, "数据/{}.jpg", "数据/{}_掩膜.png", numbers(4)))


def nfd(root: Path) -> Truth:
    labels = {}
    for k, name in enumerate(("Köln", "Zürich", "café", "señal")):
        target = shapes(k)
        there = unicodedata.normalize("NFD", name)
        save(root / "images" / f"{there}.png", photo(target))
        save(root / "masks" / f"{unicodedata.normalize('NFC', name)}.png", target)
        labels[f"images/{there}.png"] = target
    return Truth(labels)


def nfd_folders_and_list(root: Path) -> Truth:
    folder = unicodedata.normalize("NFD", "Aufnähme")
    labels = write(root, folder + "/{}.png", "Wahrheit/{}_x.png", numbers(4))
    rows = [f"{unicodedata.normalize('NFC', folder)}/{n}.png,Wahrheit/{n}_x.png" for n in numbers(4)]
    lines(root / "pairs.csv", "image,mask", *rows)
    return Truth(labels)


def links(root: Path) -> Truth:
    labels = write(root / "store", "x{}.png", "y{}_m.png", numbers(4))
    found = {}
    for n in numbers(4):
        for folder, source in (("images", f"x{n}.png"), ("masks", f"y{n}_m.png")):
            (root / "data" / folder).mkdir(parents=True, exist_ok=True)
            (root / "data" / folder / f"{n}.png").symlink_to(Path("../../../store") / source)
        found[f"data/images/{n}.png"] = labels[f"x{n}.png"]
    shutil.move(root / "store", root.parent / "store")
    for link in root.rglob("*.png"):
        target = root.parent / "store" / link.readlink().name
        link.unlink()
        link.symlink_to(target)
    return Truth(found)


def linked_folder(root: Path) -> Truth:
    elsewhere = root.parent / "elsewhere"
    labels = write(elsewhere, "images/{}.png", "masks/{}.png", numbers(4))
    root.mkdir(exist_ok=True)
    (root / "images").symlink_to(elsewhere / "images")
    (root / "masks").symlink_to(elsewhere / "masks")
    return Truth(labels)


def sidecars(root: Path) -> Truth:
    labels = write(root, "images/{}.jpg", "masks/{}.png", numbers(4))
    for n in numbers(4):
        for name in (
            f"{n}.NEF",
            f"{n}.xmp",
            f"{n}.jpg.aux.xml",
            f"._{n}.jpg",
            f"{n}.jgw",
            f"{n}.jpg_original",
            f"{n}.THM",
        ):
            (root / "images" / name).write_bytes(b"II*\0\x08\0\0\0\0\0" if name.endswith("NEF") else b"sidecar")
        (root / "masks" / f"{n}.png.aux.xml").write_text("<PAMDataset/>")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "notes.docx", "icon.svg"):
        (root / "images" / name).write_bytes(b"\x00\x01")
    save(root / "preview.jpg", photo(shapes(99)))
    return Truth(labels)


def supervisely_masks(root: Path) -> Truth:
    labels = write(root, "ds0/img/{}.jpg", "ds0/masks_machine/{}.jpg.png", ["a", "b", "c"])
    for name in "abc":
        save(root / f"ds0/masks_human/{name}.jpg.png", np.concatenate([photo(shapes(1))] * 2, 1))
        lines(root / f"ds0/ann/{name}.jpg.json", '{"size": {"height": 40, "width": 56}, "objects": []}')
    lines(root / "obj_class_to_machine_color.json", '{"cat": [1, 1, 1], "dog": [2, 2, 2]}')
    lines(
        root / "meta.json",
        '{"classes": [{"title": "cat", "color": "#FF0000"}, {"title": "dog", "color": "#00FF00"}], "tags": []}',
    )
    return Truth(labels, ("cat", "dog"))


def cvat_masks(root: Path) -> Truth:
    labels = write(root, "JPEGImages/{}.png", "SegmentationClass/{}.png", ["a", "b", "c"], as_mask=coloured)
    for name in "abc":
        save(root / f"SegmentationObject/{name}.png", coloured(labels[f"JPEGImages/{name}.png"], COLOURS[::-1]))
    lines(
        root / "labelmap.txt",
        "# label:color_rgb:parts:actions",
        "background:0,0,0::",
        "cat:0,255,255::",
        "dog:255,255,0::",
    )
    lines(root / "ImageSets/Segmentation/default.txt", "a", "b", "c")
    return Truth(labels, ("cat", "dog"))


def cvat_camvid(root: Path) -> Truth:
    labels = write(root, "default/{}.png", "defaultannot/{}.png", ["a", "b", "c"], as_mask=coloured)
    lines(root / "label_colors.txt", "0 0 0 background", "0 255 255 cat", "255 255 0 dog")
    lines(root / "default.txt", *[f"/default/{n}.png /defaultannot/{n}.png" for n in "abc"])
    return Truth(labels, ("cat", "dog"))


def cellpose_sample(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 4), ("test", 2)):
        for k in range(count):
            target = shapes(k, 4 + k)
            save(root / part / f"{k:03d}_img.png", photo(target))
            save(root / part / f"{k:03d}_masks.png", target.astype(np.uint16))
            labels[f"{part}/{k:03d}_img.png"] = (target > 0).astype(np.uint8)
    return Truth(labels, (), {"train": 4, "test": 2}, may_ask=True)


def stardist(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 5), ("test", 2)):
        for k in range(count):
            target = shapes(k, 4 + 3 * k)
            save(root / part / "images" / f"c{k}.tif", photo(target, k, 1))
            save(root / part / "masks" / f"c{k}.tif", target.astype(np.uint16))
            labels[f"{part}/images/c{k}.tif"] = (target > 0).astype(np.uint8)
    return Truth(labels, (), {"train": 5, "test": 2})


def isbi_volumes(root: Path) -> Truth:
    targets = np.stack([binary(shapes(k, 2)) for k in range(8)])
    images = np.stack([photo(shapes(k, 2), k, 1)[..., 0] for k in range(8)])
    save(root / "train-volume.tif", images, photometric="minisblack")
    save(root / "train-labels.tif", targets, photometric="minisblack")
    save(root / "test-volume.tif", images[::-1], photometric="minisblack")
    return Truth({f"train-volume.tif\n{k}": (t > 0).astype(np.uint8) for k, t in enumerate(targets)})


def massachusetts_roads(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 4), ("valid", 2), ("test", 2)):
        labels |= write(
            root,
            part + "/sat/{}.tiff",
            part + "/map/{}.tif",
            [f"{part}{k}_15" for k in range(count)],
            classes=2,
            as_mask=binary,
        )
    return Truth(labels, (), {"train": 4, "val": 2, "test": 2})


def isaid(root: Path) -> Truth:
    labels = write(
        root,
        "train/images/{}.png",
        "train/Semantic_masks/images/{}_instance_color_RGB.png",
        ["P0000", "P0001", "P0002"],
        as_mask=coloured,
    )
    return Truth(labels, may_ask=True)


def gid(root: Path) -> Truth:
    return Truth(
        write(
            root,
            "image_RGB/{}.tif",
            "label_5classes/{}_label.tif",
            ["GF2_PMS1__L1A0000564539-MSS1", "GF2_PMS1__L1A0000575925-MSS1", "GF2_PMS2__L1A0000607677-MSS2"],
            as_mask=coloured,
        )
    )


def uavid(root: Path) -> Truth:
    labels = {}
    for part, seqs in (("uavid_train", (1, 2)), ("uavid_val", (16,))):
        for seq in seqs:
            folder = f"{part}/seq{seq}/"
            labels |= write(
                root, folder + "Images/{}.png", folder + "Labels/{}.png", ["000000", "000100"], as_mask=coloured
            )
    return Truth(labels, (), {"train": 4, "val": 2})


def drone_dataset(root: Path) -> Truth:
    labels = write(
        root,
        "dataset/semantic_drone_dataset/original_images/{}.jpg",
        "dataset/semantic_drone_dataset/label_images_semantic/{}.png",
        ["000", "001", "002"],
    )
    for path, target in labels.items():
        save(root / "RGB_color_image_masks/RGB_color_image_masks" / (Path(path).stem + ".png"), coloured(target))
    lines(
        root / "class_dict_seg.csv",
        "name, r, g, b",
        "unlabeled, 0, 0, 0",
        "paved-area, 0, 255, 255",
        "dirt, 255, 255, 0",
    )
    return Truth(labels)


def carvana(root: Path) -> Truth:
    names = [f"0cdf5b5d0ce1_{k:02d}" for k in range(1, 5)]
    labels = write(root, "train/{}.jpg", "train_masks/{}_mask.gif", names, classes=2, as_mask=binary)
    bare(root, "test/{}.jpg", [f"ff_{k:02d}" for k in range(3)])
    lines(root / "train_masks.csv", "img,rle_mask", *[f"{n}.jpg,1 2 3 4" for n in names])
    return Truth(labels)


def kitti(root: Path) -> Truth:
    names = [f"{k:06d}_10" for k in range(4)]
    labels = write(root, "training/image_2/{}.png", "training/semantic/{}.png", names)
    for name in names:
        target = labels[f"training/image_2/{name}.png"]
        save(root / f"training/semantic_rgb/{name}.png", coloured(target))
        save(root / f"training/instance/{name}.png", target.astype(np.uint16) * 256)
    bare(root, "testing/image_2/{}.png", names)
    return Truth(labels)


def aeroscapes(root: Path) -> Truth:
    labels = write(root, "JPEGImages/{}.jpg", "SegmentationClass/{}.png", numbers(6))
    for path, target in labels.items():
        save(root / "Visualizations" / (Path(path).stem + ".png"), coloured(target))
    lines(root / "ImageSets/trn.txt", *numbers(4))
    lines(root / "ImageSets/val.txt", *numbers(2, 4))
    return Truth(labels, (), {"train": 4, "val": 2})


def montgomery(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k)
        save(root / f"CXR_png/MCUCXR_{k:04d}_0.png", photo(target, k, 1))
        for name, value in (("leftMask", 1), ("rightMask", 2)):
            save(root / f"ManualMask/{name}/MCUCXR_{k:04d}_0.png", binary(target, value))
        labels[f"CXR_png/MCUCXR_{k:04d}_0.png"] = target
    return Truth(labels, may_ask=True)


def refuge(root: Path) -> Truth:
    return Truth(
        write(
            root,
            "Training400/{}.jpg",
            "Disc_Cup_Masks/{}.bmp",
            ["g0001", "g0002", "g0003", "n0001"],
            as_mask=lambda t: np.array([255, 128, 0], np.uint8)[t],
        )
    )


def glas(root: Path) -> Truth:
    labels = {}
    for k in range(1, 6):
        target = shapes(k, 3 + k)
        save(root / f"train_{k}.bmp", photo(target))
        save(root / f"train_{k}_anno.bmp", target)
        labels[f"train_{k}.bmp"] = (target > 0).astype(np.uint8)
    lines(root / "Grade.csv", "name,patient ID, grade (GlaS)", "train_1,1,benign")
    return Truth(labels, may_ask=True)


def crack500(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 4), ("val", 2)):
        labels |= write(
            root,
            part + "crop/{}.jpg",
            part + "crop/{}.png",
            [f"20160222_{k}" for k in range(count)],
            classes=2,
            as_mask=binary,
        )
    return Truth(labels, (), {"train": 4, "val": 2})


def same_stems(root: Path) -> Truth:
    return Truth(write(root, "{}.jpg", "{}.png", numbers(4)))


def deepcrack(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 4), ("test", 2)):
        labels |= write(
            root,
            part + "_img/{}.jpg",
            part + "_lab/{}.png",
            [f"{part}1{k}" for k in range(count)],
            classes=2,
            as_mask=binary,
        )
    return Truth(labels, (), {"train": 4, "test": 2})


def mvtec(root: Path) -> Truth:
    labels = {}
    for defect in ("crack", "hole"):
        labels |= write(
            root,
            f"test/{defect}/{{}}.png",
            f"ground_truth/{defect}/{{}}_mask.png",
            ["000", "001", "002"],
            classes=2,
            as_mask=binary,
        )
    bare(root, "test/good/{}.png", ["000", "001"])
    bare(root, "train/good/{}.png", ["000", "001", "002", "003"])
    return Truth(labels, may_ask=True)


def coco_stuff_maps(root: Path) -> Truth:
    labels = {}
    for part, count in (("train2017", 4), ("val2017", 2)):
        labels |= write(
            root,
            f"images/{part}/{{}}.jpg",
            f"stuffthingmaps/{part}/{{}}.png",
            [f"{k:012d}" for k in range(len(part) + 9, len(part) + 9 + count)],
        )
    return Truth(labels, (), {"train": 4, "val": 2})


def plants(root: Path) -> Truth:
    names = [f"ara2013_plant{k:03d}" for k in range(1, 6)]
    labels = {}
    for k, name in enumerate(names):
        target = shapes(k, 3 + k)
        save(root / f"{name}_rgb.png", photo(target))
        save(root / f"{name}_label.png", target)
        save(root / f"{name}_fg.png", binary((target > 0).astype(int)))
        labels[f"{name}_rgb.png"] = (target > 0).astype(np.uint8)
    return Truth(labels, may_ask=True)


def open_earth_map(root: Path) -> Truth:
    labels = {}
    for region, count in (("aachen", 3), ("chiapas", 3)):
        labels |= write(
            root,
            f"{region}/images/{region}_{{}}.tif",
            f"{region}/labels/{region}_{{}}.tif",
            [str(k) for k in range(count)],
            as_mask=lambda t: t + 1,
        )
    lines(root / "train.txt", "aachen_0.tif", "aachen_1.tif", "chiapas_0.tif", "chiapas_1.tif")
    lines(root / "val.txt", "aachen_2.tif", "chiapas_2.tif")
    return Truth(labels, (), {"train": 4, "val": 2})


def xbd(root: Path) -> Truth:
    labels = {}
    for when in ("pre", "post"):
        labels |= write(
            root,
            f"images/guatemala_{{}}_{when}_disaster.png",
            f"targets/guatemala_{{}}_{when}_disaster_target.png",
            ["00000000", "00000003", "00000007"],
        )
    return Truth(labels)


def change_pairs(root: Path) -> Truth:
    labels = write(root, "A/{}.png", "label/{}.png", [f"train_{k}" for k in range(4)], classes=2, as_mask=binary)
    bare(root, "B/{}.png", [f"train_{k}" for k in range(4)])
    return Truth(labels, must_ask=True)


def with_predictions(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(4))
    for path, target in labels.items():
        save(root / "predictions" / Path(path).name, np.roll(target, 3, 1))
        save(root / "overlays" / Path(path).name, coloured(target))
        save(root / "depth" / Path(path).name, photo(target, 0, 1))
    return Truth(labels)


def masks_parted(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/train/{}.png", numbers(4))
    labels |= write(root, "images/{}.png", "masks/val/{}.png", numbers(2, 4))
    return Truth(labels, (), {"train": 4, "val": 2})


def mixed_case(root: Path) -> Truth:
    return Truth(write(root, "Images/{}.JPG", "Masks/{}.PNG", ["IMG_001", "IMG_002", "IMG_003"]))


def case_differs(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k)
        save(root / f"images/Scan_{k}.png", photo(target))
        save(root / f"masks/scan_{k}.png", target)
        labels[f"images/Scan_{k}.png"] = target
    return Truth(labels, may_ask=True)


def padded_numbers(root: Path) -> Truth:
    labels = {}
    for k in range(1, 12):
        target = shapes(k)
        save(root / f"images/{k}.png", photo(target))
        save(root / f"masks/{k:03d}.png", target)
        labels[f"images/{k}.png"] = target
    return Truth(labels, may_ask=True)


def numbers_shifted(root: Path) -> Truth:
    """Masks counted from 1, images from 0: pairing by name would be wrong by one for all but the ends."""
    for k in range(6):
        save(root / f"images/{k}.png", photo(shapes(k)))
        save(root / f"masks/{k + 1}.png", shapes(k))
    return Truth(must_ask=True)


def rugd(root: Path) -> Truth:
    labels = {}
    for scene in ("creek", "park-1"):
        labels |= write(
            root,
            f"RUGD_frames-with-annotations/{scene}/{scene}_{{}}.png",
            f"RUGD_annotations/{scene}/{scene}_{{}}.png",
            ["00001", "00046", "00091"],
            as_mask=coloured,
        )
    lines(
        root / "RUGD_annotations/RUGD_annotation-colormap.txt", "0 void 0 0 0", "1 dirt 0 255 255", "2 sand 255 255 0"
    )
    return Truth(labels, ("dirt", "sand"))


def rellis(root: Path) -> Truth:
    labels = {}
    for seq in ("00000", "00001"):
        labels |= write(
            root,
            f"Rellis-3D/{seq}/pylon_camera_node/{{}}.jpg",
            f"Rellis-3D/{seq}/pylon_camera_node_label_id/{{}}.png",
            [f"frame{k:06d}-15" for k in range(3)],
        )
    return Truth(labels)


def aux_channels(root: Path) -> Truth:
    labels = write(
        root,
        "train/rgb/b{}_Clipped.jpg",
        "train/GT_color/b{}_mask.png",
        ["1-09517", "275-79", "3-1"],
        as_mask=coloured,
    )
    bare(root, "train/nir_gray/b{}_Clipped.jpg", ["1-09517", "275-79", "3-1"])
    return Truth(labels, may_ask=True)


def semantic_folder(root: Path) -> Truth:
    return Truth(write(root, "images/{}.jpg", "semantic segmentation/{}.png", numbers(4)))


def roboflow_masks_many(root: Path) -> Truth:
    labels = {}
    for part, count in (("train", 4), ("valid", 2)):
        labels |= write(
            root, part + "/{}.jpg", part + "/{}_mask.png", [f"im{k}_jpg.rf.{k:032x}" for k in range(count)]
        )
        lines(root / part / "_classes.csv", "Pixel Value, Class", "0, background", "1, cat", "2, dog")
    return Truth(labels, ("cat", "dog"), {"train": 4, "val": 2})


def png_in_deep_folders(root: Path) -> Truth:
    labels = {}
    for patient in ("p1", "p2", "p3"):
        labels |= write(
            root, f"cohort/{patient}/day1/images/{{}}.png", f"cohort/{patient}/day1/masks/{{}}.png", ["0", "1"]
        )
    return Truth(labels)


def masks_above(root: Path) -> Truth:
    labels = {}
    for patient in ("p1", "p2", "p3"):
        labels |= write(root, f"images/{patient}/{{}}.png", f"masks/{patient}/{{}}.png", ["0", "1"])
    return Truth(labels)


def prefix_mask(root: Path) -> Truth:
    return Truth(write(root, "data/{}.png", "data/mask_{}.png", ["cell1", "cell2", "cell3"]))


def image_mask_words(root: Path) -> Truth:
    return Truth(write(root, "cell_{}_image.tif", "cell_{}_label.tif", ["1", "2", "3", "10"]))


def gt_beside(root: Path) -> Truth:
    return Truth(write(root, "d/{}.jpg", "d/{}_gt.png", ["1", "2", "3", "10"]))


def busi_classes_overlapping_numbers(root: Path) -> Truth:
    labels = {}
    for name in ("benign", "malignant"):
        labels |= write(
            root,
            f"Dataset_BUSI_with_GT/{name}/{name} ({{}}).png",
            f"Dataset_BUSI_with_GT/{name}/{name} ({{}})_mask.png",
            ["1", "2", "11"],
            classes=2,
            as_mask=binary,
        )
    return Truth(labels)


def celeb_parts(root: Path) -> Truth:
    for k in range(4):
        save(root / f"CelebA-HQ-img/{k}.jpg", photo(shapes(k)))
        for name, value in (("hair", 1), ("skin", 2)):
            save(root / f"CelebAMask-HQ-mask-anno/0/{k:05d}_{name}.png", binary(shapes(k), value))
    return Truth(may_ask=True, labels={f"CelebA-HQ-img/{k}.jpg": shapes(k) for k in range(4)})


def class_files_beside(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k)
        save(root / f"images/{k:03d}.png", photo(target))
        for name, value in (("liver", 1), ("tumor", 2)):
            save(root / f"masks/{k:03d}_{name}.png", binary(target, value))
        labels[f"images/{k:03d}.png"] = target
    return Truth(labels, ("liver", "tumor"))


def class_files_in_one_folder(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k)
        save(root / f"{k:03d}.png", photo(target))
        for name, value in (("liver", 1), ("tumor", 2)):
            save(root / f"{k:03d}_mask_{name}.png", binary(target, value))
        labels[f"{k:03d}.png"] = target
    return Truth(labels, ("liver", "tumor"), may_ask=True)


def class_folders_above(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k)
        save(root / f"images/{k:03d}.png", photo(target))
        for name, value in (("road", 1), ("house", 2)):
            save(root / f"{name}_masks/{k:03d}.png", binary(target, value))
        labels[f"images/{k:03d}.png"] = target
    return Truth(labels, ("road", "house"), may_ask=True)


def class_folders_some_missing(root: Path) -> Truth:
    labels = {}
    for k in range(4):
        target = shapes(k)
        save(root / f"images/{k:03d}.png", photo(target))
        for name, value in (("road", 1), ("house", 2)):
            if k % 2 or value == 1:
                save(root / f"masks/{name}/{k:03d}.png", binary(target, value))
        labels[f"images/{k:03d}.png"] = target
    return Truth(labels, may_ask=True)


def two_annotators(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks_A/{}.png", numbers(4), classes=2, as_mask=binary)
    for path, target in labels.items():
        save(root / "masks_B" / Path(path).name, np.roll(binary(target), 4, 1))
    return Truth(labels, may_ask=True)


def tiles_with_json_names(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(4))
    lines(root / "classes.json", '{"0": "ground", "1": "roof", "2": "tree"}')
    return Truth(labels, ("ground", "roof", "tree"))


def names_in_readme_table(root: Path) -> Truth:
    labels = write(root, "images/{}.png", "masks/{}.png", numbers(4))
    lines(root / "labels.csv", "id;name;color", "0;ground;#000000", "1;roof;#ff0000", "2;tree;#00ff00")
    return Truth(labels, ("ground", "roof", "tree"))


KINDS: dict[str, Kind] = {
    name: function
    for name, function in globals().copy().items()
    if callable(function)
    and getattr(function, "__module__", "") == __name__
    and name not in {"Truth", "shapes", "photo", "coloured", "binary", "write", "bare", "lines", "numbers"}
    and not name.startswith("_")
} | {
    "list_spaces": _pair_lines(" "),
    "list_tabs": _pair_lines("\t"),
    "list_commas": _pair_lines(","),
    "list_semicolons": _pair_lines(";"),
    "list_backslashes": _pair_lines(";", "scans\\{}.png", "truth\\{}_final.png"),
    "list_dot_slash": _pair_lines(" ", "./scans/{}.png", "./truth/{}_final.png"),
    "list_absolute": _pair_lines(" ", "/home/me/data/scans/{}.png", "/home/me/data/truth/{}_final.png"),
    "list_windows": _pair_lines(",", "C:\\data\\scans\\{}.png", "C:\\data\\truth\\{}_final.png"),
    "list_head": _pair_lines(",", head="image,mask"),
    "csv_semicolons": _csv(";", "image,mask,split"),
    "csv_tabs": _csv("\t", "image,mask,split", "list.tsv"),
    "csv_tabs_as_csv": _csv("\t", "image,mask,split"),
    "csv_bom": _csv(",", "image,mask,split", encoding="utf-8-sig"),
    "csv_utf16": _csv("\t", "image,mask,split", encoding="utf-16"),
    "csv_other_columns": _csv(",", "img_path,seg_path,subset"),
    "csv_label_name": _csv(",", "image_name,label_name,phase"),
    "csv_capitals": _csv(",", "Image,Mask,Split"),
    "chinese_folders": _folders("图像", "标签"),
    "chinese_masks": _folders("原图", "掩膜"),
    "chinese_whole": _folders("数据集/影像", "数据集/真值"),
    "chinese_long": _folders("原始图像", "分割标签"),
    "chinese_traditional": _folders("圖像", "標籤"),
    "japanese": _folders("画像", "マスク"),
    "german": _folders("Bilder", "Masken"),
    "french": _folders("images", "masques"),
    "spanish": _folders("imagenes", "mascaras"),
    "input_output": _folders("input", "output"),
    "source_target": _folders("source", "target"),
    "src_label": _folders("src", "label"),
    "x_y": _folders("X", "Y"),
    "original_segmented": _folders("original", "segmented"),
    "scans_labels_map": _folders("scans", "label_map"),
    "image_groundtruth": _folders("image", "GroundTruth"),
    "parts_dev": _parts_named("train", "dev", "test"),
    "parts_eval": _parts_named("training", "evaluation", "testing"),
    "parts_valid_set": _parts_named("training_set", "validation_set", "test_set"),
    "parts_capitals": _parts_named("TRAIN", "VAL", "TEST"),
    "parts_numbered": _parts_named("1_train", "2_val", "3_test"),
    "parts_below": _parts_named("train", "val", "test", image="images/{}", mask="masks/{}"),
    "parts_in_names": _parts_named("train", "val", "test", image="{}_images", mask="{}_masks"),
    "parts_behind": _parts_named("train", "val", "test", image="images_{}", mask="labels_{}"),
    "parts_chinese": _parts_named("训练", "验证", "测试", image="{}/图像", mask="{}/掩码"),
    "parts_holdout": _parts_named("train", "val", "hold-out"),
}
