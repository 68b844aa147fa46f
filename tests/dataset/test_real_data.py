"""Real data sets, understood without a description file. They lie beside the checkout, and are not part of it."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.split import groups_of, split

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real data sets are not beside the checkout"),
]


@dataclass(frozen=True)
class Expected:
    """What must be understood of a folder; findings are pieces of what must be said, and nothing else may be."""

    pairs: int
    names: tuple[str, ...]
    values: tuple[object, ...]
    channels: int = 3
    dtype: str = "uint8"
    unlabelled: int = 0
    ignored: tuple[int, ...] = ()
    reading: str = "values"
    instances: bool = False
    parts: dict[str, int] = field(default_factory=dict)
    groups: int | None = None
    findings: tuple[str, ...] = ()


TWO = {"names": ("background", "foreground"), "values": (0, 255)}
CAMVID = ("sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist")
EXPECTED = {
    "isbi2012": Expected(
        24, **TWO, channels=1, unlabelled=30, parts={"train": 18, "val": 2, "test": 2, "gap": 2},
        findings=("1 folder with images is not used",),
    ),
    "isbi2012/stacks": Expected(24, **TWO, channels=1, parts={"train": 18, "val": 2, "test": 2, "gap": 2}),
    "dsb2018": Expected(531, **TWO, instances=True, parts={"train": 425, "val": 53, "test": 53}),
    "dsb2018_native": Expected(
        14, ("background", "object"), (0, 255), reading="objects", instances=True,
        parts={"train": 11, "val": 2, "test": 1},
    ),
    "camvid": Expected(
        76, CAMVID, tuple(range(11)), ignored=(11,), parts={"train": 46, "val": 13, "test": 17}, groups=4,
        findings=("recognised as CamVid", "2 images have their background in common with others"),
    ),
    "oxford_pets": Expected(
        139, ("pet", "background", "border"), (1, 2, 3), parts={"train": 111, "val": 14, "test": 14},
        findings=("recognised as Oxford-IIIT Pet", "the background alone fills 1 of 139 masks"),
    ),
    "farmland_agoro": Expected(
        30, **TWO, instances=True, parts={"train": 24, "val": 3, "test": 3},
        findings=("masks are used, and those of VGG Image Annotator are not",),
    ),
    "dubai_aerial": Expected(
        53, tuple(f"class {k}" for k in range(6)), tuple(range(6)), ignored=(255,), groups=7,
        parts={"train": 45, "val": 5, "test": 3},
        findings=("2 folders hold masks", "1 value in the masks is ignored", "classes.json does not say"),
    ),
    "chasedb1": Expected(
        20, **TWO, parts={"train": 16, "val": 2, "test": 2}, groups=10, findings=("2 folders hold masks",),
    ),
    "geotiff/spacenet_atlanta": Expected(
        25, **TWO, channels=1, dtype="uint16", parts={"train": 20, "val": 3, "test": 2},
        findings=(
            "2 files may be the mask", "masks are used, and those of GeoJSON",
            "cut into 25 blocks of about 170 × 170 pixels, 13 pixels apart",
            "the background alone fills 3 of 25 masks",
        ),
    ),
    "geotiff/landsat7_tutorial": Expected(
        21, tuple(f"class {k}" for k in range(1, 6)), (1, 2, 3, 4, 5), channels=8, dtype="float32", ignored=(0,),
        parts={"train": 17, "val": 2, "test": 2},
        findings=(
            "training_data.gtif lies on the grid", "masks are used, and those of GeoJSON",
            "1 value in the masks", "1 channel has one value",
            "Scores are on labelled pixels only",
            "cut into 21 blocks of about 48 × 48 pixels, 3 pixels apart, for training, validation and test, 4 more",
        ),
    ),
    "microscopy_stack": Expected(
        32, ("background", "object"), (0, 255), channels=1, dtype="uint16", reading="instances", instances=True,
        parts={"train": 24, "val": 3, "test": 3, "gap": 2}, findings=("the masks number the objects",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["chasedb1", "dsb2018", "farmland_agoro", "geotiff/spacenet_atlanta", "isbi2012"])
def test_objects_of_two_classes_are_no_strokes(name, tmp_path):
    """Vessels, nuclei, fields, roofs and membranes on 0, in pieces of two classes as strokes would be."""
    whole = scan(DATA / name, whole=True)
    dataset = whole if len(whole.samples) > 1 else scan(DATA / name)
    for sample in dataset.samples[:: max(1, len(dataset.samples) // 10)][:10]:
        pieces, _ = ndimage.label(dataset.labels.foreground(dataset.target(sample)), np.ones((3, 3)))
        image = dataset.image(sample).astype(float)
        for kind, pixels in (
            ("images", image / max(image.max() / 255, 1)),
            ("masks", (pieces > 0) * (1 + pieces % 2)),
        ):
            (tmp_path / kind).mkdir(exist_ok=True)
            shown = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
            Image.fromarray(shown.astype(np.uint8)).save(tmp_path / kind / f"{sample.name}.png")
    found = scan(tmp_path)
    assert found.labels.values == (0, 1, 2)
    assert found.labels.ignored == ()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_folder_is_understood(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path))
    expected = EXPECTED[name]
    dataset = scan(DATA / name)
    labels = dataset.labels
    assert (len(dataset.samples), len(dataset.unlabelled)) == (expected.pairs, expected.unlabelled)
    assert (labels.names, labels.values, labels.ignored) == (expected.names, expected.values, expected.ignored)
    assert (dataset.channels, dataset.dtype, dataset.reading) == (expected.channels, expected.dtype, expected.reading)
    assert all((dataset.instances(s) is not None) == expected.instances for s in dataset.samples[:5])
    result = audit(dataset)
    said = [finding.problem.what for finding in result.findings]
    assert len(said) == len(expected.findings), said
    assert all(any(piece in what for what in said) for piece in expected.findings), said
    told = groups_of(dataset.samples)
    if expected.groups is not None:
        assert len(set(told[0])) == expected.groups
    if expected.parts:
        divided = split(dataset.samples, result)
        assert Counter(part for part, _ in divided.parts.values()) == expected.parts


def test_slices_as_files_and_as_stacks_are_the_same():
    files, stack = scan(DATA / "isbi2012"), scan(DATA / "isbi2012" / "stacks")
    for one, other in zip(files.samples, stack.samples, strict=True):
        np.testing.assert_array_equal(files.image(one), stack.image(other))
        np.testing.assert_array_equal(files.target(one), stack.target(other))


def test_merged_nuclei_are_the_distributed_masks_and_instances_are_kept():
    merged, native = scan(DATA / "dsb2018"), scan(DATA / "dsb2018_native")
    by_name = {sample.name: sample for sample in merged.samples}
    both = [sample for sample in native.samples if sample.name in by_name]
    assert both
    for sample in both:
        target = merged.target(by_name[sample.name])
        np.testing.assert_array_equal(native.target(sample), target)
        np.testing.assert_array_equal(native.instances(sample) > 0, target)
        assert native.instances(sample).max() == merged.instances(by_name[sample.name]).max() == len(sample.masks)


def test_pixels_of_camvid_are_those_of_pillow(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path))
    result = audit(scan(DATA / "camvid"))
    files = [path for part in ("train", "val", "test") for path in (DATA / "camvid" / f"{part}annot").iterdir()]
    counts = np.sum([np.bincount(np.asarray(Image.open(path)).ravel(), minlength=12) for path in files], axis=0)
    assert [*(figures.pixels for figures in result.classes), result.ignored_pixels] == counts.tolist()


def test_files_that_are_not_what_their_names_say_are_read():
    dataset = scan(DATA / "oxford_pets")
    by_name = {sample.name: sample for sample in dataset.samples}
    assert dataset.image(by_name["Abyssinian_34"]).shape == (202, 250, 3)  # a GIF
    assert dataset.image(by_name["Abyssinian_5"]).shape == (150, 200, 3)  # an RGBA PNG


def test_colour_masks_are_read_by_colour_and_the_distributed_list_disagrees(tmp_path):
    (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\nroot: {DATA / 'dubai_aerial'}\nmasks: masks_rgb\n")
    dataset = scan(tmp_path / "dataset.yaml")
    assert dataset.labels.encoding == "colour"
    assert {"#{:02X}{:02X}{:02X}".format(*value) for value in dataset.labels.values} == {
        "#000000", "#3C1098", "#8429F6", "#6EC1E4", "#FEDD3A", "#E2A929", "#9B9B9B",
    }  # fmt: skip
    assert any("classes.json disagrees with the masks" in finding.problem.what for finding in dataset.findings)
    indices = scan(DATA / "dubai_aerial")
    order = [
        dataset.labels.names.index(c) for c in ("#3C1098", "#8429F6", "#6EC1E4", "#FEDD3A", "#E2A929", "#9B9B9B")
    ]
    for coloured, plain in zip(dataset.samples[::7], indices.samples[::7], strict=True):
        target = indices.target(plain)
        known = target != 255
        np.testing.assert_array_equal(dataset.target(coloured)[known], np.array(order)[target[known]])


def test_buildings_are_burnt_from_geojson_as_they_were_into_the_mask(tmp_path):
    source = DATA / "geotiff" / "spacenet_atlanta"
    for file in ("image_pan_uint16.tif", "buildings.geojson"):
        (tmp_path / file).symlink_to(source / file)
    drawn, burnt = scan(tmp_path, whole=True), scan(source, whole=True)
    target, mask = drawn.target(drawn.samples[0]), burnt.target(burnt.samples[0])
    assert drawn.labels.names == ("background", "buildings")
    assert (target != mask).sum() <= 0.001 * mask.sum()
    assert drawn.instances(drawn.samples[0]).max() == 43


def test_a_shapefile_is_burnt_as_its_raster(tmp_path):
    source = DATA / "geotiff" / "landsat7_tutorial"
    for file in source.iterdir():
        if file.name != "training_data.gtif":
            (tmp_path / file.name).symlink_to(file)
    drawn, raster = scan(tmp_path, whole=True), scan(source, whole=True)
    assert set(drawn.labels.names) == {"background", "forest", "water", "herbaceous", "barren", "urban"}
    target, mask = drawn.target(drawn.samples[0]), raster.target(raster.samples[0])
    labelled = mask != 255
    assert ((target > 0) == labelled).mean() > 0.99
    pairs = Counter(zip(target[labelled].tolist(), mask[labelled].tolist(), strict=True)).most_common(5)
    assert len({first for (first, _), _ in pairs}) == len({second for (_, second), _ in pairs}) == 5


@pytest.mark.parametrize(
    ("name", "message"), [("naip_north_dakota", "no masks were found"), ("rasterio_rgb", "no masks")]
)
def test_rasters_without_labels_say_so(name, message):
    with pytest.raises(DataError, match=message):
        scan(DATA / "geotiff" / name)
