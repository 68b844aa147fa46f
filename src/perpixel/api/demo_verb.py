"""The demo: drawings, a training, an evaluation and predictions."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Unpack

from perpixel.api.calls import verb
from perpixel.api.evaluation_verbs import evaluate
from perpixel.api.given import PathLike
from perpixel.api.prediction_verbs import predict
from perpixel.api.training_verbs import train
from perpixel.runtime.json_values import JsonObject
from perpixel.runtime.progress import Progress
from perpixel.settings.options import with_options
from perpixel.settings.verb_options import DemoOptions

if TYPE_CHECKING:
    from perpixel.evaluation import Evaluation

DEMO_DRAWINGS: Final = 480
DEMO_UNSEEN: Final = 6
DEMO_SETTINGS: Final[JsonObject] = {
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


@verb
@with_options
def demo(
    out: PathLike = "runs/demo", *, progress: Progress | None = None, **options: Unpack[DemoOptions]
) -> "Evaluation":
    """Generate drawings of six overlapping shapes, train, evaluate on unseen ones, and draw what was found.

    Args:
        out: Gets data/, run/ and predictions/.
        progress: As of `train`.
        **options: What is drawn, and how long is trained.

    Returns:
        The scores on the test drawings.
    """
    from perpixel.dataset.synthetic import write_shapes
    from perpixel.store.run_folder import refuse_occupied_run

    folder, seed, small, overwrite = Path(out), options["seed"], options["small"], options["overwrite"]
    refuse_occupied_run(folder / "run", overwrite=overwrite)
    write_shapes(folder / "data", options["drawings"] or DEMO_DRAWINGS, seed=seed, small=small)
    write_shapes(folder / "unseen", DEMO_UNSEEN, seed=seed + 1, small=small)
    run = train(
        folder / "data",
        folder / "run",
        settings=DEMO_SETTINGS,
        overwrite=overwrite,
        minutes=options["minutes"],
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
