"""Let torchvision's Python half be imported where its compiled operators do not load.

torchvision registers fake kernels for two of its compiled operators at import, and fails when they are
missing: so it does beside a torch build that it was not compiled for, a CPU build for example. timm,
torchmetrics and segmentation_models_pytorch import it. perpixel uses none of its operators.
"""

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a library that is collected takes its operators with it


def prepare_torchvision() -> None:
    """Make `import torchvision` safe: load its operators, or declare the two that it asks for at import.

    Does nothing where torchvision is absent or already usable; calling it again does nothing.
    """
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None or _knows_nms() or _load_operators(Path(spec.origin).parent):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)


def _knows_nms() -> bool:
    return hasattr(torch.ops.torchvision, "nms")


def _load_operators(package: Path) -> bool:
    for path in package.glob("_C*.*"):
        try:
            torch.ops.load_library(path)  # type: ignore[no-untyped-call]
        except (OSError, ImportError):
            continue
        return _knows_nms()
    return False
