"""One function a verb; each is also a command of the same name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, Unpack

from perpixel.errors import SettingsError
from perpixel.runtime.progress import Progress, silent
from perpixel.settings.training_options import PlanOptions, TrainOptions, options_tree, with_options

if TYPE_CHECKING:
    from perpixel.conversion import Converted
    from perpixel.evaluation import Comparison, Evaluation, PartName
    from perpixel.evaluation.levels import ScoredLevel
    from perpixel.exporting import Exported
    from perpixel.labels.decision import Threshold
    from perpixel.prediction import Predictor, Written
    from perpixel.ranking import RankedImage
    from perpixel.report.audit_page import Check
    from perpixel.store.run_folder import Run
    from perpixel.training import RangeTest, TrainingEstimate

PathLike: TypeAlias = str | Path

DEMO_DRAWINGS: Final = 480
DEMO_UNSEEN: Final = 6
DEMO_SETTINGS: Final[dict[str, Any]] = {
    "train": {"validation_passes": 6},
    "augment": {  # a shape is never turned, and always white
        "horizontal_flip": 0,
        "vertical_flip": 0,
        "quarter_turns": False,
        "rotate_degrees": 0,
        "zoom": 1,
        "brightness": 0,
        "contrast": 1,
    },
}


def check(
    data: PathLike, out: PathLike | None = None, *, folds: int | None = None, progress: Progress | None = None
) -> "Check":
    """Audit a folder: what is understood of it, what is wrong with it, and how to mend that.

    Args:
        data: The folder, or a dataset.yaml.
        out: Write check.html, a page with pictures, and dataset.yaml there; edit the latter to overrule it.
        folds: Show how the images divide into so many folds, instead of training, validation and test.
        progress: As of `train`.

    Returns:
        The answer; `print` shows it.
    """
    from perpixel.report.audit_page import check as examine

    return examine(Path(data), Path(out) if out else None, partial(progress or silent, "checking"), folds=folds)


def convert(
    data: PathLike,
    out: PathLike,
    *,
    to: Literal["masks"] = "masks",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> "Converted":
    """Write what is understood of a folder in a plain form that other programs read, too.

    Args:
        data: The folder, or a dataset.yaml.
        out: The new folder.
        to: "masks" writes images/, class indices in masks/, classes.csv, manifest.csv and dataset.yaml.
        overwrite: Replace an earlier conversion in `out`.
        progress: As of `train`.

    Returns:
        What was written; `print` shows it.

    Raises:
        DataError: What `check` calls an error.
        OutputError: `out` holds something, or cannot be written.
    """
    from perpixel.conversion import convert as write
    from perpixel.conversion.convert import refuse_occupied
    from perpixel.dataset import scan
    from perpixel.errors import DataError

    answer = check(data)
    if answer.dataset is None or not answer.is_usable:
        raise DataError.of(finding.problem for finding in answer.findings if finding.severity == "error")
    refuse_occupied(answer.dataset.root, Path(out), overwrite=overwrite)
    is_cut = any(sample.corner is not None for sample in answer.dataset.samples)
    dataset = scan(Path(data), whole=True) if is_cut else answer.dataset
    return write(dataset, Path(out), to, overwrite=overwrite, progress=partial(progress or silent, "converting"))


@with_options
def plan(
    data: PathLike,
    *,
    recipe: str | None = None,
    settings: Mapping[str, Any] | PathLike | None = None,
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
    from perpixel.settings.tree import settings_from
    from perpixel.training import estimate_training

    answer = estimate_training(Path(data), settings_from(_tree(settings, recipe, options)), progress or silent)
    if out is not None and speaks():
        write_text(Path(out), to_yaml(answer.settings, answer.reasons))
    if pictures is not None and speaks():
        from perpixel.report.contact_sheet import contact_sheet

        contact_sheet(answer.session.batches(0), answer.session.card.codec, Path(pictures))
    return answer


@with_options
def find_lr(
    data: PathLike,
    *,
    recipe: str | None = None,
    settings: Mapping[str, Any] | PathLike | None = None,
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
    from perpixel.settings.tree import settings_from
    from perpixel.training import range_test

    if out is not None:
        refuse_unwritable(Path(out).parent)
    test = range_test(Path(data), settings_from(_tree(settings, recipe, options)), progress or silent)
    if out is not None and speaks():
        from perpixel.report.range_figure import range_figure

        range_figure(test, Path(out))
    return test


@with_options
def train(  # noqa: PLR0913 # each is one thing to ask for
    data: PathLike,
    out: PathLike | None = None,
    *,
    recipe: str | None = None,
    settings: Mapping[str, Any] | PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    language: str = "en",
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
        language: Of the report, "en" or "zh".
        progress: Called with a task, how much of it is done, of how much, and a note; nothing is shown without.
        **options: Any of the options, by name.

    Returns:
        The run.

    Raises:
        PerpixelError: DataError, SettingsError, OutputError or RunError, with what to mend.
    """
    from perpixel import training
    from perpixel.report import write_report
    from perpixel.settings.tree import settings_from
    from perpixel.store.run_folder import Run, new_folder

    tree = _tree(settings, recipe, options)
    if resume:
        if out is None:
            raise SettingsError("resume needs the run to go on with.", fix="give its folder as `out`.")
        run = Run.open(Path(out))
        if not run.is_finished or run.report_path.exists():
            run = training.resume(run.folder, tree, progress=progress or silent)
    else:
        folder = Path(out or new_folder(Path(data)))
        run = training.train(
            Path(data), folder, settings_from(tree), overwrite=overwrite, progress=progress or silent
        )
    if speaks():
        single = [Run.open(folder) for folder in run.fold_folders] or [run]
        for each in single:
            _calibrated(each, progress or silent)
        for each in (*map(Run.open, run.fold_folders), run):
            write_report(each, load(each), language=language)
    return run


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


