"""A bundle proves itself, is written whole or not at all, and predicts like the run it came from."""

import json
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from pydantic import TypeAdapter

import perpixel
from generated import contents
from perpixel.errors import DataError, OutputError, RunError, SettingsError
from perpixel.prediction import PredictOptions, onnx_engine
from perpixel.prediction.load import load_predictor
from perpixel.store.bundle import Bundle, BundleCard

TILED = PredictOptions(tile_px=32, overlap_px=16, whole_px=1, tta="d4", precision="32", device="cpu")


@pytest.fixture(scope="module")
def bundle(cells_run, tmp_path_factory):
    """Read only."""
    folder = tmp_path_factory.mktemp("exports") / "cells"
    return perpixel.export(cells_run, folder).path


def test_the_bundle_holds_what_it_says(bundle, cells_run):
    names = {path.name for path in bundle.iterdir()}
    assert names == {
        *(
            "model.onnx",
            "card.json",
            "parity.json",
            "example.py",
            "README.md",
            "sample_input.npy",
            "sample_output.npy",
        )
    }
    card = Bundle.open(bundle).card
    assert card.codec == load_predictor(cells_run.folder).codec
    assert card.trained_on["images"] == {"train": 5, "val": 2, "test": 1}
    proof = json.loads((bundle / "parity.json").read_text(encoding="utf-8"))
    assert {each["runtime"].split()[0] for each in proof} >= {"onnxruntime"}
    assert all(each["largest_difference"] < 1e-5 and each["iou_difference"] == 0 for each in proof)


def test_tiles_turns_and_blending_are_those_of_the_run(bundle, cells_run):
    image = np.random.default_rng(0).integers(0, 256, (101, 75, 3), np.uint8)
    expected = load_predictor(cells_run.folder, TILED).probabilities(image)
    np.testing.assert_allclose(load_predictor(bundle, TILED).probabilities(image), expected, rtol=0, atol=1e-5)


def with_home(folder):
    """The environment of a user who has set nothing about ONNX Runtime."""
    folder.mkdir()
    unset = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return {**kept, "OMP_NUM_THREADS": "1", "HOME": str(folder), "USERPROFILE": str(folder)}


def test_example_and_sample_agree_without_perpixel(bundle, tmp_path):
    done = subprocess.run(
        [sys.executable, "-I", "example.py"],
        cwd=bundle,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=with_home(tmp_path / "home"),
    )
    assert not list((tmp_path / "home").rglob("*onnxruntime*")), "it keeps no records for its makers"
    first, *rest = done.stdout.splitlines()
    assert float(first.split()[-1]) < 1e-5
    assert [line.split(":")[0] for line in rest] == ["background", "foreground"]


WITHOUT_TORCH = """
import sys
sys.modules["torch"] = None
import perpixel
from perpixel.cli import main
assert main(["predict", sys.argv[1], sys.argv[2], "--out", sys.argv[3], "--polygons", "geojson", "--overlay"]) == 0
assert not {"scipy", "pandas", "matplotlib"} & set(sys.modules), "they take longer to load than a mask"
import numpy as np
assert perpixel.load(sys.argv[1]).predict(np.zeros((30, 20, 3), np.uint8)).mask.shape == (30, 20)
"""


@pytest.mark.long
def test_without_torch_the_same_files_are_written(bundle, cells_run, cells, tmp_path):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(bundle), str(cells / "images"), str(tmp_path / "bundle")]
    subprocess.run(command, check=True, timeout=60, env=with_home(tmp_path / "home"))
    perpixel.predict(cells_run, cells / "images", tmp_path / "run", polygons="geojson", overlay=True)
    assert contents(tmp_path / "bundle") == contents(tmp_path / "run")
    assert not list((tmp_path / "home").rglob("*onnxruntime*")), "it keeps no records for its makers"


def test_a_zip_is_a_bundle_too(cells_run, cells, tmp_path):
    path = perpixel.export(cells_run, tmp_path / "cells.zip", images=[cells / "images"]).path
    assert "model.onnx" in zipfile.ZipFile(path).namelist()
    image = np.full((40, 50, 3), 90, np.uint8)
    np.testing.assert_array_equal(perpixel.load(path).predict(image), perpixel.load(cells_run).predict(image))
    assert [each.name for each in tmp_path.iterdir()] == ["cells.zip"]


