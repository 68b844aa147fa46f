"""One term of a loss: its name, its weight and its options."""

from dataclasses import dataclass, field

from perpixel.runtime.json_values import JsonMapping


@dataclass(frozen=True)
class LossTerm:
    """One loss of a weighted sum.

    Args:
        name: As in `LOSSES`.
        weight: What it is multiplied by, from 0 up.
        options: Its keyword arguments, such as {"alpha": 0.3, "beta": 0.7} of tversky.
    """

    name: str
    weight: float = 1.0
    options: JsonMapping = field(default_factory=dict)
