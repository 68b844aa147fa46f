"""Weights that others have trained: a file to fine-tune from, and what happens where there are none."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from perpixel.errors import SettingsError
from perpixel.language.notices import LOGGER
from perpixel.models import MODELS, missing_weights
from perpixel.models.torchvision_weights import network_of
from perpixel.models.weights import read_state
from perpixel.planning import NO_STATISTICS, Choice, Plan
from perpixel.runtime.json_values import JsonObject
from perpixel.settings.tree import Request, changed
from perpixel.store.model_file import is_model

WEIGHT_FILES: Final = (".pth", ".pt", ".safetensors")


def with_public_file(request: Request) -> Request:
    """Let `model.fine_tune_from` name a weight file of torchvision's: it becomes `model.weights`.

    A file that holds a whole network decides the network where none is named.

    Raises:
        SettingsError: Another weight file is named, too, or the file leaves open which network it is for.
        RunError: The file cannot be read.
    """
    model = request.model
    path = Path(model.fine_tune_from) if model.fine_tune_from else None
    if path is None or path.suffix not in WEIGHT_FILES or not path.is_file() or is_model(path):
        return request
    if model.weights not in ("auto", "none"):
        raise SettingsError(
            f"both the weights {model.weights} and those of {path} are asked for.",
            fix="give only one of model.weights and model.fine_tune_from.",
        )
    update: JsonObject = {"model.fine_tune_from": None, "model.weights": str(path)}
    if "name" not in model.model_fields_set:
        name = network_of(read_state(path))
        if name is None:
            raise SettingsError(
                f"{path} does not say which network it is for.",
                fix="name it by model.name and model.encoder: fcn_tutorial and vgg16, for example.",
            )
        update |= {"model.name": name, "model.encoder": MODELS[name].encoder}
    return changed(request, update)


def with_weights_at_hand(plan: Plan) -> Plan:
    """Start from random weights, and report it, where public ones are wanted and cannot be had.

    An encoder that was to be frozen is then trained: frozen, it would never have learnt anything. What the plan chose
    for the statistics of its public weights is chosen again without them.
    """
    model = plan.settings.model
    if model.weights != "auto" or model.encoder is None:
        return plan
    problem = missing_weights(model.name, model.encoder)
    if problem is None:
        return plan
    reason = f"the public weights of {model.encoder} cannot be had, so the network starts from random weights"
    train = plan.settings.train
    planned = {each.key for each in plan.choices if not each.is_asked}
    thawed: JsonObject = {"train.encoder_lr_factor": 1.0} if train.encoder_lr_factor == 0 else {}
    if train.frozen_stages and "train.frozen_stages" not in planned:
        thawed |= {"train.frozen_stages": 0}
    if thawed:
        reason += ", and its encoder is trained, too"
    others = {key: value for key, value in NO_STATISTICS.items() if key in planned}
    LOGGER.warning("%s\n%s.", problem, reason[0].upper() + reason[1:])
    kept = [
        Choice(each.key, others[each.key], "the encoder has no statistics yet") if each.key in others else each
        for each in plan.choices
    ]
    return replace(
        plan,
        settings=changed(plan.settings, {**others, **thawed, "model.weights": "none"}),
        choices=(Choice("model.weights", "none", reason), *kept),
    )
