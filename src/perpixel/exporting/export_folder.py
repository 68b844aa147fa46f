"""From a run to an exported folder or .zip: written beside its place, proved, and renamed when it is whole."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from perpixel.errors import OutputError, RunError, SettingsError, did_you_mean
from perpixel.exporting.parity import Parity, measured_parity, refuse_differing
from perpixel.exporting.precision import TriedGraph
from perpixel.exporting.source import ExportSource, ProofImage, open_source
from perpixel.exporting.stac_item import write_stac_item
from perpixel.exporting.target import Target
from perpixel.exporting.targets import TARGETS
from perpixel.files.atomic import replacing
from perpixel.files.atomic_folder import folder_beside, give_name
from perpixel.results import Result, Row
from perpixel.runtime.choices import ExportPrecision
from perpixel.runtime.json_values import JsonObject
from perpixel.store.bundle import CARD, Bundle, checksum
from perpixel.store.run_folder import Run, refuse_exported


@dataclass(frozen=True, repr=False)
class Exported(Result):
    """An export that was written.

    Args:
        path: The folder, or the .zip.
        target: A key of `TARGETS`.
        megabytes: Of all its files (10⁶ bytes).
        parities: How far each installed program's answers are from PyTorch's.
        tried: The search for a lower precision; empty in float32.
    """

    path: Path
    target: str
    megabytes: float
    parities: tuple[Parity, ...]
    tried: tuple[TriedGraph, ...] = ()

    @property
    def headline(self) -> str:
        """Where it lies, for what, and how large."""
        return f"{self.path}: {self.target}, {self.megabytes:.1f} MB"

    def tables(self) -> dict[str, Sequence[Row]]:
        """The proof, a row a program."""
        return {
            "parities": [asdict(each) for each in self.parities],
            "tried": [each.to_dict() for each in self.tried],
        }

    def to_dict(self) -> JsonObject:
        """Where it lies and how well it agrees."""
        about = {"path": str(self.path), "target": self.target, "megabytes": self.megabytes}
        tried = [each.to_dict() for each in self.tried]
        return {"schema": 1, **about, "parities": [asdict(each) for each in self.parities], "tried": tried}

    def text(self) -> str:
        """The proof in a line for each program."""
        lines = [self.headline]
        for each in self.parities:
            lines.append(
                f"  {each.runtime}: largest difference {each.largest_difference:.1e}, {each.differing_pixels:,} of "
                f"{each.pixels:,} pixels differ, {each.seconds:.2f} s (PyTorch {each.torch_seconds:.2f} s) "
                f"for {each.images} {'image' if each.images == 1 else 'images'}"
            )
        return "\n".join([*lines, *(f"  {each}" for each in self.tried)])


def export_run(  # each is one thing to ask for
    run: Run,
    out: Path,
    *,
    target: str = "onnx",
    images: Sequence[str] | None = None,
    precision: ExportPrecision = "float32",
    overwrite: bool = False,
) -> Exported:
    """Export a run, and prove that the export predicts what the run predicts.

    Args:
        run: A finished run, or an ensemble.
        out: The folder to write, or a file whose name ends in .zip.
        target: A key of `TARGETS`.
        images: Files, folders or globs to prove it on; None for the run's test images.
        precision: Of the weights; one that loses too much on the run's validation images is refused.
        overwrite: Replace an earlier export there.

    Raises:
        SettingsError: An unknown target, or one whose limits the run breaks, or a library is missing.
        RunError: The run has no weights, or the export does not predict what it predicts, or loses too much.
        DataError: There is no image to prove it on.
        OutputError: Something is there already, or it cannot be written.
    """
    refuse_exported(run)
    if target not in TARGETS:
        raise SettingsError(f"there is no target {target!r}.", fix=did_you_mean(target, TARGETS))
    _refuse_occupied(out, overwrite=overwrite)
    chosen = TARGETS[target]
    if precision not in chosen.precisions:
        able = ", ".join(name for name, each in TARGETS.items() if precision in each.precisions)
        raise SettingsError(
            f"{target} is not exported in {precision}.",
            fix=f"leave the precision out, or export for {able}." if able else "choose float32, fp16 or int8.",
        )
    source = replace(open_source(run, images), precision=precision)
    chosen.check(source)
    with folder_beside(out) as folder:
        parities, tried = _write(source, target, chosen, folder)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        _place(folder, out)
    return Exported(out, target, size / 1e6, tuple(parities), tried)


def _write(
    source: ExportSource, name: str, target: Target, folder: Path
) -> tuple[list[Parity], tuple[TriedGraph, ...]]:
    """Write all files of a target, and prove them."""
    written = target.write(source, folder)
    images = [_fitted(each, written.fixed_hw) for each in source.images]
    parities = measured_parity(written.reference or source.predictor, written.output, written.graphs, images)
    if not written.tried:
        refuse_differing(parities, lambda: written.cause and written.cause(images[0].image))
    checksums = {file: checksum((folder / file).read_bytes()) for file in written.models}
    output = written.output
    card = replace(
        source.card,
        target=name,
        precision=source.precision,
        checksums=checksums,
        temperature=output.temperature,
        thresholds=output.thresholds,
    )
    (folder / CARD).write_text(card.to_json(), encoding="utf-8")
    proof = json.dumps([each.to_dict() for each in parities], indent=2) + "\n"
    (folder / "parity.json").write_text(proof, encoding="utf-8")
    if written.tried:
        search = json.dumps([each.to_dict() for each in written.tried], indent=2) + "\n"
        (folder / "precision.json").write_text(search, encoding="utf-8")
    source = replace(source, card=card)
    write_stac_item(source, written.models, folder)
    if target.finish is not None:
        target.finish(source, folder, parities)
    return parities, written.tried


def _fitted(proof: ProofImage, fixed_hw: tuple[int, int] | None) -> ProofImage:
    """An image as a graph of a fixed size takes it: reflected or cut at its end."""
    if fixed_hw is None:
        return proof
    import numpy as np

    (height, width), image = fixed_hw, proof.image[: fixed_hw[0], : fixed_hw[1]]
    missing = (height - image.shape[0], width - image.shape[1])
    return ProofImage(proof.name, np.pad(image, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="reflect"))


def _refuse_occupied(out: Path, *, overwrite: bool) -> None:
    """Raise OutputError unless an export may be written there: nothing is there, or an export to be replaced."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        Bundle.open(out)
    except RunError:
        fix = "choose a new folder or .zip with `out`."
        raise OutputError(f"{out} exists and is not an export.", fix=fix) from None
    if not overwrite:
        raise OutputError(
            f"{out} holds an export already.", fix="choose another `out`, or replace it with `overwrite`."
        )


def _place(folder: Path, out: Path) -> None:
    """Give a finished folder its name, or zip it there."""
    if out.suffix.lower() == ".zip":
        with replacing(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder))
        return
    give_name(folder, out)
