"""Predict image files: read, predicted and written a piece at a time, in memory that does not grow with the image."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from perpixel.errors import DataError, OutputError, PerpixelError, Problem, RunError, SettingsError
from perpixel.files.cog import require_rasterio
from perpixel.files.object_table import join_tables
from perpixel.files.ome_zarr import require_zarr
from perpixel.files.open_image import OpenImage
from perpixel.files.read import Header, open_image, read_header
from perpixel.files.world_files import PlaceFiles, place_files
from perpixel.language.notices import LOGGER
from perpixel.prediction.arrays import ArrayPredictor, WindowProbabilities
from perpixel.prediction.job import Job
from perpixel.prediction.memory import settle_freed_memory
from perpixel.prediction.output_table import OutputNames, check_names, output_paths, sinks_of
from perpixel.prediction.outputs import Outputs, needs_tiff
from perpixel.prediction.pieces import Piece, predicted_pieces, unknown_pieces
from perpixel.prediction.pipeline import Consumer, ahead
from perpixel.prediction.predicted_files import Written
from perpixel.prediction.process_group import Processes, joined
from perpixel.prediction.sharing import SharedImage, divided_tiles, end_sharing, planned, see_with_first
from perpixel.prediction.staging import move, remove_leftovers, staging
from perpixel.shapes import AnyArray

Answers: TypeAlias = Callable[[int], Iterator[WindowProbabilities]]
"""What the networks say to the batches of a page, which is told from 0."""

RowProgress: TypeAlias = Callable[[int, int], None]
"""Called with the rows that are finished and all rows of the file, over its pages."""

MOST_PX: Final = 2**38
"""Of all pages of an image, 524,288²: what lists of tiles and blocks are made for."""

MIDDLE_PX: Final = 256

BATCHES_WORTH_SHARING: Final = 4
"""For each process, of an image that several predict together."""


class OutputsThereError(OutputError):
    """The outputs of an image are there already, and shall stay."""


def predict_file(
    predictor: ArrayPredictor,
    path: Path,
    out: Path,
    outputs: Outputs,
    progress: RowProgress | None = None,
    together: Processes | None = None,
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
        together: Those that see it together with this one, which is the first of them; see `prediction.sharing`.

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
    places = _places(path, header, out, outputs, predictor)
    tiles = len(predictor.tiling(*header.size))
    settle_freed_memory(tiles)
    if tiles > 1 and not (outputs.objects or outputs.polygons or outputs.instances):
        outputs = replace(outputs, count=False)
    is_tiff = needs_tiff(header)
    labels = outputs.written_labels(predictor.codec.labels)
    with staging(out) as folder:
        with open_image(path) as image:
            predictor.look_at(_middle(image), str(path))
            job = Job(path, header, image.nodata, folder, is_tiff, labels, outputs)
        _tell_need(predictor, job)
        with ExitStack() as stack:
            answers: Answers = partial(_answers, predictor, path)
            if together is not None:
                plan = planned(predictor, path, header)
                answers = stack.enter_context(closing(SharedImage(together, predictor, plan))).answers
            pieces = _Pieces(predictor, job, answers, progress)
            consumers = [stack.enter_context(Consumer(sink)) for sink in sinks_of(job)]
            for piece in stack.enter_context(closing(ahead(pieces, 1))):
                for consumer in consumers:
                    consumer.put(piece)
        written = output_paths(OutputNames(path.stem, is_tiff, labels, outputs))
        if pieces.damage is not None:
            move(folder, out / "partial", written)
            raise DataError(
                f"{pieces.damage.problems[0].what} The mask up to there is kept in {out / 'partial'}.",
                fix=pieces.damage.problems[0].fix,
            )
        places.remove_stale()
        paths = move(folder, out, [*written, *places.write(folder)])[: len(written)]
        return Written(path, paths, objects=_sizes(job) if outputs.count else None)


def _places(path: Path, header: Header, out: Path, outputs: Outputs, predictor: ArrayPredictor) -> PlaceFiles:
    """World files for what is written, where the image lies by one; its own tags go before it.

    Raises:
        OutputsThereError: Others are there, and shall stay.
    """
    if header.georeference is not None:
        return PlaceFiles({})
    labels = outputs.written_labels(predictor.codec.labels)
    names = output_paths(OutputNames(path.stem, needs_tiff(header), labels, outputs))
    upright = header.orientation == 1  # the world file counts the pixels as they lie in the file
    places = place_files(path, upright, out, [name for name in names if name.parts[0] != "triptychs"])
    if places.there and outputs.existing == "refuse":
        raise _there(path, out, places.there)
    return places


def predict_files(
    predictor: ArrayPredictor, paths: Sequence[Path], out: Path, outputs: Outputs, progress: RowProgress | None = None
) -> Iterator[Written]:
    """Predict many image files, one after the other; the arguments are those of `predict_file`.

    Where torchrun or SLURM started several processes, each calls this and takes all that it gives; the files are the
    same as from one. They share the images, and put those of many tiles aside. When the others are done, the largest
    of these are predicted by all processes together, until the rest goes round; see `perpixel.prediction.sharing`.

    Yields:
        What became of each image that this process wrote, in their order, those that were put aside last. What
        several saw is written by the first.

    Raises:
        PerpixelError: After the last image, what was wrong with some of them; the others are written.
        OutputError: At once, where names collide.
        SettingsError: At once, where what is asked for to compute with cannot be had.
        RunError: Another process is lost.
    """
    processes = joined()
    paths = processes.first(list(paths))  # where one lists a folder later than the first writes into it
    check_names(paths, out, outputs, predictor.codec.labels)
    remove_leftovers(out)
    files = _Files(predictor, paths, out, outputs, progress, processes)
    try:
        yield from files.written()
    except RunError as error:
        raise RunError.of([*files.problems, *files.refused_together(), *error.problems]) from error
    if outputs.objects:
        processes.gathered(None)  # until all have written theirs
        if processes.is_first:
            join_tables(sorted((out / "objects").glob("*.csv")), out / "objects.csv")
    if problems := [*files.problems, *files.refused_together()]:
        raise PerpixelError.of(problems)


@dataclass(frozen=True)
class _Files:
    """Many images; what was wrong with some and what was refused is collected. Arguments as in `predict_file`."""

    predictor: ArrayPredictor
    paths: Sequence[Path]
    out: Path
    outputs: Outputs
    progress: RowProgress | None
    processes: Processes
    problems: list[Problem] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)

    def refused_together(self) -> list[Problem]:
        """One problem for all the images whose outputs are there already; none where there are none."""
        if len(self.refused) < 2:
            return self.refused
        what = f"{self.out} holds outputs of {len(self.refused):,} of the {len(self.paths):,} images already."
        return [Problem(what, self.refused[0].fix, tuple(each.examples[0] for each in self.refused))]

    def written(self) -> Iterator[Written]:
        if self.processes.number == 1:  # of several each would decide for itself what computes
            self.predictor.images = len(self.paths)
        aside: dict[int, int] = {}
        for number in self.processes.part(range(len(self.paths))):
            if tiles := self._tiles_to_share(number):
                aside[number] = tiles
            else:
                yield from self._one(number)
        if self.processes.number > 1:
            yield from self._large(aside)

    def _large(self, aside: dict[int, int]) -> Iterator[Written]:
        everyones = {number: tiles for each in self.processes.gathered(aside) for number, tiles in each.items()}
        shares, together = divided_tiles(everyones, self.processes.number)
        for number in shares[self.processes.rank]:
            yield from self._one(number)
        if not self.processes.is_first:
            see_with_first(self.processes, self.predictor)
            return
        try:
            for number in together:
                yield from self._one(number, self.processes)
        finally:
            end_sharing(self.processes)

    def _one(self, number: int, together: Processes | None = None) -> Iterator[Written]:
        """What became of an image; nothing where something is wrong with it."""
        path = self.paths[number]
        try:
            yield predict_file(self.predictor, path, self.out, self.outputs, self.progress, together)
        except (RunError, SettingsError):  # of all images alike
            raise
        except OutputsThereError as error:
            self.refused.extend(error.problems)
        except PerpixelError as error:
            self.problems.extend(error.problems)

    def _tiles_to_share(self, number: int) -> int:
        """The tiles of an image that is worth sharing; 0 for others, and for those that `predict_file` refuses."""
        processes, predictor, path = self.processes.number, self.predictor, self.paths[number]
        if processes == 1:
            return 0
        try:
            if _found(path, self.out, self.outputs, predictor) is not None:
                return 0
            header = read_header(path)
            _refuse_endless(path, header)
            _places(path, header, self.out, self.outputs, predictor)
        except PerpixelError:
            return 0
        tiling = predictor.tiling(*header.size)
        tiles = len(tiling) * header.pages
        least = BATCHES_WORTH_SHARING * processes
        return tiles if tiles >= least and tiles >= least * predictor.batch_tiles(tiling) else 0


class _Pieces:
    """The pieces of all pages; where a page is damaged, unknown ones take the place of those that are missing."""

    def __init__(self, predictor: ArrayPredictor, job: Job, answers: Answers, progress: RowProgress | None) -> None:
        self.predictor, self.job, self.answers, self.progress = predictor, job, answers, progress
        self.damage: DataError | None = None

    def __iter__(self) -> Iterator[Piece]:
        (height, width), pages = self.job.header.size, self.job.header.pages
        dtype = self.job.outputs.probabilities
        for page in range(pages):
            done = 0
            try:
                for piece in predicted_pieces(self.predictor, (height, width), self.answers(page), page, dtype):
                    yield piece
                    done += 1
                    if self.progress is not None and piece.right == width:
                        self.progress(page * height + piece.bottom, pages * height)
            except DataError as error:
                if page == done == 0:
                    raise
                self.damage = self.damage or error
                yield from unknown_pieces(self.predictor, (height, width), done, page, dtype)


def _answers(predictor: ArrayPredictor, path: Path, page: int) -> Iterator[WindowProbabilities]:
    """What the networks say to a page that this process sees alone."""
    with open_image(path, page) as image:
        yield from predictor.answers(image, str(path))


def _sizes(job: Job) -> dict[str, tuple[int, ...]]:
    """Pixels of each object, by class; the background has none."""
    foreground = [job.labels.names[k] for k in job.labels.foreground_classes]
    return {name: tuple(each.pixels for each in job.objects if each.class_name == name) for name in foreground}


def _refuse_endless(path: Path, header: Header) -> None:
    """Raise DataError for a size that no image has; a sparse Zarr array may declare any."""
    if header.pages * header.height * header.width > MOST_PX:
        raise DataError(
            f"{path} declares {header.pages:,} × {header.height:,} × {header.width:,} pixels; "
            f"at most {MOST_PX:,} are predicted.",
            fix="restore the file from its source, or cut it into pieces.",
        )


def _middle(image: OpenImage) -> AnyArray:
    """The middle of an image, (h, w, C), from which it is seen whether it is like the training images."""
    height, width = min(image.height, MIDDLE_PX), min(image.width, MIDDLE_PX)
    try:
        return image.read((image.height - height) // 2, (image.width - width) // 2, height, width)
    except DataError:  # what lies before the damage is predicted
        return image.read(0, 0, 1, 1)


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
        names = output_paths(OutputNames(path.stem, is_tiff, predictor.codec.labels, outputs))
        there = [out / name for name in names if (out / name).exists()]
        if there and outputs.existing == "refuse":
            raise _there(path, out, there)
        if names and len(there) == len(names):
            return Written(path, tuple(there), is_skipped=True)
    return None


def _there(path: Path, out: Path, there: Sequence[Path]) -> OutputsThereError:
    return OutputsThereError(
        f"{out} holds {len(there)} output(s) of {path.name} already.",
        examples=[str(each) for each in there],
        fix="skip such images with `existing='skip'`, write them again with `existing='replace'`, "
        "or choose another `out`.",
    )
