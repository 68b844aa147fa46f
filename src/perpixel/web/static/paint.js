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
    this.image = null;
    view.onDrawn = (context) => this.draw(context);
  }

  /** Take the labels of an image in hand. */
  async open(image) {
    Object.assign(this, { image, points: null, sent: [], etag: null, state: null });
    if (image.is_upload || image.pages > 1) return false;
    const response = await fetch(`/v1/images/${image.id}/labels/state`);
    if (!response.ok) return false;
    this.take(response, await response.json());
    return true;
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

  /** One step after the other; what was changed elsewhere meanwhile is kept, and the step goes on top of it. */
  post(path, body = {}) {
    const { image } = this;
    this.queue = this.queue.then(async () => {
      let response;
      let answer;
      do {
        const headers = { "Content-Type": "application/json", "If-Match": this.etag };
        const url = `/v1/images/${image.id}/labels/${path}`;
        response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
        answer = await response.json();
        if (response.ok || response.status === 409) this.take(response, answer);
      } while (response.status === 409 && "version" in answer && this.image === image);
      if (!response.ok) throw new Error(answer.error);
      this.onChange(this.state);
    }).catch((error) => this.onChange(this.state, error)).finally(() => this.drop(body));
    return this.queue;
  }

  take(response, state) {
    this.etag = response.headers.get("ETag");
    this.state = state;
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

/** The buttons of the tools say which one is in hand. */
export function showTool(painter) {
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === painter.tool));
  }
  element("view").classList.toggle("is-painting", Boolean(painter.tool));
  element("radius").value = painter.radius;
}
