"""How much memory a prediction needs, told before it starts."""

from dataclasses import dataclass
from typing import Final

from perpixel.runtime.allocator import keep_freed_memory, one_arena, return_freed_memory

PROCESS_BYTES: Final = 340 * 2**20
"""Python, torch and the libraries of images, before anything is read."""

MAPS_KEPT: Final = 2
"""Times the feature maps on a CPU where freed ones are kept, for the next do not all fit in."""


def keeps_freed_memory(tiles: int) -> bool:
    """Whether this process keeps the memory that the networks free while they see an image of so many tiles.

    To fetch it anew takes as long as the networks; but threads around tiles let it grow in several arenas.
    """
    return tiles == 1 or one_arena()


def settle_freed_memory(tiles: int) -> None:
    """Tell the allocator what `keeps_freed_memory` says."""
    (keep_freed_memory if keeps_freed_memory(tiles) else return_freed_memory)()


@dataclass(frozen=True)
class MemoryNeed:
    """About how many bytes a prediction holds at most, by what holds them; see `ArrayPredictor.memory_need`.

    Args:
        weights: Of the networks; as much again while they are loaded, before the rest is needed.
        feature_maps: Of the network, for one batch; on a CPU those that are kept for an image seen whole, too.
        tiles: Read ahead and waiting to be written.
        rows: Between two rows of tiles, over the width of the image.
        pictures: Held whole, because their format is written or read at once.
        device: Where the weights and the feature maps lie.
    """

    weights: int
    feature_maps: int
    tiles: int
    rows: int
    pictures: int = 0
    device: str = "cpu"

    @property
    def total(self) -> int:
        """All together, with the process itself; weights and feature maps only where they lie in main memory."""
        lasting = PROCESS_BYTES + self.tiles + self.rows + self.pictures
        if self.device != "cpu":
            return lasting + self.weights
        return PROCESS_BYTES + self.weights + max(self.weights, lasting - PROCESS_BYTES + self.feature_maps)

    def __str__(self) -> str:
        """One sentence in MB (2²⁰ bytes).

        >>> print(MemoryNeed(weights=30 * 2**20, feature_maps=428 * 2**20, tiles=70 * 2**20, rows=2**20))
        about 869 MB of memory: 340 the process, 30 weights, 428 feature maps, 70 tiles, 1 rows between tiles
        """
        parts = {
            "the process": PROCESS_BYTES,
            "weights": self.weights,
            "feature maps": self.feature_maps,
            "tiles": self.tiles,
            "rows between tiles": self.rows,
            "pictures held whole": self.pictures,
        }
        if self.device != "cpu":
            del parts["feature maps"]
        told = ", ".join(f"{_mb(part):,} {name}" for name, part in parts.items() if part)
        beside = f"; {_mb(self.weights + self.feature_maps):,} MB on {self.device}" if self.device != "cpu" else ""
        return f"about {_mb(self.total):,} MB of memory: {told}{beside}"


def _mb(size: int) -> int:
    return -(-size // 2**20)
