"""Files: names, several outputs in one pass, stacks, GeoTIFF, damage half-way, collisions, resuming."""

import csv

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from perpixel.errors import DataError, OutputError, PerpixelError
from perpixel.prediction import Outputs, PredictOptions, Predictor
from prediction.networks import NAMES, LooksAround, ReadsPixels, codec_for, image_of

TILES = PredictOptions(tile_px=96, overlap_px=32, whole_px=1)
ALL = Outputs(probabilities="uint8", overlay=True, areas=True)


@pytest.fixture
def predictor():
    return Predictor(LooksAround(), codec_for(), options=TILES)


def png(path, image):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def table(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def geotiff(path, image, nodata=None):
    height, width, channels = image.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=channels, dtype=image.dtype,
        crs="EPSG:32618", transform=rasterio.Affine(2, 0, 500_000, 0, -2, 4_100_000), nodata=nodata,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(image, 2, 0))
    return path


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("encoding", ["index", "palette", "colour"])
def test_a_file_gives_the_mask_of_its_array(tmp_path, encoding):
    predictor = Predictor(LooksAround(), codec_for(encoding=encoding), options=TILES)
    image = image_of(205, 130)
    written = predictor.predict_file(png(tmp_path / "in" / "a.png", image), tmp_path / "out")
    assert written.paths == (tmp_path / "out" / "a.png",)
    np.testing.assert_array_equal(np.asarray(Image.open(written.paths[0])), predictor.mask(image))
    assert files_in(tmp_path / "out") == ["a.png"]


def test_several_outputs_come_from_one_pass(tmp_path, predictor):
    image = image_of(205, 130)
    predictor.predict_file(png(tmp_path / "in" / "a.png", image), tmp_path / "out", ALL)
    assert files_in(tmp_path / "out") == ["a.png", "areas/a.csv", "overlays/a.png", "probabilities/a.tif"]
    bands = np.moveaxis(tifffile.imread(tmp_path / "out/probabilities/a.tif"), -1, 0)
    np.testing.assert_array_equal(bands, np.rint(predictor.probabilities(image) * 255))
    target = predictor.target(image)
    rows = table(tmp_path / "out/areas/a.csv")
    assert [row["class"] for row in rows] == list(NAMES)
    assert [int(row["pixels"]) for row in rows] == np.bincount(target.ravel(), minlength=3).tolist()
    assert {row["square_metres"] for row in rows} == {""}
    over = np.asarray(Image.open(tmp_path / "out/overlays/a.png"))
    np.testing.assert_array_equal(over[target == 0], image[target == 0])
    np.testing.assert_array_equal(over[target == 1], np.rint(image[target == 1] / 2 + np.array([127.5, 0, 0])))


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
@pytest.mark.parametrize("depth", [1, 2])
def test_zarr_goes_in_and_comes_out(tmp_path, kind, depth):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    images = np.stack([image_of(130, 101, seed=seed) for seed in range(depth)])
    axes = [{"name": axis} for axis in "zyxc"]
    group = zarr.open_group(tmp_path / "a.zarr", mode="w")
    group.create_array("0", data=images)
    group.attrs["ome"] = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
    predictor = Predictor(LooksAround(), codec_for(kind), options=TILES)
    expected = np.stack([predictor.target(image) for image in images], axis=-3)
    for _ in range(2):  # a second time over the first
        outputs = Outputs(mask=False, zarr=True, overlay=True, existing="replace")
        predictor.predict_file(tmp_path / "a.zarr", tmp_path / "out", outputs)
    written = zarr.open_group(tmp_path / "out/zarr/a.zarr", mode="r")["0"][:]
    np.testing.assert_array_equal(written, expected if depth > 1 else expected.squeeze(-3))
    assert predictor.predict_file(tmp_path / "a.zarr", tmp_path / "out", Outputs(zarr=True, existing="replace")).paths


def test_class_indices_on_request(tmp_path, predictor):
    image = image_of(60, 50)
    written = predictor.predict_file(png(tmp_path / "in" / "a.png", image), tmp_path / "out", Outputs(index=True))
    np.testing.assert_array_equal(np.asarray(Image.open(written.paths[0])), predictor.target(image))


