"""Predict image files: read, predicted and written a piece at a time, in memory that does not grow with the image."""

import logging
import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, TypeAlias

import numpy as np

from perpixel.errors import DataError, OutputError, PerpixelError, Problem
from perpixel.files.atomic import cannot_write
from perpixel.files.cog import require_rasterio
from perpixel.files.ome_zarr import require_zarr
from perpixel.files.read import Header, open_image, read_header
from perpixel.machine import keep_freed_memory, return_freed_memory
from perpixel.prediction.arrays import ArrayPredictor
from perpixel.prediction.job import Job
from perpixel.prediction.outputs import Outputs, check_names, needs_tiff
from perpixel.prediction.pieces import Piece, predicted_pieces, unknown_pieces
from perpixel.prediction.pipeline import Consumer, ahead
from perpixel.prediction.sinks import sinks

LOGGER: Final = logging.getLogger("perpixel")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the rows that are finished and all rows of the file, over its pages."""

MOST_PX: Final = 2**38
"""Of all pages of an image, 524,288²: what lists of tiles and blocks are made for."""

WRITING: Final = ".writing"
"""How the folder begins in which an image's outputs are made; machine and process follow."""


@dataclass(frozen=True)
class Written:
    """What became of one image.

    Args:
        source: The image.
        paths: Its outputs.
        is_skipped: Whether they were there already.
    """

    source: Path
    paths: tuple[Path, ...]
    is_skipped: bool = False


def predict_file(
    predictor: ArrayPredictor, path: Path, out: Path, outputs: Outputs, progress: Progress | None = None
) -> Written:
    """Predict one image file, all its pages.

    The outputs appear together when all of them are whole. Where the image turns out to be damaged half-way, what
    was predicted is kept in OUT/partial, IGNORED from there on, and the error is raised.

    Args:
        predictor: The network and its codec.
        path: Any image that perpixel reads.
        out: The folder to write to; it is made where it is missing.
        outputs: What to write.
        progress: Called after each row of tiles.

    Raises:
        DataError: The image cannot be read, or is not like the training images.
        OutputError: Outputs are there already, or cannot be written.
    """
    check_names([path], out, outputs, predictor.codec.labels)
    if (found := _found(path, out, outputs, predictor)) is not None:
        return found
    if outputs.cloud:
        require_rasterio()
    if outputs.zarr:
        require_zarr()
    header = read_header(path)
    _refuse_endless(path, header)
    is_tiled = len(predictor.tiling(*header.size)) > 1
    (return_freed_memory if is_tiled else keep_freed_memory)()  # with threads around tiles, kept memory would grow
    is_tiff = needs_tiff(header)
    labels = outputs.written_labels(predictor.codec.labels)
    with _staging(out) as folder:
        with open_image(path) as image:
            predictor.codec.check_image(image.read(0, 0, 1, 1), str(path))
            job = Job(path, header, image.nodata, folder, is_tiff, labels, outputs)
        _tell_need(predictor, job)
        pieces = _Pieces(predictor, job, progress)
        with ExitStack() as stack:
            consumers = [stack.enter_context(Consumer(sink)) for sink in sinks(job)]
            for piece in ahead(pieces, 1):
                for consumer in consumers:
                    consumer.put(piece)
        written = outputs.paths(path.stem, is_tiff=is_tiff, labels=labels)
        if pieces.damage is not None:
            _move(folder, out / "partial", written)
            raise DataError(
                f"{pieces.damage.problems[0].what} The mask up to there is kept in {out / 'partial'}.",
                fix=pieces.damage.problems[0].fix,
            )
        return Written(path, _move(folder, out, written))


def predict_files(
    predictor: ArrayPredictor, paths: Sequence[Path], out: Path, outputs: Outputs, progress: Progress | None = None
) -> Iterator[Written]:
    """Predict many image files, one after the other; the arguments are those of `predict_file`.

    Where several processes were started by torchrun, each takes its share of the images: every file is the same as
    from one process. One image is not shared: a single huge one takes as long as with one process.

    Yields:
        What became of each image, in their order.

    Raises:
        PerpixelError: After the last image, what was wrong with some of them; the others are written.
        OutputError: At once, where names collide.
    """
    check_names(paths, out, outputs, predictor.codec.labels)
    _remove_leftovers(out)
    rank, processes = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    problems: list[Problem] = []
    for path in paths[rank::processes]:
        try:
            yield predict_file(predictor, path, out, outputs, progress)
        except PerpixelError as error:
            problems += error.problems
    if problems:
        raise PerpixelError.of(problems)


