// The page: what is chosen, and what follows from it.

import { maskColours, shareColours } from "./colours.js";
import { element, listClasses, listDownloads, listImages, listLayers, say, showScores } from "./panel.js";
import { startPainting } from "./paint_panel.js";
import { askJson, post } from "./server.js";
import { state as language, switchLanguage, text, translate } from "./texts.js";
import { startTraining } from "./train_panel.js";
import { View } from "./view.js";

const PAGE_OF_IMAGES = 200;
const UNCERTAIN = "#e0348c";

export const view = new View(element("view"));
export const page = { model: null, images: [], total: 0, image: null, prediction: null, preview: null, shown: [] };
export const parts = {}; // painting and training, where the server takes labels

async function start() {
  translate();
  listen();
  page.model = await askJson("/v1/model");
  page.shown = page.model.classes.map((each) => !each.is_background);
  if (page.model.can_paint) {
    parts.painting = startPainting(view, page, refreshLayers);
    parts.training = startTraining(page, choose, async () => {
      page.model = await askJson("/v1/model");
      refresh();
      if (page.image) await predict();
    });
  }
  refresh();
  await loadImages();
  if (page.images.length) await choose(page.images[0].id);
}

/** Draw everything that depends on the language or the model anew. */
function refresh() {
  const { model } = page;
  element("model-name").textContent = model.name ?? text("no_model");
  element("language").textContent = language.language === "zh" ? "English" : "中文";
  listClasses(model, page.shown, (k, isShown) => {
    page.shown[k] = isShown;
    refreshLayers();
  });
  listLayers(model, page.prediction?.has_probabilities);
  listImages(page.images, page.image?.id, choose);
  showScores(model);
  parts.painting?.listClassButtons();
  parts.training?.refresh();
  if (page.image) listDownloads(page.image);
  element("predict").disabled = !model.is_trained || !page.image;
  element("download-section").hidden = !model.is_trained || !page.image;
}

export async function loadImages() {
  const found = await askJson(`/v1/images?offset=${page.images.length}&limit=${PAGE_OF_IMAGES}`);
  page.images.push(...found.images);
  element("more").hidden = page.images.length >= found.total;
  listImages(page.images, page.image?.id, choose);
}

/** Show an image, and its mask where there is a model. */
export async function choose(id) {
  await trying(async () => {
    page.image = await askJson(`/v1/images/${id}`);
    page.prediction = null;
    element("hint").hidden = true;
    element("page-line").hidden = page.image.pages < 2;
    Object.assign(element("page"), { max: page.image.pages, value: 1 });
    view.show(page.image);
    say(text("size", page.image.name, page.image.width, page.image.height));
    await parts.painting?.open(page.image);
    refresh();
    refreshLayers();
    if (page.model.is_trained) await predict();
  });
}

export async function predict() {
  await trying(async () => {
    const { image } = page;
    const begin = performance.now();
    say(text("predicting"));
    const prediction = await (await post(`/v1/images/${image.id}/predict`)).json();
    if (page.image !== image) return;
    page.prediction = prediction;
    say(text("predicted", ((performance.now() - begin) / 1000).toFixed(2)));
    refresh();
    refreshLayers();
  });
}

export async function upload(file) {
  await trying(async () => {
    say(text("loading", file.name));
    const path = `/v1/images?name=${encodeURIComponent(file.name)}`;
    const image = await askJson(path, { method: "POST", body: file });
    if (!page.images.some((each) => each.id === image.id)) page.images.unshift(image);
    await choose(image.id);
  });
}

/** The layers that are drawn over the image. */
export function refreshLayers() {
  view.layers = [];
  const chosen = element("layer").value;
  if (page.prediction && chosen !== "none") {
    const [kind, k] = chosen.split("-");
    const colours = {
      mask: () => maskColours(page.model, page.shown),
      uncertainty: () => shareColours(UNCERTAIN),
      probability: () => shareColours(page.model.classes[k].colour),
    };
    const opacity = Number(element("opacity").value);
    view.layers.push({ path: `layers/${chosen}`, version: page.prediction.version, colours: colours[kind](), opacity });
  }
  const strokes = { opacity: Math.min(1, Number(element("opacity").value) + 0.25) };
  if (parts.painting?.painter.state && page.image) {
    const { painter } = parts.painting;
    const drawn = { ...page.model, classes: page.model.classes.map((each, k) => ({ ...each, colour: painter.colours[k] })) };
    const shownPreview = element("preview").checked && page.preview;
    if (shownPreview) {
      const opacity = Number(element("opacity").value);
      view.layers = [{ path: "preview", version: page.preview, colours: maskColours(page.model, page.shown), opacity }];
    }
    view.layers.push({ path: "labels/tiles", version: painter.state.version, colours: maskColours(drawn, drawn.classes.map(() => true)), ...strokes });
  }
  view.redraw();
}

async function trying(work) {
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
}

function listen() {
  element("language").onclick = () => {
    switchLanguage();
    refresh();
  };
  element("file").onchange = (event) => event.target.files[0] && upload(event.target.files[0]);
  element("more").onclick = () => trying(loadImages);
  element("predict").onclick = predict;
  element("layer").onchange = refreshLayers;
  element("opacity").oninput = refreshLayers;
  element("page").onchange = (event) => {
    view.page = Math.max(0, Math.min(page.image.pages, Number(event.target.value)) - 1);
    refreshLayers();
  };
  element("zoom-in").onclick = () => view.zoom(1.5);
  element("zoom-out").onclick = () => view.zoom(1 / 1.5);
  element("zoom-fit").onclick = () => view.fit();
  listenForDrops(element("stage"));
  element("view").addEventListener("keydown", (event) => keys[event.key]?.(event));
}

const STEP = 80;
const keys = {
  ArrowLeft: () => view.pan(STEP, 0),
  ArrowRight: () => view.pan(-STEP, 0),
  ArrowUp: (event) => (event.preventDefault(), view.pan(0, STEP)),
  ArrowDown: (event) => (event.preventDefault(), view.pan(0, -STEP)),
  "+": () => view.zoom(1.5),
  "=": () => view.zoom(1.5),
  "-": () => view.zoom(1 / 1.5),
  0: () => view.fit(),
  Enter: () => (parts.painting?.painter.points ? parts.painting.painter.finish() : page.image && page.model.is_trained && predict()),
};

function listenForDrops(stage) {
  stage.addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("is-target");
  });
  stage.addEventListener("dragleave", () => stage.classList.remove("is-target"));
  stage.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("is-target");
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });
}

export const ready = start();
