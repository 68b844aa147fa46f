"""A bundle, as a folder or a .zip, wherever a run is taken: by the command line and by the server."""

import json

import pytest

import perpixel
from perpixel.cli import main
from perpixel.errors import RunError
from served import served

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bundle(cells_run, tmp_path_factory):
    """A .zip; read only."""
    return perpixel.export(cells_run, tmp_path_factory.mktemp("zipped") / "cells.zip").path


def test_a_zip_is_evaluated_beside_itself(bundle, cells, capsys):
    before = bundle.read_bytes()
    assert main(["evaluate", str(bundle), str(cells)]) == 0
    assert "mean IoU" in capsys.readouterr().out
    folder = bundle.with_name("cells-evaluation")
    assert {"metrics.json", "images.csv", "report.html"} <= {path.name for path in folder.iterdir()}
    assert bundle.read_bytes() == before


def test_runs_and_bundles_are_compared(bundle, cells_run, cells, capsys):
    assert main(["compare", str(cells_run.folder), str(bundle), str(cells)]) == 0
    page = bundle.with_name("cells-evaluation") / "compare.html"
    assert f"page: {page}" in capsys.readouterr().out
    scores = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["runs"]
    assert all(abs(each["more_than_first"] or 0) < 1e-3 for each in scores["cells.zip"].values())


def test_a_bundle_is_served_and_answers_as_predict(bundle, cells, tmp_path):
    image = cells / "images" / "cell_0.png"
    assert main(["predict", str(bundle), str(image), "--out", str(tmp_path)]) == 0
    with served(bundle, cells / "images") as server:
        answer = server.ask("POST", "/v1/predict?as=mask", image.read_bytes())
        assert answer.body == (tmp_path / "cell_0.png").read_bytes()
        assert server.ask("GET", "/v1/model").json["is_trained"]
        assert server.service.base is None, "training starts from public weights, not from a graph"


def test_images_are_ranked_by_a_bundle(bundle, cells_run, cells):
    ours, theirs = (perpixel.next_images(run, cells / "images", strategy="entropy") for run in (bundle, cells_run))
    assert [each.path for each in ours] == [each.path for each in theirs]


def test_what_needs_the_network_itself_says_so(bundle, tmp_path):
    for needs in (lambda: perpixel.export(bundle, tmp_path / "again"), lambda: perpixel.prune(bundle)):
        with pytest.raises(RunError, match=r"is an export, not a run.\nFix: give the run that it was exported from"):
            needs()
    assert not list(tmp_path.iterdir())
