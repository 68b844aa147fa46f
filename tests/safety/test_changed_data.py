"""What changed since the split was made is told, by evaluate and by resume."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generated import write_cells
from perpixel.dataset import scan
from perpixel.evaluation.scoring import samples_of_part
from perpixel.runtime.operating_system import is_running, peak_memory_bytes
from perpixel.split import Split
from perpixel.store.run_folder import Run


def inverted(path):
    Image.fromarray(255 - np.asarray(Image.open(path))).save(path)


@pytest.fixture
def divided(tmp_path):
    dataset = scan(write_cells(tmp_path / "data", count=4))
    split = Split(dataset.samples, {sample.name: ("test", "so") for sample in dataset.samples})
    split.save(tmp_path / "split.csv")
    return dataset, tmp_path / "split.csv"


def test_nothing_is_told_of_what_is_as_it_was(divided):
    dataset, path = divided
    assert Split.load(path, dataset.samples).changed(dataset.samples) == []


def test_labels_and_images_that_changed_are_named(divided):
    dataset, path = divided
    for sample in dataset.samples[:2]:
        inverted(sample.masks[0])
    inverted(dataset.samples[3].image)
    images, labels = Split.load(path, dataset.samples).changed(dataset.samples)
    assert str(images.problem).startswith("the images of 1 of 4 samples are not those that the split was made of.")
    assert images.problem.examples == ("cell_3",)
    assert labels.problem.what.startswith("the labels of 2 of 4 samples")
    assert labels.problem.examples == ("cell_0", "cell_1")


def test_a_split_without_digests_is_read(divided):
    dataset, path = divided
    rows = [line.rsplit(",", 2)[0] for line in path.read_text(encoding="utf-8").splitlines()]
    path.write_text("\n".join(rows), encoding="utf-8")
    assert Split.load(path, dataset.samples).changed(dataset.samples) == []


def test_evaluation_and_resume_tell_that_masks_changed(tmp_path, cells_run, cells, caplog):
    from perpixel.errors import RunError
    from perpixel.training import resume_run

    data = Path(shutil.copytree(cells, tmp_path / "data"))
    run = Run.open(Path(shutil.copytree(cells_run.folder, tmp_path / "run")))
    for path in (data / "masks").iterdir():
        inverted(path)
    with caplog.at_level(logging.WARNING, "perpixel"):
        samples_of_part(run, scan(data), "test")
        assert "the labels of" in caplog.text
        caplog.clear()
        settings = (run.folder / "settings.yaml").read_text(encoding="utf-8").splitlines(keepends=True)
        (run.folder / "settings.yaml").write_text("".join([f"data: {data}\n", *settings[1:]]), encoding="utf-8")
        (run.folder / "checkpoints" / "last.safetensors").unlink()
        resume_run(run.folder, {})
    assert "the labels of" in caplog.text
    with pytest.raises(RunError, match="is finished"):
        resume_run(run.folder, {})


def test_processes():
    import os

    assert is_running(os.getpid())
    assert not is_running(0)
    assert not is_running(2**22 + 5)
    assert peak_memory_bytes() > 2**20 or os.name == "nt"
