"""How many bytes a network of PyTorch takes, known before it runs."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


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
