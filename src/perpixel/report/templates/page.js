"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// One image under all its masks: the file holds it once.
all(".shot").forEach(shot => {
  const image = shot.querySelector(".base");
  all(".layer", shot).forEach(layer => {
    const under = image.cloneNode();
    under.alt = "";
    layer.before(under);
  });
});

// The slider fades every mask.
const fades = all(".fade input");
fades.forEach(fade => fade.addEventListener("input", () => {
  document.documentElement.style.setProperty("--fade", fade.value / 100);
  fades.forEach(other => { other.value = fade.value; });
}));

// A class is switched off in every mask: its colour becomes transparent.
const switches = all(".switch");
function without(layer, hidden) {
  layer.dataset.whole ??= layer.src;
  if (!hidden.size) { layer.src = layer.dataset.whole; return; }
  const whole = new Image();
  whole.onload = () => {
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
    [canvas.width, canvas.height] = [whole.naturalWidth, whole.naturalHeight];
    pen.drawImage(whole, 0, 0);
    const pixels = pen.getImageData(0, 0, canvas.width, canvas.height), data = pixels.data;
    for (let i = 0; i < data.length; i += 4)
      if (hidden.has(data[i] << 16 | data[i + 1] << 8 | data[i + 2])) data[i + 3] = 0;
    pen.putImageData(pixels, 0, 0);
    layer.src = canvas.toDataURL();
  };
  whole.src = layer.dataset.whole;
}
switches.forEach(each => each.addEventListener("change", () => {
  const hidden = new Set(switches.filter(one => !one.checked).map(one => parseInt(one.dataset.colour.slice(1), 16)));
  all(".classes").forEach(layer => without(layer, hidden));
}));

// The table of images: sorted by a heading, filtered by name; a row opens its picture.
const table = document.querySelector(".sortable");
if (table) {
  const body = table.tBodies[0], heads = all("th", table);
  const value = (row, place) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();
  heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
    const falls = head.ariaSort === "ascending";
    heads.forEach(each => { each.ariaSort = each === head ? (falls ? "descending" : "ascending") : "none"; });
    const order = (a, b) => place ? value(a, place) - value(b, place) : value(a, 0).localeCompare(value(b, 0), undefined, { numeric: true });
    body.replaceChildren(...[...body.rows].sort((a, b) => falls ? order(b, a) : order(a, b)));
  }));
  document.querySelector(".filter").addEventListener("input", event => {
    const wanted = event.target.value.toLowerCase();
    [...body.rows].forEach(row => { row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted); });
  });
  body.addEventListener("click", event => {
    const name = event.target.closest("tr")?.dataset.shot;
    const shot = name && all(".shot[data-name]").find(each => each.dataset.name === name);
    if (shot) show(views.indexOf(all(".view", shot).at(-1)));
  });
}

// A picture opens in full size; arrow keys go on.
const dialog = document.querySelector("dialog"), views = all(".view");
let open = 0;
function show(place) {
  open = (place + views.length) % views.length;
  const view = views[open], stage = dialog.querySelector(".stage");
  stage.replaceChildren(...all("img", view).map(img => img.cloneNode()));
  dialog.querySelector("b").textContent = view.getAttribute("aria-label");
  if (!dialog.open) dialog.showModal();
}
views.forEach((view, place) => view.addEventListener("click", () => show(place)));
dialog?.querySelector("button").addEventListener("click", () => dialog.close());
dialog?.addEventListener("close", () => views[open].focus());
dialog?.addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && event.target.type !== "range") show(open + step);
});

// Definitions beside their words, for mouse, finger and keyboard.
const tip = document.getElementById("tip");
function tell(event) {
  const box = event.currentTarget.getBoundingClientRect();
  tip.textContent = event.currentTarget.dataset.tip;
  tip.hidden = false;
  tip.style.left = Math.max(8, Math.min(box.left, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (box.bottom + tip.offsetHeight + 8 < innerHeight ? box.bottom + 4 : box.top - tip.offsetHeight - 4) + "px";
}
all("[data-tip]").forEach(word => {
  ["mouseenter", "focus"].forEach(name => word.addEventListener(name, tell));
  ["mouseleave", "blur"].forEach(name => word.addEventListener(name, () => { tip.hidden = true; }));
});
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true, capture: true });
