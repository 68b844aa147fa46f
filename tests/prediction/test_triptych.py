import numpy as np
import pytest
from PIL import Image

from generated import write_land
from perpixel.dataset import scan
from perpixel.errors import PerpixelError
from perpixel.files.write import labelled, picture
from perpixel.prediction import Outputs, PredictOptions, triptych
from perpixel.prediction.load import load_predictor
from perpixel.prediction.triptych import GAP_PX

TILES = PredictOptions(tile_px=32, overlap_px=8, whole_px=1)


def panels(path, width):
    drawn = np.asarray(Image.open(path))
    return [drawn[:, left : left + width] for left in range(0, drawn.shape[1], width + GAP_PX)]


@pytest.mark.parametrize(("largest", "step"), [(2048, 1), (24, 2), (11, 4)])
def test_image_truth_and_prediction_are_side_by_side(tmp_path, cells, cells_run, monkeypatch, largest, step):
    monkeypatch.setattr(triptych, "LARGEST_SIDE", largest)
    dataset, predictor = scan(cells), load_predictor(cells_run.folder, TILES)
    sample = next(each for each in dataset.samples if (each.height, each.width) == (40, 40))
    predictor.predict_file(sample.image, tmp_path, Outputs(triptych=cells))
    image = picture(dataset.image(sample))[::step, ::step]
    found = panels(tmp_path / "triptychs" / f"{sample.image.stem}.png", image.shape[1])
    prediction = predictor.target(dataset.image(sample))[::step, ::step]
    truth = dataset.target(sample)[::step, ::step]
    expected = [image, *(labelled(image, target, dataset.labels) for target in (truth, prediction))]
    for panel, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(panel, wanted)


def test_an_image_that_is_not_labelled_has_two_panels(tmp_path, cells, cells_run):
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(tmp_path / "new.png")
    load_predictor(cells_run.folder).predict_file(tmp_path / "new.png", tmp_path / "out", Outputs(triptych=cells))
    assert len(panels(tmp_path / "out" / "triptychs" / "new.png", 20)) == 2


def test_a_data_set_of_other_classes_is_refused(tmp_path, cells, cells_run):
    land = write_land(tmp_path / "land")
    image = scan(cells).samples[0].image
    with pytest.raises(
        PerpixelError, match=r"land has the classes .*; the model has .*[\s\S]*Fix: give the data set"
    ):
        list(load_predictor(cells_run.folder).predict_files([image], tmp_path / "out", Outputs(triptych=land)))
    assert not list((tmp_path / "out").rglob("*.png"))
