"""The settings tree: frozen, checked on load, saved whole with every run.

Every setting has one place, a default and a range; a dotted path such as `train.learning_rate` names it, and an
unknown key is refused with the closest known one.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from perpixel.errors import SettingsError
from perpixel.language import say
from perpixel.language.choice import Language
from perpixel.runtime.choices import DeviceName, DuplicatesMode, LoggerName, Precision, ScheduleName, Tta
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject
from perpixel.settings.named import LossSettings, MonitorSettings, SettingsSection, loss_terms, monitor_given
from perpixel.settings.presets import PRESETS
from perpixel.settings.problems import problems_of
from perpixel.shapes import LEAST_SCALE

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
CountFromZero = Annotated[int, Field(ge=0, le=10**9)]
Few = Annotated[int, Field(ge=1, le=2**16)]
"""What memory or a machine holds: images of a batch, pixels of a side, threads, processes."""

BUDGETS: Final = ("minutes", "steps", "epochs")
LEAST_MINUTES: Final = 0.05
MOST_MINUTES: Final = 1e7
DEFAULT_MINUTES: Final = 10.0


def _class_weights(given: Json) -> Json:
    """A word, or numbers by name."""
    if given in ("none", "balanced"):
        return given
    try:
        weights = {str(name): float(weight) for name, weight in given.items()}
    except (AttributeError, TypeError, ValueError):
        weights = {}
    if not weights or not all(0 <= weight < math.inf for weight in weights.values()):
        raise ValueError('neither "none" nor "balanced" nor weights from 0 up by class, such as {cell: 2}')
    return weights


def _encoder(given: Json) -> Json:
    """The word for no encoder, as options can say it."""
    return None if given == "none" else given


class DataSettings(SettingsSection):
    """How the images are divided into training, validation and test."""

    validation_fraction: Share = 0.1
    test_fraction: Share = 0.1
    group_by: str | None = Field(default=None, description="a pattern over names whose first bracket is the group")
    folds: Annotated[int, Field(ge=2, le=2**16)] | None = Field(
        default=None, description="K of K-fold cross-validation"
    )
    fold: CountFromZero | None = Field(default=None, description="which of the folds validates, from 0")
    unlabelled: int | str | None = Field(
        default=None, description='the value in the masks that nobody has labelled, such as 0 or "#000000"'
    )
    duplicates: DuplicatesMode | None = Field(
        default=None, description="whether images that show the same stay in one subset; else as dataset.yaml says"
    )
    cache_mb: Count = Field(default=4096, description="decoded training images kept in memory, at most")


class ModelSettings(SettingsSection):
    """Which network."""

    name: str = "unet"
    encoder: Annotated[str | None, BeforeValidator(_encoder)] = Field(
        default="auto",
        description='"auto", a name, or "none" for the plain network or one with an encoder of its own',
    )
    weights: str = Field(default="auto", description='"auto" (ImageNet where they are at hand), "none", or a file')
    options: JsonMapping = Field(default_factory=dict, description="keywords of the architecture")
    fine_tune_from: str | None = Field(default=None, description="a run or model file whose weights are taken over")

    @property
    def told(self) -> str:
        """Its name, and that of its encoder."""
        return say("{network} on {encoder}", network=self.name, encoder=self.encoder) if self.encoder else self.name


class AugmentSettings(SettingsSection):
    """What is done to image and mask together while training; 0 or 1 switches a transform off."""

    preset: Literal["microscopy", "aerial", "natural"] | None = Field(
        default=None, description="microscopy, aerial or natural: gives the settings below that are not set"
    )
    horizontal_flip: Share = 0.5
    vertical_flip: Share = 0.5
    one_flip: bool = Field(default=False, description="flip a view in one direction at most, never in both")
    quarter_turns: bool = True
    rotate_degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    zoom: Annotated[float, Field(ge=1, le=4)] = Field(default=1.25, description="between 1/zoom and zoom")
    translate_px: Annotated[float, Field(ge=0, le=512)] = Field(default=0.0, description="largest shift, each way")
    elastic_px: Annotated[float, Field(ge=0, le=64)] = Field(
        default=0.0, description="spread of a smooth displacement"
    )
    brightness: Share = Field(default=0.15, description="shift, as a share of the standard deviations' range")
    contrast: Annotated[float, Field(ge=1, le=4)] = Field(default=1.25, description="between 1/contrast and contrast")
    gamma: Annotated[float, Field(ge=1, le=4)] = Field(default=1.0, description="between 1/gamma and gamma")
    saturation: Annotated[float, Field(ge=1, le=4)] = Field(
        default=1.0, description="spread of the channels about their mean, between 1/saturation and saturation"
    )
    colour: Share = Field(default=0.0, description="as brightness, each channel by itself")
    noise: Share = Field(default=0.0, description="standard deviation, in standard deviations of the images")
    blur_px: Annotated[float, Field(ge=0, le=8)] = Field(default=0.0, description="largest sigma of a Gaussian")

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, given: Json) -> Json:
        if not isinstance(given, Mapping):
            return given
        return {**PRESETS.get(str(given.get("preset")), {}), **given}

    @model_validator(mode="after")
    def _one_flip_of_two(self) -> "AugmentSettings":
        if self.one_flip and self.horizontal_flip + self.vertical_flip > 1:
            raise ValueError("with one_flip, horizontal_flip and vertical_flip are shares of the views: 1 at most")
        return self


class TrainSettings(SettingsSection):
    """The budget, the optimiser, the schedule and the loss. One of minutes, steps and epochs is the budget."""

    minutes: Annotated[float, Field(ge=LEAST_MINUTES, le=MOST_MINUTES)] | None = None
    steps: Count | None = None
    epochs: Count | None = None
    batch_size: Few = 8
    accumulate: Few = Field(default=1, description="micro-batches of a batch: gradient accumulation")
    crop_hw: tuple[Few, Few] = (256, 256)
    scale: Annotated[float, Field(ge=LEAST_SCALE, le=1)] = Field(
        default=1.0, description="working resolution / native resolution"
    )
    class_balanced_fraction: Share = Field(
        default=0.0, description="share of the views centred on a pixel of a rare class"
    )
    labelled_crops: bool = Field(
        default=False, description="centre each view near a labelled pixel, of the image's classes alike"
    )
    propagate_strokes: bool = Field(
        default=False,
        description="extend the labels of partly labelled training images to pixels whose class a quick learner is "
        "sure of",
    )
    hard_example_fraction: Share = Field(
        default=0.0, description="share of the views from images by how much of them was answered wrongly lately"
    )
    optimiser: Literal["muon", "adamw", "adam", "sgd"] = Field(
        default="adamw", description="muon for the convolutions outside the encoder, and AdamW for all else"
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.9, description='of "sgd"')
    nesterov: bool = Field(default=True, description='whether the momentum of "sgd" looks ahead')
    learning_rate: Positive = 5e-3
    encoder_lr_factor: Annotated[float, Field(ge=0, le=10)] = Field(
        default=0.5, description="times learning_rate; 0 freezes it"
    )
    encoder_norm: Literal["batch", "frozen"] = Field(
        default="batch",
        description="the statistics that the encoder's batch norm takes: of each batch, or frozen at those of its "
        "weights, which is faster",
    )
    frozen_stages: CountFromZero = Field(
        default=0, description="the encoder's first stages that keep their weights; a step is shorter without them"
    )
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    schedule: ScheduleName = "one-cycle"
    warmup: Share = Field(default=0.1, description="share of the steps in which the rate rises")
    step_epochs: Count = Field(default=25, description='epochs between the drops of "step"')
    step_share: Share = Field(
        default=0.0, description='share of the training between the drops of "step"; 0 to count step_epochs'
    )
    step_factor: Share = Field(default=0.1, description='what "step" multiplies the rate by')
    loss: Annotated[tuple[LossSettings, ...], BeforeValidator(loss_terms)] = Field(
        default=(),
        description="a name, {name: weight, …}, or [{name: tversky, weight: 1, alpha: 0.3, beta: 0.7}, …]; "
        "by default cross entropy or BCE, and Dice",
    )
    class_weights: Annotated[Literal["none", "balanced"] | Mapping[str, float], BeforeValidator(_class_weights)] = (
        Field(default="none", description='of a pixel, by class: "balanced" by their shares, or {name: weight}')
    )
    clip_norm: Annotated[float, Field(ge=0)] = Field(
        default=5.0, description="largest gradient norm; 0 leaves it alone"
    )
    ema: Share = Field(
        default=0.0, description="decay a step of a running mean of the weights, which is what is kept; 0 for none"
    )
    validation_passes: Count = Field(default=8, description="how often the validation images are scored, at most")
    keep_every: CountFromZero = Field(
        default=0, description="epochs after which a model file is kept, kept/epoch-0010.safetensors; 0 for none"
    )
    monitor: Annotated[str | MonitorSettings, BeforeValidator(monitor_given)] = Field(
        default="mean_iou",
        description="the validation metric by which the best weights are chosen: a name, or with options "
        "{name: iou, class: cell}, {name: f_score, beta: 0.5}",
    )
    early_stopping: CountFromZero = Field(
        default=0, description="validations in a row without a better score that end the run; 0 never does"
    )
    precision: Annotated[Precision, BeforeValidator(str)] = "auto"  # YAML gives 32 as a number
    memory_format: Literal["auto", "channels_last", "channels_first"] = Field(
        default="auto", description="how the values of feature maps lie in memory; changes the speed only"
    )
    device: DeviceName = "auto"
    devices: Few | None = Field(
        default=None, description="on each machine, a process each; null for what torchrun or SLURM started, or one"
    )
    threads: Few | None = Field(
        default=None,
        description="of a process on a CPU; by default all that it has, or half of them where that is faster",
    )
    loggers: tuple[LoggerName, ...] = Field(default=(), description="where scores and pictures go, too")

    @property
    def monitored(self) -> MonitorSettings:
        """`monitor` with its options, of which a plain name has none."""
        if isinstance(self.monitor, MonitorSettings):
            return self.monitor
        return MonitorSettings.model_validate({"name": self.monitor})

    @model_validator(mode="before")
    @classmethod
    def _one_budget(cls, given: Json) -> Json:
        if not isinstance(given, Mapping):
            return given
        budgets = [name for name in BUDGETS if given.get(name) is not None]
        if given.get("momentum") == 0:
            given = {"nesterov": False, **given}  # else the default, which needs one, would be stated
        if given.get("nesterov") and given.get("momentum") == 0:
            raise ValueError("nesterov needs a momentum above 0")
        if len(budgets) > 1:
            raise ValueError(f"only one of {', '.join(BUDGETS)} can be the budget, not {' and '.join(budgets)}")
        return given if budgets else {**given, "minutes": DEFAULT_MINUTES}


class PredictSettings(SettingsSection):
    """How the model predicts where nothing else is asked for."""

    tta: Tta = Field(
        default="none", description="an image as it is, or the mean over its 2 or 4 flips, or over 8 flips and turns"
    )


class Request(SettingsSection):
    """What is asked of a run: any part of the tree. What is not set, or "auto", is left to the plan."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    language: Language | None = None
    data: DataSettings = DataSettings()
    model: ModelSettings = ModelSettings()
    augment: AugmentSettings = AugmentSettings()
    train: TrainSettings = TrainSettings(minutes=DEFAULT_MINUTES)
    predict: PredictSettings = PredictSettings()


