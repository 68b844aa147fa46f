"""A plan: every setting that decides a training, and why it has its value."""

from dataclasses import dataclass
from typing import Final

from perpixel.planning.facts import Facts
from perpixel.planning.rules import RULES
from perpixel.planning.timings import Timings
from perpixel.runtime.json_values import Json
from perpixel.settings.text import as_yaml
from perpixel.settings.tree import Request, Settings, changed, decided

LEFT_OPEN: Final[tuple[Json, ...]] = ("auto", "balanced", {}, ())
"""Values that ask for the plan's own."""

AS_ASKED: Final = "as asked for"
"""The reason of what the user has set."""


@dataclass(frozen=True)
class Choice:
    """One setting, decided.

    Args:
        key: Its dotted path.
        value: Its value.
        reason: Why, in words.
    """

    key: str
    value: Json
    reason: str

    @property
    def is_asked(self) -> bool:
        """Whether the user has set it."""
        return self.reason == AS_ASKED

    @property
    def shown(self) -> str:
        """The value as a person reads it, and writes it in YAML."""
        if self.key == "train.loss":
            return " + ".join(map(str, self.value))
        return as_yaml(self.value)

    def __str__(self) -> str:
        return f"{self.key} = {self.shown}: {self.reason}."


@dataclass(frozen=True)
class Plan:
    """Settings in which everything but the number of steps is decided, and the choices that made them."""

    settings: Settings
    choices: tuple[Choice, ...]


def plan_for(request: Request, facts: Facts, timings: Timings) -> Plan:
    """Decide by RULES what was not set; what was set is kept and may decide other values.

    Args:
        request: What the user asked for.
        facts: What the data are.
        timings: Times the network on this machine, where a rule asks.
    """
    choices = []
    for key, rule in RULES.items():
        section, _, name = key.partition(".")
        part = getattr(request, section)
        given = getattr(part, name)
        if name in part.model_fields_set and given not in LEFT_OPEN:
            choices.append(Choice(key, given, AS_ASKED))
            continue
        value, reason = rule(facts, request, timings)
        request = changed(request, {key: value})
        choices.append(Choice(key, getattr(getattr(request, section), name), reason))
    return Plan(decided(request), tuple(choices))
