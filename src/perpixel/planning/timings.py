"""What the rules ask of the machine."""

from typing import Protocol

from perpixel.runtime.race import Race
from perpixel.settings.tree import Request


class Timings(Protocol):
    """Times the network of some settings; `perpixel.training.timing` answers."""

    def pixels(self, request: Request) -> float:
        """Pixels that training sees within the budget, timed where minutes are the budget."""

    def precisions(self, request: Request) -> Race | None:
        """A training step in float32, then in bfloat16; None where the device would emulate bfloat16."""

    def threads(self, request: Request) -> Race | None:
        """A training step with all threads of this process, then with half; None where it is not worth the time."""

    def memory_formats(self, request: Request) -> Race | None:
        """A training step with channels last, then with channels first; None where it is not worth the time."""