class Settings(Request):
    """Everything that decides a run: a request that states every setting, as `decided` makes it."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        sections: list[SettingsSection] = [self, *(part for _, part in self if isinstance(part, SettingsSection))]
        missing = [name for each in sections for name in type(each).model_fields.keys() - each.model_fields_set]
        if missing:
            raise ValueError(f"settings state everything, and {', '.join(sorted(missing))} is left open")
        return self


Asked = TypeVar("Asked", bound=Request)


def decided(request: Request) -> Settings:
    """The settings that a request stands for: what it leaves open has its default."""
    return _checked(Settings, request.model_dump())


def request_from(tree: JsonMapping, source: str = "the settings") -> Request:
    """Check a nested mapping and make it a request.

    Args:
        tree: Any part of the tree.
        source: What to call the mapping in a message.

    Raises:
        SettingsError: Unknown keys and wrong values, all of them at once.
    """
    return _checked(Request, tree, source)


def _checked(kind: type[Asked], tree: JsonMapping, source: str = "the settings") -> Asked:
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        known = setting_names(Request)
        raise SettingsError.of(problems_of(error.errors(), source, Request, known)) from None


def changed(settings: Asked, changes: JsonMapping) -> Asked:
    """The request or the settings with other values, checked as always; what was left open stays open.

    Args:
        settings: As they were.
        changes: Values by the dotted paths of their settings; those of a section at once by its name.

    Raises:
        SettingsError: A path is unknown, or a value wrong.

    >>> changed(Request(), {"train.batch_size": 4, "seed": 1}).train.batch_size
    4
    """
    tree = settings.model_dump(exclude_unset=True)
    for path, value in changes.items():
        section, _, key = path.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[key] = value
    return _checked(type(settings), tree)


def over(base: JsonMapping, more: JsonMapping) -> JsonObject:
    """Both trees in one, copied; where both have a leaf, that of `more`, whose budget replaces another one.

    >>> over({"train": {"epochs": 3}, "seed": 1}, {"train": {"steps": 5}})
    {'train': {'epochs': None, 'steps': 5}, 'seed': 1}
    """
    result = {key: over(value, {}) if isinstance(value, Mapping) else value for key, value in base.items()}
    for key, value in more.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = over(below, value) if both else value  # type: ignore[arg-type] # which `both` tells
    budget = [name for name in BUDGETS if more.get(name) is not None]
    return result | {name: None for name in BUDGETS if budget and name in result and name not in budget}


def nested(tree: JsonMapping) -> JsonObject:
    """The tree with each dotted name at its place.

    >>> nested({"train.steps": 3, "train": {"ema": 0.9}})
    {'train': {'steps': 3, 'ema': 0.9}}
    """
    result: JsonObject = {}
    for path, value in tree.items():
        section, dot, key = str(path).partition(".")
        result = over(result, {section: nested({key: value})} if dot else {path: value})
    return result


def flat(tree: JsonMapping, prefix: str = "") -> JsonObject:
    """The leaves of a tree by their dotted path.

    >>> flat({"train": {"steps": 3}, "seed": 1})
    {'train.steps': 3, 'seed': 1}
    """
    leaves: JsonObject = {}
    for key, value in tree.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return leaves


def setting_names(part: type[BaseModel], prefix: str = "") -> list[str]:
    """The dotted paths of all settings of a part of the tree."""
    names = []
    for name, field in part.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, SettingsSection):
            names += setting_names(inner, f"{prefix}{name}.")
        else:
            names.append(prefix + name)
    return names
