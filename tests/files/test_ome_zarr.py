"""Zarr and OME-Zarr: windows of any order of axes, planes as pages, and what is no image."""

import sys

import numpy as np
import pytest

from perpixel.errors import DataError, OutputError
from perpixel.files.ome_zarr import ZarrWriter, require_zarr
from perpixel.files.read import open_image, read_header, read_image

zarr = pytest.importorskip("zarr", reason="zarr is not installed")


def values(*shape):
    return np.random.default_rng(0).integers(0, 60_000, shape, np.uint16)


def ome(path, array, axes, version="0.5"):
    """Write an array and its half as the two scales of an OME-Zarr image."""
    scales = [
        {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [1] * len(axes)}]} for name in "01"
    ]
    about = {"multiscales": [{"axes": [{"name": axis} for axis in axes], "datasets": scales}]}
    is_new = version == "0.5"
    group = zarr.open_group(
        path, mode="w", zarr_format=3 if is_new else 2, attributes={"ome": about} if is_new else about
    )
    group.create_array("0", data=array, chunks=(1,) * (array.ndim - 2) + (16, 16))
    group.create_array("1", data=array[..., ::2, ::2])
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_image_is_read_by_windows_at_full_resolution(tmp_path, version):
    array = values(2, 3, 4, 40, 50)
    path = ome(tmp_path / "a.zarr", array, "tczyx", version)
    header = read_header(path)
    assert (header.size, header.channels, header.dtype, header.pages) == ((40, 50), 3, "uint16", 8)
    with open_image(path, page=6) as image:  # the second time, depth 2
        np.testing.assert_array_equal(image.read(5, 7, 21, 33), np.moveaxis(array[1, :, 2, 5:26, 7:40], 0, -1))


@pytest.mark.parametrize("axes", ["yx", "cyx", "yxc", "xyc"])
def test_a_lone_array_names_its_axes_or_they_are_guessed(tmp_path, axes):
    length = {"c": 3, "y": 20, "x": 30}
    array = values(*(length[axis] for axis in axes))
    names = list(axes) if axes == "xyc" else None
    zarr.create_array(tmp_path / "a.zarr", data=array, dimension_names=names)
    expected = array[..., None] if axes == "yx" else array.transpose([axes.index(axis) for axis in "yxc"])
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr"), expected)


def test_what_is_no_image_is_told(tmp_path):
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    zarr.create_array(tmp_path / "line.zarr", data=values(9))
    zarr.create_array(tmp_path / "flat.zarr", data=values(9, 8))
    (tmp_path / "cut.zarr").mkdir()
    (tmp_path / "cut.zarr" / "zarr.json").write_text('{"zarr_format": 3, "node_ty')
    for name, what in (
        ("group", "the Zarr group holds no OME-Zarr image"),
        ("line", r"of shape \(9,\)"),
        ("cut", ""),
    ):
        with pytest.raises(DataError, match=rf"{name}\.zarr cannot be read: .*{what}"):
            read_image(tmp_path / f"{name}.zarr")
    with pytest.raises(DataError, match=r"flat\.zarr has 1 pages; page 1 was asked for"):
        read_image(tmp_path / "flat.zarr", page=1)


def test_a_damaged_chunk_is_told(tmp_path):
    zarr.create_array(tmp_path / "a.zarr", data=values(64, 64), chunks=(32, 32))
    (tmp_path / "a.zarr" / "c" / "1" / "1").write_bytes(b"not zstd")
    with open_image(tmp_path / "a.zarr") as image:
        assert image.read(0, 0, 32, 64).shape == (32, 64, 1)
        with pytest.raises(DataError, match=r"a\.zarr cannot be read"):
            image.read()


def test_without_zarr_the_fix_is_to_install_it(tmp_path, monkeypatch):
    zarr.create_array(tmp_path / "a.zarr", data=values(9, 8))
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(DataError, match=r"a\.zarr needs zarr(.|\n)*Fix: pip install 'perpixel\[zarr\]'"):
        read_image(tmp_path / "a.zarr")
    with pytest.raises(OutputError, match=r"zarr is not installed\.\nFix: pip install 'perpixel\[zarr\]'"):
        require_zarr()


def test_a_map_is_written_piece_by_piece_and_is_valid_ome_zarr(tmp_path):
    target = np.random.default_rng(0).integers(0, 3, (2, 40, 50), np.uint8)
    writer = ZarrWriter(tmp_path / "a.zarr", target.shape, "zyx")
    for page, top, left in np.ndindex(2, 2, 2):
        place = (page, slice(top * 23, top * 17 + 23), slice(left * 30, left * 20 + 30))
        writer.put(place, target[place])
    group = zarr.open_group(tmp_path / "a.zarr", mode="r")
    (image,) = group.attrs["ome"]["multiscales"]
    assert [axis["name"] for axis in image["axes"]] == ["z", "y", "x"]
    np.testing.assert_array_equal(group[image["datasets"][0]["path"]][:], target)
    np.testing.assert_array_equal(read_image(tmp_path / "a.zarr", page=1)[..., 0], target[1])


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*a\.zarr: (Not a directory|File exists)"):
        ZarrWriter(tmp_path / "file" / "a.zarr", (9, 9), "yx")
