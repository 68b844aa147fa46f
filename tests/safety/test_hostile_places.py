"""Pipes, devices, bombs and references to other files, wherever a file is read: refused, and never waited for."""

import io
import json
import os
import pickle
import signal
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

import perpixel
from generated import binary_labels, codec_for, write_cells
from perpixel.dataset import scan
from perpixel.dataset.layout.names import natural
from perpixel.errors import DataError, PerpixelError, RunError, SettingsError
from perpixel.files import whole_file
from perpixel.files.read import read_image
from perpixel.files.whole_file import content_of, text_of
from perpixel.models.weights import read_state
from perpixel.prediction.load import load_predictor
from perpixel.prediction.onnx_engine import _lacking, onnxruntime_graph
from perpixel.settings.text import settings_from_file
from perpixel.split import Split
from perpixel.store import bundle as bundle_module
from perpixel.store.bundle import EXTERNAL, Bundle, BundleCard, checksum
from perpixel.store.run_folder import Run

pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@contextmanager
def within(seconds):
    """Fail instead of waiting for a pipe that nobody writes to."""

    def late(*_):
        raise AssertionError("it waits")

    if not hasattr(signal, "SIGALRM"):  # a system without pipes to wait for
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


READERS = {
    "settings.yaml": settings_from_file,
    "dataset.yaml": scan,
    "model.zip": Bundle.open,
    "model.safetensors": load_predictor,
    "weights.pth": read_state,
    "split.csv": lambda path: Split.load(path, ()),
    "a.png": read_image,
}


@pipes
@pytest.mark.parametrize("name", READERS)
def test_a_pipe_is_refused_wherever_a_file_is_named(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with within(10), pytest.raises(PerpixelError, match=r"Fix: "):
        READERS[name](tmp_path / name)


@pipes
def test_pipes_within_a_data_folder_a_run_and_a_bundle_are_not_waited_for(tmp_path):
    data = write_cells(tmp_path / "data", count=2)
    for name in ("dataset.yaml", "pairs.csv", "classes.json", "a.geojson", "data.yaml", "train.txt", "a.xml"):
        os.mkfifo(data / name)
    with within(20):
        assert len(scan(data).samples) == 2
    os.mkfifo(tmp_path / "settings.yaml")
    with within(10), pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path)
    (tmp_path / "card.json").write_text(BundleCard("onnx", CODEC, checksums={"model.onnx": "x"}).to_json(), "utf-8")
    os.mkfifo(tmp_path / "model.onnx")
    with within(10), pytest.raises(RunError, match=r"cannot be read: it is a folder, a pipe or a device"):
        Bundle.open(tmp_path).model()


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no devices among its files")
def test_a_device_without_an_end_is_refused():
    for read in (content_of, text_of):
        with pytest.raises(OSError, match="it is a folder, a pipe or a device"):
            read(Path("/dev/zero"))
    with pytest.raises(SettingsError, match=r"cannot read /dev/zero: it is a folder, a pipe or a device"):
        settings_from_file(Path("/dev/zero"))


def test_a_file_larger_than_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_file, "MAX_BYTES", 10)
    (tmp_path / "a.yaml").write_text("a: [1, 2, 3, 4]", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"it holds more than 10 bytes \(PERPIXEL_MAX_BYTES allows more\)"):
        settings_from_file(tmp_path / "a.yaml")


CODEC = codec_for(binary_labels())


def bundle_of(path, graph):
    """A .zip of a card and a graph whose checksum is right."""
    card = BundleCard("onnx", CODEC, checksums={"model.onnx": checksum(graph)}).to_json()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", card)
        archive.writestr("model.onnx", graph)
    return path


def test_a_bundle_that_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    path = bundle_of(tmp_path / "a.zip", bytes(2**20))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(bundle_module, "MAX_BYTES", 2**19)
    with pytest.raises(RunError, match=r"model.onnx holds more than 524,288 bytes \(PERPIXEL_MAX_BYTES"):
        Bundle.open(path).model()


@pytest.mark.parametrize("change", ["encrypted", "compression", "cut"])
def test_a_zip_that_cannot_be_unpacked_is_refused(tmp_path, change):
    content = bytearray(bundle_of(tmp_path / "a.zip", b"x").read_bytes())
    directory = content.index(b"PK\x01\x02")
    if change == "encrypted":
        content[6] = content[directory + 8] = 1
    elif change == "compression":
        content[8] = content[directory + 10] = 97
    else:
        content[60:90] = bytes(30)
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(RunError, match=r"a.zip cannot be read: .*\nFix: copy the bundle again"):
        Bundle.open(tmp_path / "a.zip")


