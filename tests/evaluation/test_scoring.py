import json
import math
from pathlib import Path

import numpy as np
import pytest

import generated
from generated import contents, exclusive_labels
from perpixel.audit import audit
from perpixel.dataset import Sample, scan
from perpixel.errors import DataError, OutputError, RunError
from perpixel.evaluation import CLASS_SCORES, DEFINITIONS, Evaluation, ImageScore, evaluate_run, samples_of_part
from perpixel.metrics import Counts
from perpixel.prediction.load import load_predictor
from perpixel.split import split
from perpixel.store.run_folder import Run
from perpixel.training import train_run

TABLE = [[6, 1, 0], [1, 0, 0], [0, 0, 0]]  # of the second class nothing is found, the third is nowhere


def evaluation_of(*tables):
    images = [
        ImageScore(Sample(f"image {n}", Path(f"{n}.png"), group="a, b"), Counts.of_confusion(np.array(table)))
        for n, table in enumerate(tables)
    ]
    return Evaluation("test", exclusive_labels(), tuple(images))


@pytest.fixture
def run(tmp_path, cells_run):
    """The run with an evaluation folder of its own."""
    return Run(cells_run.folder, cells_run.data, cells_run.settings)


def test_undefined_figures_are_null():
    figures = evaluation_of(TABLE).to_dict()
    undefined = dict.fromkeys((*CLASS_SCORES, "image_iou"))
    assert figures["classes"]["forest"] == {**undefined, "specificity": 1.0, "pixels": 0}
    assert figures["classes"]["water"]["iou"] == 0
    assert figures["dataset"]["mean_iou"] == (0.75 + 0) / 2
    assert "NaN" not in json.dumps(figures)


def test_nothing_counted_leaves_everything_null():
    assert set(evaluation_of(np.zeros((3, 3), int)).to_dict()["dataset"].values()) == {None}


def test_image_iou_is_the_mean_over_images_in_which_it_is_defined():
    figures = evaluation_of(TABLE, np.diag([2, 2, 0]), np.diag([5, 0, 0])).to_dict()
    assert figures["classes"]["water"]["image_iou"] == (0 + 1) / 2
    assert figures["classes"]["ground"]["image_iou"] == (0.75 + 1 + 1) / 3
    assert figures["classes"]["ground"]["iou"] == 13 / 15


def test_the_file_says_itself_what_its_figures_mean():
    assert evaluation_of(TABLE).to_dict()["definitions"] == DEFINITIONS
    assert "native resolution" in DEFINITIONS["dataset"]


def test_rows_leave_undefined_figures_empty():
    assert evaluation_of(TABLE).rows() == [
        {
            "name": "image 0",
            "image": Path("0.png"),
            "group": "a, b",
            "mean_iou": 0.375,
            "pixel_accuracy": 0.75,
            "iou_ground": 0.75,
            "iou_water": 0.0,
            "iou_forest": "",
            **dict.fromkeys(("dice_ground", "precision_ground", "recall_ground"), 6 / 7),
            **dict.fromkeys(("dice_water", "precision_water", "recall_water"), 0.0),
            **dict.fromkeys(("dice_forest", "precision_forest", "recall_forest"), ""),
        }
    ]


def test_the_table_holds_every_class_and_a_dash_where_nothing_is_defined():
    lines = str(evaluation_of(TABLE)).splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["class", "ground", "water", "forest", "1"]
    assert lines[3].split() == ["forest", *("–",) * 6]
    assert lines[1].split() == ["ground", "0.7500", "–", "0.8571", "0.8571", "0.8571", "0.7500"]
    assert lines[5].split()[:3] == ["mean", "IoU", "0.3750"]


def test_the_table_says_why_there_are_no_intervals():
    assert "1 image (test), pooled over pixels; intervals need more than one image:" in str(evaluation_of(TABLE))
    assert "2 images (test), pooled over pixels:" in str(evaluation_of(TABLE, TABLE))


