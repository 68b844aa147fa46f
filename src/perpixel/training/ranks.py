"""The processes that train one network together: what each does alone, and what they agree on."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from perpixel.errors import PerpixelError, Problem, RunError, SettingsError
from perpixel.language.notices import LOGGER
from perpixel.metrics import Counts
from perpixel.runtime.distributed import started_processes
from perpixel.runtime.hardware import Device, chosen_device, refuse_missing_devices
from perpixel.settings.tree import TrainSettings
from perpixel.shapes import AnyArray
from perpixel.training.validation import Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric


T = TypeVar("T")
Held = TypeVar("Held", Tensor, nn.Module)


class Ranks:
    """The processes of one training, each with its number; a single one communicates with nobody.

    Every method but `share` and `to_device` is called by all of them at the same point.

    Args:
        device: Where this one computes.
        fabric: Launched, for several; it takes seconds to load, which one process does without.

    Attributes:
        number: How many there are.
        rank: This one's number, from 0.
    """

    def __init__(self, device: Device, fabric: "Fabric | None" = None) -> None:
        self._device = device
        self._fabric = fabric
        self.number = 1 if fabric is None else fabric.world_size
        self.rank = 0 if fabric is None else fabric.global_rank

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.rank == 0

    def to_device(self, held: Held) -> Held:
        """A tensor, or a network with all of its tensors, where this process computes."""
        if self._fabric is None:
            return held.to(self._device, non_blocking=self._device == "cuda")
        return self._fabric.to_device(held)

    def joined(self, network: nn.Module, optimiser: Optimizer) -> tuple[Any, Any]:
        """What calls a network and its optimiser so that all processes take the same steps."""
        if self._fabric is None:
            return network, optimiser
        module, stepper = self._fabric.setup(network, optimiser)
        module.mark_forward_method("training_outputs")
        return module, stepper

    def backward(self, loss: Tensor) -> None:
        """Add a loss's gradients to the parameters, the mean over all processes."""
        if self._fabric is None:
            loss.backward()  # type: ignore[no-untyped-call] # of torch
        else:
            self._fabric.backward(loss)

    def without_exchange(self, module: Any) -> AbstractContextManager[Any]:
        """Keep gradients in their process, where more of the batch follows."""
        return nullcontext() if self._fabric is None else self._fabric.no_backward_sync(module)

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part of a list."""
        return items[self.rank :: self.number]

    def reduce(self, sums: Tensor) -> Tensor:
        """Sum over all processes with gradients, for losses: see `perpixel.losses.Reduce`.

        Each process has the sum's whole gradient, so that DDP's mean over processes is the gradient of a loss made
        of such sums.
        """
        if self.number == 1:
            return sums
        total: Tensor = _Sum.apply(sums)  # type: ignore[no-untyped-call]
        return total

    def total(self, values: AnyArray) -> AnyArray:
        """Sum of an int64 or float64 array over all processes; exact for int64."""
        if self.number == 1:
            return values
        tensor = self.to_device(torch.from_numpy(np.array(values)))
        torch.distributed.all_reduce(tensor)
        summed: AnyArray = tensor.cpu().numpy()
        return summed

    def total_counts(self, counts: Counts) -> Counts:
        """Counts over all processes."""
        if counts.confusion is not None:
            return Counts.of_confusion(self.total(counts.confusion))
        columns = (counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative)
        return Counts(*self.total(np.stack(columns)))

    def total_validation(self, mine: Validation) -> Validation:
        """Score over the images of all processes."""
        losses, pixels = self.total(np.array(list(mine.losses.values()))), self.total(np.array(mine.pixels))
        named = dict(zip(mine.losses, losses.tolist(), strict=True))
        return Validation(named, int(pixels), self.total_counts(mine.counts))

    def any(self, flag: bool) -> bool:
        """Whether one of them says so."""
        return bool(self.total(np.array(int(flag))))

    def first(self, value: T) -> T:
        """What the first process has."""
        return value if self._fabric is None else self._fabric.broadcast(value)

    def once(self, make: Callable[[], T]) -> T:
        """Let the first process do it; all get the result, or its PerpixelError."""
        if self._fabric is None:
            return make()
        result: T | None = None
        failure: tuple[type[PerpixelError], tuple[Problem, ...]] | None = None
        if self.is_first:
            try:
                result = make()
            except PerpixelError as error:
                failure = type(error), error.problems
        result, failure = self._fabric.broadcast((result, failure))
        if failure is not None:
            raise failure[0].of(failure[1])
        return result  # type: ignore[return-value] # None only where make gave it

    def equalise(self, network: nn.Module) -> None:
        """Give all processes the batch statistics of the first, as every step of DDP begins."""
        if self.number > 1:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, 0)

    @contextmanager
    def together(self, doing: str, fix: str) -> Iterator[None]:
        """Tell it as a RunError where another process is lost."""
        try:
            yield
        except RuntimeError as error:
            if self.number == 1:
                raise
            reason = str(error).strip().splitlines()[0]
            raise RunError(
                f"process {self.rank} of {self.number} lost another one while {doing}: {reason}", fix=fix
            ) from error


class _Sum(torch.autograd.Function):
    """The sum over all processes; the gradient of every process's term is the sum of the gradients."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def ranks_for(train: TrainSettings) -> Ranks:
    """Join the processes that torchrun or SLURM started, or start them where `train.devices` asks for several.

    Raises:
        SettingsError: The devices are not there, or not as many as the processes; or a batch does not go round.
    """
    device = chosen_device(train.device)
    started = started_processes()
    if started is not None and train.devices not in (None, started.on_this_machine):
        raise SettingsError(
            f"train.devices = {train.devices}, but {started.on_this_machine} processes were started on this machine.",
            fix="leave train.devices out: each process takes a device.",
        )
    devices, machines = (started.on_this_machine, started.machines) if started else (train.devices or 1, 1)
    refuse_missing_devices(device, devices)
    if train.batch_size < devices * machines:
        raise SettingsError(
            f"batch size {train.batch_size} is smaller than the {devices * machines} processes.",
            fix=f"set train.batch_size to {devices * machines} or more; it is the batch of all of them together.",
        )
    return _joined(device, devices, machines)


@cache
def _joined(device: Device, devices: int, machines: int) -> Ranks:
    """Processes can be started and joined only once."""
    if devices * machines == 1:
        return Ranks(device)
    from lightning_fabric import Fabric  # late: it loads PyTorch's compiler, and mistakes are told before

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # a greeting of five lines
    fabric = Fabric(accelerator=device, devices=devices, num_nodes=machines, strategy="ddp")
    fabric.launch()
    ranks = Ranks(device, fabric)
    if not ranks.is_first:
        LOGGER.setLevel(logging.ERROR)
    return ranks
