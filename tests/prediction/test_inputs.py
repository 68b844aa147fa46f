import pytest

from generated import np, save
from perpixel.errors import DataError
from perpixel.prediction.inputs import expanded


@pytest.fixture
def folder(tmp_path):
    for name in ("b.png", "a.png", "10.jpg", "inner/c.png"):
        save(tmp_path / name, np.zeros((2, 2), np.uint8))
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_a_folder_stands_for_its_images_by_name(folder):
    assert names(expanded([str(folder)])) == ["10.jpg", "a.png", "b.png"]


def test_a_zarr_image_is_an_image_though_it_is_a_folder(folder):
    (folder / "z.zarr").mkdir()
    (folder / "z.zarr" / "zarr.json").write_text("{}")
    for given in (folder / "z.zarr", folder / "*.zarr"):
        assert names(expanded([str(given)])) == ["z.zarr"]
    assert names(expanded([str(folder)])) == ["10.jpg", "a.png", "b.png", "z.zarr"]


def test_files_come_in_the_order_given(folder):
    assert names(expanded([str(folder / "b.png"), str(folder / "a.png")])) == ["b.png", "a.png"]


def test_a_file_is_taken_as_it_is_called(folder):
    assert names(expanded([str(folder / "notes.txt")])) == ["notes.txt"]  # its reader will say what is wrong


def test_globs_go_into_folders_with_two_stars(folder):
    assert names(expanded([str(folder / "*.png")])) == ["a.png", "b.png"]
    assert names(expanded([str(folder / "**" / "*.png")])) == ["a.png", "b.png", "c.png"]


def test_a_file_with_brackets_in_its_name_is_no_glob(tmp_path):
    save(tmp_path / "cell[1].png", np.zeros((2, 2), np.uint8))
    assert names(expanded([str(tmp_path / "cell[1].png")])) == ["cell[1].png"]


def test_every_file_is_listed_once(folder):
    given = [str(folder / "b.png"), str(folder), str(folder / "?.png")]
    assert names(expanded(given)) == ["b.png", "10.jpg", "a.png"]


def test_all_inputs_without_image_are_told(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        expanded([str(folder), str(tmp_path / "empty"), str(tmp_path / "nothing.png"), str(tmp_path / "*.gif")])
    told = str(caught.value)
    assert f"{tmp_path / 'empty'} holds no image.\nFix: give image files, folders with images, or globs." in told
    assert f"{tmp_path / 'nothing.png'} does not exist." in told
    assert f"{tmp_path / '*.gif'} does not exist." in told
    assert len(caught.value.problems) == 3