def test_both_files_are_written(tmp_path):
    evaluation = evaluation_of(TABLE)
    evaluation.save(tmp_path / "new")
    assert set(contents(tmp_path / "new")) == {"metrics.json", "images.csv"}
    assert json.loads((tmp_path / "new" / "metrics.json").read_text()) == evaluation.to_dict()


@pytest.mark.parametrize("part", ["test", "val", "train", "all"])
def test_a_part_is_what_the_split_says(tmp_path, run, part):
    evaluation = evaluate_run(run, load_predictor(run.folder), part=part, out=tmp_path)
    names = {image.sample.name for image in evaluation.images}
    rows = run.split_path.read_text().splitlines()[1:]
    assert names == {row.split(",")[0] for row in rows if part == "all" or f",{part}," in row}
    assert json.loads((tmp_path / "metrics.json").read_text())["split"] == part


def test_the_scores_of_a_run_go_to_its_evaluation_folder(tmp_path, cells):
    run = train_run(cells, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    evaluate_run(run, load_predictor(run.folder))
    assert set(contents(run.evaluation_folder)) == {"metrics.json", "images.csv"}


def test_another_folder_is_scored_whole(tmp_path, run):
    data = generated.write_cells(tmp_path / "more", count=3, seed=5)
    evaluation = evaluate_run(run, load_predictor(run.folder), data, out=tmp_path / "out")
    assert evaluation.to_dict()["split"] == "data"
    assert evaluation.to_dict()["images"] == 3


def test_unknown_values_in_another_folder_are_told(tmp_path, run):
    data = generated.write_land(tmp_path / "land")
    with pytest.raises(
        DataError, match=r"(?s)8 of 8 masks hold values that belong to no class.*Fix: .*background = 0"
    ):
        evaluate_run(run, load_predictor(run.folder), data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_with_other_channels_are_told(tmp_path, run):
    data = generated.write_cells(tmp_path / "deep", channels=4)
    with pytest.raises(DataError, match=r"deep/images/cell_0.png has 4 channels; the model was trained on 3.\nFix:"):
        evaluate_run(run, load_predictor(run.folder), data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_part_without_images_is_told(tmp_path, cells):
    dataset = scan(cells)
    run = Run.create(tmp_path / "run", cells, generated.tiny_settings())
    split(dataset.samples, audit(dataset), fractions=(0.8, 0.2, 0.0)).save(run.split_path)
    message = r"no image of .*cells is in the test part of .*run.\nFix: choose another part, or name"
    with pytest.raises(DataError, match=message):
        samples_of_part(run, dataset, "test")


def test_a_run_without_its_split_is_told(tmp_path, cells):
    run = Run.create(tmp_path / "run", cells, generated.tiny_settings())
    with pytest.raises(
        RunError, match=r"split.csv cannot be read as a split.\nFix: restore the file, or train again."
    ):
        samples_of_part(run, scan(cells), "test")


def test_scores_that_cannot_be_written_are_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*metrics.json: (Not a directory|File exists).\nFix: free"):
        evaluation_of(TABLE).save(tmp_path / "file")


def test_an_image_without_any_label_has_an_undefined_mean():
    assert math.isnan(evaluation_of(np.zeros((3, 3), int)).images[0].counts.mean_iou)
    assert evaluation_of(np.zeros((3, 3), int)).rows()[0]["mean_iou"] == ""


@pytest.mark.parametrize(("width", "is_partly"), [(8, False), (16, False), (17, True), (800, True)])
def test_scores_on_few_labelled_pixels_are_said_to_be_optimistic(width, is_partly):
    table = [[6, 1, 0], [1, 0, 0], [0, 0, 0]]
    sample = Sample("image", Path("image.png"), height=1, width=width)
    evaluation = Evaluation("test", exclusive_labels(), (ImageScore(sample, Counts.of_confusion(np.array(table))),))
    figures = evaluation.to_dict()
    assert figures["labelled_share"] == pytest.approx(8 / width)
    words = "on labelled pixels only: optimistic, since strokes avoid borders"
    assert (words in str(evaluation)) is is_partly
    assert (words in (figures["caveat"] or "")) is is_partly
