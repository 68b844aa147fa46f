"""The exported page in a real Chromium, opened from the disk: the masks of `predict`."""

import base64
import json
import subprocess
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import perpixel
from browser import CHROMIUM, OPTIONS, needs_chromium
from perpixel.errors import SettingsError
from perpixel.exporting import to_web
from perpixel.exporting.source import open_source

TRY = """<script>
const answer = text => fetch("ADDRESS", {method: "POST", mode: "no-cors", body: text});
addEventListener("unhandledrejection", event => answer(JSON.stringify({error: String(event.reason)})));
started.then(async () => {
  const bytes = Uint8Array.from(atob("IMAGE"), letter => letter.charCodeAt(0));
  CARD.whole_px = WHOLE; CARD.tile_px = 64; CARD.overlap_px = 32;
  const found = await shown(new File([bytes], "a.png", {type: "image/png"}));
  const layers = found.layers.map(layer => Array.from(layer));
  answer(JSON.stringify({layers, outlines: outlines(found), state: find("state").textContent}));
});
</script></body>"""


def tried(page, image, whole_px, folder):
    """What the page finds in an image, posted to a server on loopback: a dump of the page would not wait for it."""
    posted = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    server.timeout = 90
    encoded = base64.b64encode(image.read_bytes()).decode()
    script = TRY.replace("ADDRESS", f"http://127.0.0.1:{server.server_port}").replace("IMAGE", encoded)
    copy = folder / "tried.html"
    text = page.read_text(encoding="utf-8").replace("</body>", script.replace("WHOLE", str(whole_px)))
    copy.write_text(text, encoding="utf-8")
    command = [
        CHROMIUM,
        *OPTIONS,
        f"--user-data-dir={folder / 'chromium'}",
        "--remote-debugging-port=0",
        copy.as_uri(),
    ]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    listening = Thread(target=server.handle_request)
    listening.start()
    listening.join(95)
    browser.terminate()
    browser.wait(20)
    server.server_close()
    assert posted, "the page did not answer"
    assert "error" not in posted[0], posted[0]
    return posted[0]


@pytest.mark.slow
@needs_chromium
@pytest.mark.parametrize("whole_px", [10**9, 1])
def test_the_page_finds_what_predict_finds(cells_run, tmp_path, whole_px):
    page = perpixel.export(cells_run, tmp_path / "out", target="web").path / "index.html"
    pixels = np.random.default_rng(0).integers(0, 256, (101, 150, 3), np.uint8)
    pixels = ndimage.gaussian_filter(pixels.astype(float), (9, 9, 0))
    pixels = ((pixels - pixels.min()) / np.ptp(pixels) * 255).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = tried(page, tmp_path / "a.png", whole_px, tmp_path)
    mask = np.array(found["layers"]).argmax(0).reshape(101, 150)
    options = {} if whole_px > 1 else {"tile_px": 64, "overlap_px": 32, "whole_px": 1}
    expected = expected_of(cells_run, pixels, options)
    assert 0 < expected.mean() < 1
    assert (mask != expected).mean() <= 1e-4
    count = ndimage.label(mask == 1)[1]
    features = found["outlines"]["features"]
    assert len(features) == count
    assert sum(map(area_of, features)) == (mask == 1).sum()


def expected_of(run, pixels, options):
    from perpixel.prediction import PredictOptions
    from perpixel.prediction.load import load_predictor

    return load_predictor(run.folder, PredictOptions(device="cpu", precision="32", **options)).target(pixels)


def area_of(feature):
    """Of the outer ring and its holes, which run the other way round."""
    total = 0
    for ring in feature["geometry"]["coordinates"]:
        x, y = np.array(ring).T
        total += (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() / 2
    return total


def test_the_page_is_refused_where_a_browser_cannot_read_the_images(cells_run):
    from dataclasses import replace

    source = open_source(cells_run, None)
    deep = replace(source, card=replace(source.card, codec=replace(source.card.codec, dtype="uint16")))
    with pytest.raises(SettingsError, match=r"trained on 3 channels of uint16.\nFix: export for onnx"):
        to_web.WEB.check(deep)
