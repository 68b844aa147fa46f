// The canvas: zoom, pan, and the tiles of the layers that are seen.

import { coloured, decodePicture, decodeValues, TileStore } from "./tiles.js";

const LARGEST_SCALE = 40;

export class View {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = null;
    this.layers = []; // { path, version, colours, opacity, half }, drawn over the image in this order
    this.page = 0;
    this.scale = 1; // pixels of the screen a pixel of the image
    this.left = 0; // of the image, in pixels of the screen
    this.top = 0;
    this.tool = null; // takes the pointer instead of panning
    this.onDrawn = () => {};
    this.store = new TileStore(() => this.redraw());
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.listen();
  }

  show(image) {
    this.image = image;
    this.page = 0;
    this.layers = [];
    this.store.clear();
    this.fit();
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    const isFirst = this.canvas.width === 300;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    if (isFirst) this.fit();
    this.redraw();
  }

  fit() {
    if (!this.image) return;
    const { width, height } = this.canvas;
    this.scale = Math.min(width / this.image.width, height / this.image.height) * 0.96;
    this.left = (width - this.image.width * this.scale) / 2;
    this.top = (height - this.image.height * this.scale) / 2;
    this.redraw();
  }

  zoom(factor, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    if (!this.image) return;
    const least = Math.min(this.canvas.width, this.canvas.height) / Math.max(this.image.width, this.image.height) / 4;
    const scale = Math.min(Math.max(this.scale * factor, Math.min(least, 1)), LARGEST_SCALE);
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.redraw();
  }

  pan(right, down) {
    this.left += right;
    this.top += down;
    this.redraw();
  }

  /** The place of a pointer in pixels of the image. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const ratio = this.canvas.width / box.width;
    return [
      ((event.clientX - box.left) * ratio - this.left) / this.scale,
      ((event.clientY - box.top) * ratio - this.top) / this.scale,
    ];
  }

  redraw() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { context, canvas } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!this.image) return;
    context.setTransform(this.scale, 0, 0, this.scale, this.left, this.top);
    context.imageSmoothingEnabled = this.scale < 1;
    this.drawTiles("tiles", 0, decodePicture, (content) => content);
    for (const layer of this.layers) this.drawLayer(layer);
    if (this.layers.some((layer) => layer.half)) this.drawDivide();
    this.onDrawn(context);
  }

  /** A layer; one with `half` only left (0) or right (1) of the middle of the canvas. */
  drawLayer({ path, version, colours, opacity, half }) {
    const { context, canvas } = this;
    context.save();
    if (half !== undefined) {
      context.beginPath();
      const middle = (canvas.width / 2 - this.left) / this.scale;
      const width = canvas.width / this.scale;
      context.rect(half ? middle : middle - width, -this.top / this.scale, width, canvas.height / this.scale);
      context.clip();
    }
    context.globalAlpha = opacity;
    this.drawTiles(path, version, decodeValues, (content) => coloured(content, colours));
    context.restore();
  }

  drawDivide() {
    const { context, canvas } = this;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#fff";
    context.fillRect(canvas.width / 2 - 2, 0, 4, canvas.height);
    context.fillStyle = "#000";
    context.fillRect(canvas.width / 2 - 1, 0, 2, canvas.height);
    context.restore();
  }

  /** Level, columns and rows of the tiles that are seen. */
  seen() {
    const { image, canvas, scale } = this;
    const level = Math.max(0, Math.min(image.levels - 1, Math.floor(Math.log2(1 / scale) + 0.01)));
    const side = image.tile_px * 2 ** level;
    const range = (start, length, size) => [
      Math.max(0, Math.floor(-start / scale / side)),
      Math.min(Math.ceil(size / side), Math.ceil((length - start) / scale / side)),
    ];
    return { level, side, columns: range(this.left, canvas.width, image.width), rows: range(this.top, canvas.height, image.height) };
  }

  drawTiles(path, version, decode, drawable) {
    const { level, side, columns, rows } = this.seen();
    for (let row = rows[0]; row < rows[1]; row += 1) {
      for (let column = columns[0]; column < columns[1]; column += 1) {
        const content = this.store.get(this.tilePath(path, level, column, row), version, decode);
        if (!content) continue;
        const factor = side / this.image.tile_px;
        const width = Math.min(content.width * factor, this.image.width - column * side);
        const height = Math.min(content.height * factor, this.image.height - row * side);
        this.context.drawImage(
          drawable(content), 0, 0, width / factor, height / factor, column * side, row * side, width, height,
        );
      }
    }
  }

  tilePath(path, level, column, row) {
    const [name, query] = path.split("?");
    const queries = [query, this.page ? `page=${this.page}` : ""].filter(Boolean).join("&");
    return `/v1/images/${this.image.id}/${name}/${level}/${column}/${row}${queries && `?${queries}`}`;
  }

  listen() {
    const { canvas } = this;
    const pointers = new Map();
    canvas.addEventListener("pointerdown", (event) => {
      canvas.focus();
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
      if (pointers.size > 1) this.tool?.cancel();
      else if (event.button === 0) this.tool?.down(this.place(event), event);
    });
    canvas.addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId);
      if (!before) {
        this.tool?.hover(this.place(event));
        return;
      }
      this.dragged(event, before, pointers);
      pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => {
        if (pointers.delete(event.pointerId) && pointers.size === 0) this.tool?.up(this.place(event));
      });
    }
    canvas.addEventListener("dblclick", (event) => this.tool?.finish(this.place(event)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const box = canvas.getBoundingClientRect();
      const ratio = canvas.width / box.width;
      this.zoom(1.0015 ** -event.deltaY, (event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
    }, { passive: false });
  }

  /** One finger or the mouse pans unless a tool is taken; two fingers pan and zoom. */
  dragged(event, before, pointers) {
    const ratio = this.canvas.width / this.canvas.clientWidth;
    if (pointers.size === 1) {
      if (this.tool && !(event.buttons & 4)) this.tool.move(this.place(event));
      else this.pan((event.clientX - before[0]) * ratio, (event.clientY - before[1]) * ratio);
      return;
    }
    const [other] = [...pointers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    const box = this.canvas.getBoundingClientRect();
    const apart = (place) => Math.max(1, Math.hypot(place[0] - other[0], place[1] - other[1]));
    this.zoom(apart([event.clientX, event.clientY]) / apart(before), (other[0] - box.left) * ratio, (other[1] - box.top) * ratio);
  }
}
