"""The page in a real Chromium."""

import base64
import time
from shutil import copytree

import numpy as np
import pytest
from PIL import Image

import generated
from browser import needs_chromium
from devtools import chromium
from page_tools import canvas_place, label_values, layer_values, paint
from perpixel.cli import main
from served import served

pytestmark = [pytest.mark.long, needs_chromium]

DROP = """
const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], %s, { type: "image/png" }));
document.getElementById("stage").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true }));
"""


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as tab:
        yield tab


@pytest.fixture(scope="module")
def page(cells_run, cells):
    with served(cells_run.folder, cells / "images") as server:
        yield server


def test_a_dropped_image_has_the_mask_of_the_command_line(tab, page, cells_run, tmp_path):
    picture = generated.picture_of(generated.disc(300, 420, np.random.default_rng(5)), np.random.default_rng(6))
    Image.fromarray(picture).save(tmp_path / "drop.png")
    assert (
        main(["predict", str(cells_run.folder), str(tmp_path / "drop.png"), "--out", str(tmp_path / "o"), "--index"])
        == 0
    )
    expected = np.asarray(Image.open(tmp_path / "o" / "drop.png"))
    assert len(np.unique(expected)) == 2

    tab.open(page.url)
    name = '"<img src=x onerror=alert(1)>.png"'
    tab.evaluate(DROP % (base64.b64encode((tmp_path / "drop.png").read_bytes()).decode(), name))
    tab.wait("document.querySelector('#images button[aria-current]')?.textContent.startsWith('<img')")
    np.testing.assert_array_equal(layer_values(tab) & 255, expected)
    assert tab.evaluate("return document.querySelectorAll('#images img').length") == 0
    assert not tab.errors


def test_a_class_that_is_switched_off_is_not_drawn(tab, page):
    tab.open(page.url)
    layer_values(tab)
    shown = """
      const { view, page } = await import("/static/app.js");
      view.draw();
      const tile = view.store.tiles.get(view.tilePath("layers/mask", 0, 0, 0)).content;
      const { data } = tile.context.getImageData(0, 0, tile.width, tile.height);
      return data.filter((value, i) => i % 4 === 3 && value).length;
    """
    assert tab.evaluate(shown) > 0
    tab.evaluate("document.querySelectorAll('#classes input')[1].click()")
    assert tab.evaluate(shown) == 0


def test_layers_of_probabilities_and_uncertainty(tab, page):
    tab.open(page.url)
    for layer in ("uncertainty", "probability-1"):
        tab.evaluate(
            f"const s = document.getElementById('layer'); s.value = '{layer}'; s.dispatchEvent(new Event('change'))"
        )
        assert len(np.unique(layer_values(tab, layer))) > 3


@pytest.mark.parametrize("width", [1280, 420])
def test_both_languages_fit_both_widths(tab, page, width):
    tab.open(page.url, width=width)
    for _ in range(2):
        tab.evaluate("document.getElementById('language').click()")
        assert tab.evaluate("return document.documentElement.scrollWidth <= innerWidth")
        assert tab.evaluate("return [...document.querySelectorAll('[data-text]')].every((each) => each.textContent)")
    assert not tab.errors


@pytest.mark.parametrize("width", [1280, 420])
def test_the_other_model_is_shown_next_to_the_one_that_answers(tab, cells_run, cells, width):
    with served(cells_run.folder, cells / "images") as server:
        path = cells_run.folder.with_name("a-folder-with-a-long-name-that-would-not-fit-in-the-panel") / "1" / "run"
        server.service.settle(path, server.service.predictor, is_better=False)
        tab.open(server.url, width=width)
        tab.wait("(await import('/static/app.js')).page.prediction")
        tab.evaluate("const s = document.getElementById('layer'); s.value = 'both'; s.onchange()")
        layer = layer_values(tab, "mask?model=other")
        np.testing.assert_array_equal(layer, layer_values(tab))
        fits = """
          const panel = document.getElementById("panel").getBoundingClientRect();
          return [...document.querySelectorAll("#panel *")].filter((each) => each.offsetParent)
            .every((each) => each.getBoundingClientRect().right <= panel.right + 1);
        """
        assert tab.evaluate(fits)
        assert not tab.errors


