// The section of the panel that labels: tools, undo, preview, training, and what to label next.

import { element, made, say } from "./panel.js";
import { Painter, showTool } from "./paint.js";
import { post } from "./server.js";
import { text } from "./texts.js";

const BACKGROUND = "#9a9a9a"; // black strokes would not be seen
const RADIUS_FACTOR = 1.25;

/** Wire the labelling of images. `page` is the state of the page, `refreshLayers` draws its layers. */
export function startPainting(view, page, refreshLayers) {
  const painter = new Painter(view, (state, error) => {
    if (error) say(error.message, true);
    showState(state);
    refreshLayers();
    if (!error && element("preview").checked) preview();
  });
  painter.colours = page.model.classes.map((each) => (each.is_background ? BACKGROUND : each.colour));
  painter.classIndex = Math.max(0, page.model.classes.findIndex((each) => !each.is_background));
  let isAsking = false;
  let isOld = false; // a stroke came while the last preview was computed

  /** Ask for a prediction from the strokes alone, where the view is; one at a time. */
  async function preview() {
    isOld = true;
    if (isAsking) return;
    isAsking = true;
    try {
      while (isOld) {
        isOld = false;
        await askPreview();
      }
    } catch (error) {
      say(error.message, true);
    } finally {
      isAsking = false;
    }
  }

  function hasTwoClasses() {
    return painter.state.pixels.filter(Boolean).length > 1;
  }

  async function askPreview() {
    const { image } = page;
    await painter.queue;
    if (!hasTwoClasses()) return; // nothing to tell apart yet
    const begin = performance.now();
    const answer = await (await post(`/v1/images/${image.id}/preview`, seenBox(view))).json();
    if (page.image !== image) return;
    page.preview = answer.version;
    say(text("previewed", ((performance.now() - begin) / 1000).toFixed(2)));
    refreshLayers();
  }

  /** Show the preview again where no model's mask is shown; else let the server compute what the first one needs. */
  function prepare() {
    if (!painter.state || !element("preview").checked) return;
    if (!page.model.is_trained && hasTwoClasses()) {
      preview();
      return;
    }
    post(`/v1/images/${page.image.id}/preview/features`, seenBox(view)).catch(() => {}); // a preview says what is wrong
  }

  function showState(state) {
    element("undo").disabled = !state?.undo;
    element("redo").disabled = !state?.redo;
    if (state) element("label-state").textContent = text("label_state", state.by_person, state.by_model, state.unlabelled);
  }

  function step(name) {
    painter.post(`steps/${name}`);
  }

  function choose(tool) {
    painter.choose(tool);
    showTool(painter);
  }

  function resize(factor) {
    painter.radius = Math.min(200, Math.max(0.5, painter.radius * factor));
    showTool(painter);
    view.redraw();
  }

  function chooseClass(k) {
    if (k >= page.model.classes.length) return;
    painter.classIndex = k;
    for (const button of document.querySelectorAll("[data-class]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.class) === k));
    }
  }

  function listClassButtons() {
    element("paint-classes").replaceChildren(
      ...page.model.classes.map((each, k) => {
        const name = k < 9 ? `${k + 1} ${each.name}` : each.name;
        const button = made("button", name, { type: "button", onclick: () => chooseClass(k) });
        button.dataset.class = k;
        return button;
      }),
    );
    chooseClass(painter.classIndex);
  }

  for (const button of document.querySelectorAll("[data-tool]")) button.onclick = () => choose(button.dataset.tool);
  element("radius").oninput = (event) => resize(Number(event.target.value) / painter.radius);
  element("undo").onclick = () => step("undo");
  element("redo").onclick = () => step("redo");
  element("accept").onclick = () => painter.post("accept");
  element("preview").onchange = () => {
    page.preview = null;
    refreshLayers();
    if (element("preview").checked) preview();
  };

  const keys = {
    b: () => choose("brush"),
    e: () => choose("eraser"),
    p: () => choose("polygon"),
    f: () => choose("fill"),
    "[": () => resize(1 / RADIUS_FACTOR),
    "]": () => resize(RADIUS_FACTOR),
    u: () => step("undo"),
    r: () => step("redo"),
    Escape: () => painter.cancel(),
  };
  element("view").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() === "z") step(event.shiftKey ? "redo" : "undo");
      if (event.key.toLowerCase() === "y") step("redo");
    } else if (/^[1-9]$/.test(event.key)) {
      chooseClass(Number(event.key) - 1);
    } else {
      keys[event.key]?.();
    }
  });

  return {
    painter,
    refresh() {
      listClassButtons();
      showState(painter.state);
    },
    prepare,
    async open(image) {
      page.preview = null;
      const isOpen = await painter.open(image);
      element("paint-section").hidden = !isOpen;
      if (!isOpen && painter.tool) choose(painter.tool);
      showState(painter.state);
    },
  };
}

/** The part of the image that is seen, in its pixels. */
function seenBox(view) {
  const { image, canvas, scale } = view;
  const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
  return {
    left: within(-view.left / scale, image.width),
    top: within(-view.top / scale, image.height),
    right: within((canvas.width - view.left) / scale, image.width),
    bottom: within((canvas.height - view.top) / scale, image.height),
  };
}