def evaluate(  # noqa: PLR0913 # each is one thing to ask for
    run: "Run | PathLike",
    data: PathLike | None = None,
    *,
    split: "PartName" = "test",
    out: PathLike | None = None,
    inside: str | None = None,
    threshold: "Threshold | None" = None,
    language: str = "en",
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
        language: Of the report, "en" or "zh".
        progress: As of `train`.

    Returns:
        The scores; `print` shows the table.
    """
    from perpixel.evaluation import evaluate as score
    from perpixel.report import write_report
    from perpixel.report.texts import texts

    texts(language)  # a wrong one costs no time
    opened = _opened(run)
    if data is None and opened.is_exported:
        raise SettingsError(f"{opened.folder} holds no images.", fix="name a labelled folder to score it on.")
    predictor = load(opened, threshold=threshold)
    data, folder = (Path(path) if path else None for path in (data, out))
    evaluation = score(opened, predictor, data, part=split, out=folder, inside=inside, progress=progress or silent)
    write_report(opened, predictor, evaluation, data, folder, language)
    return evaluation


def compare(
    runs: "Sequence[Run | PathLike]",
    data: PathLike | None = None,
    *,
    split: "PartName" = "test",
    out: PathLike | None = None,
    language: str = "en",
    progress: Progress | None = None,
) -> "Comparison":
    """Compare runs on the same images, each with the first, and write a page of it.

    Args:
        runs: Two or more, their folders, or exported bundles, for which `data` is needed.
        data: A labelled folder, which is scored whole; without it, the images that are in this part of every run.
        split: Which part: "test", "val", "train" or "all".
        out: The folder for compare.html and compare.json; by default the evaluation folder of the last run.
        language: Of the page, "en" or "zh".
        progress: As of `train`.

    Returns:
        The comparison; `print` shows the table.
    """
    from perpixel.evaluation import compared
    from perpixel.report import write_comparison
    from perpixel.report.texts import texts

    texts(language)  # a wrong one costs no time
    pairs = [(run, load(run)) for run in map(_opened, runs)]
    comparison = compared(pairs, Path(data) if data else None, part=split, progress=progress or silent)
    predictors = {name: pair[1] for name, pair in zip(comparison.names, pairs, strict=True)}
    folder = Path(out) if out else pairs[-1][0].evaluation_folder
    comparison.save(folder)
    write_comparison(comparison, predictors, folder / "compare.html", language)
    return comparison


def predict(  # noqa: PLR0913 # each is one thing to ask for
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    out: PathLike,
    *,
    index: bool = False,
    cloud: bool = False,
    overlay: bool = False,
    areas: bool = False,
    probabilities: Literal["uint8", "uint16", "float32"] | None = None,
    polygons: Literal["geojson", "geopackage"] | None = None,
    instances: Literal["connected", "watershed"] | None = None,
    zarr: bool = False,
    simplify_px: float = 0,
    least_px: int = 0,
    tta: Literal["none", "hflip", "flips", "d4"] | None = None,
    threshold: "Threshold | None" = None,
    backend: Literal["torch", "openvino", "auto"] = "torch",
    existing: Literal["refuse", "skip", "replace"] = "refuse",
    progress: Progress | None = None,
) -> "list[Written]":
    """Predict image files; each mask is written as OUT/STEM.png (.tif for GeoTIFF and stacks).

    Args:
        run: A run, its folder, a model file, or an exported bundle, for which PyTorch is not needed.
        inputs: Files, folders, globs or Zarr images; "-" for a list on standard input.
        out: The folder to write to.
        index: Write class indices instead of the values of the training masks.
        cloud: Write the masks of GeoTIFFs as cloud-optimised ones.
        overlay: Write the image with the classes' colours over it, too.
        areas: Write a table of what each class covers, too.
        probabilities: Write them, too: times 255, times 65535, or as they are.
        polygons: Write the outlines of the objects, too.
        instances: Write the objects' numbers, too: "connected" pixels of a class, or by "watershed" cut at necks.
        zarr: Write the class indices as OME-Zarr, too.
        simplify_px: How far polygons may leave the pixels' edges to have fewer corners.
        least_px: Leave objects of fewer pixels out of polygons and instances.
        tta: Average over the image and its "mirror" image, its four "flips", or its eight flips and quarter
            "turns"; None does as the model was planned.
        threshold: How probabilities become classes: "calibrated" by what was fitted on validation images, "argmax"
            for the most probable class, or a number from which a class is taken; None as was better on validation.
        backend: What runs the network on a CPU; "auto" times them, and takes the faster if it agrees.
        existing: What to do about outputs that are there already; "skip" resumes.
        progress: As of `train`.

    Returns:
        What was written for each image.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel.prediction import Outputs, PredictOptions
    from perpixel.prediction.inputs import expanded
    from perpixel.prediction.load import load as load_predictor

    outputs = Outputs(
        index=index,
        cloud=cloud,
        overlay=overlay,
        areas=areas,
        probabilities=probabilities,
        polygons=polygons,
        instances=instances,
        zarr=zarr,
        simplify_px=simplify_px,
        least_px=least_px,
        existing=existing,
    )
    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths = expanded([str(each) for each in given])
    predictor = load_predictor(_model_path(run), PredictOptions(tta=tta, backend=backend, threshold=threshold))
    shown = partial(progress or silent, "predicting")
    return list(predictor.predict_files(paths, Path(out), outputs, progress=shown))


def export(
    run: "Run | PathLike",
    out: PathLike,
    *,
    target: str = "onnx",
    images: "Sequence[PathLike] | None" = None,
    overwrite: bool = False,
) -> "Exported":
    """Export a run to a folder for another program, and prove that it predicts there what it predicts here.

    Args:
        run: A finished run, or its folder.
        out: The folder to write, or a file whose name ends in .zip.
        target: What it is for: "onnx" (and `predict` without PyTorch), "torchscript", and so on; see docs/export.md.
        images: Files, folders or globs to prove it on; None for the run's test images.
        overwrite: Replace an earlier export.

    Returns:
        Where it lies and how well it agrees; `print` shows it.

    Raises:
        PerpixelError: SettingsError, RunError, DataError or OutputError, with what to correct; nothing is written.
    """
    from perpixel.exporting import export_run

    given = None if images is None else [str(each) for each in images]
    return export_run(_opened(run), Path(out), target=target, images=given, overwrite=overwrite)


def push(folder: PathLike, repository: str, *, private: bool = False) -> str:
    """Upload an export made for huggingface to the Hugging Face Hub, or to the server that HF_ENDPOINT names.

    Args:
        folder: The export.
        repository: OWNER/NAME; it is made where it is missing.
        private: Whether a new repository is private.

    Returns:
        The address of the repository.

    Raises:
        PerpixelError: RunError, SettingsError or OutputError, with what to correct.
    """
    from perpixel.exporting.push import push_folder

    return push_folder(Path(folder), repository, is_private=private)


def load(run: "Run | PathLike", *, threshold: "Threshold | None" = None) -> "Predictor":
    """Load a trained model: `load(run).predict(image)` maps (H, W, C) or (H, W) to a mask (H, W).

    Args:
        run: A run, its folder, a model file, or an exported bundle, for which PyTorch is not needed.
        threshold: How probabilities become classes, as in `predict`.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel.prediction import PredictOptions
    from perpixel.prediction.load import load as load_predictor

    return load_predictor(_model_path(run), PredictOptions(threshold=threshold))


def serve(  # noqa: PLR0913 # each is one thing to ask for
    run: "Run | PathLike",
    images: PathLike | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    token: str | None = None,
    read_only: bool = False,
    label_studio: bool = False,
    labels: PathLike | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve a trained model to the browser and to programs, until interrupted; needs the extra `web`.

    Args:
        run: A run, its folder, or a model file.
        images: A folder of images to choose from on the page; others can be dropped on it.
        host: The address to listen on; any but the loopback ones needs a token.
        port: The port; 0 takes a free one.
        token: What clients have to show.
        read_only: Look only: nothing is painted and nothing trained.
        label_studio: Also serve the routes of a Label Studio machine-learning backend.
        labels: The folder for what is painted; by default IMAGES-labels next to the folder of images.
        announce: Called with the page's address once the server listens.

    Raises:
        PerpixelError: RunError, DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel import web

    options = web.ServeOptions(host=host, port=port, token=token, read_only=read_only, label_studio=label_studio)
    folder, labels_folder = (Path(each) if each else None for each in (images, labels))
    with web.serving(_model_path(run), folder, options, labels_folder=labels_folder) as service:
        web.serve(service, announce or (lambda _: None))


def annotate(  # noqa: PLR0913 # each is one thing to ask for
    images: PathLike,
    classes: Sequence[str],
    out: PathLike | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    token: str | None = None,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Label images in the browser from scratch, and train on the labels there; needs the extra `web`.

    Args:
        images: A folder of images.
        classes: Names of the classes, the background first.
        out: The folder for the labels; by default IMAGES-labels next to the folder of images.
        host: The address to listen on; any but the loopback ones needs a token.
        port: The port; 0 takes a free one.
        token: What clients have to show.
        announce: Called with the page's address once the server listens.

    Raises:
        PerpixelError: DataError, SettingsError or OutputError, with what to mend.
    """
    from perpixel.runtime.allocator import one_arena

    one_arena()  # before torch is loaded
    from perpixel import web

    options = web.ServeOptions(host=host, port=port, token=token)
    with web.serving(None, Path(images), options, list(classes), Path(out) if out else None) as service:
        web.serve(service, announce or (lambda _: None))


def next_images(  # each is one thing to ask for
    run: "Run | PathLike",
    inputs: "Sequence[PathLike] | PathLike",
    *,
    images: int = 10,
    strategy: str = "foreground-random",
    seed: int = 0,
    progress: Progress | None = None,
) -> "list[RankedImage]":
    """Rank images by what labelling them should bring, the best first.

    Args:
        run: A run, its folder, or a model file.
        inputs: Files, folders, globs or Zarr images that are not labelled.
        images: How many to give.
        strategy: "random", "foreground-random" (a draw among images where the model sees something), "entropy", or
            "class-entropy".
        seed: Decides what is drawn.
        progress: As of `train`.

    Returns:
        The images, each with its score.
    """
    from perpixel.prediction.inputs import expanded
    from perpixel.ranking import rank_images

    given = [inputs] if isinstance(inputs, str | Path) else inputs
    paths, shown = expanded([str(each) for each in given]), partial(progress or silent, "ranking")
    return rank_images(load(run), paths, strategy, seed=seed, progress=shown)[:images]


def prune(run: "Run | PathLike", *, split: "PartName" = "val") -> "tuple[ScoredLevel, ...]":
    """Measure and score every level of a supervised U-Net++, and write a model file of each.

    Args:
        run: The run or its folder; gets pruned/level1/, pruned/level2/ ….
        split: The images that are scored: "test", "val", "train" or "all".

    Returns:
        The levels, the smallest first.
    """
    from perpixel.evaluation.levels import prune_levels

    return prune_levels(_opened(run), split)


def demo(  # noqa: PLR0913 # each is one thing to ask for
    out: PathLike = "runs/demo",
    *,
    minutes: float = 2.0,
    drawings: int | None = None,
    seed: int = 0,
    small: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> "Evaluation":
    """Generate drawings of six overlapping shapes, train, evaluate on unseen ones, and draw what was found.

    Args:
        out: Gets data/, run/ and predictions/.
        minutes: Of training.
        drawings: Their number; None for 480.
        seed: Decides the drawings.
        small: Shapes of the sizes in the tutorial on U-Net.
        overwrite: Replace an earlier demo.
        progress: As of `train`.

    Returns:
        The scores on the test drawings.
    """
    from perpixel.store.run_folder import refuse_occupied
    from perpixel.synthetic import write_shapes

    folder = Path(out)
    refuse_occupied(folder / "run", overwrite=overwrite)
    write_shapes(folder / "data", drawings or DEMO_DRAWINGS, seed=seed, small=small)
    write_shapes(folder / "unseen", DEMO_UNSEEN, seed=seed + 1, small=small)
    run = train(
        folder / "data",
        folder / "run",
        settings=DEMO_SETTINGS,
        overwrite=overwrite,
        minutes=minutes,
        progress=progress,
    )
    evaluation = evaluate(run, progress=progress)
    predict(
        run,
        folder / "unseen" / "images",
        folder / "predictions",
        overlay=True,
        existing="replace" if overwrite else "refuse",
        progress=progress,
    )
    return evaluation


def _model_path(run: "Run | PathLike") -> Path:
    return Path(run) if isinstance(run, str | Path) else run.folder


def _opened(run: "Run | PathLike") -> "Run":
    from perpixel.store.bundle import is_bundle
    from perpixel.store.run_folder import Run

    if not isinstance(run, str | Path):
        return run
    return Run.of_bundle(Path(run)) if is_bundle(Path(run)) else Run.open(Path(run))


def _tree(
    settings: Mapping[str, Any] | PathLike | None, recipe: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The options over the settings, and both over those of the recipe."""
    from perpixel.settings.recipes import with_recipe
    from perpixel.settings.text import settings_from_file
    from perpixel.settings.tree import over

    given = settings_from_file(Path(settings)) if isinstance(settings, str | Path) else settings or {}
    tree = over(given, options_tree(options))
    return tree if recipe is None else with_recipe(recipe, tree)