def test_the_schema_in_the_docs_is_that_of_the_card():
    from pathlib import Path

    stored = json.loads(Path("docs/card.schema.json").read_text(encoding="utf-8"))
    assert stored == TypeAdapter(BundleCard).json_schema()


def test_an_export_that_differs_is_refused_and_nothing_is_written(cells_run, tmp_path, monkeypatch):
    def other(content, output):
        return lambda batch: np.full((len(batch), 2, *batch.shape[2:]), 0.5, np.float32)

    monkeypatch.setitem(onnx_engine.GRAPHS, "onnxruntime", other)
    with pytest.raises(RunError, match=r"onnxruntime .*: a probability differs by 0"):
        perpixel.export(cells_run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_export_is_never_overwritten_unasked(cells_run, bundle, tmp_path):
    before = contents(bundle)
    with pytest.raises(OutputError, match="holds an export already"):
        perpixel.export(cells_run, bundle)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    (tmp_path / "mine" / "card.json").write_text("{}")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as photos:
        photos.writestr("a.txt", "summer")
    for mine in ("mine", "photos.zip"):
        with pytest.raises(OutputError, match="exists and is not an export"):
            perpixel.export(cells_run, tmp_path / mine, overwrite=True)
    assert contents(bundle) == before
    copy = shutil.copytree(bundle, tmp_path / "copy")
    (copy / "model.onnx").write_bytes(b"old")
    perpixel.export(cells_run, copy, overwrite=True)
    assert (copy / "model.onnx").read_bytes() != b"old"
    assert {each.name for each in tmp_path.iterdir()} == {"mine", "copy", "photos.zip"}


def test_bad_runs_and_targets_are_refused(cells_run, tmp_path):
    with pytest.raises(SettingsError, match=r"no target 'onxx'.*\n.*did you mean onnx"):
        perpixel.export(cells_run, tmp_path / "out", target="onxx")
    run = tmp_path / "run"
    run.mkdir()
    (run / "settings.yaml").write_bytes((cells_run.folder / "settings.yaml").read_bytes())
    with pytest.raises(RunError, match=r"there is no model file .*model\.safetensors"):
        perpixel.export(run, tmp_path / "out")
    (run / "model.safetensors").write_bytes(cells_run.model_path.read_bytes())
    with pytest.raises(DataError, match=r"test images of .* cannot be had.*\nFix: give other images"):
        perpixel.export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def altered(bundle, folder, **files):
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).write_bytes(files.get(path.stem, path.read_bytes()))
    return folder