def test_the_keyboard_zooms_and_moves(tab, page):
    tab.open(page.url)
    tab.evaluate("document.getElementById('view').focus()")
    place = "const { view } = await import('/static/app.js'); return [view.scale, view.left, view.top]"
    before = tab.evaluate(place)
    tab.key("+")
    tab.key("ArrowLeft")
    after = tab.evaluate(place)
    assert after[0] > before[0]
    tab.key("0")
    assert tab.evaluate(place) == before


def test_every_control_can_be_reached_and_has_a_name(tab, page):
    tab.open(page.url)
    nameless = """
      return [...document.querySelectorAll("button, input, select, a, canvas[tabindex]")].filter((each) =>
        each.tabIndex < 0 || !(each.textContent.trim() || each.getAttribute("aria-label") || each.labels?.length)
      ).map((each) => each.outerHTML);
    """
    assert tab.evaluate(nameless) == []


@pytest.fixture
def painted(cells, tmp_path):
    with served(None, copytree(cells / "images", tmp_path / "images"), ["background", "cell"]) as server:
        yield server


def test_strokes_are_kept_previewed_and_found_again(tab, painted):
    tab.open(painted.url)
    tab.evaluate("document.getElementById('view').focus()")
    tab.key("b")
    paint(tab, 1, (14, 10), (18, 12))
    paint(tab, 0, (2, 2), (8, 2), (28, 2))
    tab.wait("(await import('/static/app.js')).page.preview")
    kept = np.asarray(painted.service.label_store.open(next(iter(painted.service.library.images.values()))).labels)
    np.testing.assert_array_equal(label_values(tab), kept)
    assert (kept[11, 16], kept[2, 5], kept[20, 20]) == (1, 0, 255)
    tab.evaluate("document.getElementById('language').click()")
    assert "未标注" in tab.evaluate("return document.getElementById('label-state').textContent")
    tab.evaluate("document.getElementById('language').click()")
    tab.open(painted.url)
    np.testing.assert_array_equal(label_values(tab), kept)
    tab.wait("(await import('/static/app.js')).page.preview")  # it is there again, too
    tab.evaluate("document.getElementById('view').focus()")
    tab.key("u")
    tab.evaluate("await (await import('/static/app.js')).parts.painting.painter.queue")
    after = label_values(tab)
    assert (after[11, 16], after[2, 5]) == (1, 255)
    assert not tab.errors


def test_a_polygon_is_closed_by_enter_and_a_second_tab_merges(tab, painted):
    tab.open(painted.url)
    tab.evaluate("document.getElementById('view').focus()")
    tab.key("p")
    tab.key("2")
    for point in ((5, 5), (25, 5), (25, 18), (5, 18)):
        tab.drag(canvas_place(tab, *point))
    image = next(iter(painted.service.library.images.values()))
    elsewhere = {"tool": "brush", "class_index": 0, "points": [[15, 21]], "radius": 1}
    answer = painted.ask("POST", f"/v1/images/{image.id}/labels/strokes", elsewhere, {"If-Match": '"0"'})
    assert answer.status == 200
    tab.key("Enter")
    tab.evaluate("await (await import('/static/app.js')).parts.painting.painter.queue")
    labels = label_values(tab)
    assert (labels[10, 10], labels[21, 15], labels[2, 2]) == (1, 0, 255)
    tab.errors.clear()  # Chromium logs the 409


def focus(tab):
    tab.evaluate("document.getElementById('view').focus()")


def settled(tab):
    tab.evaluate("await (await import('/static/app.js')).parts.painting.painter.queue")


def dot(tab, x, y):
    place = canvas_place(tab, x, y)
    tab.drag(place, place)


