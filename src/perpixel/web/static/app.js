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
export const page = { model: null, images: [], total: 0, image: null, prediction: null, other: null, preview: null, shown: [] };
export const parts = {}; // painting and training, where the server takes labels

async function start() {
  translate();
  listen();
  say(text("opening"));
  page.model = await askJson("/v1/model");
  page.shown = page.model.classes.map((each) => !each.is_background);
  if (page.model.can_paint) {
    parts.painting = startPainting(view, page, refreshLayers);
    parts.training = startTraining(page, choose, changeModel);
  }
  refresh();
  await loadImages();
  say("");
  if (page.images.length) await choose(page.images[0].id);
}

/** Ask what answers now, and predict the image again where that is another model. */
async function changeModel() {
  page.model = await askJson("/v1/model");
  Object.assign(page, { prediction: null, other: null, preview: null });
  refresh();
  refreshLayers();
  if (page.image && page.model.is_trained) await predict();
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
  parts.painting?.refresh();
  parts.training?.refresh();
  if (page.image) listDownloads(page.image);
  element("accept").disabled = !page.prediction;
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
    Object.assign(page, { prediction: null, other: null });
    element("hint").hidden = true;
    element("page-line").hidden = page.image.pages < 2;
    Object.assign(element("page"), { max: page.image.pages, value: 1 });
    view.show(page.image);
    say(text("size", page.image.name, page.image.width, page.image.height));
    await parts.painting?.open(page.image);
    refresh();
    refreshLayers();
    if (page.model.is_trained) await predict();
    parts.painting?.prepare();
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
    page.other = null; // predicted again where it is shown
    say(text("predicted", ((performance.now() - begin) / 1000).toFixed(2)));
    refresh();
    refreshLayers();
  });
}

/** Predict with the model that does not answer, to show its mask too. */
async function predictOther() {
  await trying(async () => {
    const { image } = page;
    page.other = { isOnItsWay: true };
    const found = await (await post(`/v1/images/${image.id}/predict?model=other`)).json();
    if (page.image !== image) return;
    page.other = found;
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
  const painter = page.image && parts.painting?.painter.state ? parts.painting.painter : null;
  const isPreview = painter && element("preview").checked && page.preview;
  view.layers = isPreview ? [previewLayer()] : predictionLayers();
  if (painter) {
    const classes = page.model.classes.map((each, k) => ({ ...each, colour: painter.colours[k] }));
    const colours = maskColours({ ...page.model, classes }, classes.map(() => true));
    const opacity = Math.min(1, Number(element("opacity").value) + 0.25);
    view.layers.push({ path: "labels/tiles", version: painter.state.version, colours, opacity });
  }
  view.redraw();
}

function previewLayer() {
  const opacity = Number(element("opacity").value);
  return { path: "preview", version: page.preview, colours: maskColours(page.model, page.shown), opacity };
}

function predictionLayers() {
  const chosen = element("layer").value;
  if (!page.prediction || chosen === "none") return [];
  const opacity = Number(element("opacity").value);
  const colours = maskColours(page.model, page.shown);
  const own = { path: "layers/mask", version: page.prediction.version, colours, opacity };
  if (chosen === "other" || chosen === "both") {
    if (!page.other) predictOther();
    const other = { ...own, path: "layers/mask?model=other", version: page.other.version };
    const isHere = other.version !== undefined;
    if (chosen === "other") return isHere ? [other] : [];
    return [{ ...own, half: 0 }, ...(isHere ? [{ ...other, half: 1 }] : [])];
  }
  if (chosen === "mask") return [own];
  const k = chosen.split("-")[1];
  const shares = shareColours(chosen === "uncertainty" ? UNCERTAIN : page.model.classes[k].colour);
  return [{ ...own, path: `layers/${chosen}`, colours: shares }];
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
  element("layer").onchange = () => {
    page.preview = null; // comes back with the next stroke
    refreshLayers();
  };
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
