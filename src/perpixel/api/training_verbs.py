"""The functions that train: plan, find_lr and train."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from perpixel.api.calls import verb
from perpixel.api.given import PathLike, page_language, settings_tree
from perpixel.api.live_cell import shown_progress
from perpixel.api.prediction_verbs import load
from perpixel.errors import PerpixelError, SettingsError
from perpixel.language import current
from perpixel.runtime.json_values import JsonMapping
from perpixel.runtime.progress import Progress, shown_while, silent
from perpixel.settings.known_language import refuse_unknown_language
from perpixel.settings.options import with_options
from perpixel.settings.training_options import PlanOptions, TrainOptions

if TYPE_CHECKING:
    from perpixel.language.choice import Language
    from perpixel.store.run_folder import Run
    from perpixel.training import RangeTest, TrainingEstimate


@verb
@with_options
def plan(
    data: PathLike,
    *,
    recipe: str | None = None,
    settings: JsonMapping | PathLike | None = None,
    out: PathLike | None = None,
    pictures: PathLike | None = None,
    progress: Progress | None = None,
    **options: Unpack[PlanOptions],
) -> "TrainingEstimate":
    """Decide how to train on a folder, say why, and time how far the budget goes on this machine.

    Args:
        data: The folder, or a dataset.yaml that describes one.
        recipe: A name of `recipes`; settings and options override it.
        settings: Any part of the settings tree, or a YAML file of it; what is not set is planned.
        out: Write the settings there as YAML, each with its reason; `train` takes the file as its settings.
        pictures: Write a PNG of the first views there, as the network will see them, with their labels.
        progress: Called with a task, how much of it is done, of how much, and a note; nothing is shown without.
        **options: Any of the options, by name.

    Returns:
        The plan; `print` shows it.

    Raises:
        PerpixelError: DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.files.atomic import write_text
    from perpixel.settings.text import to_yaml
    from perpixel.settings.tree import request_from
    from perpixel.training import estimate_training

    answer = estimate_training(Path(data), request_from(settings_tree(settings, recipe, options)), progress or silent)
    if out is not None and speaks():
        write_text(Path(out), to_yaml(answer.settings, answer.reasons))
    if pictures is not None and speaks():
        from perpixel.report.contact_sheet import contact_sheet

        contact_sheet(answer.session.batches(0), answer.session.card.codec, Path(pictures))
    return answer


@verb
@with_options
def find_lr(
    data: PathLike,
    *,
    recipe: str | None = None,
    settings: JsonMapping | PathLike | None = None,
    out: PathLike | None = None,
    progress: Progress | None = None,
    **options: Unpack[PlanOptions],
) -> "RangeTest":
    """Test which learning rates a network learns at: a hundred steps at an ever higher one, from 1e-6 to 1.

    Args:
        data: The folder, or a dataset.yaml that describes one.
        recipe: A name of `recipes`; settings and options override it.
        settings: Any part of the settings tree, or a YAML file of it; what is not set is planned.
        out: Draw the loss over the rate there, as a PNG.
        progress: Called with a task, how much of it is done, of how much, and a note; nothing is shown without.
        **options: Any of the options, by name.

    Returns:
        Rates and losses, and the rate at which the loss falls steepest; `print` shows them.

    Raises:
        PerpixelError: DataError, SettingsError, RunError or OutputError, with what to mend.
    """
    from perpixel.files.atomic import refuse_unwritable
    from perpixel.settings.tree import request_from
    from perpixel.training import range_test

    if out is not None:
        refuse_unwritable(Path(out).parent)
    test = range_test(Path(data), request_from(settings_tree(settings, recipe, options)), progress or silent)
    if out is not None and speaks():
        from perpixel.report.range_figure import range_figure

        range_figure(test, Path(out))
    return test


@verb
@with_options
def train(  # noqa: PLR0913 # each is one thing to ask for
    data: PathLike,
    out: PathLike | None = None,
    *,
    recipe: str | None = None,
    settings: JsonMapping | PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    language: "Language | None" = None,
    progress: Progress | None = None,
    **options: Unpack[TrainOptions],
) -> "Run":
    """Train a network on a folder of images and masks, or one a fold (`data.folds`), and write the report.

    Args:
        data: The folder, or a dataset.yaml that describes one.
        out: The run folder; by default a new one under runs/, named after the data.
        recipe: A name of `recipes`; settings and options override it.
        settings: Any part of the settings tree, such as {"train": {"learning_rate": 1e-3}}, or a YAML file of it.
        resume: Go on with the run in `out`, which was interrupted.
        overwrite: Replace the run in `out`.
        language: Of the report, "en" or "zh"; None for that of the run.
        progress: Called with a task, how much of it is done, of how much, and a note. Without one a notebook shows a
            live cell with curve and validation images, anything else a line now and then; `silent` of
            `perpixel.runtime.progress` shows nothing.
        **options: Any of the options, by name.

    Returns:
        The run.

    Raises:
        PerpixelError: DataError, SettingsError, OutputError or RunError, with what to mend.
    """
    from perpixel import training
    from perpixel.report import write_report
    from perpixel.report.live_page import is_live
    from perpixel.settings.tree import request_from
    from perpixel.store.run_folder import Run, new_folder

    refuse_unknown_language(language)  # a wrong one costs no time
    progress = progress or (shown_progress(language) if speaks() else silent)
    tree = settings_tree(settings, recipe, options)
    if resume:
        if out is None:
            raise SettingsError("resume needs the run to go on with.", fix="give its folder as `out`.")
        run = Run.open(Path(out))
        if not run.is_finished or (run.report_path.exists() and not is_live(run.report_path)):
            with _live_page(run.folder, page_language(language, run), progress) as shown:
                run = training.resume_run(run.folder, tree, progress=shown)
    else:
        folder, tree = Path(out or new_folder(Path(data))), tree | ({"language": language} if language else {})
        with _live_page(folder, language or current(), progress) as shown:
            run = training.train_run(Path(data), folder, request_from(tree), overwrite=overwrite, progress=shown)
    if speaks():
        single = [Run.open(folder) for folder in run.fold_folders] or [run]
        for each in single:
            _calibrated(each, progress)
        with shown_while("writing the report", progress):
            for each in (*map(Run.open, run.fold_folders), run):
                write_report(each, load(each), language=page_language(language, each))
    return run


@contextmanager
def _live_page(folder: Path, language: "Language", progress: Progress) -> Iterator[Progress]:
    """Progress that also keeps a page of the run up to date; one that says so if the training is interrupted."""
    from perpixel.report import LivePage

    if not speaks():
        yield progress
        return
    page = LivePage(folder, language, progress)
    try:
        yield page
    except (PerpixelError, KeyboardInterrupt):
        page.close()
        raise


def _calibrated(run: "Run", progress: Progress) -> None:
    """Fit temperature and thresholds, unless the model has some."""
    from perpixel.evaluation import calibrate

    predictor = load(run)
    if predictor.calibration is None and run.data.exists():
        calibrate(run, predictor, partial(progress, "looking at validation images"))


def speaks() -> bool:
    """Whether this process is the one that prints and writes, where several train together."""
    from perpixel.runtime.distributed import is_main_process

    return is_main_process()
