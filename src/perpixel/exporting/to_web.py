"""One HTML page that segments images in the browser, opened from the disk and without a connection.

ONNX Runtime Web 1.30 (MIT) is part of the package, unchanged but compressed: `browser/*.gz`, with its licence beside.
"""

import base64
import gzip
import html
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from perpixel.errors import SettingsError
from perpixel.exporting.graphs import require_onnx
from perpixel.exporting.output import GraphOutput
from perpixel.exporting.parity import Parity
from perpixel.exporting.readme import write_readme
from perpixel.exporting.source import ExportSource
from perpixel.exporting.target import Target, WrittenModels
from perpixel.exporting.to_onnx import installed_graphs, write_model
from perpixel.files.parse import parse_json
from perpixel.runtime.json_values import JsonObject

PAGE: Final = "index.html"

USE: Final = """
Open `index.html` in a browser, by a double click: no server and no connection are needed. Drop an image on the page,
fade the mask in and out, and save the mask or its outlines. Chrome 80, Firefox 113 and Safari 16.4 or later.
"""


def page(source: ExportSource, model: bytes) -> str:
    """The whole page.

    Args:
        source: The run.
        model: The graph as ONNX.
    """
    return Template(_text("page.html")).substitute(
        title=html.escape(source.run.folder.name),
        runtime=gzip.decompress(_resource("ort.wasm.min.js.gz")).decode("utf-8"),
        card=json.dumps(_card(source)).replace("</", "<\\/"),
        model=_base64(gzip.compress(model, mtime=0)),
        wasm=_base64(_resource("ort-wasm-simd-threaded.wasm.gz")),
        loader=_base64(_resource("ort-wasm-simd-threaded.mjs.gz")),
        script=_text("page.js"),
    )


def _card(source: ExportSource) -> JsonObject:
    """What the page needs of the card."""
    card, options = source.card, source.predictor.options
    stored = parse_json(card.to_json(), "the card")
    return {
        **{key: stored[key] for key in ("codec", "tta", "align_px", "tile_px", "overlap_px")},
        "ratio": options.ratio.as_integer_ratio(),
        "whole_px": options.whole_px,
        "background": card.codec.labels.background,
        "thresholds": list(source.predictor.codec.thresholds),
    }


def _check(source: ExportSource) -> None:
    require_onnx()
    codec = source.card.codec
    if codec.dtype != "uint8" or codec.channels not in (1, 3):
        raise SettingsError(
            "a browser reads images of 8 bits with 1 or 3 channels; "
            f"this run was trained on {codec.channels} channels of {codec.dtype}.",
            fix="export for onnx and predict with `perpixel predict`.",
        )


def _write(source: ExportSource, folder: Path) -> WrittenModels:
    onnx = folder / "model.onnx"
    output = GraphOutput(source.card.codec.labels, source.predictor.codec.thresholds)
    tried = write_model(source, onnx, output)
    content = onnx.read_bytes()
    onnx.unlink()
    (folder / PAGE).write_text(page(source, content), encoding="utf-8")
    return WrittenModels((PAGE,), output, installed_graphs(content), tried=tried)


def _finish(source: ExportSource, folder: Path, parities: Sequence[Parity]) -> None:
    write_readme(source, folder, parities, USE)
    (folder / "LICENSE-onnxruntime-web").write_bytes(_resource("LICENSE-onnxruntime-web"))


def _resource(name: str) -> bytes:
    return (files("perpixel.exporting") / "browser" / name).read_bytes()


def _text(name: str) -> str:
    return _resource(name).decode("utf-8")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


WEB: Final = Target(
    summary="a page that segments images in the browser, without a server or a connection",
    check=_check,
    precisions=("float32", "fp16", "int8"),
    write=_write,
    finish=_finish,
)
