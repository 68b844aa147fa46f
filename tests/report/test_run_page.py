import base64
import csv
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

import generated
from generated import contents, save
from perpixel.errors import OutputError
from perpixel.evaluation import evaluate_run
from perpixel.prediction.load import load_predictor
from perpixel.report import write_report
from perpixel.report.image_gallery import ImageGallery
from perpixel.report.run_page import settings_text
from perpixel.training import train_run


class Page(HTMLParser):
    """What a page holds: its text, its tags, what it refers to."""

    def __init__(self, text):
        super().__init__()
        self.references, self.pictures, self.tags, self.words = [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        named = dict(attributes)
        if tag == "img":
            self.pictures.append((named["alt"], named["src"]))
        self.references += [named[key] for key in ("src", "href", "xlink:href", "data", "action") if key in named]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A run on cells beside two unlabelled images, its predictor and its scores."""
    folder = tmp_path_factory.mktemp("report")
    data = generated.write_cells(folder / "cells & <discs>")
    run = train_run(data, folder / "run", generated.tiny_settings())
    predictor = load_predictor(run.folder)
    return run, predictor, *scored(run, predictor, part="all", out=folder / "scores")


def scored(run, predictor, *more, **named):
    """An evaluation, and the pictures that were taken of it."""
    pictures = ImageGallery()
    return evaluate_run(run, predictor, *more, **named, watch=pictures.add), pictures


@pytest.fixture(scope="module")
def evaluated(line, tmp_path_factory, with_curves):
    run, predictor, evaluation, pictures = line
    folder = tmp_path_factory.mktemp("evaluated")
    with with_curves():
        path = write_report(run, predictor, evaluation, folder=folder, pictures=pictures)
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_needs_nothing_beside_itself(line, tmp_path):
    run, predictor, evaluation, pictures = line
    path = write_report(run, predictor, evaluation, folder=tmp_path, pictures=pictures)
    page = Page(text := path.read_text(encoding="utf-8"))
    assert set(contents(tmp_path)) == {"report.html"}
    assert all(reference.startswith(("data:", "#")) for reference in page.references)
    assert not {"link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\((?!#|['\"]?data:)", text)
    assert "@import" not in text


def test_the_name_of_the_data_is_text_and_no_markup(evaluated):
    assert "cells & <discs>" in evaluated.text
    assert "discs" not in evaluated.tags


def test_the_page_tells_every_class_with_its_scores(line, evaluated):
    _, _, evaluation, _ = line
    assert evaluated.tags.count("table") >= 1
    for name, scores in evaluation.to_dict()["classes"].items():
        assert name in evaluated.text
        assert f"{scores['iou']:.3f}" in evaluated.text
    assert f"{evaluation.to_dict()['dataset']['mean_iou']:.3f}" in evaluated.text
    assert "8 images" in evaluated.text


def test_the_page_draws_the_curves(evaluated):
    assert "svg" in evaluated.tags
    for word in ("loss", "mean IoU", "training", "validation", "step"):
        assert word in evaluated.text


def test_every_picture_can_be_decoded(evaluated):
    assert evaluated.pictures
    for _, source in evaluated.pictures:
        assert source.startswith("data:image/")
        with Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) as picture:
            picture.load()
            assert min(picture.size) > 100  # tiny images are enlarged


def test_labelled_images_stand_beside_truth_and_prediction(evaluated):
    alternatives = [alternative for alternative, _ in evaluated.pictures]
    for number in range(8):
        for what in ("image", "truth", "prediction", "errors"):
            assert f"{what} cell_{number}" in alternatives


def test_every_setting_is_told(line, evaluated):
    assert f"learning_rate: {line[0].settings.train.learning_rate}" in evaluated.text
    assert "width: 4" in evaluated.text


def test_before_an_evaluation_the_page_shows_validation_images(line, tmp_path):
    run, predictor, *_ = line
    page = Page(write_report(run, predictor, folder=tmp_path).read_text(encoding="utf-8"))
    assert "Not evaluated yet" in page.text
    assert "Validation images" in page.text
    assert any(alternative.startswith("truth ") for alternative, _ in page.pictures)


def test_a_folder_of_another_evaluation_is_shown(line, tmp_path):
    run, predictor, *_ = line
    other = generated.write_cells(tmp_path / "other", count=2, seed=7)
    evaluation, pictures = scored(run, predictor, other, out=tmp_path / "out")
    path = write_report(run, predictor, evaluation, other, tmp_path / "out", pictures=pictures)
    page = Page(path.read_text(encoding="utf-8"))
    assert {alternative.split()[-1] for alternative, _ in page.pictures} >= {"cell_0", "cell_1"}


def test_unlabelled_images_stand_beside_their_prediction_alone(tmp_path):
    data = tmp_path / "data"
    generated.write_cells(data / "train")
    for number in range(2):
        with Image.open(data / "train" / "images" / f"cell_{number}.png") as image:
            (data / "test" / "images").mkdir(parents=True, exist_ok=True)
            image.transpose(Image.Transpose.ROTATE_90).save(data / "test" / "images" / f"new_{number}.png")
    run = train_run(data, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    page = Page(write_report(run, load_predictor(run.folder)).read_text(encoding="utf-8"))
    assert "Unlabelled images" in page.text
    alternatives = [alternative for alternative, _ in page.pictures]
    assert "prediction new_0" in alternatives
    assert "truth new_0" not in alternatives


def test_overlapping_classes_are_shown(tmp_path):
    data = generated.write_overlapping(tmp_path / "data")
    run = train_run(data, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    predictor = load_predictor(run.folder)
    evaluation, pictures = scored(run, predictor)
    page = Page(write_report(run, predictor, evaluation, pictures=pictures).read_text(encoding="utf-8"))
    assert "disc" in page.text
    assert "bar" in page.text


def test_a_page_that_cannot_be_written_is_told(line, tmp_path):
    run, predictor, evaluation, pictures = line
    save(tmp_path / "file.png", generated.np.zeros((2, 2), "uint8"))
    with pytest.raises(OutputError, match=r"cannot write .*report.html: .*\nFix: free some space"):
        write_report(run, predictor, evaluation, folder=tmp_path / "file.png", pictures=pictures)


def test_a_run_whose_data_are_gone_is_told_on_another_folder(tmp_path):
    data = generated.write_cells(tmp_path / "data")
    run = train_run(data, tmp_path / "run", generated.tiny_settings(steps=1, validation_passes=1))
    data.rename(tmp_path / "elsewhere")
    predictor = load_predictor(run.folder)
    evaluation, pictures = scored(run, predictor, tmp_path / "elsewhere")
    assert evaluation.calibration is None
    path = write_report(run, predictor, evaluation, tmp_path / "elsewhere", pictures=pictures)
    page = Page(path.read_text(encoding="utf-8"))
    assert "Lowest IoU of “foreground”" in page.text
    assert "Findings in the data" not in page.text


@pytest.mark.usefixtures("curves")
def test_the_page_speaks_the_language_asked_for(line, tmp_path):
    run, predictor, evaluation, pictures = line
    path = write_report(run, predictor, evaluation, folder=tmp_path, language="zh", pictures=pictures)
    text = path.read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in text
    assert {"混淆矩阵", "“foreground”的 IoU 最低的图像", "学习率"} <= set(re.findall(r"[^<>]+", text))


def test_reasons_of_the_settings_speak_the_language_of_the_page(line):
    run = replace(line[0], notes=("model.options = {'decoder': 'light'}: a fraction of the cost of a full one.",))
    said = settings_text(run, "zh").split("settings:")[0]
    assert "- model.options = {'decoder': 'light'}：代价只是完整解码器的一小部分\n" in said


def test_split_and_findings_are_told(line, evaluated):
    run, *_ = line
    assert "Split" in evaluated.text
    with run.split_path.open(encoding="utf-8", newline="") as file:
        assert all(row["reason"] in evaluated.text for row in csv.DictReader(file))


def test_tiles_hold_intervals_and_baselines(line, evaluated):
    _, _, evaluation, _ = line
    low, high = evaluation.to_dict()["intervals"]["dataset"]["mean_iou"]
    assert f"{low:.3f} – {high:.3f}" in evaluated.text
    blind = max(counts.mean_iou for counts in evaluation.blind.values())
    assert f"baseline {blind:.3f}" in evaluated.text