class _Pieces:
    """The pieces of all pages; where a page is damaged, unknown ones take the place of those that are missing."""

    def __init__(self, predictor: ArrayPredictor, job: Job, progress: Progress | None) -> None:
        self.predictor, self.job, self.progress = predictor, job, progress
        self.damage: DataError | None = None

    def __iter__(self) -> Iterator[Piece]:
        (height, width), pages = self.job.header.size, self.job.header.pages
        dtype = self.job.outputs.probabilities
        for page in range(pages):
            done = 0
            try:
                for piece in self._page(page):
                    yield piece
                    done += 1
                    if self.progress is not None and piece.right == width:
                        self.progress(page * height + piece.bottom, pages * height)
            except DataError as error:
                if page == done == 0:
                    raise
                self.damage = self.damage or error
                yield from unknown_pieces(self.predictor, (height, width), done, page, dtype)

    def _page(self, page: int) -> Iterator[Piece]:
        with open_image(self.job.source, page) as image:
            name, dtype = str(self.job.source), self.job.outputs.probabilities
            yield from predicted_pieces(self.predictor, image, name, page, dtype)


def _refuse_endless(path: Path, header: Header) -> None:
    """Raise DataError for a size that no image has; a sparse Zarr array may declare any."""
    if header.pages * header.height * header.width > MOST_PX:
        raise DataError(
            f"{path} declares {header.pages:,} × {header.height:,} × {header.width:,} pixels; "
            f"at most {MOST_PX:,} are predicted.",
            fix="restore the file from its source, or cut it into pieces.",
        )


def _tell_need(predictor: ArrayPredictor, job: Job) -> None:
    """Tell how much memory an image of several tiles takes; of many images only larger and larger ones."""
    height, width = job.height, job.width
    tiles = len(predictor.tiling(height, width))
    if tiles == 1 or height * width <= predictor.largest_px:
        return
    predictor.largest_px = height * width
    pixel_bytes = job.header.channels * np.dtype(job.header.dtype).itemsize
    pictures = 0 if job.is_tiff else height * width * (2 * pixel_bytes + 1 + 3 * job.outputs.overlay)
    need = predictor.memory_need(height, width, pictures)
    LOGGER.info(f"{job.source.name}: {height:,} × {width:,} pixels in {tiles:,} tiles, {need}.")


def _found(path: Path, out: Path, outputs: Outputs, predictor: ArrayPredictor) -> Written | None:
    """The outputs that are there already, where they are to be skipped."""
    if outputs.existing == "replace":
        return None
    for is_tiff in (False, True):
        names = outputs.paths(path.stem, is_tiff=is_tiff, labels=predictor.codec.labels)
        there = [out / name for name in names if (out / name).exists()]
        if there and outputs.existing == "refuse":
            raise OutputError(
                f"{out} holds {len(there)} output(s) of {path.name} already.",
                examples=[str(each) for each in there],
                fix="skip such images with --resume, write them anew with --overwrite, or choose another --out.",
            )
        if names and len(there) == len(names):
            return Written(path, tuple(there), is_skipped=True)
    return None


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder inside `out` for one image's outputs, removed in any case."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        folder = Path(mkdtemp(dir=out, prefix=f"{WRITING}-{platform.node()}-{os.getpid()}-"))
    except OSError as error:
        raise cannot_write(out, error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    """Remove what processes of this machine left in `out` that are no more."""
    for folder in out.glob(f"{WRITING}-{platform.node()}-*"):
        process = int(folder.name.split("-")[-2])
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except PermissionError:  # it is alive and someone else's
            continue


def _move(folder: Path, out: Path, names: Sequence[Path]) -> tuple[Path, ...]:
    """Give the finished files their names, the mask last: where it is, the others are."""
    try:
        for name in reversed(names):
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            if (out / name).is_dir():
                shutil.rmtree(out / name)
            (folder / name).replace(out / name)
    except OSError as error:
        raise cannot_write(out, error) from error
    return tuple(out / name for name in names)