@pytest.mark.parametrize("is_stack", [False, True])
def test_overlapping_labels_give_a_file_for_each_class(tmp_path, is_stack):
    predictor = Predictor(ReadsPixels(), codec_for("multilabel"), options=TILES)
    images = [image_of(150, 101, seed=seed) for seed in range(2 if is_stack else 1)]
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack(images) if is_stack else images[0], photometric="rgb")
    written = predictor.predict_file(path, tmp_path / "out").paths
    ending = "tif" if is_stack else "png"
    assert files_in(tmp_path / "out") == sorted(f"{name}/a.{ending}" for name in NAMES)
    for k, mask in enumerate(written):
        read = tifffile.imread(mask) if is_stack else np.asarray(Image.open(mask))[None]
        np.testing.assert_array_equal(read.reshape(-1, 150, 101), [predictor.mask(image)[k] for image in images])


def test_a_stack_gives_a_stack_of_the_same_pages(tmp_path):
    predictor = Predictor(LooksAround(1), codec_for(channels=1), options=TILES)
    stack = np.random.default_rng(0).integers(0, 256, (4, 130, 99), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    predictor.predict_file(tmp_path / "a.tif", tmp_path / "out", ALL)
    with tifffile.TiffFile(tmp_path / "out/a.tif") as file:
        assert len(file.pages) == 4
        for page, image in zip(file.pages, stack, strict=True):
            np.testing.assert_array_equal(page.asarray(), predictor.mask(image))
    for folder in ("overlays", "probabilities"):
        assert tifffile.imread(tmp_path / "out" / folder / "a.tif", key=range(4)).shape == (4, 130, 99, 3)
    assert len(table(tmp_path / "out/areas/a.csv")) == 4 * 3


def test_a_geotiff_keeps_its_place_on_the_earth(tmp_path, predictor):
    image = image_of(205, 300)
    image[20:30, 40:60] = 0
    path = geotiff(tmp_path / "a.tif", image, nodata=0)
    predictor.predict_file(path, tmp_path / "out", ALL)
    for name in ("a.tif", "overlays/a.tif", "probabilities/a.tif"):
        with rasterio.open(path) as source, rasterio.open(tmp_path / "out" / name) as written:
            assert (written.crs, written.transform, written.bounds) == (source.crs, source.transform, source.bounds)
            assert (written.height, written.width) == (205, 300)
    with rasterio.open(tmp_path / "out/a.tif") as mask:
        values = mask.read(1)
        assert mask.nodata == 255
        assert mask.colormap(1)[7][:3] == (255, 0, 0)
        np.testing.assert_array_equal(mask.dataset_mask() == 0, (image == 0).all(axis=2))
    far = np.ones_like(values, bool)
    far[:50, 20:80] = False  # what is no data reaches the network as the mean, and is seen around it
    np.testing.assert_array_equal(values[far], predictor.mask(image)[far])
    rows = table(tmp_path / "out/areas/a.csv")
    assert [float(row["square_metres"]) for row in rows] == [4.0 * int(row["pixels"]) for row in rows]
    assert sum(int(row["pixels"]) for row in rows) == (values < 255).sum()


@pytest.mark.parametrize(("ending", "beside"), [("jpg", "jgw"), ("png", "PGW"), ("tif", "tfw"), ("png", "wld")])
def test_what_is_written_lies_where_the_image_lies_by_its_world_file(tmp_path, predictor, ending, beside):
    path = png(tmp_path / "in" / f"a.{ending}", image_of(205, 130))
    path.with_suffix(f".{beside}").write_text("0.5\n0.0\n0.0\n-0.5\n500000.25\n4099999.75\n")
    path.with_suffix(".prj").write_text(rasterio.CRS.from_epsg(32618).to_wkt())
    written = predictor.predict_file(path, tmp_path / "out", ALL)
    for name in (written.paths[0].name, "overlays/a.png", "probabilities/a.tif"):
        with rasterio.open(tmp_path / "out" / name) as file:
            assert file.transform == rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 4_100_000)
    assert (tmp_path / "out" / "a.prj").read_text() == path.with_suffix(".prj").read_text()
    assert not list((tmp_path / "out" / "areas").glob("*.pgw"))


