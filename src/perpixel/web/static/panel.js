// The lists beside the image: images, classes, layers, downloads, scores.

import { text } from "./texts.js";

export const element = (id) => document.getElementById(id);

/** An element with text; names from files are text, never markup. */
export function made(tag, content = "", properties = {}) {
  return Object.assign(document.createElement(tag), { textContent: content, ...properties });
}

export function say(message, isError = false) {
  element("status").textContent = message;
  element("status").classList.toggle("is-error", isError);
}

export function listImages(images, current, onChoose) {
  element("images").replaceChildren(
    ...images.map((image) => {
      const item = made("li");
      const button = made("button", image.name, { type: "button", title: image.name, onclick: () => onChoose(image.id) });
      button.dataset.id = image.id;
      if (image.id === current) button.setAttribute("aria-current", "true");
      item.append(button);
      return item;
    }),
  );
}

export function listClasses(model, shown, onChange) {
  element("classes").replaceChildren(
    ...model.classes.map((each, k) => {
      const item = made("li");
      const label = made("label");
      const box = made("input", "", { type: "checkbox", checked: shown[k], onchange: () => onChange(k, box.checked) });
      label.append(box, swatch(each.colour), made("span", each.name));
      item.append(label);
      return item;
    }),
  );
}

/** A square of a colour; drawn, because styles in attributes are not allowed here. */
function swatch(colour) {
  const square = made("canvas", "", { width: 1, height: 1 });
  const context = square.getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return square;
}

export function listLayers(model, hasProbabilities) {
  const before = element("layer").value || "mask";
  const options = [["mask", text("mask")], ["none", text("none")]];
  if (model.other) {
    options.push(["both", text("both", model.name ?? "–", model.other)], ["other", text("other_mask", model.other)]);
  }
  if (hasProbabilities) {
    options.push(["uncertainty", text("uncertainty")]);
    model.classes.forEach((each, k) => options.push([`probability-${k}`, text("probability", each.name)]));
  }
  element("layer").replaceChildren(...options.map(([value, name]) => made("option", name, { value })));
  element("layer").value = options.some(([value]) => value === before) ? before : "mask";
}

export function listDownloads(image) {
  const forms = ["mask", "overlay", "geojson", "instances", "probabilities"];
  element("downloads").replaceChildren(
    ...forms.map((form) => {
      const item = made("li");
      const href = `/v1/images/${image.id}/download?as=${form}`;
      item.append(made("a", text(`download-${form}`), { href, download: "" }));
      return item;
    }),
  );
}

export function showScores(model) {
  element("score-section").hidden = !model.scores && !model.report;
  element("report").hidden = !model.report;
  if (!model.scores) return;
  const { scores } = model;
  const rows = [[text("mean_iou"), scores.mean_iou, scores.interval]];
  for (const each of scores.classes) rows.push([each.name, each.iou, each.interval]);
  const table = made("table");
  const figure = (value) => (value === null ? "–" : value.toFixed(3));
  for (const [name, value, interval] of rows) {
    const row = made("tr");
    const span = interval ? `${figure(interval[0])}–${figure(interval[1])}` : "–";
    row.append(made("th", name, { scope: "row" }), made("td", figure(value)), made("td", span, { title: text("interval") }));
    table.append(row);
  }
  element("scores").replaceChildren(made("p", text("scored_on", scores.images, scores.split)), table);
}
