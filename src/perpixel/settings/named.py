"""Settings that name a loss or a metric, with its options."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from perpixel.runtime.json_values import Json, JsonObject


class SettingsSection(BaseModel):
    """A frozen part of the tree that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def monitor_given(given: Json) -> Json:
    """A name, or a mapping with options; both must name a metric that validation has."""
    if isinstance(given, MonitorSettings):
        return given
    name = given.get("name") if isinstance(given, Mapping) else given
    if not isinstance(name, str):
        raise ValueError("neither a metric nor a mapping such as {name: iou, class: cell}")
    if name not in (known := _monitored()):
        expected = ", ".join(map(repr, known))
        raise PydanticCustomError(
            "literal_error", "input should be {expected}", {"expected": expected, "given": name}
        )
    return given["name"] if isinstance(given, Mapping) and given.keys() == {"name"} else given


def _monitored() -> tuple[str, ...]:
    from perpixel.metrics.metric_table import metrics_of  # numpy, which `perpixel --help` has no need of

    return (*metrics_of("dataset"), *metrics_of("class"), "loss")


class _WithOptions(SettingsSection):
    """A name and the options of what is named."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, bool | float | str]

    name: str

    @property
    def options(self) -> JsonObject:
        """The keyword arguments of what is named."""
        return dict(self.model_extra or {})

    def __str__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"{self.name}{f'({options})' if options else ''}"


class MonitorSettings(_WithOptions):
    """The metric that chooses the best weights, with its options: `class`, for one class, and those of the metric."""

    __pydantic_extra__: dict[str, bool | int | float | str]  # a class may be called 3


class LossSettings(_WithOptions):
    """One term of the loss: its name, its weight, and the options of that loss, such as alpha of tversky."""

    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0

    def __str__(self) -> str:
        return f"{'' if self.weight == 1 else f'{self.weight:g} × '}{super().__str__()}"


def loss_terms(given: Json) -> Json:
    """Terms as mappings: from names, from weights by name, or as they are."""
    if isinstance(given, Mapping) and "name" not in given:
        return [{"name": name, "weight": weight} for name, weight in given.items()]
    terms = [given] if isinstance(given, str | Mapping) else given
    if not isinstance(terms, list | tuple):
        return terms
    return [{"name": each} if isinstance(each, str) else each for each in terms]