def test_a_world_file_of_a_turned_image_or_of_pixels_alone_is_not_passed_on(tmp_path, predictor):
    path = png(tmp_path / "in" / "a.png", image_of(205, 130))
    path.with_suffix(".pgw").write_text("1\n0\n0\n-1\n0.5\n-0.5\n")
    turned = tmp_path / "in" / "b.jpg"
    Image.open(path).save(turned, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0")
    turned.with_suffix(".jgw").write_text("2\n0\n0\n-2\n5\n5\n")
    for each in (path, turned):
        predictor.predict_file(each, tmp_path / "out")
    assert files_in(tmp_path / "out") == ["a.png", "b.png"]


@pytest.mark.parametrize("lines", ["nan\n0\n0\nnan\n5\n5\n", "0\n0\n0\n0\n0\n0\n"])
def test_a_world_file_of_no_size_is_no_place(tmp_path, predictor, lines):
    path = png(tmp_path / "in" / "a.png", image_of(60, 70))
    path.with_suffix(".pgw").write_text(lines)
    predictor.predict_file(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("has_place", [True, False])
def test_a_world_file_in_the_way_is_refused_and_replaced_if_told_to(tmp_path, predictor, has_place):
    paths = [png(tmp_path / "in" / f"{name}.png", image_of(60, 70)) for name in "ab"]
    out, own = tmp_path / "out", "2\n0\n0\n-2\n9\n9\n"
    out.mkdir()
    for path in paths:
        (out / path.name).with_suffix(".pgw").write_text(own)
        if has_place:
            path.with_suffix(".pgw").write_text("3\n0\n0\n-3\n5\n5\n")
    with pytest.raises(PerpixelError, match=r"out holds outputs of 2 of the 2 images already\.\n"):
        list(predictor.predict_files(paths, out))
    assert files_in(out) == ["a.pgw", "b.pgw"]
    assert (out / "a.pgw").read_text() == own
    list(predictor.predict_files(paths, out, Outputs(existing="replace")))
    assert files_in(out) == (["a.pgw", "a.png", "b.pgw", "b.png"] if has_place else ["a.png", "b.png"])
    assert not has_place or (out / "a.pgw").read_text() == paths[0].with_suffix(".pgw").read_text()


def test_what_lies_outside_gets_a_value_that_no_class_has(tmp_path):
    codec = codec_for()
    labels = {**codec.to_dict()["labels"], "values": [0, 255, 1]}
    predictor = Predictor(LooksAround(), type(codec).from_dict({**codec.to_dict(), "labels": labels}), options=TILES)
    image = image_of(60, 70)
    image[:5] = 0
    predictor.predict_file(geotiff(tmp_path / "a.tif", image, nodata=0), tmp_path / "out")
    with rasterio.open(tmp_path / "out/a.tif") as mask:
        assert mask.nodata == 254
        assert (mask.read(1)[:5] == 254).all()


@pytest.mark.parametrize("outputs", [Outputs(), Outputs(overlay=True)])
def test_damage_half_way_keeps_what_was_predicted_and_says_so(tmp_path, predictor, outputs):
    path, image = tmp_path / "a.tif", image_of(500, 300)
    place = (34264, 12, 16, (2.0, 0, 0, 5, 0, -2.0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1.0), True)
    tifffile.imwrite(path, image, tile=(256, 256), compression="zlib", photometric="rgb", extratags=[place])
    with tifffile.TiffFile(path) as file:
        second_row = file.pages[0].dataoffsets[2]
    path.write_bytes(path.read_bytes()[: second_row + 100])  # the blocks below row 256 are lost
    with pytest.raises(DataError, match=r"a\.tif cannot be read.*The mask up to there is kept in .*partial"):
        predictor.predict_file(path, tmp_path / "out", outputs)
    assert files_in(tmp_path / "out") == ["partial/a.tif", "partial/overlays/a.tif"][: 1 + outputs.overlay]
    if outputs.overlay:
        over = tifffile.imread(tmp_path / "out/partial/overlays/a.tif")
        assert over[:192].all(axis=2).mean() > 0.5
        assert not over[256:].any(), "what is lost is black"
    kept = tifffile.imread(tmp_path / "out/partial/a.tif")
    np.testing.assert_array_equal(kept[:192], predictor.mask(image)[:192])
    assert (kept[192:] == 255).all()


def test_a_broken_image_leaves_nothing(tmp_path, predictor):
    path = png(tmp_path / "in" / "a.png", image_of(60, 50))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"a\.png cannot be read.*\n.*Fix"):
        predictor.predict_file(path, tmp_path / "out")
    assert files_in(tmp_path / "out") == []


def test_other_channels_than_trained_on_are_refused_by_file(tmp_path, predictor):
    path = png(tmp_path / "in" / "deep.png", image_of(20, 20, 4))
    with pytest.raises(DataError, match=r"deep\.png has 4 channels; the model was trained on 3"):
        predictor.predict_file(path, tmp_path / "out")


def test_equal_names_are_refused(tmp_path, predictor):
    paths = [png(tmp_path / folder / "a.png", image_of(8, 8)) for folder in ("one", "two")]
    with pytest.raises(OutputError, match=r"2 images share a name with another(.|\n)*Fix: predict each folder"):
        list(predictor.predict_files(paths, tmp_path / "out"))


def test_writing_over_the_images_is_refused(tmp_path, predictor):
    path = png(tmp_path / "in" / "a.png", image_of(8, 8))
    with pytest.raises(OutputError, match=r"in holds 1 of the images; their masks could take their place"):
        predictor.predict_file(path, tmp_path / "in")
    assert np.asarray(Image.open(path)).shape == (8, 8, 3)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_writing_over_images_in_a_folder_of_outputs_is_refused(tmp_path, kind):
    predictor = Predictor(ReadsPixels(), codec_for(kind))
    folder = "overlays" if kind == "multiclass" else NAMES[0]
    path = png(tmp_path / folder / "a.png", image_of(8, 8))
    with pytest.raises(OutputError, match="holds 1 of the images; their masks could take their place"):
        predictor.predict_file(path, tmp_path, Outputs(overlay=True, existing="replace"))
    beside = png(tmp_path / "images" / "b.png", image_of(8, 8))
    assert predictor.predict_file(beside, tmp_path, Outputs(overlay=True)).paths


def test_a_size_that_no_image_has_is_refused(tmp_path):
    zarr = pytest.importorskip("zarr", reason="zarr is not installed")
    zarr.create_array(tmp_path / "a.zarr", shape=(2**30, 2**30, 3), chunks=(64, 64, 3), dtype="uint8")
    with pytest.raises(DataError, match=r"a\.zarr declares 1 × 1,073,741,824 × 1,073,741,824 pixels; at most"):
        Predictor(ReadsPixels(), codec_for()).predict_file(tmp_path / "a.zarr", tmp_path / "out")


def test_existing_outputs_are_refused_skipped_or_replaced(tmp_path, predictor):
    path, out = png(tmp_path / "in" / "a.png", image_of(8, 8)), tmp_path / "out"
    predictor.predict_file(path, out)
    (out / "a.png").write_bytes(b"mine")
    with pytest.raises(
        OutputError,
        match=r"out holds 1 output of a\.png already(.|\n)*Fix: skip such images with `existing",
    ):
        predictor.predict_file(path, out)
    assert predictor.predict_file(path, out, Outputs(existing="skip")).is_skipped
    assert (out / "a.png").read_bytes() == b"mine"
    assert not predictor.predict_file(path, out, Outputs(existing="replace")).is_skipped
    assert np.asarray(Image.open(out / "a.png")).shape == (8, 8)


def test_many_existing_outputs_are_refused_in_one_message(tmp_path, predictor):
    paths = [png(tmp_path / "in" / f"{number}.png", image_of(8, 8)) for number in range(8)]
    list(predictor.predict_files(paths[:7], tmp_path / "out"))
    with pytest.raises(PerpixelError, match=r"out holds outputs of 7 of the 8 images already\.\n") as refused:
        list(predictor.predict_files(paths, tmp_path / "out"))
    told = str(refused.value)
    assert (told.count("already"), told.count("  - "), told.count("Fix: ")) == (1, 5, 1)
    assert "… and 2 more" in told
    assert (tmp_path / "out" / "7.png").exists()


def test_bad_files_among_many_are_told_at_the_end(tmp_path, predictor):
    paths = [png(tmp_path / "in" / f"{name}.png", image_of(8, 8)) for name in "abc"]
    paths[1].write_bytes(b"not an image")
    with pytest.raises(PerpixelError, match=r"b\.png cannot be read"):
        list(predictor.predict_files(paths, tmp_path / "out"))
    assert files_in(tmp_path / "out") == ["a.png", "c.png"]


def test_an_output_that_cannot_be_written_leaves_nothing(tmp_path, predictor):
    path = png(tmp_path / "in" / "a.png", image_of(8, 8))
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(OutputError, match=r"cannot write .*out: (Not a directory|File exists)"):
        predictor.predict_file(path, tmp_path / "out")


def test_progress_reaches_the_end(tmp_path, predictor):
    seen = []
    path = png(tmp_path / "in" / "a.png", image_of(205, 60))
    predictor.predict_file(path, tmp_path / "out", progress=lambda *rows: seen.append(rows))
    assert seen[-1] == (205, 205)
    assert len(seen) == 3
