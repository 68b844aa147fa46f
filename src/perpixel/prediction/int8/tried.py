"""What a search for layers that bear a lower precision tries, and what each choice gave."""

from dataclasses import asdict, dataclass
from typing import Final, TypeVar

from perpixel.runtime.json_values import JsonObject

Layer = TypeVar("Layer")

MOST_LOST: Final = 0.005
"""Of the mean IoU on validation images."""


@dataclass(frozen=True)
class Tried:
    """One way of lowering the precision, and what it gave.

    Args:
        layers: Which were changed.
        mean_iou: On validation images.
        lost: How much less than in float32.
        times_as_fast: As the same network in float32, by the same library on this machine.
    """

    layers: str
    mean_iou: float
    lost: float
    times_as_fast: float

    @property
    def holds(self) -> bool:
        """Whether it loses little enough."""
        return self.lost <= MOST_LOST

    def __str__(self) -> str:
        """A line of the table."""
        return (
            f"{self.layers}: mean IoU {self.mean_iou:.4f} ({-self.lost:+.4f}), "
            f"{self.times_as_fast:.2f} times as fast as float32"
        )

    def to_dict(self) -> JsonObject:
        """For JSON."""
        return {**asdict(self), "holds": self.holds}


def layer_choices(
    ends: set[Layer], depthwise: set[Layer], *, every: set[Layer], outside: frozenset[Layer] = frozenset()
) -> dict[str, set[Layer]]:
    """The layers that stay in float32, by what is quantised: the usual culprits, alone and together.

    Args:
        ends: The first and the last convolution of each network.
        depthwise: Those that look at each channel alone.
        every: All convolutions.
        outside: Those that are never quantised.

    Returns:
        Distinct choices, each of which quantises something.
    """
    choices = {
        "all convolutions": outside,
        "all but the first and last": outside | ends,
        "all but depthwise ones": outside | depthwise,
        "all but first, last and depthwise ones": outside | ends | depthwise,
    }
    distinct = {frozenset(kept): layers for layers, kept in reversed(choices.items())}
    return {layers: set(kept) for kept, layers in reversed(distinct.items()) if kept < every}
