"""Small folders of strokes as annotation tools write them, by writers of their own."""

import json
from pathlib import Path

import h5py
import numpy as np
import tifffile
from scipy import ndimage

from folders import photograph, save

HEIGHT, WIDTH = 80, 96
NAMES = ("stroma", "nucleus")


def truth(seed):
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH)), 8)
    return (smooth > 0).astype(np.uint8)


def stroked(seed):
    """(H, W): 1 and 2 in four strokes of each class, 0 where nobody has labelled."""
    random, target = np.random.default_rng(seed), truth(seed)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for k in (0, 1):
        inside = ndimage.binary_erosion(target == k, iterations=4)
        rows, columns = np.nonzero(inside)
        for place in random.choice(len(rows), 4, replace=False):
            box = slice(rows[place], rows[place] + 2), slice(columns[place], columns[place] + 9)
            mask[box] = np.where(inside[box], k + 1, mask[box])
    return mask


def images(root, count=3):
    """Photographs in a folder of their own; yield their names and their strokes."""
    for number in range(count):
        save(root / f"images/im{number}.png", photograph(truth(number), number))
        yield f"im{number}", stroked(number)


def dump(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


# napari: Save Selected Layer of a labels layer; _write.py makes it 32 bits wide, io.py writes it with zlib


def napari(root):
    (root / "labels").mkdir(parents=True)
    for name, mask in images(root):
        wide = mask.astype(np.uint32)
        tifffile.imwrite(root / f"labels/{name}.tif", wide, compression="zlib", compressionargs={"level": 1})


def napari_stack(root):
    """One labels layer over a stack of slices, saved next to it."""
    slices = [photograph(truth(number), number)[..., 0] for number in range(5)]
    root.mkdir(parents=True)
    tifffile.imwrite(root / "stack.tif", np.stack(slices))
    layer = np.stack([stroked(number) for number in range(5)]).astype(np.int64)
    tifffile.imwrite(root / "stack_labels.tif", layer, compression="zlib", compressionargs={"level": 1})


# ilastik: a project, and what Export Labels writes

AXES = {"y": 2, "x": 2, "z": 2, "t": 8, "c": 1}


def axistags(letters):
    axes = [{"key": a, "typeFlags": AXES[a], "resolution": 0, "description": ""} for a in letters]
    return json.dumps({"axes": axes})


def project(root, lanes, path="labels.ilp"):
    """A project of lanes: file path, shape, axes, and blocks (start, values) with axes of their own."""
    with h5py.File(root / path, "w") as file:
        file["ilastikVersion"], file["workflowName"] = b"1.4.0", b"Pixel Classification"
        file["PixelClassification/LabelNames"] = [name.encode() for name in NAMES]
        file["Input Data/StorageVersion"] = b"0.2"
        for number, (name, shape, axes, blocks) in enumerate(lanes):
            raw = file.create_group(f"Input Data/infos/lane{number:04}/Raw Data")
            file.create_group(f"Input Data/infos/lane{number:04}/Prediction Mask")
            raw["filePath"], raw["location"], raw["nickname"] = name.encode(), b"FileSystem", Path(name).stem.encode()
            raw["shape"], raw["axistags"], raw["allowLabels"] = shape, axistags(axes).encode(), True
            labels = file.create_group(f"PixelClassification/LabelSets/labels{number:03}")
            for place, (start, values) in enumerate(blocks):
                block = labels.create_dataset(f"block{place:04}", data=values)
                ends = (f"{a}:{a + n}" for a, n in zip(start, values.shape, strict=True))
                block.attrs["blockSlice"], block.attrs["axistags"] = f"[{','.join(ends)}]", axistags(axes)


def ilastik(root):
    """Each image's labels in two blocks, shrunk to what is labelled; the last image has none."""
    lanes = []
    for number, (name, mask) in enumerate(images(root, 4)):
        blocks = [((0, 0, 0), mask[:40, :, None]), ((40, 0, 0), mask[40:, :, None])] if number < 3 else []
        lanes.append((f"images/{name}.png", (HEIGHT, WIDTH, 3), "yxc", blocks))
    project(root, lanes)


def ilastik_stack(root):
    """A stack of five slices of which three are labelled; the axes are z, y, x and c."""
    root.mkdir(parents=True)
    slices = [photograph(truth(number), number)[..., 0] for number in range(5)]
    tifffile.imwrite(root / "stack.tif", np.stack(slices))
    blocks = [((number, 0, 0, 0), stroked(number)[None, :, :, None]) for number in range(3)]
    project(root, [("stack.tif", (5, HEIGHT, WIDTH, 1), "zyxc", blocks)])


def ilastik_export(root, ending="png"):
    for name, mask in images(root):
        save(root / f"images/{name}_Labels.{ending}", mask)


def ilastik_export_tiff(root):
    ilastik_export(root, "tiff")


# Labkit: Save Labeling


def labkit(root):
    for name, mask in images(root):
        labels = {label: np.argwhere(value == mask.T).tolist() for value, label in enumerate(NAMES, start=1)}
        interval = {"min": [0, 0], "max": [WIDTH - 1, HEIGHT - 1], "n": 2}
        sizes = [{"size": 1.0, "unit": "pixel"}] * 2
        colours = {"stroma": "#FF0000", "nucleus": "#00FF00"}
        content = {"interval": interval, "pixelSizes": sizes, "labels": labels, "colors": colours}
        dump(root / f"images/{name}.png.labeling", content)


def labkit_tiff(root):
    """The numbers of the label sets differ from file to file."""
    for number, (name, mask) in enumerate(images(root)):
        turned = np.array([0, 2, 1], np.uint8)[mask] if number % 2 else mask
        sets = [[], *([each] for each in (NAMES[::-1] if number % 2 else NAMES))]
        save(root / f"images/{name}-labeling.tif", turned)
        dump(root / f"images/{name}-labeling.tif.labels", {"labelSets": sets})


# QuPath: File > Export objects as GeoJSON


def boxes_of(mask):
    """The strokes as rectangles of pixels: class and ring."""
    for k in (0, 1):
        for row, column in np.argwhere(mask == k + 1).tolist():
            yield (
                NAMES[k],
                [[column, row], [column + 1, row], [column + 1, row + 1], [column, row + 1], [column, row]],
            )


def feature(name, rings):
    properties = {"objectType": "annotation", "classification": {"name": name, "color": [200, 0, 0]}}
    geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]}
    return {"type": "Feature", "id": "7e2b", "geometry": geometry, "properties": properties}


