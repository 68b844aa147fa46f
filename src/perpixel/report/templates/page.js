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
