"""The report in a real browser: no error, pictures load, the slider moves, a picture opens, nothing is too wide."""

import pytest

import generated
from browser import needs_chromium, tried
from perpixel.evaluation import evaluate_run
from perpixel.prediction.load import load_predictor
from perpixel.report import write_report
from perpixel.report.image_gallery import ImageGallery
from perpixel.training import train_run

pytestmark = pytest.mark.usefixtures("curves")

TRY = """() => {
  const slider = document.getElementById("fade"), layer = document.querySelector(".layer");
  const before = getComputedStyle(layer).opacity;
  slider.value = 20;
  slider.dispatchEvent(new Event("input"));
  const views = [...document.querySelectorAll(".view")], dialog = document.querySelector("dialog");
  views[1].click();
  const opened = dialog.open && dialog.querySelectorAll(".stage img").length;
  const arrowsGoOn = document.activeElement.type !== "range";
  const first = dialog.querySelector("b").textContent;
  dialog.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
  const second = dialog.querySelector("b").textContent;
  dialog.querySelector("button").click();
  const word = document.querySelector("[data-tip]"), tip = document.getElementById("tip");
  word.focus();
  return {
    before, after: getComputedStyle(layer).opacity, opened, first, second, arrowsGoOn, closed: !dialog.open,
    broken: [...document.images].filter(image => !image.complete || image.naturalWidth === 0).length,
    pictures: document.images.length, views: views.length,
    tip: !tip.hidden && tip.textContent === word.dataset.tip,
    wide: document.documentElement.scrollWidth - innerWidth,
  };
}"""


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """A run on land, its predictor, its scores and pictures of them."""
    folder, pictures = tmp_path_factory.mktemp("page"), ImageGallery()
    run = train_run(generated.write_land(folder / "land"), folder / "run", generated.tiny_settings())
    predictor = load_predictor(run.folder)
    return run, predictor, evaluate_run(run, predictor, part="all", watch=pictures.add), pictures


@pytest.mark.long
@needs_chromium
@pytest.mark.parametrize(("language", "width"), [("en", 1200), pytest.param("zh", 500, marks=pytest.mark.slow)])
def test_the_page_works_in_a_browser(tmp_path, evaluated, language, width):  # no window is narrower than 500
    run, predictor, evaluation, pictures = evaluated
    page = write_report(run, predictor, evaluation, folder=tmp_path, language=language, pictures=pictures)
    found = tried(page, TRY, tmp_path, width)
    assert found["complaints"] == []
    assert found["broken"] == 0
    assert found["pictures"] >= found["views"] >= 4 * 8
    assert (found["before"], found["after"]) == ("0.6", "0.2")
    assert found["opened"] == 2  # the image and its mask
    assert found["first"] != found["second"]
    assert found["arrowsGoOn"]
    assert found["closed"]
    assert found["tip"]
    assert found["wide"] <= 0
