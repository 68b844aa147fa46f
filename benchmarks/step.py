"""How long a training step of the default network lasts, in turns with the forms that it had or could have.

`python benchmarks/step.py --crops 8 --side 256 --rounds 8` prints seconds and ratios as a table: the median over the
rounds of the ratio to the first form, which is what perpixel trained before.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from perpixel.models import DEFAULT_ENCODER, DEFAULT_MODEL, SegmentationModel, build
from perpixel.models.blocks import ConvolutionStyle, convolution
from perpixel.planning.rules import FROZEN_STAGES
from perpixel.settings.tree import TrainSettings, request_from
from perpixel.training.optimiser import optimiser_for
from perpixel.training.step import freeze, set_training_mode

CHANNELS = 3


@dataclass(frozen=True)
class Form:
    """A form of the network.

    Args:
        norm: Whose statistics its encoder takes.
        is_separable: Whether its last stage is.
        frozen_stages: Stages of the encoder that keep their weights.
        encoder: Its name.
        optimiser: Its name.
    """

    norm: str
    is_separable: bool = True
    frozen_stages: int = 0
    encoder: str = DEFAULT_ENCODER
    optimiser: str = "adamw"

    @property
    def settings(self) -> TrainSettings:
        """As a training has them."""
        names = "optimiser", "frozen_stages"
        given = {"steps": 1, "encoder_norm": self.norm, **{name: getattr(self, name) for name in names}}
        return request_from({"train": given}).train


FORMS = {
    "whole last stage, statistics of each batch": Form("batch", is_separable=False),
    "separable last stage, statistics of each batch": Form("batch"),
    "whole last stage, frozen statistics": Form("frozen", is_separable=False),
    "separable last stage, frozen statistics": Form("frozen"),
    "and its first two stages frozen": Form("frozen", frozen_stages=2),
    "and its first three stages frozen": Form("frozen", frozen_stages=FROZEN_STAGES),
    "and moved by Muon (the plan's)": Form("frozen", frozen_stages=FROZEN_STAGES, optimiser="muon"),
    "the plan's on EfficientNet-lite1": Form("frozen", True, FROZEN_STAGES, "efficientnet_lite1", "muon"),
    "the plan's on EfficientNet-lite2": Form("frozen", True, FROZEN_STAGES, "efficientnet_lite2", "muon"),
}


def network_of(form: Form) -> SegmentationModel:
    """The default network in a form, ready to learn."""
    torch.manual_seed(0)
    network = build(DEFAULT_MODEL, encoder=form.encoder, in_channels=CHANNELS, classes=2)
    if not form.is_separable:
        last: nn.Module = network.get_submodule("ups")[-1]
        first = last.convolutions[0]
        last.convolutions = convolution(first.in_channels, last.convolutions[1].out_channels, ConvolutionStyle())
    freeze(network, form.settings, CHANNELS)
    set_training_mode(network, form.settings)
    return network.to(memory_format=torch.channels_last)


def step_of(form: Form, crops: int, side: int) -> Callable[[], None]:
    """A whole training step in float32: loss, gradients, optimiser."""
    network = network_of(form)
    optimiser = optimiser_for(network, form.settings)
    image = torch.randn(crops, CHANNELS, side, side).contiguous(memory_format=torch.channels_last)
    target = torch.randint(0, 2, (crops, side, side))

    def step() -> None:
        optimiser.zero_grad()
        F.cross_entropy(network.training_outputs(image)["logits"], target).backward()
        optimiser.step()

    return step


def main() -> None:
    """Take steps in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crops", type=int, default=8)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=8)
    asked = parser.parse_args()
    steps = {name: step_of(form, asked.crops, asked.side) for name, form in FORMS.items()}
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(asked.rounds):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - start)
    first = next(iter(seconds.values()))
    print(f"{asked.crops} crops of {asked.side}², {torch.get_num_threads()} threads\n")
    print("| form | seconds | times as fast |\n|---|---:|---:|")
    for name, times in seconds.items():
        ratio = statistics.median(a / b for a, b in zip(first, times, strict=True))
        print(f"| {name} | {statistics.median(times):.3f} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
