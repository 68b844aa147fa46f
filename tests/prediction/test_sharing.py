"""What several processes predict together is what one predicts alone, whatever happens on the way."""

import json
import os
import re
import signal
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import tifffile

from forked import joined
from perpixel.errors import OutputError, PerpixelError
from perpixel.prediction import Outputs, PredictOptions, Predictor, files
from perpixel.prediction.output_table import sinks_of
from perpixel.prediction.sharing import divided_tiles
from prediction.networks import LooksAround, codec_for, image_of
from prediction.test_files import files_in, geotiff, png
from prediction.test_resume import OUTPUTS, contents

pytestmark = pytest.mark.long

TILES = PredictOptions(tile_px=64, overlap_px=16, whole_px=1)
ALL = replace(OUTPUTS, probabilities="float32")
SOME = Outputs(probabilities="float32", overlay=True, areas=True, existing="skip")


def predictor(network=LooksAround, options=TILES):
    return Predictor(network(), codec_for(), options=options)


def stack(path, pages=7, side=100):
    path.parent.mkdir(exist_ok=True)
    images = [image_of(side, side - 1, seed=seed) for seed in range(pages)]
    tifffile.imwrite(path, np.stack(images), photometric="rgb", compression="zlib", rowsperstrip=10)
    return path


def mixed(folder):
    """Small images; one of 30 tiles, a stack of 7 pages of 4, and three of 9 tiles."""
    small = [png(folder / f"small{number}.png", image_of(40, 31, seed=number)) for number in range(3)]
    large = [png(folder / "huge.png", image_of(258, 210)), stack(folder / "stack.tif")]
    land = [image_of(150, 143, seed=seed) for seed in range(3)]
    for image in land:
        image[:20, :90] = 0
    return [*small, *large, *(geotiff(folder / f"land{n}.tif", image, nodata=0) for n, image in enumerate(land))]


def write_twice(rank, paths, folder, options, outputs):
    """Predict, and again to see that all is skipped; note what this process told of it."""
    rows, images = [], predictor(options=options)
    done = list(images.predict_files(paths, folder / "two", outputs, progress=lambda *row: rows.append(row)))
    again = list(images.predict_files(paths, folder / "two", outputs))
    assert all(each.is_skipped for each in again)
    told = {"done": [each.source.name for each in done], "again": len(again), "rows": len(rows)}
    (folder / f"{rank}.json").write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("options", "outputs", "written", "rows"),
    [
        (
            TILES,
            ALL,
            (
                ["small0.png", "small2.png", "land1.tif", "huge.png", "stack.tif", "land0.tif"],
                ["small1.png", "land2.tif"],
            ),
            1 + 3,
        ),
        pytest.param(
            replace(TILES, batch_tiles=3, tta="hflip", scale=0.5, tile_px=32),
            SOME,
            (
                ["small0.png", "small2.png", "land1.tif", "huge.png", "stack.tif"],
                ["small1.png", "land0.tif", "land2.tif"],
            ),
            1 + 4 + 4,
            marks=pytest.mark.slow,
        ),
    ],
)
def test_two_processes_write_what_one_does(tmp_path, options, outputs, written, rows):
    paths = mixed(tmp_path / "in")
    list(predictor(options=options).predict_files(paths, tmp_path / "one", outputs))
    assert joined(lambda rank: write_twice(rank, paths, tmp_path, options, outputs), tmp_path) == ["", ""]
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    told = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2)]
    assert tuple(each["done"] for each in told) == written
    assert told[1]["rows"] == rows, "who only sees tiles shows no progress"
    assert sum(each["again"] for each in told) == len(paths)


def test_three_processes_see_images_whole(tmp_path):
    """Pages that are no tiles, more processes than batches on a page, and existing outputs refused."""
    path, options = stack(tmp_path / "in" / "stack.tif", pages=13, side=50), PredictOptions()
    predictor(options=options).predict_file(path, tmp_path / "one", ALL)

    def work(rank):
        list(predictor(options=options).predict_files([path], tmp_path / "two", ALL))
        list(predictor(options=options).predict_files([path], tmp_path / "two", replace(ALL, existing="refuse")))

    first, *others = joined(work, tmp_path, number=3)
    assert others == ["", ""]
    assert re.match(r"PerpixelError: .*two holds \d outputs? of stack\.tif already\.\n", first)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def damaged(folder):
    """An image that ends in its second row of blocks, and a stack of which one page in the middle is broken."""
    ends = folder / "ends.tif"
    folder.mkdir()
    tifffile.imwrite(ends, image_of(500, 300), tile=(256, 256), compression="zlib", photometric="rgb")
    with tifffile.TiffFile(ends) as file:
        second_row = file.pages[0].dataoffsets[2]
    ends.write_bytes(ends.read_bytes()[: second_row + 100])
    broken = stack(folder / "stack.tif")
    with tifffile.TiffFile(broken) as file:
        place = file.pages[2].dataoffsets[8]
    data = bytearray(broken.read_bytes())
    data[place : place + 40] = bytes(40)
    broken.write_bytes(data)
    return [ends, broken]


