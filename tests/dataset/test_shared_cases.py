"""The folders next to the checkout, after public reports, layouts of data sets and exports of tools: understood."""

import csv
import importlib.util
import json
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import perpixel
from perpixel.errors import PerpixelError

CASES = Path(__file__).parents[3] / "shared" / "cases"
MOST_REFUSED = 6
FILTER = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}  # from Python 3.11.4 on

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CASES.is_dir(), reason="the folders with known labels are not beside the checkout"),
    pytest.mark.filterwarnings("ignore::Warning"),
]


def _judge():
    spec = importlib.util.spec_from_file_location("run_folders", CASES / "run_folders.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _converted(folder, out):
    """What `convert` writes, as the judge wants it; None and the message where it refuses."""
    try:
        perpixel.convert(folder, out)
    except PerpixelError as error:
        return None, str(error)
    found = []
    for row in _rows(out / "manifest.csv"):
        path = out / row["mask"]
        mask = tifffile.imread(path) if path.suffix == ".tif" else np.array(Image.open(path))
        ignored = 65535 if mask.dtype == np.uint16 else 255
        box = [int(row[key]) for key in ("top", "left", "height", "width")] if row["top"] else None
        labels = np.where(mask == ignored, -1, mask.astype(int))
        found.append((row["image"], int(row["page"] or 0), box, labels, row["split"]))
    return (found, [row["name"] for row in _rows(out / "classes.csv")], {}), ""


def test_none_of_the_shared_folders_is_misunderstood(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))
    judge = _judge()
    with tarfile.open(CASES / "folders.tar.xz") as archive:
        archive.extractall(tmp_path / "cases", **FILTER)
    outcomes, details = Counter(), []
    for number, folder in enumerate(sorted((tmp_path / "cases").iterdir())):
        case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
        out = tmp_path / "out" / str(number)
        outcome, why = judge.judged(folder, case, lambda data, out=out: _converted(data, out))
        outcomes[outcome] += 1
        details += [f"{outcome} {folder.name}: {why}"] if outcome != "right" else []
    assert outcomes["wrong"] == outcomes["crash"] == 0, details
    assert outcomes["refused"] <= MOST_REFUSED, details
    assert not any("look like strokes" in each for each in details)
    assert outcomes["right"] > 100
