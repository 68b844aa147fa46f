"""The server and its page in figures, on Linux with Chromium: PYTHONPATH=tests python benchmarks/serving.py RUN."""

import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image

from devtools import Tab, chromium
from perpixel.prediction.load import load_predictor

ROUNDS = 25
LARGE_PX = 20_000
PAN = """
const { view } = await import("/static/app.js");
view.zoom(%s / view.scale);
const drawn = [], frames = [];
const draw = view.draw.bind(view);
view.draw = () => { const begin = performance.now(); draw(); drawn.push(performance.now() - begin); };
let last = null;
await new Promise((resolve) => {
  const step = (now) => {
    if (last !== null) frames.push(now - last);
    last = now;
    view.pan(-23, -11);
    if (frames.length < 300) requestAnimationFrame(step); else resolve();
  };
  requestAnimationFrame(step);
});
view.draw = draw;
const rank = (list, share) => [...list].sort((a, b) => a - b)[Math.floor(share * (list.length - 1))];
return { draw: [rank(drawn, 0.5), rank(drawn, 0.95)], frame: [rank(frames, 0.5), rank(frames, 0.95)],
  tiles: view.store.tiles.size };
"""


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """A server in a process of its own: the process, its address, and when it was started."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "perpixel", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().split()[1], begin
    finally:
        process.terminate()
        process.wait(60)


def main(run: str) -> None:
    torch.set_num_threads(1)
    load_told = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print("# The server and its page\n")
    print(
        f"Python {platform.python_version()}, torch {torch.__version__}, one thread; other work ran: {load_told}.\n"
    )
    print("| what | figure |\n|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
        for side in (512, 1024):
            (folder / str(side)).mkdir()
            large = pixels.repeat(side // 32, 0).repeat(side // 32, 1)
            Image.fromarray(large).save(folder / str(side) / "image.png")
        first_page(run)
        round_trip(run, folder / "512" / "image.png")
        preview(folder)
        panning(folder)


def row(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def first_page(run: str) -> None:
    with serving("serve", run) as (process, url, begin):
        urllib.request.urlopen(url).read()
        page, busy = time.perf_counter() - begin, processor_seconds(process)
        urllib.request.urlopen(f"{url}v1/model").read()
        model = time.perf_counter() - begin
    row("from the start of the process to the first page", f"{page:.2f} s ({busy:.2f} s of the processor)")
    row("to the model", f"{model:.2f} s")


def round_trip(run: str, image: Path) -> None:
    """Prediction of 512² pixels over the connection and in the process, in turn."""
    predictor, pixels, body = load_predictor(Path(run)), np.asarray(Image.open(image)), image.read_bytes()

    with serving("serve", run) as (_, url, _):

        def asked() -> None:
            request = urllib.request.Request(f"{url}v1/predict", body, method="POST")
            with urllib.request.urlopen(request, timeout=300) as answer:
                answer.read()

        asked()
        predictor.predict(pixels)
        pairs = [(seconds(asked), seconds(lambda: predictor.predict(pixels))) for _ in range(ROUNDS)]
    ours, alone = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(there / here for there, here in pairs)
    row(
        "POST /v1/predict of 512²",
        f"{1000 * ours:.0f} ms; `Predictor.predict` {1000 * alone:.0f} ms; {ratio:.2f} times",
    )


def preview(folder: Path) -> None:
    """From a stroke to the new version of the preview, 1024²."""
    images = folder / "1024"
    with serving("annotate", str(images), "--classes", "a,b", "--out", str(folder / "labels")) as (process, url, _):
        image = asked_json(url, "GET", "/v1/images")["images"][0]["id"]
        path, box = f"/v1/images/{image}", {"top": 0, "left": 0, "bottom": 1024, "right": 1024}
        took, busy = [], []
        for k in range(12):
            points = [[40.0 + 70 * k, 100.0 + 400 * (k % 2)], [90.0 + 70 * k, 300.0 + 400 * (k % 2)]]
            stroke = {"tool": "brush", "class_index": k % 2, "points": points, "radius": 6}
            begin, before = time.perf_counter(), processor_seconds(process)
            asked_json(url, "POST", f"{path}/labels/strokes", stroke)
            if k:
                asked_json(url, "POST", f"{path}/preview", box)
                took.append(time.perf_counter() - begin)
                busy.append(processor_seconds(process) - before)
    first = f"{took[0]:.2f} s ({busy[0]:.2f} s of the processor)"
    row("stroke and preview on 1024², the first (weights, features)", first)
    others = [statistics.median(each[1:]) for each in (took, busy)]
    row("the next ones, median", "{:.2f} s ({:.2f} s of the processor)".format(*others))


def panning(folder: Path) -> None:
    """Frames while an image of LARGE_PX² moves by 23 and 11 pixels each, and the memory of the server."""
    images = folder / "large"
    write_large(images / "large.tif")
    with (
        serving("annotate", str(images), "--classes", "a,b", "--out", str(folder / "none")) as (process, url, _),
        chromium(folder / "chromium") as tab,
    ):
        tab.open(url)
        tab.wait("(await import('/static/app.js')).view.store.tiles.size", 60)
        wait_for_tiles(tab)
        before = resident_mb(process)
        for scale, what in ((1.0, "at full resolution"), (0.1, "at a tenth")):
            tab.evaluate(PAN % scale)  # its tiles come
            found = tab.evaluate(PAN % scale)
            drawn, frame = ("{:.1f} ms, 95 % {:.1f} ms".format(*found[key]) for key in ("draw", "frame"))
            row(f"{LARGE_PX:,}², panning {what}: drawing a frame", drawn)
            row("from frame to frame", frame)
        for _ in range(6):
            tab.evaluate(PAN % 1.0)
        wait_for_tiles(tab)
        row("memory of the server before and after", f"{before:.0f} MB, {resident_mb(process):.0f} MB")


def wait_for_tiles(tab: Tab) -> None:
    tab.wait("!(await import('/static/app.js')).view.store.isBusy", 300)


def write_large(path: Path) -> None:
    path.parent.mkdir()
    tile = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    tiles = (tile for _ in range((-(-LARGE_PX // 512)) ** 2))
    shape = (LARGE_PX, LARGE_PX, 3)
    tifffile.imwrite(path, tiles, shape=shape, dtype=np.uint8, tile=(512, 512), compression="zlib", photometric="rgb")


def asked_json(url: str, method: str, path: str, body: object = None) -> dict:
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url.rstrip("/") + path, content, headers, method=method)
    with urllib.request.urlopen(request, timeout=300) as answer:
        return json.load(io.TextIOWrapper(answer, "utf-8"))


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def processor_seconds(process: subprocess.Popen[str]) -> float:
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(process: subprocess.Popen[str]) -> float:
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
