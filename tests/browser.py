"""A page in a real Chromium: what it looks like after its own script and one of ours have run."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

HEAD = """<script>
window.complaints = [];
addEventListener("error", event => complaints.push(event.message || event.target.outerHTML), true);
console.error = (...words) => complaints.push(words.join(" "));
console.warn = console.error;
</script>"""

TAIL = """<script>
addEventListener("load", () => {
  const found = (%s)();
  found.complaints = window.complaints;
  const told = document.createElement("pre");
  told.id = "found";
  told.textContent = JSON.stringify(found);
  document.body.append(told);
});
</script>"""


def tried(page, script, folder, width=1200):
    """What the JavaScript function `script` returns in the loaded page, and what the console complained of."""
    text = page.read_text(encoding="utf-8")
    copy = folder / "tried.html"
    copy.write_text(
        text.replace("<head>", "<head>" + HEAD, 1).replace("</body>", TAIL % script + "</body>"), encoding="utf-8"
    )
    command = [CHROMIUM, *OPTIONS, f"--user-data-dir={folder / 'chromium'}", f"--window-size={width},900"]
    command += ["--virtual-time-budget=4000", "--dump-dom", copy.as_uri()]
    dumped = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', dumped, re.DOTALL)
    assert found, dumped[-2000:]
    return json.loads(unescape(found[1]))
