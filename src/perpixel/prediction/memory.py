"""How much memory a prediction needs, told before it starts."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from perpixel.runtime.hardware import keep_freed_memory, one_arena, return_freed_memory

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


def weight_bytes(network: nn.Module) -> int:
    """Bytes of a network's parameters and buffers, those that layers share once."""
    return sum(each.nbytes for each in {*network.parameters(), *network.buffers()})


def activation_bytes(network: nn.Module, shape: tuple[int, int, int, int]) -> int:
    """The most bytes of feature maps that live at once while the network sees a batch; nothing is computed.

    Args:
        network: Left as it is: a copy without data is run.
        shape: Of the batch, (N, C, H, W).
    """
    tensors = [*network.parameters(), *network.buffers()]
    ghost = deepcopy(network, {id(each): each.detach().to("meta") for each in tensors})
    with torch.no_grad(), _LiveBytes() as live:
        ghost(torch.empty(shape, device="meta"))
    most: int = live.most
    return most


class _LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the storages that operators make, and takes them off when they are freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Sequence[Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._free, key, size)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _mb(size: int) -> int:
    return -(-size // 2**20)