def test_every_tool_and_class_is_chosen_by_a_key(tab, cells, tmp_path):
    images = copytree(cells / "images", tmp_path / "images")
    with served(None, images, [f"class {k}" for k in range(9)]) as server:
        tab.open(server.url)
        tab.evaluate("const box = document.getElementById('preview'); box.checked = false; box.onchange()")
        tab.evaluate("const size = document.getElementById('radius'); size.value = 1; size.oninput({ target: size })")
        focus(tab)
        tab.key("b")
        for k in range(9):
            tab.key(str(k + 1))
            dot(tab, 2.5 + 3 * k, 2.5)
        tab.key("p")
        tab.key("4")
        for point in ((4, 8), (26, 8), (26, 20), (4, 20)):
            dot(tab, *point)
        tab.key("Enter")
        tab.key("e")
        tab.drag(canvas_place(tab, 15.5, 6.5), canvas_place(tab, 15.5, 21.5))  # cuts the polygon in two
        tab.key("f")
        tab.key("6")
        dot(tab, 22.5, 14.5)
        settled(tab)
        labels = label_values(tab)
        assert [int(labels[2, 2 + 3 * k]) for k in range(9)] == list(range(9))
        assert [int(labels[14, x]) for x in (8, 15, 22)] == [3, 255, 5]
        stored = server.service.label_store.open(next(iter(server.service.library.images.values()))).labels
        np.testing.assert_array_equal(labels, stored)
        assert not tab.errors


@pytest.mark.slow
def test_fifty_steps_are_taken_back_by_key_and_done_again(tab, painted):
    tab.open(painted.url)
    tab.evaluate("const box = document.getElementById('preview'); box.checked = false; box.onchange()")
    focus(tab)
    tab.key("b")
    send = """
      const { painter } = (await import('/static/app.js')).parts.painting;
      for (let k = %d; k < %d; k++) {
        painter.send({ class_index: k %% 2, radius: 1, points: [[0.5 + (k %% 28), 0.5 + (k %% 20)]] });
      }
      await painter.queue;
    """
    tab.evaluate(send % (0, 5))
    first = label_values(tab)
    tab.evaluate(send % (5, 55))
    last = label_values(tab)
    for key, expected in (("u", first), ("r", last)):
        for _ in range(51):
            tab.key(key)
        settled(tab)
        np.testing.assert_array_equal(label_values(tab), expected)
    assert (first != last).any()
    assert not tab.errors


def test_a_stroke_that_waits_when_another_image_is_chosen_is_kept(tab, painted):
    tab.open(painted.url)
    library = list(painted.service.library.images.values())
    strokes = """
      const { choose, parts } = await import('/static/app.js');
      const { painter } = parts.painting;
      painter.choose("brush");
      for (let k = 0; k < 5; k++) painter.send({ class_index: 1, radius: 1, points: [[3.5 + 4 * k, 5.5]] });
      await choose("%s");
      await painter.queue;
    """
    tab.evaluate(strokes % library[1].id)
    first, second = (painted.service.label_store.open(image).labels for image in library[:2])
    assert [int(first[5, 3 + 4 * k]) for k in range(5)] == [1] * 5
    assert (second == 255).all()
    assert not tab.errors


def test_the_downloads_are_clicked_and_are_what_programs_get(tab, page, tmp_path):
    tab.open(page.url)
    layer_values(tab)
    tab.do("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    image = next(iter(page.service.library.images.values()))
    for number, form in enumerate(("mask", "overlay", "geojson", "instances"), start=1):
        tab.evaluate(f"document.querySelector('#downloads a[href$=\"as={form}\"]').click()")
        end = time.monotonic() + 30
        while len(found := [each for each in tmp_path.iterdir() if not each.name.endswith(".crdownload")]) < number:
            assert time.monotonic() < end, form
            time.sleep(0.05)
        (path,) = [each for each in found if f"-{form}" in each.name]
        assert path.read_bytes() == page.ask("GET", f"/v1/images/{image.id}/download?as={form}").body
        if form == "mask":
            np.testing.assert_array_equal(np.asarray(Image.open(path)) > 0, (layer_values(tab) & 255) == 1)
