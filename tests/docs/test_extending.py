"""The examples of CONTRIBUTING's "How to add", followed to the letter on a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import perpixel

pytestmark = pytest.mark.long

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
from perpixel.settings.tree import request_from
settings = request_from({"train": {"loss": [{"name": "brier", "power": 1}]}})
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


FORMAT = """
import tempfile
from pathlib import Path
import numpy as np
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.files.read import is_image, read_header, read_image, read_mask
from perpixel.files.write import write_png
folder = Path(tempfile.mkdtemp())
(folder / "images").mkdir()
(folder / "masks").mkdir()
values = np.arange(24, dtype=np.float32).reshape(4, 6)
for name, order, scale in (("little", "<f4", -1), ("big", ">f4", 1)):
    path = folder / "images" / (name + ".pfm")
    path.write_bytes(b"Pf\\n6 4\\n%d\\n" % scale + values[::-1].astype(order).tobytes())
    write_png(folder / "masks" / (name + ".png"), (values > 9).astype(np.uint8))
    assert is_image(path)
    assert np.array_equal(read_image(path), values[..., None]) and read_image(path).dtype == np.float32
    assert np.array_equal(read_image(path, box=(1, 2, 3, 4)), values[1:4, 2:6, None])
    assert np.array_equal(read_mask(path).values, values.astype(np.int32))
    header = read_header(path)
    assert (header.size, header.channels, header.dtype) == ((4, 6), 1, "float32")
assert [sample.name for sample in scan(folder).samples] == ["big", "little"]
(folder / "cut.pfm").write_bytes(path.read_bytes()[:-1])
try:
    read_image(folder / "cut.pfm")
except DataError as error:
    assert "cut.pfm cannot be read" in str(error), error
else:
    raise AssertionError("half a file was read")
"""
EXPORT = """
import json
import tempfile
from pathlib import Path
import perpixel
exported = perpixel.export({run!r}, Path(tempfile.mkdtemp()) / "out", target="frozen")
assert json.loads((exported.path / "card.json").read_text(encoding="utf-8"))["target"] == "frozen"
(proof,) = exported.parities
assert proof.runtime == "frozen TorchScript" and proof.largest_difference < 1e-4, proof
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


EXAMPLES = {"model": MODEL, "loss": LOSS, "metric": METRIC, "output": OUTPUT, "format": FORMAT, "exporter": EXPORT}
EACH_IN_TURN = """
import json, sys, traceback
wrong = {}
for name, use in json.load(sys.stdin).items():
    try:
        exec(use, {"__name__": name})
    except Exception:
        wrong[name] = traceback.format_exc()
print(json.dumps(wrong))
"""


@pytest.fixture(scope="module")
def failures(extended, cells_run):
    """What went wrong by the example's name; one process for all of them, for torch takes seconds to load."""
    uses = EXAMPLES | {"exporter": EXPORT.format(run=str(cells_run.folder))}
    done = subprocess.run(
        [sys.executable, "-c", EACH_IN_TURN],
        env={**os.environ, "PYTHONPATH": str(extended), "PYTHONIOENCODING": "utf-8"},
        input=json.dumps(uses),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_an_example_adds_can_be_used(failures, name):
    assert name not in failures, failures[name]
