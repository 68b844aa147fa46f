"""What tests do on the page, and what they find there."""

import numpy as np

VALUES = """
const { view } = await import("/static/app.js");
const tile = view.store.tiles.get(view.tilePath("layers/%s", 0, 0, 0))?.content;
return tile && { height: tile.height, width: tile.width, values: [...tile.values] };
"""


def layer_values(tab, layer="mask"):
    tab.wait(f"(await (async () => {{{VALUES % layer}}})())")
    found = tab.evaluate(VALUES % layer)
    return np.array(found["values"], np.uint32).reshape(found["height"], found["width"])


def canvas_place(tab, x, y):
    """Where a pixel of the image lies in the window."""
    code = """
      const { view } = await import("/static/app.js");
      const box = view.canvas.getBoundingClientRect();
      return [box.left + view.left + %s * view.scale, box.top + view.top + %s * view.scale];
    """
    return tab.evaluate(code % (x, y))


def paint(tab, k, *points):
    tab.evaluate("document.getElementById('view').focus()")
    tab.key(str(k + 1))
    tab.drag(*(canvas_place(tab, *point) for point in points))
    tab.evaluate("await (await import('/static/app.js')).parts.painting.painter.queue")


def label_values(tab):
    code = """
      const { parts, view } = await import("/static/app.js");
      const tile = view.store.tiles.get(view.tilePath("labels/tiles", 0, 0, 0));
      return tile?.content && tile.version === parts.painting.painter.state.version && !view.store.isBusy
        && { height: tile.content.height, width: tile.content.width, values: [...tile.content.values] };
    """
    tab.wait(f"(await (async () => {{{code}}})())")
    found = tab.evaluate(code)
    return np.array(found["values"]).reshape(found["height"], found["width"]) & 255
