"""The run folder: everything about one training, complete and readable by itself.

settings.yaml      every setting resolved, the data, the versions
model.safetensors  the best weights and all that is needed to predict
split.csv          which image went where, and why
history.csv        a row a validation
epochs.csv         a row a pass over the training images
int8.json          which layers bear int8, once `predict` has searched them
pruned/            a model file and its scores for each level, from `perpixel prune`
kept/              a model file after every `train.keep_every` epochs
checkpoints/       the last two states to resume from, and the last weights
report.html        the pictures and the curves
evaluation/        metrics.json, images.csv
fold-0/, fold-1/   instead of model and history: a run a fold, where `data.folds` asks for an ensemble
tensorboard/, wandb/, mlflow/   the same curves, and pictures, where `train.loggers` asks for them
"""

import csv
import io
import math
import platform
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, Self

import yaml

from perpixel.errors import OutputError, RunError
from perpixel.files.atomic import WRITING, cannot_write, refuse_unwritable, write_text
from perpixel.files.csv_cells import CSV_ERRORS, safe_cell
from perpixel.files.folder_lock import LOCK
from perpixel.files.parse import parse_yaml
from perpixel.files.whole_file import text_of
from perpixel.language import counted, say
from perpixel.results import Result, Row, plain
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.settings.tree import Settings, decided, request_from
from perpixel.store.bundle import Bundle, is_bundle

VERSIONED: Final = ("perpixel", "torch", "numpy", "lightning-fabric")
OWN_FILES: Final = (
    *("settings.yaml", "model.safetensors", "split.csv", "history.csv", "epochs.csv", "int8.json"),
    "report.html",
)
OWN_FOLDERS: Final = ("checkpoints", "kept", "pruned", "evaluation", "tensorboard", "wandb", "mlflow")
LAST_WEIGHTS: Final = Path("checkpoints", "last.safetensors")
CHECKPOINTS_KEPT: Final = 2


