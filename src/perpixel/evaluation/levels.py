"""What each level of a trained U-Net++ costs and scores, and a model file for each."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from perpixel.errors import RunError
from perpixel.evaluation.scoring import evaluate_run
from perpixel.files.atomic import cannot_write
from perpixel.language import counted, say
from perpixel.models import PrunedLevel, measure_levels
from perpixel.models.unetplusplus import UNetPlusPlus
from perpixel.prediction import PredictOptions, Predictor
from perpixel.results import ResultList, Row
from perpixel.runtime.choices import PartName
from perpixel.store.model_file import ModelCard, load_model, save_model
from perpixel.store.run_folder import Run, refuse_exported

MEASURED_SIDE = 256


@dataclass(frozen=True)
class ScoredLevel:
    """A U-Net++ pruned to one level.

    Args:
        cost: Its parameters, and multiply-adds and seconds of an image of 256 × 256 pixels.
        mean_iou: Pooled over the images of the part.
        path: Its model file.
    """

    cost: PrunedLevel
    mean_iou: float
    path: Path

    def __str__(self) -> str:
        cost = self.cost
        return (
            f"level {cost.level}  {cost.parameters / 1e6:6.2f} M parameters  {cost.multiply_adds / 1e9:6.1f} G "
            f"multiply-adds  {cost.seconds:6.3f} s  mean IoU {self.mean_iou:.3f}  {self.path}"
        )


@dataclass(frozen=True, repr=False)
class PrunedLevels(ResultList[ScoredLevel]):
    """The levels of a trained U-Net++, the smallest first."""

    @property
    def headline(self) -> str:
        """How many levels, and the best."""
        best = max(self, key=lambda level: level.mean_iou)
        return say(
            "{levels}, the best mean IoU {score} at level {level}",
            levels=counted(len(self), "level"),
            score=f"{best.mean_iou:.3f}",
            level=best.cost.level,
        )

    def tables(self) -> dict[str, Sequence[Row]]:
        """A row a level."""
        return {"levels": [asdict(each.cost) | {"mean_iou": each.mean_iou, "path": each.path} for each in self]}


def prune_levels(run: Run, part: PartName = "val") -> PrunedLevels:
    """Measure and score every level, and write RUN/pruned/levelN/ with its model file and its scores.

    Args:
        run: A plain U-Net++ that was trained with supervision.
        part: The images that are scored; a level is best chosen by validation images.

    Raises:
        RunError: It is another network.
        SettingsError: It was trained without a head on each column.
        OutputError: A file cannot be written.
    """
    refuse_exported(run)
    network, card = load_model(run.model_path)
    if not isinstance(network, UNetPlusPlus):
        raise RunError(
            f"{run.folder} is {card.name} on {card.encoder or 'no encoder'}, which has no levels to prune to.",
            fix="train unetplusplus without an encoder and with the option supervision: last.",
        )
    costs = measure_levels(network, torch.rand(1, card.codec.channels, MEASURED_SIDE, MEASURED_SIDE))
    return PrunedLevels(tuple(_scored(run, network, card, cost, part) for cost in costs))


def _scored(run: Run, network: UNetPlusPlus, card: ModelCard, cost: PrunedLevel, part: PartName) -> ScoredLevel:
    widths = [down[0].out_channels for down in network.downs[: cost.level + 1]]  # type: ignore[index] # blocks
    options = {key: value for key, value in card.options.items() if key != "head_weights"} | {"widths": widths}
    smaller = replace(card, options=options)
    pruned = smaller.build()
    weights = network.pruned(cost.level).state_dict()
    pruned.load_state_dict({name: weights[name] for name in pruned.state_dict()})
    folder = run.folder / "pruned" / f"level{cost.level}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    path = folder / "model.safetensors"
    save_model(path, smaller, pruned.state_dict())
    predictor = Predictor([pruned.eval()], card.codec, options=PredictOptions(scale=card.scale, tta=card.tta))
    scores = evaluate_run(run, predictor, part=part, out=folder)
    return ScoredLevel(cost, float(scores.stacked.pooled.mean_iou), path)
