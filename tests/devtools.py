"""A real Chromium that is driven by its DevTools protocol."""

import base64
import itertools
import json
import subprocess
import time
import urllib.request
from contextlib import contextmanager

from websockets.sync.client import connect

from browser import CHROMIUM, OPTIONS

FLAGS = (*OPTIONS, "--remote-debugging-port=0", "--disable-dev-shm-usage", "--force-color-profile=srgb")


class Tab:
    """One page; `evaluate` runs JavaScript in it."""

    def __init__(self, socket):
        self._socket, self._numbers, self.errors = socket, itertools.count(1), []
        self.do("Page.enable")
        self.do("Runtime.enable")
        self.do("Log.enable")

    def do(self, method, **parameters):
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=120))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def _note(self, message):
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"])
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(message["params"]["entry"]["text"])

    def evaluate(self, code):
        """The value of an async function's body."""
        found = self.do(
            "Runtime.evaluate", expression=f"(async () => {{{code}}})()", awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition, seconds=20):
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"return Boolean({condition})"):
            assert time.monotonic() < end, condition
            time.sleep(0.05)

    def open(self, url, width=1280, height=800, scheme="light"):
        self.do(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.do("Page.navigate", url=url)
        self.errors.clear()  # of the page before, whose server may be gone
        self.wait("document.readyState === 'complete' && document.getElementById('view')")
        self.evaluate("await (await import('/static/app.js')).ready")

    def mouse(self, kind, x, y, **more):
        more = {"button": "left", "buttons": 1, "clickCount": 1, **more}
        self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def drag(self, *points):
        """Press at the first point of the window, move over the others, release at the last."""
        self.mouse("mousePressed", *points[0])
        for point in points[1:]:
            self.mouse("mouseMoved", *point)
        self.mouse("mouseReleased", *points[-1])

    def key(self, key, modifiers=0):
        for kind in ("keyDown", "keyUp"):
            text = key if len(key) == 1 and not modifiers else ""
            self.do("Input.dispatchKeyEvent", type=kind, key=key, text=text, modifiers=modifiers)

    def screenshot(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def chromium(folder):
    """A browser with one tab."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file, end = folder / "DevToolsActivePort", time.monotonic() + 60
        while not (port_file.exists() and port_file.read_text().count("\n")):
            assert process.poll() is None, "Chromium ended"
            assert time.monotonic() < end, "Chromium does not start"
            time.sleep(0.05)
        port = port_file.read_text().split()[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            (target, *_) = [each for each in json.load(answer) if each["type"] == "page"]
        with connect(target["webSocketDebuggerUrl"], max_size=2**28) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        process.wait(20)
