"""Draw pictures of the exported page in Chromium: PYTHONPATH=tests python docs/exported_page_pictures.py RUN IMAGE.

With a folder as a third word, every look is drawn into it: wide and narrow, light and dark, English and Chinese.
"""

import base64
import io
import sys
import tempfile
from itertools import product
from pathlib import Path

from PIL import Image

import perpixel
from devtools import Tab, chromium

FOLDER = Path(__file__).parent / "images"
KEPT = {(1280, "light", "en"): "export-web", (420, "dark", "zh"): "export-web-narrow"}
SHOW = """
await started;
const bytes = Uint8Array.from(atob("%s"), letter => letter.charCodeAt(0));
await shown(new File([bytes], "image.png", {type: "image/png"}));
"""


def main(run: Path, image: Path, looks: Path | None) -> None:
    """Export the page, let it segment the image, and draw the pictures of the documentation, or every look."""
    encoded = base64.b64encode(image.read_bytes()).decode()
    with tempfile.TemporaryDirectory() as name, chromium(Path(name) / "chromium") as tab:
        page = perpixel.export(run, Path(name) / "web", target="web", images=[image]).path / "index.html"
        for how in product((1280, 420), ("light", "dark"), ("en", "zh")) if looks is not None else KEPT:
            look(tab, page, how)
            tab.evaluate(SHOW % encoded)
            shot = Path(name) / "shot.png"
            tab.screenshot(shot)
            if looks is not None:
                (looks / f"{'-'.join(map(str, how))}.png").write_bytes(shot.read_bytes())
            else:
                picture = Image.open(io.BytesIO(shot.read_bytes())).convert("RGB")
                picture.save(FOLDER / f"{KEPT[how]}.webp", quality=80, method=6)
        assert not tab.errors, tab.errors


def look(tab: Tab, page: Path, how: tuple[int, str, str]) -> None:
    """Open the page as wide as said, in this colour scheme and language."""
    width, scheme, language = how
    tab.do("Emulation.setDeviceMetricsOverride", width=width, height=860, deviceScaleFactor=1, mobile=width < 600)
    tab.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    tab.do("Emulation.setUserAgentOverride", userAgent="Chromium", acceptLanguage=language)
    tab.do("Page.navigate", url=page.as_uri())
    tab.wait("document.readyState === 'complete' && typeof started === 'object'", 60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