@dataclass(frozen=True, repr=False)
class Run(Result):
    """One training in its folder.

    Args:
        folder: Where it lies.
        data: The folder or dataset.yaml it was trained on, absolute.
        settings: Every setting of the training; a budget of minutes is frozen as steps when it is planned.
        budget: What was asked for and frozen as steps: {"minutes": 5.0} or {"epochs": 3}; empty where steps were.
        notes: What was decided, in sentences.
    """

    folder: Path
    data: Path
    settings: Settings
    budget: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """Network, steps and the best validation."""
        trained, best = self.outcome()
        told = [f"{self.folder}: {self.settings.model.told}"]
        if trained:
            told.append(counted(trained, "step"))
        if not math.isnan(best):
            told.append(say("best validation mean IoU {best}", best=f"{best:.3f}"))
        return say(", ").join(told)

    def outcome(self) -> tuple[int, float]:
        """Steps up to the last validation, 0 before the first, and the best mean IoU; NaN where there is none."""
        rows = self.history()
        scores = [row.get("validation_mean_iou", math.nan) for row in rows]
        known = [score for score in scores if not math.isnan(score)]
        return int(rows[-1]["step"]) if rows else 0, max(known, default=math.nan)

    @property
    def page(self) -> Path | None:
        """The report, once it is written."""
        return self.report_path if self.report_path.is_file() else None

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a validation."""
        return {"history": self.history()}

    def to_dict(self) -> JsonObject:
        """Folder, data, settings and history."""
        return {
            "schema": 1,
            "folder": str(self.folder),
            "data": str(self.data),
            "settings": self.settings.model_dump(mode="json"),
            "budget": dict(self.budget),
            "notes": list(self.notes),
            "history": [{key: plain(value) for key, value in row.items()} for row in self.history()],
        }

    @classmethod
    def create(
        cls, folder: Path, data: Path, settings: Settings, *, overwrite: bool = False, notes: Sequence[str] = ()
    ) -> Self:
        """Make a new run folder with its settings.

        Raises:
            OutputError: The folder holds a run already, or something else, or cannot be made.
        """
        refuse_occupied_run(folder, overwrite=overwrite)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in OWN_FILES:
                (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from error
        for path in (*(folder / name for name in OWN_FOLDERS), *folder.glob("fold-*")):
            shutil.rmtree(path, ignore_errors=True)
        train = settings.train
        budget = {name: getattr(train, name) for name in ("minutes", "epochs") if getattr(train, name) is not None}
        run = cls(folder, data.resolve(), settings, budget, tuple(notes))
        run.save_settings()
        return run

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read a run folder's settings. Raises RunError where it is not a run or a file of it is damaged."""
        path = folder / "settings.yaml"
        if not path.is_file():
            fix = "give a folder that `perpixel train` wrote."
            raise RunError(f"{folder} is not a run folder: it has no settings.yaml.", fix=fix)
        try:
            stored = parse_yaml(text_of(path), str(path))
            data, tree, budget = Path(stored["data"]), stored["settings"], dict(stored["budget"])
            notes = tuple(stored["notes"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path} is damaged: {error}.", fix="train again, or restore the file.") from None
        return cls(folder, data, decided(request_from(tree, str(path))), budget, notes)

    @classmethod
    def of_bundle(cls, path: Path) -> Self:
        """An exported bundle as a run that has no data of its own. Raises RunError where it is damaged."""
        card = Bundle.open(path).card
        settings = decided(request_from({"model": {**card.model, "weights": "none"}}))
        return cls(path, Path(str(card.trained_on.get("data", path.stem))), settings)

    @property
    def is_exported(self) -> bool:
        """Whether this is an exported bundle, which has no data of its own."""
        return is_bundle(self.folder)

    @property
    def model_path(self) -> Path:
        """The model file."""
        return self.folder / "model.safetensors"

    @property
    def last_weights_path(self) -> Path:
        """The weights of the last step; they exist once the run is finished."""
        return self.folder / LAST_WEIGHTS

    def kept_path(self, epoch: int) -> Path:
        """The model file of an epoch, where `train.keep_every` asks for it."""
        return self.folder / "kept" / f"epoch-{epoch:04d}.safetensors"

    @property
    def int8_path(self) -> Path:
        """Which layers bear int8, and what was tried."""
        return self.folder / "int8.json"

    @property
    def split_path(self) -> Path:
        """The table of parts."""
        return self.folder / "split.csv"

    @property
    def report_path(self) -> Path:
        """Where `train` writes the report."""
        return self.folder / "report.html"

    @property
    def evaluation_folder(self) -> Path:
        """Where `evaluate` writes unless told otherwise."""
        return evaluation_folder(self.folder)

    @property
    def is_ensemble(self) -> bool:
        """Whether its networks are those of its folds."""
        return self.settings.data.folds is not None and self.settings.data.fold is None

    @property
    def fold_folders(self) -> list[Path]:
        """Where the runs of an ensemble lie, fold-0 first; none for a single network."""
        return [self.folder / f"fold-{k}" for k in range(self.settings.data.folds or 0)] if self.is_ensemble else []

    @property
    def is_finished(self) -> bool:
        """Whether the last step is taken, of every fold."""
        folders = self.fold_folders or [self.folder]
        return all((folder / LAST_WEIGHTS).exists() for folder in folders)

    @property
    def checkpoints(self) -> list[Path]:
        """The states to resume from, newest first."""
        return sorted((self.folder / "checkpoints").glob("step-*.ckpt"), reverse=True)

    def checkpoint_path(self, step: int) -> Path:
        """Where the state after `step` steps goes."""
        return self.folder / "checkpoints" / f"step-{step:09d}.ckpt"

    def drop_old_checkpoints(self) -> None:
        """Keep the newest two."""
        for path in self.checkpoints[CHECKPOINTS_KEPT:]:
            path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Take away what was being written when the process was killed."""
        for folder in (self.folder, self.folder / "checkpoints"):
            for path in folder.glob(f"{WRITING}*"):
                path.unlink(missing_ok=True)

    def with_settings(self, settings: Settings) -> Self:
        """The same run with other settings, written down."""
        run = replace(self, settings=settings)
        run.save_settings()
        return run

    def save_settings(self) -> None:
        """Write settings.yaml."""
        versions = {name: version(name) for name in VERSIONED} | {"python": platform.python_version()}
        stored = {
            "data": str(self.data),
            "budget": dict(self.budget),
            "notes": list(self.notes),
            "settings": self.settings.model_dump(mode="json"),
            "versions": versions,
        }
        write_text(self.folder / "settings.yaml", yaml.safe_dump(stored, sort_keys=False, allow_unicode=True))

    def save_history(self, rows: Sequence[JsonMapping]) -> None:
        """Write history.csv; all rows have the keys of the first."""
        write_text(self.folder / "history.csv", csv_table(rows))

    def save_epochs(self, rows: Sequence[JsonMapping]) -> None:
        """Write epochs.csv, once there is an epoch; all rows have the keys of the first."""
        if rows:
            write_text(self.folder / "epochs.csv", csv_table(rows))

    def history(self) -> list[dict[str, float]]:
        """The rows of history.csv; a missing value is NaN. Empty before the first validation."""
        return self._rows("history.csv")

    def epochs(self) -> list[dict[str, float]]:
        """The rows of epochs.csv; empty before the first validation, or where no epoch had ended then."""
        return self._rows("epochs.csv")

    def _rows(self, name: str) -> list[dict[str, float]]:
        path = self.folder / name
        if not path.is_file():
            return []
        try:
            rows = csv.DictReader(text_of(path).splitlines())
            return [{key: float(value or "nan") for key, value in row.items()} for row in rows]
        except CSV_ERRORS as error:
            raise RunError(f"{path} is damaged: {error}.", fix="restore the file, or train again.") from None


def csv_table(rows: Sequence[JsonMapping]) -> str:
    """Rows of the same keys as CSV with a heading."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: safe_cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def new_folder(data: Path, under: Path = Path("runs")) -> Path:
    """Name a folder that does not exist yet after the data: runs/cells, then runs/cells-2, and so on."""
    name = re.sub(r"[^\w.-]+", "-", data.resolve().stem if data.is_file() else data.resolve().name) or "run"
    numbered = (under / (name if number == 1 else f"{name}-{number}") for number in range(1, 10**6))
    return next(folder for folder in numbered if not folder.exists())


def refuse_exported(run: Run) -> None:
    """Raise RunError where a run is an exported bundle, whose network cannot be taken apart."""
    if run.is_exported:
        raise RunError(f"{run.folder} is an export, not a run.", fix="give the run that it was exported from.")


def evaluation_folder(path: Path) -> Path:
    """Where the scores of a run or an exported bundle go: inside the folder, or beside the .zip."""
    return path.with_name(f"{path.stem}-evaluation") if path.is_file() else path / "evaluation"


def refuse_occupied_run(folder: Path, *, overwrite: bool) -> None:
    """Raise OutputError unless a run may be written to `folder`: it is new, empty, or a run to be replaced."""
    if not folder.exists() or (folder.is_dir() and all(each.name == LOCK for each in folder.iterdir())):
        refuse_unwritable(folder)
        return
    if not (folder / "settings.yaml").is_file():
        raise OutputError(f"{folder} exists and is not a run.", fix="choose a new or empty folder with `out`.")
    if not overwrite:
        fix = "choose another `out`, go on with `resume`, or replace it with `overwrite`."
        raise OutputError(f"{folder} already holds a run.", fix=fix)
