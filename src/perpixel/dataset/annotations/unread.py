"""What lies beside images without masks and is not read: which tool wrote it, and what to export instead."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.names import file_role, key

DEFAULT: Final = "put them into images/ and masks/ with equal names, or name them NAME.png and NAME_mask.png."
ANNOTATED: Final = (
    "{} and its like are of no format that is read: export the annotations as COCO, or save them as PNG masks."
)
OUTLINES_IN: Final = frozenset({".json", ".jsonl", ".csv", ".xml"})
OUTLINES: Final = re.compile(rb"polygon|vertices|vertex|\"coordinates\"|\"points\"", re.IGNORECASE)
"""Words of files of outlines, whatever their format."""
LOOKED_AT: Final = 20_000
BESIDE: Final = {"image": ("mask", "instance"), "mask": ("image",), "instance": ("image",)}
"""What a folder of images or of masks is looked for beside."""
BY_ENDING: Final = {
    ".roi": "these are regions of ImageJ: save them as masks (ROI Manager, then Process > Binary > Create Mask).",
    ".zip": "if the archives hold masks or regions, unpack them, or save the regions as masks.",
    ".ilp": "the project of ilastik holds no labels: draw some, and save it.",
    ".labels": "put the TIFF of this name next to the file, as Labkit saves it.",
    ".ndjson": "this is an export of Labelbox: convert it to COCO or to PNG masks first.",
    ".mat": "save the arrays of MATLAB as PNG or TIFF masks.",
    ".h5": "save the arrays as PNG or TIFF masks, one for each image.",
    ".hdf5": "save the arrays as PNG or TIFF masks, one for each image.",
    ".npz": "save the arrays as PNG or TIFF masks, one for each image.",
    ".nii": "save the slices of the volumes as PNG or TIFF.",
    ".gz": "if these are volumes (.nii.gz), save their slices as PNG or TIFF.",
    ".nrrd": "save the slices of the volumes as PNG or TIFF.",
    ".dcm": "save the DICOM images and their segmentations as PNG or TIFF.",
    ".gpkg": "export the GeoPackage as GeoJSON.",
    ".kml": "export the outlines as GeoJSON.",
    ".gml": "export the outlines as GeoJSON.",
    ".heic": "save the images as JPEG or PNG: HEIC is not read.",
    ".heif": "save the images as JPEG or PNG: HEIC is not read.",
    ".avif": "save the images as JPEG or PNG: AVIF is not read.",
    ".jxl": "save the images as JPEG or PNG: JPEG XL is not read.",
    ".mp4": "save the frames as images, under the names of their masks.",
    ".avi": "save the frames as images, under the names of their masks.",
}


def folder_above(root: Path) -> str:
    """What to do with a folder that is called images and stands beside one of masks, or the other way round."""
    wanted = BESIDE.get(_only_role(root) or "", ())
    try:
        beside = [path for path in sorted(root.parent.iterdir()) if path.is_dir() and _only_role(path) in wanted]
    except OSError:
        return DEFAULT
    return f"give the folder above, {root.parent}, which holds {beside[0].name} too." if beside else DEFAULT


def _only_role(folder: Path) -> str | None:
    """The role of a folder whose name says nothing else: labels, and not cells-without-labels."""
    return None if key(folder.name) else file_role(folder.name)


def way_out(files: Sequence[Path], images: Sequence[Path] = ()) -> str:
    """What to do where no masks were found, by files that are neither images nor read, and by the images' names."""
    if any(re.fullmatch(r"man_seg_\d{3,}_\d{3,}", image.stem) for image in images):
        return (
            "the Cell Tracking Challenge labels single slices of these stacks: save each of them as an image "
            "(man_seg_000_005.tif is of page 5 of t000.tif), under the name of its labels."
        )
    if any(path.suffix.lower() == ".csv" and _holds_run_lengths(path) for path in files):
        return (
            "a table holds run lengths: decode them to PNG masks, one for each image, or convert them to COCO first."
        )
    endings = {path.suffix.lower() for path in files}
    if told := next((told for ending, told in BY_ENDING.items() if ending in endings), ""):
        return told
    stems = {image.stem for image in images}
    annotated = [path.name for path in files if path.suffix.lower() in {".json", ".xml"} and path.stem in stems]
    annotated += [path.name for path in files if path.suffix.lower() in OUTLINES_IN and _says_outlines(path)]
    return ANNOTATED.format(annotated[0]) if annotated else DEFAULT


def _says_outlines(path: Path) -> bool:
    """Whether a file begins with the words of a tool that draws outlines, as those of VoTT, Kili and napari do."""
    try:
        with path.open("rb") as file:
            return bool(OUTLINES.search(file.read(LOOKED_AT)))
    except OSError:
        return False


def _holds_run_lengths(path: Path) -> bool:
    """Whether a table has a column of run lengths, as in Kaggle's competitions."""
    try:
        with path.open("rb") as file:
            head, first = file.readline(1000).lower(), file.readline(10_000)
    except OSError:
        return False
    is_said = b"encodedpixels" in head or b"rle" in head.replace(b"_", b",").strip().split(b",")
    return is_said or re.search(rb"(?:^|[,;\t\"])\d+(?: \d+){5,}", first) is not None
