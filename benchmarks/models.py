"""Training steps and predictions per second, beside the tutorials' networks and segmentation_models.pytorch's.

    python benchmarks/models.py [--rounds 5] [--only NAME ...] > benchmarks/models.md

Every variant of a network runs in its own process, because the allocator's settings hold for a process; the
processes take turns, step by step, so that a slow moment of the machine meets all of them. Seconds are those of the
processor, user's and system's, on one thread: other work on the machine is not counted. The fastest of the rounds
counts. Memory is measured in processes of its own, which give every freed block back at once: the peak
during training beyond what the process held before its first step.
"""

import argparse
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.models import build
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.runtime.hardware import (
    automatic_memory_format,
    automatic_precision,
    keep_freed_memory,
    return_freed_memory,
)
from transcriptions import FCN, NestedUNet, ReflectUNet, SimpleUNet


@dataclass(frozen=True)
class Contest:
    """One network in its three makes; the input is (batch, 3, size, size)."""

    ours: Callable[[], nn.Module]
    theirs: Callable[[], nn.Module]
    peer: str
    size: int = 96
    batch: int = 2


def torchvision_fcn() -> nn.Module:
    prepare_torchvision()
    import torchvision

    return torchvision.models.segmentation.fcn_resnet50(
        weights=None, weights_backbone=None, num_classes=2, aux_loss=True
    )


def smp(architecture: str, encoder: str) -> nn.Module:
    prepare_torchvision()
    import segmentation_models_pytorch

    return segmentation_models_pytorch.create_model(architecture, encoder, encoder_weights=None, classes=2)


CONTESTS = {
    "tutorial FCN, VGG16": Contest(
        ours=lambda: build("fcn_tutorial", in_channels=3, classes=2),
        theirs=FCN,
        peer="the tutorial",
    ),
    "FCN-ResNet50": Contest(
        ours=lambda: build("fcn_resnet50", in_channels=3, classes=2),
        theirs=torchvision_fcn,
        peer="torchvision",
    ),
    "U-Net 7.8 M, no norm, bilinear": Contest(
        ours=lambda: build("unet", in_channels=3, classes=2, depth=3, norm="none", upsampling="bilinear_corners"),
        theirs=SimpleUNet,
        peer="the tutorial",
    ),
    "U-Net 31 M, reflect, batch norm": Contest(
        ours=lambda: build("unet", in_channels=3, classes=2, padding="reflect", dropout=0.3, activation="leaky_relu"),
        theirs=ReflectUNet,
        peer="the tutorial",
    ),
    "U-Net++ 9.2 M, deep supervision": Contest(
        ours=lambda: build("unetplusplus", in_channels=3, classes=2, supervision="mean"),
        theirs=NestedUNet,
        peer="the tutorial",
    ),
    "U-Net on ResNet-34, full decoder": Contest(
        ours=lambda: build("unet", in_channels=3, classes=2, encoder="resnet34", decoder="full"),
        theirs=lambda: smp("unet", "resnet34"),
        peer="smp.Unet",
    ),
    "U-Net++ on ResNet-34": Contest(
        ours=lambda: build("unetplusplus", in_channels=3, classes=2, encoder="resnet34"),
        theirs=lambda: smp("unetplusplus", "resnet34"),
        peer="smp.UnetPlusPlus",
    ),
    "default: U-Net on EfficientNet-lite0": Contest(
        ours=lambda: build("unet", in_channels=3, classes=2, encoder="efficientnet_lite0"),
        theirs=lambda: smp("unet", "tu-tf_efficientnet_lite0"),
        peer="smp.Unet, same encoder",
        size=192,
    ),
}
VARIANTS = ("theirs", "plain", "automatic")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", default=list(CONTESTS), choices=CONTESTS)
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    print(heading(options.rounds))
    for name in options.only:
        print(row(name, options.rounds), flush=True)


