"""The examples of CONTRIBUTING's "How to add", followed to the letter on a copy of the package."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import perpixel

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n# (.+?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"a line of (\w+) in (\S+)")

MODEL = """
import torch
from perpixel.losses import weighted
from perpixel.models import build
model = build("two_layers", in_channels=2, classes=3, width=4)
for height, width in ((1, 1), (33, 47)):
    assert model(torch.rand(2, 2, height, width)).shape == (2, 3, height, width)
loss = weighted({"cross_entropy": 1.0}, "multiclass")(model(torch.rand(1, 2, 8, 8)), torch.ones(1, 8, 8).long())
loss.backward()
assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
try:
    build("two_layers", in_channels=2, classes=3, encoder="resnet18")
except Exception as error:
    assert "two_layers takes no encoder" in str(error), error
else:
    raise AssertionError("an encoder was taken")
"""
LOSS = """
import torch
from perpixel.losses import weighted
from perpixel.settings.tree import settings_from
settings = settings_from({"train": {"loss": [{"name": "brier", "power": 1}]}})
loss = weighted(settings.train.loss, "multiclass")
logits, target = torch.zeros(1, 2, 4, 4, requires_grad=True), torch.ones(1, 4, 4).long()
value = loss(logits, target)
assert float(value) == 0.5, value
value.backward()
assert logits.grad.abs().sum() > 0
"""


METRIC = """
from pathlib import Path
import numpy as np
from sklearn.metrics import matthews_corrcoef
from perpixel.dataset import Sample
from perpixel.evaluation import Evaluation, ImageScore
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts
from perpixel.report.texts import texts
labels = Labels("multiclass", ("no", "yes"), (0, 1), ((0, 0, 0), (9, 9, 9)))
image = ImageScore(Sample("a", Path("a.png")), Counts.of_confusion(np.array([[6, 1], [2, 5]])))
found = Evaluation("test", labels, (image, image))
expected = matthews_corrcoef([0] * 7 + [1] * 7, [0] * 6 + [1] + [0] * 2 + [1] * 5)
assert abs(found.classes["yes"].matthews - expected) < 1e-12
assert found.to_dict()["classes"]["yes"]["matthews"] == found.classes["yes"].matthews
assert "MCC" in str(found)
assert texts("zh")["matthews"] == "马修斯相关系数"
"""
OUTPUT = """
import json
import sys
import tempfile
from pathlib import Path
import numpy as np
sys.path.insert(0, {tests!r})
import generated
from perpixel.files.write import write_png
from perpixel.prediction import Outputs, Predictor
from perpixel.models import build
folder = Path(tempfile.mkdtemp())
network = build("unet", in_channels=3, classes=2, width=4, depth=1)
predictor = Predictor(network, generated.codec_for(generated.binary_labels()))
write_png(folder / "a.png", np.zeros((20, 30, 3), np.uint8))
written = predictor.predict_file(folder / "a.png", folder / "out", Outputs(also=("class_pixels",)))
assert folder / "out" / "class_pixels" / "a.json" in written.paths, written
totals = json.loads((folder / "out" / "class_pixels" / "a.json").read_text(encoding="utf-8"))
assert list(totals) == ["background", "cell"] and sum(totals.values()) == 600, totals
""".format(tests=str(ROOT / "tests"))


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the package with every example in it."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(Path(perpixel.__file__).parent, folder / "src" / "perpixel")
    for place, body in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        if line := LINE.fullmatch(place):
            add_line(folder / line[2], line[1], body)
        else:
            assert not (folder / place).exists(), f"{place} is there already"
            (folder / place).write_text(body, encoding="utf-8")
    return folder / "src"


def add_line(file, table, body):
    """Put the last line of a block into a table, and its imports before it."""
    *imports, line = body.strip().splitlines()
    text = file.read_text(encoding="utf-8")
    opening = re.search(rf"^{table}: .*= {{$", text, re.MULTILINE)
    assert opening, f"{file} has no table {table}"
    text = f"{text[: opening.end()]}\n    {line}{text[opening.end() :]}"
    first = text.index("\nfrom ")
    file.write_text(text[:first] + "\n" + "\n".join(imports) + text[first:], encoding="utf-8")


@pytest.mark.parametrize("use", [MODEL, LOSS, METRIC, OUTPUT], ids=["model", "loss", "metric", "output"])
def test_what_an_example_adds_can_be_used(extended, use):
    environment = {**os.environ, "PYTHONPATH": str(extended)}
    done = subprocess.run(
        [sys.executable, "-c", use], env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
