"""The table of outputs: what each is called, where it lies, and what writes it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self, TypeAlias

from perpixel.errors import OutputError, SettingsError, did_you_mean
from perpixel.files.write import mask_paths
from perpixel.labels.labels import Labels
from perpixel.prediction import sinks
from perpixel.prediction.job import Job
from perpixel.prediction.outputs import POLYGON_ENDINGS, Outputs
from perpixel.prediction.pieces import Piece
from perpixel.prediction.triptych import write_triptych

WriteOutput: TypeAlias = Callable[[Job, Path, Iterator[Piece]], None]
"""Writes one file from the pieces of an image, in their order."""


@dataclass(frozen=True)
class OutputNames:
    """What decides the names of one image's outputs.

    Args:
        stem: Of the image.
        is_tiff: Whether pictures are written as TIFF.
        labels: The classes.
        outputs: What is wanted.
    """

    stem: str
    is_tiff: bool
    labels: Labels
    outputs: Outputs

    @property
    def picture(self) -> str:
        """The name of the mask and of the overlay."""
        return self.stem + (".tif" if self.is_tiff else ".png")


@dataclass(frozen=True)
class Output:
    """One kind of output.

    Args:
        options: The fields of `Outputs` that ask for it; none where it is asked for by its name in `also`.
        paths: Its files, relative to the output folder.
        sinks: What writes them, given the job and these files in its folder; each runs in a thread of its own.
    """

    options: tuple[str, ...]
    paths: Callable[[OutputNames], list[Path]]
    sinks: Callable[[Job, list[Path]], list[sinks.Sink]]

    @classmethod
    def file(cls, folder: str, ending: str, write: WriteOutput, *options: str) -> Self:
        """One file an image: OUT/FOLDER/STEM + ending."""
        return cls(
            options,
            lambda names: [Path(folder, names.stem + ending)],
            lambda job, paths: [partial(write, job, paths[0])],
        )


def _object_paths(names: OutputNames) -> list[Path]:
    wanted, paths = names.outputs, list[Path]()
    if wanted.polygons:
        paths.append(Path("polygons", names.stem + POLYGON_ENDINGS[wanted.polygons]))
    if wanted.instances:
        paths += mask_paths(Path("instances", f"{names.stem}.tif"), names.labels)
    if wanted.objects:
        paths.append(Path("objects", f"{names.stem}.csv"))
    return paths


def _object_sinks(job: Job, _: list[Path]) -> list[sinks.Sink]:
    from perpixel.prediction.instance_files import write_instances  # with SciPy, half a second to load

    return [partial(write_instances, job)]


OUTPUTS: Final[dict[str, Output]] = {
    "mask": Output(("mask",), lambda names: mask_paths(Path(names.picture), names.labels), sinks.mask_sinks),
    "probabilities": Output.file("probabilities", ".tif", sinks.write_probability_pieces, "probabilities"),
    "overlay": Output(
        ("overlay",),
        lambda names: [Path("overlays", names.picture)],
        lambda job, paths: [partial(sinks.write_overlay_pieces, job, paths[0])],
    ),
    "triptych": Output.file("triptychs", ".png", write_triptych, "triptych"),
    "areas": Output.file("areas", ".csv", sinks.write_areas, "areas"),
    "objects": Output(("polygons", "instances", "objects", "count"), _object_paths, _object_sinks),
    "zarr": Output.file("zarr", ".zarr", sinks.write_zarr, "zarr"),
}
"""Every output by name."""


def wanted_outputs(outputs: Outputs) -> list[Output]:
    """What is asked for. Raises SettingsError for a name in `also` that the table does not have."""
    for name in outputs.also:
        if name not in OUTPUTS:
            raise SettingsError(f"there is no output {name!r}.", fix=did_you_mean(name, OUTPUTS))
    return [
        output
        for name, output in OUTPUTS.items()
        if name in outputs.also or any(getattr(outputs, option) for option in output.options)
    ]


def output_paths(names: OutputNames) -> list[Path]:
    """All files of one image, relative to the output folder."""
    return [path for output in wanted_outputs(names.outputs) for path in output.paths(names)]


def sinks_of(job: Job) -> list[sinks.Sink]:
    """One function for each thing that is wanted; they run side by side."""
    names = OutputNames(job.source.stem, job.is_tiff, job.labels, job.outputs)
    wanted = [(output, output.paths(names)) for output in wanted_outputs(job.outputs)]
    return [sink for output, paths in wanted for sink in output.sinks(job, [job.folder / path for path in paths])]


def check_names(paths: Sequence[Path], out: Path, outputs: Outputs, labels: Labels) -> None:
    """Refuse inputs whose outputs would collide, with each other or with an input.

    Raises:
        OutputError: Two inputs of the same stem; an output folder, or a folder of outputs in it, that holds an input.
    """
    stems = Counter(path.stem for path in paths)
    twice = [str(path) for path in paths if stems[path.stem] > 1]
    if twice:
        raise OutputError(
            f"{len(twice)} images share a name with another; their masks would have the same name.",
            examples=twice,
            fix="predict each folder into an output folder of its own.",
        )
    folders = {(out / name).parent.resolve() for name in output_paths(OutputNames("any", True, labels, outputs))}
    folders.add(out.resolve())
    inside = [str(path) for path in paths if path.parent.resolve() in folders]
    if inside:
        raise OutputError(
            f"{out} holds {len(inside)} of the images; their masks could take their place.",
            examples=inside,
            fix="choose another folder with `out`.",
        )
