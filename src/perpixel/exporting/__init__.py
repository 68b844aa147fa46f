"""Exports of a run: one folder for each place where people work, proved against PyTorch before it is there.

export_run(run, "bundle", target="onnx")   model.onnx, card.json, parity.json, example.py, README.md
"""

from perpixel.exporting.export_folder import Exported, export_run
from perpixel.exporting.targets import TARGETS

__all__ = ["TARGETS", "Exported", "export_run"]