def test_damaged_bundles_are_refused(bundle, tmp_path, monkeypatch):
    card = json.loads((bundle / "card.json").read_text(encoding="utf-8"))
    later = json.dumps({**card, "schema": 2}).encode()
    with pytest.raises(RunError, match=r"card.json of .* is of a later version"):
        perpixel.load(altered(bundle, tmp_path / "later", card=later))
    for number, text in enumerate((b"{", b"[]", json.dumps({**card, "codec": {}}).encode())):
        with pytest.raises(RunError, match=r"card.json of .* is damaged"):
            perpixel.load(altered(bundle, tmp_path / f"damaged-{number}", card=text))
    with pytest.raises(RunError, match=r"model.onnx of .* has been altered or damaged"):
        perpixel.load(altered(bundle, tmp_path / "cut", model=(bundle / "model.onnx").read_bytes()[:-9]))
    (tmp_path / "no.zip").write_bytes(b"PK")
    with pytest.raises(RunError, match="cannot be read"):
        perpixel.load(tmp_path / "no.zip")
    with pytest.raises(RunError, match=r"ONNX Runtime .* cannot run this graph"):
        onnx_engine.onnxruntime_graph(b"graph")
    with pytest.raises(DataError, match="has 4 channels; the model was trained on 3"):
        perpixel.load(bundle).predict(np.zeros((5, 5, 4), np.uint8))
    with pytest.raises(SettingsError, match="predicted on the CPU, not on cuda"):
        load_predictor(bundle, PredictOptions(device="cuda"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingsError, match=r"not installed.\nFix: pip install onnxruntime"):
        perpixel.load(bundle)


@pytest.mark.parametrize(
    ("operator", "opset", "message"),
    [
        ("Frobnicate", 18, r"it has no operator Frobnicate.\nFix: pip install --upgrade onnxruntime"),
        ("Relu", 99, r"its operators are those of version \d+, and the graph's of 99."),
    ],
)
def test_a_runtime_that_lacks_something_says_what(operator, opset, message):
    helper = pytest.importorskip("onnx").helper
    values = [helper.make_tensor_value_info(name, 1, [1]) for name in "ab"]
    graph = helper.make_graph([helper.make_node(operator, ["a"], ["b"])], "graph", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    with pytest.raises(RunError, match=r"ONNX Runtime .* cannot run this graph: " + message):
        onnx_engine.onnxruntime_graph(model.SerializeToString())


@pytest.mark.long
def test_openvino_predicts_the_bundle(bundle, cells_run):
    pytest.importorskip("openvino")
    image = np.random.default_rng(0).integers(0, 256, (70, 60, 3), np.uint8)
    found = load_predictor(bundle, PredictOptions(backend="openvino")).probabilities(image)
    np.testing.assert_allclose(found, load_predictor(cells_run.folder).probabilities(image), atol=1e-4)


def test_a_bundle_for_another_program_is_not_predicted(cells_run, tmp_path):
    path = perpixel.export(cells_run, tmp_path / "out", target="torchscript").path
    with pytest.raises(
        RunError,
        match=r"exported for torchscript, which perpixel does not predict with.\nFix: export the run for onnx",
    ):
        perpixel.load(path)


def test_a_bundle_is_scored_where_a_run_is(bundle, cells_run, cells, tmp_path):
    ours = perpixel.evaluate(bundle, cells, out=tmp_path / "ours").to_dict()
    theirs = perpixel.evaluate(cells_run, cells, out=tmp_path / "theirs").to_dict()
    assert ours["dataset"] == pytest.approx(theirs["dataset"], abs=1e-3)
    assert (tmp_path / "ours" / "report.html").exists()
    comparison = perpixel.compare([cells_run, bundle], cells, out=tmp_path / "compared")
    assert abs(comparison.differences[1].value[0]) < 1e-3
    with pytest.raises(SettingsError, match=r"holds no images.\nFix: name a labelled folder"):
        perpixel.evaluate(bundle)


@pytest.mark.long
def test_deepness_gets_what_its_code_reads(cells_run, tmp_path):
    import onnx

    path = perpixel.export(cells_run, tmp_path / "out", target="deepness").path
    model = onnx.load(path / "model.onnx")
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)
    metadata = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert metadata["model_type"] == "Segmentor"
    assert metadata["class_names"] == {"0": "background", "1": "foreground"}
    assert metadata["tile_size"] == metadata["tiles_size"] == 512
    assert 0 < metadata["standardization_mean"][0] < 1


@pytest.mark.long
def test_the_model_card_of_hugging_face_is_read_by_its_library(cells_run, cells, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    run = tmp_path / "run"
    shutil.copytree(cells_run.folder, run)
    perpixel.evaluate(run)
    path = perpixel.export(run, tmp_path / "out", target="huggingface", images=[cells / "images"]).path
    card = hub.ModelCard.load(path / "README.md")
    assert card.data.pipeline_tag == "image-segmentation"
    metrics = {each.metric_type: each for each in card.data.eval_results}
    scores = json.loads((run / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["mean_iou"].metric_value == scores["dataset"]["mean_iou"]
    assert perpixel.load(path).predict(np.zeros((9, 9, 3), np.uint8)).mask.shape == (9, 9)


@pytest.mark.slow
def test_bioimageio_tests_the_package(cells_run, tmp_path):
    core = pytest.importorskip("bioimageio.core", reason="bioimageio.core is not installed")
    path = perpixel.export(cells_run, tmp_path / "out", target="bioimageio").path
    summary = core.test_model(path / "bioimageio.yaml", determinism="seed_only")
    assert summary.status == "passed", summary.format()