def test_damage_half_way_is_told_and_kept_as_by_one(tmp_path):
    paths = damaged(tmp_path / "in")
    with pytest.raises(PerpixelError, match=r"ends\.tif cannot be read(.|\n)*stack\.tif cannot be read") as alone:
        list(predictor().predict_files(paths, tmp_path / "one", SOME))
    first, second = joined(lambda _: list(predictor().predict_files(paths, tmp_path / "two", SOME)), tmp_path)
    assert first.startswith(f"PerpixelError: {alone.value}\n".replace(str(tmp_path / "one"), str(tmp_path / "two")))
    assert second == ""
    kept = contents(tmp_path / "two")
    assert kept == contents(tmp_path / "one")
    assert {name.split("/")[0] for name in kept} == {"partial"}


class Fails(LooksAround):
    """Fails at its third window."""

    def __init__(self, failure):
        super().__init__()
        self.failure, self.left = failure, 2

    def forward(self, image):
        self.left -= 1
        if self.left < 0:
            self.failure()
        return super().forward(image)


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("who", [0, 1])
def test_a_process_that_dies_ends_the_others(tmp_path, who):
    paths = [png(tmp_path / "in" / "huge.png", image_of(300, 290))]

    def work(rank):
        network = (lambda: Fails(dies)) if rank == who else LooksAround
        list(predictor(network).predict_files(paths, tmp_path / "out", SOME))

    told = joined(work, tmp_path)
    assert told[who] == "killed"
    assert told[1 - who].startswith(f"RunError: process {1 - who} of 2 lost another one while predicting: ")
    list(predictor().predict_files(paths, tmp_path / "out", SOME))
    list(predictor().predict_files(paths, tmp_path / "one", SOME))
    assert contents(tmp_path / "out") == contents(tmp_path / "one")


def test_a_process_that_fails_says_why_and_ends_the_others(tmp_path):
    paths = [png(tmp_path / "in" / "huge.png", image_of(300, 290)), png(tmp_path / "in" / "bad.png", image_of(9, 9))]
    paths[1].write_bytes(b"no image")
    paths.append(png(tmp_path / "in" / "more.png", image_of(250, 290)))

    def fails():
        raise MemoryError("too little\nof it")

    def work(rank):
        network = (lambda: Fails(fails)) if rank == 1 else LooksAround
        list(predictor(network).predict_files(paths[::-1] if rank == 1 else paths, tmp_path / "out", SOME))

    first, second, third = joined(work, tmp_path, number=3)
    assert first.startswith(
        f"RunError: process 1 of 3 failed at {paths[0]}: MemoryError: too little\nFix: see what it"
    )
    assert second.startswith("MemoryError: too little")
    assert third == ""
    assert files_in(tmp_path / "out") == []


def test_an_output_that_fails_ends_one_image_and_not_the_next(tmp_path):
    paths = [png(tmp_path / "in" / f"{name}.png", image_of(300, 290)) for name in "ab"]
    paths.insert(1, tmp_path / "in" / "gone.png")

    def full(pieces):
        next(pieces)
        raise OutputError("the disk is full.", fix="free some space.")

    def work(rank):
        if rank == 0:
            files.sinks_of = lambda job: [full] if job.source.stem == "a" else sinks_of(job)  # of this process
        list(predictor().predict_files(paths, tmp_path / "out", SOME))

    first, second = joined(work, tmp_path)
    assert first.startswith("PerpixelError: the disk is full.\nFix: free some space.\nTraceback")
    assert second.startswith("PerpixelError: ")
    assert "gone.png" in second
    assert {name.split("/")[-1].split(".")[0] for name in files_in(tmp_path / "out")} == {"b"}


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_large_images_go_round(processes):
    draw = np.random.default_rng(processes)
    for count in range(30):
        tiles = {image: int(draw.integers(32, 2000)) for image in range(count)}
        shares, together = divided_tiles(tiles, processes)
        assert sorted(chain(together, *shares)) == list(range(count))
        alone = [tiles[image] for share in shares for image in share]
        assert len(alone) % processes == 0
        assert max(alone, default=0) * processes <= sum(alone)
        assert all(tiles[image] >= max(alone, default=0) for image in together)


def test_equal_images_are_shared_by_file():
    shares, together = divided_tiles(dict.fromkeys(range(16), 100), 8)
    assert together == []
    assert {len(share) for share in shares} == {2}
    assert divided_tiles({5: 100}, 8) == ([[] for _ in range(8)], [5])
