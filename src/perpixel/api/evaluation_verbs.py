"""The functions that score trained models: evaluate, compare and prune."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.calls import verb
from perpixel.api.given import PathLike, opened_run, page_language
from perpixel.api.prediction_verbs import load
from perpixel.errors import SettingsError
from perpixel.runtime.progress import Progress, shown_while, silent
from perpixel.settings.known_language import refuse_unknown_language
from perpixel.settings.options import with_options
from perpixel.settings.verb_options import ComparisonOptions, EvaluationOptions, PruningOptions

if TYPE_CHECKING:
    from perpixel.evaluation import Comparison, Evaluation
    from perpixel.evaluation.levels import PrunedLevels
    from perpixel.language.choice import Language
    from perpixel.store.run_folder import Run


@verb
@with_options
def evaluate(
    run: "Run | PathLike",
    data: PathLike | None = None,
    *,
    language: "Language | None" = None,
    progress: Progress | None = None,
    **options: Unpack[EvaluationOptions],
) -> "Evaluation":
    """Score a run on unseen images at native resolution, and write the figures and the report.

    Args:
        run: The run, its folder, or an exported bundle, for which `data` is needed.
        data: Another labelled folder, which is scored whole.
        language: Of the report, "en" or "zh"; None for that of the run.
        progress: As of `train`.
        **options: On what it is scored, and how.

    Returns:
        The scores; `print` shows the table.
    """
    from perpixel.dataset.overrides import value_from
    from perpixel.evaluation import evaluate_run
    from perpixel.report import write_report
    from perpixel.report.image_gallery import ImageGallery

    refuse_unknown_language(language)  # a wrong one costs no time
    opened = opened_run(run)
    if data is None and opened.is_exported:
        raise SettingsError(f"{opened.folder} holds no images.", fix="name a labelled folder to score it on.")
    predictor = load(opened, threshold=options["threshold"])
    data, folder = (Path(path) if path else None for path in (data, options["out"]))
    gallery = ImageGallery()
    evaluation = evaluate_run(
        opened,
        predictor,
        data,
        part=options["split"],
        out=folder,
        inside=options["inside"],
        unlabelled=value_from(options["unlabelled"]),
        progress=progress or silent,
        watch=gallery.add,
    )
    shown = page_language(language, opened)
    with shown_while("writing the report", progress or silent):
        page = write_report(opened, predictor, evaluation, data, folder, shown, gallery)
    return replace(evaluation, page=page)


@verb
@with_options
def compare(
    runs: "Sequence[Run | PathLike]",
    data: PathLike | None = None,
    *,
    language: "Language | None" = None,
    progress: Progress | None = None,
    **options: Unpack[ComparisonOptions],
) -> "Comparison":
    """Compare runs on the same images, each with the first, and write a page of it.

    Args:
        runs: Two or more, their folders, or exported bundles, for which `data` is needed.
        data: A labelled folder, which is scored whole; without it, the images that are in this part of every run.
        language: Of the page, "en" or "zh"; None for that of the last run.
        progress: As of `train`.
        **options: On what they are compared.

    Returns:
        The comparison; `print` shows the table.
    """
    from perpixel.dataset.overrides import value_from
    from perpixel.evaluation import compared
    from perpixel.report import write_comparison

    refuse_unknown_language(language)  # a wrong one costs no time
    _check_is_list(runs)
    pairs = [(run, load(run)) for run in map(opened_run, runs)]
    folder = Path(data) if data else None
    stated = value_from(options["unlabelled"])
    comparison = compared(pairs, folder, part=options["split"], unlabelled=stated, progress=progress or silent)
    folder = Path(options["out"] or pairs[-1][0].evaluation_folder)
    comparison.save(folder)
    shown = page_language(language, pairs[-1][0])
    with shown_while("writing the page", progress or silent):
        page = write_comparison(comparison, folder / "compare.html", shown)
    return replace(comparison, page=page)


def _check_is_list(runs: object) -> None:
    """Raise SettingsError for a single run, or its name."""
    if not isinstance(runs, list | tuple):
        raise SettingsError("compare takes a list of runs.", fix="write compare([first, second]).")


@verb
@with_options
def prune(run: "Run | PathLike", **options: Unpack[PruningOptions]) -> "PrunedLevels":
    """Measure and score every level of a supervised U-Net++, and write a model file of each.

    Args:
        run: The run or its folder; gets pruned/level1/, pruned/level2/ ….
        **options: On what they are scored.

    Returns:
        The levels: a list of `ScoredLevel`, the smallest first.
    """
    from perpixel.evaluation.levels import prune_levels

    return prune_levels(opened_run(run), options["split"])
