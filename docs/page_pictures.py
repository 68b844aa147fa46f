"""Draw the pictures of the page in Chromium: PYTHONPATH=tests python docs/page_pictures.py RUN OTHER IMAGES MASKS."""

import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import numpy as np
from PIL import Image
from skimage.morphology import skeletonize

from devtools import Tab, chromium
from page_tools import canvas_place
from perpixel.prediction.load import load_predictor
from served import served

FOLDER = Path(__file__).parent / "images"
STROKES = 9


def main(run: Path, other: Path, images: Path, masks: Path) -> None:
    """Draw the pictures of a run, of a comparison with another run, and of labelling."""
    with tempfile.TemporaryDirectory() as name, chromium(Path(name) / "chromium") as tab:
        looked_at, labelled = (copytree(images, Path(name) / each) for each in ("looked-at", "labelled"))
        with served(run, looked_at) as server:
            shown(tab, server.url)
            save(tab, Path(name), "serve-page")
            server.service.settle(other, load_predictor(other), is_better=False)
            shown(tab, server.url)
            tab.evaluate("const s = document.getElementById('layer'); s.value = 'both'; s.onchange()")
            tab.wait("(await import('/static/app.js')).page.other?.version !== undefined", 60)
            save(tab, Path(name), "annotate-compare")
            ranked(tab, server.url)
            save(tab, Path(name), "next-list")
        with served(None, labelled, ["background", "nucleus"]) as server:
            tab.open(server.url, height=760)
            truth = np.asarray(Image.open(masks / sorted(images.iterdir())[0].with_suffix(".png").name)) > 0
            tab.evaluate("document.getElementById('view').focus()")
            tab.key("b")
            for k, points in strokes(truth):
                tab.evaluate("document.getElementById('view').focus()")
                tab.key(str(k + 1))
                tab.drag(*(canvas_place(tab, *point) for point in points))
            tab.wait("(await import('/static/app.js')).page.preview", 120)
            tab.wait("document.getElementById('status').textContent.startsWith('Preview')", 120)
            tab.evaluate(
                "document.getElementById('panel').scrollTop = document.getElementById('paint-section').offsetTop - 60"
            )
            save(tab, Path(name), "annotate-paint")


def shown(tab: Tab, url: str) -> None:
    """Open the page and wait for the first prediction."""
    tab.open(url, height=760)
    tab.wait("(await import('/static/app.js')).page.prediction", 120)


def ranked(tab: Tab, url: str) -> None:
    """Ask for the images to label next, and choose the first."""
    shown(tab, url)
    tab.evaluate("document.getElementById('next').click()")
    tab.wait("document.querySelectorAll('#next-images button').length", 120)
    tab.evaluate("document.querySelector('#next-images button').click()")
    tab.wait(
        "document.querySelector('#images [aria-current]').title ==="
        " document.querySelector('#next-images button').title"
        " && (await import('/static/app.js')).page.prediction",
        120,
    )
    tab.evaluate(
        "document.getElementById('panel').scrollTop = document.getElementById('train-section').offsetTop - 60"
    )


def strokes(truth: np.ndarray) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    """Lines along the middle of both classes, as somebody would draw them."""
    draw = np.random.default_rng(3)
    for k in (0, 1):
        line = np.argwhere(skeletonize(truth == k))
        for _ in range(STROKES // 2 + (1 - k)):
            y, x = line[draw.integers(len(line))]
            near = line[np.hypot(*(line - (y, x)).T) < 12]
            ordered = near[np.argsort(near @ (1, 1))][::6]
            yield k, [(float(right) + 0.5, float(down) + 0.5) for down, right in ordered] or [(float(x), float(y))]


def save(tab: Tab, folder: Path, name: str) -> None:
    """Write what the tab shows as FOLDER/NAME.webp."""
    tab.wait("!(await import('/static/app.js')).view.store.isBusy", 120)
    tab.screenshot(folder / "shot.png")
    Image.open(io.BytesIO((folder / "shot.png").read_bytes())).convert("RGB").save(
        FOLDER / f"{name}.webp", quality=80, method=6
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
