"""One prediction by two processes, by the command line alone: the same files, and who wrote them says so."""

import re

import numpy as np
import pytest
import tifffile

from forked import joined
from perpixel.cli import main
from perpixel.files.read import read_image

pytestmark = pytest.mark.long


def test_two_processes_predict_a_folder_with_a_stack(cells, cells_run, tmp_path, capfd):
    image = read_image(cells / "images" / "cell_0.png")
    folder = tmp_path / "in"
    folder.mkdir()
    tifffile.imwrite(
        folder / "stack.tif", np.stack([np.roll(image, page, 1) for page in range(9)]), photometric="rgb"
    )
    (folder / "cell_1.png").write_bytes((cells / "images" / "cell_1.png").read_bytes())
    options = [str(cells_run.folder), str(folder), "--probabilities", "uint8", "--areas", "--tta", "flips"]
    assert main(["predict", *options, "--out", str(tmp_path / "one")]) == 0
    capfd.readouterr()

    def work(rank):
        assert main(["predict", *options, "--out", str(tmp_path / "two")]) == 0

    assert joined(work, tmp_path) == ["", ""]
    told, _ = capfd.readouterr().out.splitlines()  # the second process says nothing
    assert re.fullmatch(
        rf"2 images predicted; found \d+ objects of foreground, median \d+ px: {tmp_path / 'two'}", told
    )
    written = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")}
    assert written == {path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*.*")}
    assert len(written) == 6
    for name in written:
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
