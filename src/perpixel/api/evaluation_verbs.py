"""The functions that score trained models: evaluate, compare and prune."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from perpixel.api.given import PathLike, opened_run, page_language
from perpixel.api.prediction_verbs import load
from perpixel.errors import SettingsError
from perpixel.language import known_language
from perpixel.runtime.choices import PartName
from perpixel.runtime.progress import Progress, silent

if TYPE_CHECKING:
    from perpixel.evaluation import Comparison, Evaluation
    from perpixel.evaluation.levels import PrunedLevels
    from perpixel.labels.decision import Threshold
    from perpixel.language.choice import Language
    from perpixel.store.run_folder import Run


def evaluate(  # noqa: PLR0913 # each is one thing to ask for
    run: "Run | PathLike",
    data: PathLike | None = None,
    *,
    split: "PartName" = "test",
    out: PathLike | None = None,
    inside: str | None = None,
    threshold: "Threshold | None" = None,
    unlabelled: int | str | None = None,
    language: "Language | None" = None,
    progress: Progress | None = None,
) -> "Evaluation":
    """Score a run on unseen images at native resolution, and write the figures and the report.

    Args:
        run: The run, its folder, or an exported bundle, for which `data` is needed.
        data: Another labelled folder, which is scored whole.
        split: Which part of the run's own data: "test", "val", "train" or "all".
        out: Where metrics.json and images.csv go, instead of RUN/evaluation.
        inside: The class between membranes, to compute V_rand and V_info.
        threshold: How probabilities become classes, as in `predict`.
        unlabelled: The value in the masks that nobody has labelled, such as 0 around strokes.
        language: Of the report, "en" or "zh"; None for that of the run.
        progress: As of `train`.

    Returns:
        The scores; `print` shows the table.
    """
    from perpixel.dataset.overrides import value_from
    from perpixel.evaluation import evaluate_run
    from perpixel.report import write_report
    from perpixel.report.image_gallery import ImageGallery

    known_language(language)  # a wrong one costs no time
    opened = opened_run(run)
    if data is None and opened.is_exported:
        raise SettingsError(f"{opened.folder} holds no images.", fix="name a labelled folder to score it on.")
    predictor = load(opened, threshold=threshold)
    data, folder = (Path(path) if path else None for path in (data, out))
    gallery = ImageGallery()
    evaluation = evaluate_run(
        opened,
        predictor,
        data,
        part=split,
        out=folder,
        inside=inside,
        unlabelled=value_from(unlabelled),
        progress=progress or silent,
        watch=gallery.add,
    )
    shown = page_language(language, opened)
    page = write_report(opened, predictor, evaluation, data, folder, shown, gallery)
    return replace(evaluation, page=page)


def compare(  # noqa: PLR0913 # each is one thing to ask for
    runs: "Sequence[Run | PathLike]",
    data: PathLike | None = None,
    *,
    split: "PartName" = "test",
    out: PathLike | None = None,
    unlabelled: int | str | None = None,
    language: "Language | None" = None,
    progress: Progress | None = None,
) -> "Comparison":
    """Compare runs on the same images, each with the first, and write a page of it.

    Args:
        runs: Two or more, their folders, or exported bundles, for which `data` is needed.
        data: A labelled folder, which is scored whole; without it, the images that are in this part of every run.
        split: Which part: "test", "val", "train" or "all".
        out: The folder for compare.html and compare.json; by default the evaluation folder of the last run.
        unlabelled: The value in the masks that nobody has labelled, such as 0 around strokes.
        language: Of the page, "en" or "zh"; None for that of the last run.
        progress: As of `train`.

    Returns:
        The comparison; `print` shows the table.
    """
    from perpixel.dataset.overrides import value_from
    from perpixel.evaluation import compared
    from perpixel.report import write_comparison

    known_language(language)  # a wrong one costs no time
    _check_is_list(runs)
    pairs = [(run, load(run)) for run in map(opened_run, runs)]
    folder = Path(data) if data else None
    stated = value_from(unlabelled)
    comparison = compared(pairs, folder, part=split, unlabelled=stated, progress=progress or silent)
    folder = Path(out) if out else pairs[-1][0].evaluation_folder
    comparison.save(folder)
    shown = page_language(language, pairs[-1][0])
    return replace(comparison, page=write_comparison(comparison, folder / "compare.html", shown))


def _check_is_list(runs: object) -> None:
    """Raise SettingsError for a single run, or its name."""
    if not isinstance(runs, list | tuple):
        raise SettingsError("compare takes a list of runs.", fix="write compare([first, second]).")


def prune(run: "Run | PathLike", *, split: "PartName" = "val") -> "PrunedLevels":
    """Measure and score every level of a supervised U-Net++, and write a model file of each.

    Args:
        run: The run or its folder; gets pruned/level1/, pruned/level2/ ….
        split: The images that are scored: "test", "val", "train" or "all".

    Returns:
        The levels: a list of `ScoredLevel`, the smallest first.
    """
    from perpixel.evaluation.levels import prune_levels

    return prune_levels(opened_run(run), split)
