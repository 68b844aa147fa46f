"""Predictions in memory: what a notebook asks for."""

import csv
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import measure

import perpixel
from generated import binary_labels, codec_for, overlapping_labels, save
from perpixel.errors import DataError
from perpixel.files.read import read_mask
from perpixel.prediction import Outputs, Prediction, Predictions, Predictor


class SaysBright(torch.nn.Module):
    """The second class where the first channel is above its mean."""

    stride = 1

    def forward(self, image):
        return torch.cat([-image[:, :1], image[:, :1]], 1) * 5


@pytest.fixture
def predictor():
    """Says cell where the first channel is bright."""
    return Predictor(SaysBright(), codec_for(binary_labels()))


@pytest.fixture
def image():
    """Two bright blocks of different size on black, (40, 60, 3)."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[5:15, 5:25] = (200, 0, 100)
    pixels[20:30, 40:48] = (220, 50, 100)
    return pixels


def test_a_path_a_picture_and_an_array_are_predicted_alike(tmp_path, predictor, image):
    save(tmp_path / "a.png", image)
    every = predictor.predict([tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(image), image])
    assert isinstance(every, Predictions)
    for each in every:
        np.testing.assert_array_equal(each.mask, predictor.target(image))
        np.testing.assert_array_equal(each.probabilities, predictor.probabilities(image))
        np.testing.assert_array_equal(np.asarray(each), each.mask)
    assert [each.name for each in every] == ["a.png", "a.png", "the image", "the image"]
    assert repr(every) == "<Predictions: 4 images predicted>"
    assert {row["image"] for row in every.tables()["areas"]} == {"a.png", "the image"}


def test_a_predictor_says_what_it_takes(predictor):
    assert re.fullmatch(r"<Predictor: 2 classes \(.+, .+\), images of 3 channels; .*>", repr(predictor))


def test_areas_and_objects_are_those_of_the_mask(predictor, image):
    found = predictor.predict(image)
    assert found.areas["cell"].pixels == (found.mask == 1).sum()
    assert found.areas["cell"].share == pytest.approx((found.mask == 1).mean())
    expected = measure.regionprops(measure.label(found.mask == 1, connectivity=1), image)
    assert len(found.objects) == len(expected) == 2
    for one, true in zip(found.objects, expected, strict=True):
        assert one.class_name == "cell"
        assert one.pixels == true.area
        assert one.centroid == pytest.approx(true.centroid)
        assert one.box == true.bbox
        assert one.diameter_px == pytest.approx(true.equivalent_diameter_area)
        assert one.mean_intensity == pytest.approx(true.intensity_mean)
        assert "square_metres" not in one.row()
    assert found.headline == f"the image: 40 × 60 pixels, {found.areas['cell'].share:.1%} cell"
    json.dumps(found.to_dict(), allow_nan=False)
    assert found._repr_html_().count("data:image/jpeg") == 2
    assert found.overlay().shape == (40, 60, 3)
    assert found.plot().size == (124, 40)


def test_a_mask_is_saved_as_predict_writes_it(tmp_path, predictor, image):
    save(tmp_path / "a.png", image)
    written = predictor.predict_file(tmp_path / "a.png", tmp_path / "out", Outputs(objects=True)).paths
    found = predictor.predict(tmp_path / "a.png")
    np.testing.assert_array_equal(
        read_mask(found.save(tmp_path / "mine.png")[0]).values, read_mask(written[0]).values
    )
    found.save(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text(encoding="utf-8") == written[1].read_text(encoding="utf-8")


def test_overlapping_classes_have_objects_of_their_own():
    both = Predictor(SaysBright(), codec_for(overlapping_labels()))
    image = np.zeros((20, 20, 3), np.uint8)
    image[2:9, 2:9] = 250
    assert [(each.class_name, each.number) for each in both.predict(image).objects] == [("disc", 1), ("bar", 1)]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"NoneType is no image.\nFix: give a path, a PIL image, an array"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\) and uint8 is no image.\nFix: .* as a list"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \(0, 4, 3\) and uint8 is no image"),
        (np.array(["a"]), r"an array of shape \(1,\) and <U1 is no image"),
        (np.zeros((3, 8, 8), np.uint8), r"has its channels first; the model takes \(H, W, 3\).\nFix: move them last"),
        (np.zeros((8, 8, 3), np.float32), "Fix:"),
        (np.zeros((8, 8, 2), np.uint8), "the image has 2 channels; the model was trained on 3"),
        ("nowhere.png", r"no file nowhere.png.\nFix: give the path of an image"),
        (".", r"\. is a folder.\nFix: .* perpixel.predict\(run, folder, out\)"),
        (np.zeros((8, 8), bool), r'bool is no image.*\nFix: give array.astype\("uint8"\) \* 255'),
    ],
)
def test_what_is_no_image_is_refused(predictor, given, message):
    with pytest.raises(DataError, match=message):
        predictor.predict(given)


def test_a_notebook_shows_the_message_and_no_traceback():
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell
    shown = []
    instance = shell()
    instance._showtraceback = lambda _kind, _value, lines: shown.extend(lines)
    instance.run_cell("import perpixel; perpixel.load('nowhere')")
    assert shown[0].startswith("RunError: ")
    assert shown[-1].startswith("Fix: ")
    assert len(shown) < 5


def test_objects_of_all_images_are_one_table(tmp_path, cells, cells_run):
    predicted = perpixel.predict(cells_run, cells / "images", tmp_path / "out", objects=True)
    with (tmp_path / "out" / "objects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    predictor = perpixel.load(cells_run)
    expected = [each for path in sorted((cells / "images").iterdir()) for each in predictor.predict(path).objects]
    assert len(rows) == len(expected) == len(predicted.objects["foreground"])
    assert [int(row["area_px"]) for row in rows] == [each.pixels for each in expected]
    assert {"image", "class", "centroid_row", "top", "diameter_px", "mean_intensity_1"} <= set(
        rows[0] if rows else []
    )
    assert f"8 images predicted; found {len(rows)} objects of foreground, median" in str(predicted)


def test_an_unknown_output_is_refused(tmp_path, predictor, image):
    save(tmp_path / "a.png", image)
    with pytest.raises(perpixel.SettingsError, match=r"there is no output 'area'.\nFix: did you mean areas\?"):
        predictor.predict_file(tmp_path / "a.png", tmp_path / "out", Outputs(also=("area",)))


def test_a_prediction_is_public():
    assert perpixel.Prediction is Prediction