def qupath(root):
    for name, mask in images(root):
        boxes = list(boxes_of(mask))
        features = [feature(each, [ring for label, ring in boxes if label == each]) for each in NAMES]
        dump(root / f"images/{name}.geojson", {"type": "FeatureCollection", "features": features})


REGION = (slice(10, 60), slice(8, 70))


def qupath_region(root):
    """One class drawn in a region that is annotated wholly: "Region*"."""
    for name, mask in images(root):
        rows, columns = REGION
        left, right, top, bottom = columns.start, columns.stop, rows.start, rows.stop
        region = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        inside = np.zeros_like(mask)
        inside[REGION] = mask[REGION]
        rings = [ring for label, ring in boxes_of(inside) if label == "nucleus"]
        features = [feature("nucleus", rings), feature("Region*", [region])]
        dump(root / f"images/{name}.geojson", {"type": "FeatureCollection", "features": features})


# Label Studio: JSON export of brush labels. Here every value stands by itself: blocks of single words


def single_words(mask):
    """Label Studio's bytes of a mask: a head, then blocks of up to 65,536 plain values, no runs at all."""
    values = np.repeat(np.where(mask.ravel(), 255, 0).astype(np.uint8), 4)
    bits = f"{values.size:032b}{7:05b}{2:04b}{3:04b}{7:04b}{15:04b}"
    for start in range(0, values.size, 65536):
        part = values[start : start + 65536]
        bits += f"0{3:02b}{part.size - 1:016b}" + "".join(f"{value:08b}" for value in part)
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def label_studio(root):
    tasks = []
    for number, (name, mask) in enumerate(images(root)):
        results = [
            {
                "original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0, "id": f"r{k}",
                "from_name": "tag", "to_name": "image", "type": "brushlabels", "origin": "manual",
                "value": {"format": "rle", "rle": single_words(mask == k + 1), "brushlabels": [NAMES[k]]},
            }
            for k in (0, 1)
        ]  # fmt: skip
        annotations = [{"id": number, "result": results, "was_cancelled": False}]
        image = f"/data/upload/1/0a1b2c3d-{name}.png"
        tasks.append({"id": number, "annotations": annotations, "data": {"image": image}})
    dump(root / "project-1-at-2026-11-28.json", tasks)


# CVAT: CVAT for images 1.1, and Segmentation mask 1.1


def cvat(root):
    lines = ["<annotations>", "<version>1.1</version>"]
    for number, (name, mask) in enumerate(images(root)):
        lines.append(f'<image id="{number}" name="{name}.png" width="{WIDTH}" height="{HEIGHT}">')
        for k in (0, 1):
            rows, columns = np.nonzero(mask == k + 1)
            top, left, down, across = rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1
            flat = [0, *(mask[top : top + down, left : left + across] == k + 1).ravel().tolist()]
            edges = [place for place in range(1, len(flat)) if flat[place] != flat[place - 1]]
            runs = np.diff([1, *edges, len(flat)]).tolist()
            box = f'left="{left}" top="{top}" width="{across}" height="{down}"'
            rle = ", ".join(map(str, runs))
            lines.append(
                f'<mask label="{NAMES[k]}" source="manual" occluded="0" rle="{rle}" {box} z_order="0"></mask>'
            )
        lines.append("</image>")
    (root / "annotations.xml").write_text("\n".join([*lines, "</annotations>"]), encoding="utf-8")


COLOURS = np.array([[0, 0, 0], [250, 50, 83], [51, 221, 255]], np.uint8)


def cvat_masks(root):
    for name, mask in images(root):
        (root / "JPEGImages").mkdir(exist_ok=True)
        (root / f"images/{name}.png").rename(root / f"JPEGImages/{name}.png")
        save(root / f"SegmentationClass/{name}.png", COLOURS[mask])
    (root / "images").rmdir()
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\nnucleus:51,221,255::\nstroma:250,50,83::\n"
    (root / "labelmap.txt").write_text(text, encoding="utf-8")
    names = root / "ImageSets/Segmentation/default.txt"
    names.parent.mkdir(parents=True)
    names.write_text("im0\nim1\nim2\n", encoding="utf-8")


SURE = {"ilastik": ilastik, "ilastik stack": ilastik_stack, "Labkit": labkit, "Labkit TIFF": labkit_tiff}
"""What is strokes beyond doubt."""
ASKED = {
    "napari": napari, "napari stack": napari_stack, "ilastik export": ilastik_export,
    "ilastik TIFF export": ilastik_export_tiff, "QuPath": qupath, "Label Studio": label_studio, "CVAT": cvat,
    "CVAT masks": cvat_masks,
}  # fmt: skip
"""What may be strokes or objects on a background."""
