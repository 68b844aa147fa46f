"""The site as a reader opens it: built, then looked through page by page."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
CHAPTER = re.compile(r"^(##+) (.+)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """Text outside of code, headings, and what a page points to."""

    def __init__(self, html):
        super().__init__()
        self.headings, self.targets, self.ids, self._open = [], [], set(), []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids.add(named.get("id"))
        self.targets += [named[key] for key in ("href", "src") if named.get(key)]
        if re.fullmatch("h[2-6]", tag):
            self.headings.append("")
            self._open.append(tag)

    def handle_endtag(self, tag):
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data):
        if self._open:
            self.headings[-1] += data


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path.relative_to(site): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


def test_no_fence_is_left_as_text(site):
    assert [path.name for path in site.rglob("*.html") if "```" in path.read_text(encoding="utf-8")] == []


def test_no_source_of_the_site_is_published(site):
    assert [path.name for path in site.rglob("*.py*")] == []


def test_every_chapter_of_a_page_is_a_heading_on_the_site(pages):
    lost = []
    for source in sorted((ROOT / "docs").rglob("*.md")):
        chapters = CHAPTER.findall(FENCED.sub("", source.read_text(encoding="utf-8")))
        headings = pages[_page_of(source)].headings
        plain = [re.sub(r"[^\w]", "", heading) for heading in headings]
        lost += [(source.name, title) for _, title in chapters if _plain(title) not in plain]
    assert lost == []


def test_no_link_and_no_picture_leads_nowhere(site, pages):
    lost = []
    for path, page in pages.items():
        if path.name == "404.html":  # served from any place, so that its links start at the root
            continue
        for target in page.targets:
            place = urlsplit(target)
            if place.scheme or not place.path:
                continue
            file = (site / path).parent / unquote(place.path)
            if not (file.is_file() or (file / "index.html").is_file()):
                lost.append((str(path), target))
    assert lost == []


def _page_of(source):
    """Where the site has a page: the Chinese ones in a folder of their own."""
    place = source.relative_to(ROOT / "docs")
    chinese = place.name.endswith(".zh.md")
    return Path("zh" if chinese else "", place.parent, place.name.split(".")[0] + ".html")


def _plain(title):
    """A heading without its markup."""
    return re.sub(r"[^\w]", "", re.sub(r"\]\([^)]*\)|\{[^}]*\}", "", title))