def test_a_graph_that_names_another_file_is_refused(tmp_path):
    """OpenVINO would read a file of that name in the working folder."""
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    tensor.external_data.add(key="location", value="secret.bin")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [tensor])
    content = onnx.helper.make_model(graph).SerializeToString()
    assert EXTERNAL in content
    with pytest.raises(RunError, match=r"model.onnx of .*a.zip names another file for its weights.\nFix: export"):
        Bundle.open(bundle_of(tmp_path / "a.zip", content)).model()


def test_compressed_tensors_are_not_unpacked(tmp_path):
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(1000)}, buffer)
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(tmp_path / "a.pth", "w", zipfile.ZIP_DEFLATED) as packed:
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    with pytest.raises(RunError, match="its tensors are compressed, which PyTorch never does"):
        read_state(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "codecs",
    [
        {"filters": [{"id": "pickle"}], "compressor": None},
        {"filters": None, "compressor": {"id": "pickle"}},
        {"filters": [{"id": "delta", "dtype": "|u1"}, {"id": "pickle"}], "compressor": {"id": "zlib"}},
    ],
)
def test_a_zarr_that_asks_for_pickle_runs_nothing(tmp_path, codecs):
    pytest.importorskip("zarr")
    array = {"zarr_format": 2, "shape": [8, 8], "chunks": [8, 8], "dtype": "|u1", "fill_value": 0, "order": "C"}

    class Deed:
        def __reduce__(self):
            return open, (str(tmp_path / "done"), "w")

    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / ".zarray").write_text(json.dumps({**array, **codecs}), encoding="utf-8")
    (tmp_path / "a.zarr" / "0.0").write_bytes(pickle.dumps(Deed()))
    with pytest.raises(DataError, match=r"a.zarr cannot be read"):
        read_image(tmp_path / "a.zarr")
    assert not (tmp_path / "done").exists()


def test_links_in_a_circle_are_left_out(tmp_path):
    data = write_cells(tmp_path / "data", count=2)
    try:
        (data / "images" / "again").symlink_to(data, target_is_directory=True)
    except OSError:
        pytest.skip("this user may make no links")
    with within(20):
        assert len(scan(data).samples) == 2
        (data / "images" / "self.png").symlink_to(data / "images" / "self.png")
        with pytest.raises(DataError, match=r"1 link leads nowhere"):
            scan(data)


OWN = {
    *(
        "files/whole_file.py",
        "cli/spoken.py",
        "web/page_routes.py",
        "web/library.py",
        "models/weights.py",
        "language/sentences.py",
    ),
    *("language/catalogue_file.py", "training/loggers.py", "diagnosis/machine.py", "diagnosis/self_test.py"),
    *("exporting/export_folder.py", "exporting/precision.py", "exporting/to_onnx.py", "exporting/to_openvino.py"),
    *("exporting/to_bioimageio.py", "exporting/to_deepness.py", "exporting/to_huggingface.py", "exporting/to_web.py"),
}
"""They read files that perpixel wrote just before, that came with it, or that were looked at already."""


def test_only_one_module_reads_whole_files_from_outside():
    source = Path(perpixel.__file__).parent
    texts = {path.relative_to(source).as_posix(): path.read_text(encoding="utf-8") for path in source.rglob("*.py")}
    found = {name for name, text in texts.items() if ".read_text(" in text or ".read_bytes(" in text}
    assert found <= OWN, f"ask files/whole_file.py, which waits for no pipe: {found - OWN}"


def test_arrays_of_objects_are_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match=r"a.npy cannot be read"):
        read_image(tmp_path / "a.npy")


def test_a_graph_refused_without_a_reason_is_told():
    """ONNX Runtime refuses some damaged graphs with an empty message."""
    assert _lacking("") == "it does not say why."
    assert _lacking("broken\nat 3") == "broken"


def test_a_graph_that_fails_while_it_runs_is_told():
    """It is sound until its shapes meet: 16 values do not fit into 7."""
    helper = pytest.importorskip("onnx").helper
    given, answer = ([helper.make_tensor_value_info(name, 1, None)] for name in ("x", "y"))
    shape = helper.make_tensor("shape", 7, [1], [7])
    graph = helper.make_graph([helper.make_node("Reshape", ["x", "shape"], ["y"])], "g", given, answer, [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    run = onnxruntime_graph(model.SerializeToString())
    with pytest.raises(RunError, match=r"(?s)ONNX Runtime .* cannot run this graph: .*Reshape.*\nFix: "):
        run(np.zeros((1, 1, 4, 4), np.float32))


def test_a_root_of_too_long_a_name_does_not_exist(tmp_path):
    (tmp_path / "dataset.yaml").write_text(f"perpixel: 1\nroot: {'x' * 300}\n", encoding="utf-8")
    with pytest.raises(DataError, match="which does not exist"):
        scan(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        scan(tmp_path / ("x" * 300))


def test_names_of_any_digits_are_sorted():
    names = ["9" * 5000, "10", "5²", "009"]
    assert sorted(names, key=natural) == ["5²", "009", "10", "9" * 5000]
