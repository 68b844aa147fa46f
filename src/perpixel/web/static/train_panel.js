// The section that trains on the labels, and lists what to label next.

import { element, made, say } from "./panel.js";
import { askJson, post } from "./server.js";
import { text } from "./texts.js";

/** Wire training. `onChange` is called when there is a new model, or another one answers. */
export function startTraining(page, choose, onChange) {
  let status = null;
  element("train-section").hidden = false;

  async function trying(work) {
    try {
      await work();
    } catch (error) {
      say(error.message, true);
    }
  }

  function follow() {
    const events = new EventSource("/v1/train/events");
    events.onmessage = (event) => {
      const before = status?.state;
      status = JSON.parse(event.data);
      refresh();
      if (isOver(status)) events.close();
      if (before && !isOver({ state: before }) && status.state === "done") trying(onChange);
    };
    events.onerror = () => events.close();
  }

  function refresh() {
    const isRunning = Boolean(status) && !isOver(status);
    element("train").disabled = isRunning;
    element("stop").hidden = !isRunning;
    element("progress").hidden = !isRunning;
    element("next").disabled = !page.model.is_trained;
    element("swap").hidden = !page.model.other || isRunning;
    element("swap").textContent = text("use_other", page.model.other, page.model.name);
    if (!status) return;
    element("progress").value = isRunning ? Math.min(1, status.seconds / (status.minutes * 60)) : 0;
    element("train-state").textContent = spelled(status);
  }

  element("train").onclick = () => trying(async () => {
    const body = { minutes: Number(element("minutes").value), with_accepted: element("with-accepted").checked };
    status = await (await post("/v1/train", body)).json();
    refresh();
    follow();
  });
  element("stop").onclick = () => trying(() => post("/v1/train/stop"));
  element("swap").onclick = () => trying(async () => {
    await post("/v1/model/swap");
    await onChange();
    say(text("swapped", page.model.name));
  });
  element("next").onclick = () => trying(async () => {
    const found = await askJson("/v1/next?images=5");
    element("next-images").replaceChildren(
      ...found.images.map((image) => {
        const item = made("li");
        item.append(made("button", image.name, { type: "button", title: image.name, onclick: () => choose(image.id) }));
        return item;
      }),
    );
  });
  follow();
  return { refresh };
}

function isOver(status) {
  return !["training", "comparing"].includes(status.state);
}

function spelled(status) {
  const signed = (value) => (value >= 0 ? "+" : "−") + Math.abs(value).toFixed(3);
  if (status.state === "training") {
    return text("trained_progress", Math.round(status.seconds), Math.round(status.minutes * 60), status.step, status.validation ?? "–");
  }
  if (status.state === "idle") return "";
  if (status.state === "failed") return text("state_failed", status.message);
  if (status.state !== "done") return text(`state_${status.state}`);
  if (status.difference) return text(status.is_better ? "better" : "not_better", ...status.difference.map(signed));
  if (status.is_better) return text("first_model");
  const isEnough = status.images[1] >= status.held_out_needed;
  return isEnough ? text("undefined_difference") : text("not_compared", status.images[1], status.held_out_needed);
}
