"""Numbers that are followed through a film may be objects; classes with a look or a name of their own are not."""

import numpy as np
import pytest
import tifffile

from folder_kinds import lines, save
from perpixel.dataset import scan
from perpixel.errors import DataError

HEIGHT, WIDTH = 48, 72
ASKED = "from image to image they move on as in a film"


def frames(way, objects=3, count=8, seed=0):
    """Masks of a film: discs that stand still, shake, walk or drift at their places; or organs of other patients."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    first = np.array([[(k // 3 + 0.5) * HEIGHT / 2, (k % 3 + 0.5) * WIDTH / 3] for k in range(objects)])
    steps = random.normal(
        0, {"still": 0, "shake": 1, "walk": 0.8, "drift": 0, "patients": 2}[way], (count, objects, 2)
    )
    steps = np.cumsum(steps, axis=0) if way == "walk" else steps
    if way == "drift":
        steps = np.arange(count)[:, None, None] * random.uniform(-0.6, 0.6, (objects, 2))
    masks = []
    for step in steps:
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for k, (row, column) in enumerate(first + step):
            down, across = (6.5, 7.5) * (random.uniform(0.7, 1.3, 2) if way == "patients" else np.ones(2))
            mask[((rows - row) / down) ** 2 + ((columns - column) / across) ** 2 < 1] = k + 1
        masks.append(mask)
    return masks


def picture(mask, levels, seed):
    """An image of a mask whose values look as their levels say."""
    noise = np.random.default_rng(seed).normal(0, 8, (*mask.shape, 3))
    return np.clip(60 + np.array(levels)[mask][..., None] + noise, 0, 255).astype(np.uint8)


def write_film(root, masks, levels, folder=""):
    for number, mask in enumerate(masks):
        save(root / "images" / folder / f"f{number:03}.png", picture(mask, levels, number))
        save(root / "masks" / folder / f"f{number:03}.png", mask)


@pytest.mark.parametrize("way", ["still", "shake", "walk", "drift"])
@pytest.mark.parametrize("objects", [2, 3, 6])
@pytest.mark.parametrize("levels", [(0, 60, 60, 60, 60, 60, 60), (0, 60, 60, 110, 110, 30, 30)])
def test_objects_that_keep_number_and_place_are_asked_about_and_the_answer_believed(tmp_path, way, objects, levels):
    write_film(tmp_path, frames(way, objects), levels)
    with pytest.raises(DataError, match=ASKED):
        scan(tmp_path)
    lines(tmp_path / "dataset.yaml", "perpixel: 1", "reading: instances")
    assert scan(tmp_path).labels.names == ("background", "object")
    lines(tmp_path / "dataset.yaml", "perpixel: 1", "reading: values")
    assert len(scan(tmp_path).labels) == objects + 1


def test_objects_of_several_films_and_of_a_stack_are_asked_about(tmp_path):
    for k in range(3):
        write_film(tmp_path / "films", frames("walk", 3, seed=k), (0, 60, 60, 60), f"film{k}")
    masks = frames("walk", 4)
    (tmp_path / "stack").mkdir()
    pages = np.stack([picture(mask, (0, *[60] * 4), k)[..., 0] for k, mask in enumerate(masks)])
    for name, array in (("cells.tif", pages), ("cells_mask.tif", np.stack(masks))):
        tifffile.imwrite(tmp_path / "stack" / name, array, photometric="minisblack")
    for data in ("films", "stack"):
        with pytest.raises(DataError, match=ASKED):
            scan(tmp_path / data)


@pytest.mark.parametrize("way", ["still", "walk", "patients"])
def test_classes_that_look_different_are_classes_in_a_film_too(tmp_path, way):
    write_film(tmp_path, frames(way), (0, 30, 70, 120))
    assert len(scan(tmp_path).labels) == 4


def test_classes_in_several_pieces_are_classes(tmp_path):
    masks = [np.where(mask == 3, 2, np.where(mask == 4, 1, mask)).astype(np.uint8) for mask in frames("walk", 4)]
    write_film(tmp_path, masks, (0, 60, 60))
    assert len(scan(tmp_path).labels) == 3


def test_named_values_are_classes(tmp_path):
    write_film(tmp_path, frames("walk"), (0, 60, 60, 60))
    lines(tmp_path / "classes.txt", "rest", "left wheel", "middle wheel", "right wheel")
    assert scan(tmp_path).labels.names == ("rest", "left wheel", "middle wheel", "right wheel")


def test_organs_in_the_films_of_several_patients_are_classes(tmp_path):
    """The two lungs look alike, and lie where they lie in everybody."""
    for k in range(5):
        write_film(tmp_path, frames("drift", 6, count=4, seed=k), (0, 60, 60, 60, 60, 60, 60), f"patient{k}")
    assert len(scan(tmp_path).labels) == 7


def test_many_classes_that_look_alike_and_keep_their_places_are_classes(tmp_path):
    """Teeth of several people: as many, as large and as bright in each."""
    random = np.random.default_rng(0)
    for k in range(6):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number in range(24):
            row, column = (
                3 + 11 * (number // 6) + random.integers(0, 3),
                3 + 11 * (number % 6) + random.integers(0, 3),
            )
            mask[row : row + 6, column : column + 6] = 11 + number
        save(tmp_path / "images" / f"{k}.png", picture((mask > 0).astype(int), (0, 60), k))
        save(tmp_path / "masks" / f"{k}.png", mask)
    assert len(scan(tmp_path).labels) == 25