def heading(rounds: int) -> str:
    precision = automatic_precision("cpu")
    features = ", ".join(name for name in ("avx512", "amx_bf16", "avx512_bf16") if name in cpu_flags())
    return f"""# Networks: speed and memory

`python benchmarks/models.py --rounds {rounds}` on one thread of {platform.machine()}
({features or "no special instructions"}), torch {torch.__version__}, processor seconds,
the fastest of {rounds} interleaved rounds. "plain" is perpixel in float32, contiguous, with glibc's
allocator as it is; "automatic" as it sets itself: here precision {precision}, channels last, freed memory kept.
Time ratios above 1 and memory ratios below 1 are in perpixel's favour.

| network | beside | train, s: theirs | plain | automatic | predict, s: theirs | plain | automatic | \
train ratio plain | automatic | predict ratio plain | automatic | train memory, MiB: theirs | plain | ratio |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def cpu_flags() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return file.read()


def row(name: str, rounds: int) -> str:
    workers = {variant: start(name, variant) for variant in VARIANTS}
    seconds = {(variant, job): float("inf") for variant in VARIANTS for job in ("train", "predict")}
    for job in ("train", "predict"):
        for turn in range(rounds + 1):
            for variant, worker in workers.items():
                took = ask(worker, job)
                if turn:  # the first warms up
                    seconds[variant, job] = min(seconds[variant, job], took)
    for worker in workers.values():
        worker.communicate("quit\n")
    memory = {variant: training_memory(name, variant) for variant in VARIANTS[:2]}
    cells = [name, CONTESTS[name].peer]
    for job in ("train", "predict"):
        cells += [f"{seconds[variant, job]:.3f}" for variant in VARIANTS]
    for job in ("train", "predict"):
        cells += [f"{seconds['theirs', job] / seconds[variant, job]:.2f}" for variant in VARIANTS[1:]]
    cells += [f"{memory['theirs']:.0f}", f"{memory['plain']:.0f}", f"{memory['plain'] / memory['theirs']:.2f}"]
    return "| " + " | ".join(cells) + " |"


def training_memory(name: str, variant: str) -> float:
    worker = start(name, variant, lean=True)
    ask(worker, "train")
    ask(worker, "train")
    mib = ask(worker, "memory")
    worker.communicate("quit\n")
    return mib


def start(name: str, variant: str, *, lean: bool = False) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--worker", name, variant, "lean" if lean else "fast"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: "subprocess.Popen[str]", question: str) -> float:
    worker.stdin.write(question + "\n")
    worker.stdin.flush()
    return float(worker.stdout.readline())


def work(name: str, variant: str, allocation: str) -> None:
    """Answer each question on standard input with a number on standard output."""
    contest = CONTESTS[name]
    torch.set_num_threads(1)
    torch.manual_seed(0)
    automatic = variant == "automatic"
    if allocation == "lean":
        return_freed_memory()
    elif automatic:
        keep_freed_memory()
    layout = automatic_memory_format("cpu") if automatic else torch.contiguous_format
    bf16 = automatic and automatic_precision("cpu").startswith("bf16")
    model = (contest.theirs if variant == "theirs" else contest.ours)().to(memory_format=layout)
    image = torch.rand(contest.batch, 3, contest.size, contest.size).to(memory_format=layout)
    target = (image[:, 0] > 0.5).long()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    before = peak_mib()
    for question in sys.stdin:
        started = time.process_time()
        match question.strip():
            case "train":
                with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    total = loss(model.train(), image, target)
                total.backward()
                optimizer.step()
                optimizer.zero_grad()
                answer = time.process_time() - started
            case "predict":
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                    model.eval()(image)
                answer = time.process_time() - started
            case "memory":
                answer = peak_mib() - before
            case _:
                return
        print(answer, flush=True)


def loss(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Cross entropy, over all heads with their weights."""
    if hasattr(model, "training_outputs"):
        outputs = model.training_outputs(image)
        return sum(model.loss_weights[name] * F.cross_entropy(outputs[name], target) for name in outputs)
    outputs = model(image)
    if isinstance(outputs, dict):
        return F.cross_entropy(outputs["out"], target) + 0.5 * F.cross_entropy(outputs["aux"], target)
    if isinstance(outputs, list):
        return sum(F.cross_entropy(output, target) for output in outputs) / len(outputs)
    return F.cross_entropy(outputs, target)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
