// Tools that label: each stroke is sent as what the hand did, and the server's tiles show what became of it.

import { element } from "./panel.js";

const LEAST_STEP = 0.7;

export class Painter {
  constructor(view, onChange) {
    this.view = view;
    this.onChange = onChange; // called with the state of the labels after each step
    this.tool = null;
    this.classIndex = 1;
    this.radius = 6;
    this.points = null; // of the stroke in hand
    this.sent = []; // strokes on their way, drawn until their tiles are here
    this.place = null; // of the pointer
    this.queue = Promise.resolve();
    this.labels = null; // of the image in hand: { image, etag, state }
    view.onDrawn = (context) => this.draw(context);
  }

  /** Take the labels of an image in hand. */
  async open(image) {
    const labels = { image, etag: "none yet", state: null };
    Object.assign(this, { labels, points: null, sent: [] });
    if (image.is_upload || image.pages > 1) return false;
    const response = await fetch(`/v1/images/${image.id}/labels/state`);
    if (!response.ok) return false;
    take(labels, response, await response.json());
    return this.labels === labels;
  }

  get state() {
    return this.labels?.state ?? null;
  }

  choose(tool) {
    this.tool = this.tool === tool ? null : tool;
    this.points = null;
    this.view.tool = this.tool && this;
    this.view.redraw();
  }

  // ---- what the view calls

  down(place, event) {
    if (event.altKey) return;
    if (this.tool === "fill") this.send({ points: [place] });
    else if (this.tool === "polygon") this.points = [...(this.points ?? []), place];
    else this.points = [place];
    this.view.redraw();
  }

  move(place) {
    this.place = place;
    const last = this.points?.at(-1);
    const isFar = last && Math.hypot(place[0] - last[0], place[1] - last[1]) >= LEAST_STEP;
    if (isFar && this.tool !== "polygon") this.points.push(place);
    this.view.redraw();
  }

  up() {
    if (this.tool === "polygon" || !this.points) return;
    this.send({ points: this.points });
    this.points = null;
  }

  hover(place) {
    this.place = place;
    this.view.redraw();
  }

  cancel() {
    this.points = null;
    this.view.redraw();
  }

  /** Close a polygon. */
  finish() {
    if (this.tool === "polygon" && this.points?.length > 2) this.send({ points: this.points });
    this.points = null;
    this.view.redraw();
  }

  // ---- what the server is told

  send(stroke) {
    const whole = { tool: this.tool, class_index: this.classIndex, radius: this.radius, ...stroke };
    this.sent.push(whole);
    return this.post("strokes", whole);
  }

  /**
   * One step after the other; what was changed elsewhere meanwhile is kept, and the step goes on top of it. A step that
   * still waits when another image is chosen belongs to the image that it was made on.
   */
  post(path, body = {}) {
    const { labels } = this;
    const tell = (error) => this.labels === labels && this.onChange(labels.state, error);
    this.queue = this.queue.then(async () => {
      let response;
      let answer;
      do {
        const headers = { "Content-Type": "application/json", "If-Match": labels.etag };
        const url = `/v1/images/${labels.image.id}/labels/${path}`;
        response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
        answer = await response.json();
        if (response.ok || response.status === 409) take(labels, response, answer);
      } while (response.status === 409 && "version" in answer);
      if (!response.ok) throw new Error(answer.error);
      tell();
    }).catch(tell).finally(() => this.drop(body));
    return this.queue;
  }

  /** Stop drawing a stroke once the tiles that hold it have come. */
  drop(stroke) {
    const look = () => {
      if (this.view.store.isBusy) {
        setTimeout(look, 30);
      } else {
        this.sent = this.sent.filter((each) => each !== stroke);
        this.view.redraw();
      }
    };
    setTimeout(look, 30);
  }

  // ---- what is drawn over the image

  draw(context) {
    for (const stroke of this.sent) if (stroke.tool !== "fill") this.drawStroke(context, stroke);
    if (this.points) {
      const points = this.tool === "polygon" && this.place ? [...this.points, this.place] : this.points;
      this.drawStroke(context, { tool: this.tool, class_index: this.classIndex, radius: this.radius, points });
    }
    if (this.place && (this.tool === "brush" || this.tool === "eraser")) {
      context.lineWidth = 1.5 / this.view.scale;
      context.strokeStyle = "#fff";
      context.beginPath();
      context.arc(...this.place, this.radius, 0, 2 * Math.PI);
      context.stroke();
      context.lineWidth /= 2;
      context.strokeStyle = "#000";
      context.stroke();
    }
  }

  drawStroke(context, { tool, class_index: k, radius, points }) {
    context.globalAlpha = 0.6;
    context.strokeStyle = tool === "eraser" ? "#fff" : this.colour(k);
    context.fillStyle = context.strokeStyle;
    context.lineWidth = tool === "polygon" ? 2 / this.view.scale : 2 * radius;
    context.lineCap = "round";
    context.lineJoin = "round";
    context.beginPath();
    context.moveTo(...points[0]);
    for (const point of points.slice(1)) context.lineTo(...point);
    if (points.length === 1) context.lineTo(points[0][0] + 0.01, points[0][1]);
    context.stroke();
    if (tool === "polygon") context.fill();
    context.globalAlpha = 1;
  }

  colour(k) {
    return this.colours[k];
  }
}

/** Keep what an answer says of labels; one that says nothing of them changes nothing. */
function take(labels, response, state) {
  if (!("version" in state)) return;
  labels.etag = response.headers.get("ETag");
  labels.state = state;
}

/** The buttons of the tools say which one is in hand. */
export function showTool(painter) {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === painter.tool));
  }
  element("view").classList.toggle("is-painting", Boolean(painter.tool));
  element("radius").value = painter.radius;
}
