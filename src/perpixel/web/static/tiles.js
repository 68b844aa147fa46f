// Tiles: fetched once, decoded to values, coloured when the colours change, the least recently used forgotten.

const MOST_TILES = 400;
const MOST_LOADING = 6;

export class TileStore {
  constructor(onChange) {
    this.onChange = onChange;
    this.tiles = new Map();
    this.waiting = [];
    this.loading = 0;
  }

  /** What can be drawn of a tile now, or null; a missing or outdated one is fetched. */
  get(path, version, decode) {
    let tile = this.tiles.get(path);
    if (tile) {
      this.tiles.delete(path);
    } else {
      tile = { path, content: null, version: null, asked: null };
    }
    this.tiles.set(path, tile);
    if (tile.asked !== version) {
      tile.asked = version;
      this.waiting.push({ tile, version, decode });
      this.next();
    }
    return tile.content;
  }

  /** Whether tiles are still on their way. */
  get isBusy() {
    return this.loading + this.waiting.length > 0;
  }

  clear() {
    this.tiles.clear();
    this.waiting = [];
  }

  async next() {
    if (this.loading >= MOST_LOADING || !this.waiting.length) return;
    const { tile, version, decode } = this.waiting.pop();
    this.loading += 1;
    try {
      const response = await fetch(`${tile.path}${tile.path.includes("?") ? "&" : "?"}v=${version}`);
      if (response.ok && tile.asked === version) {
        tile.content = await decode(await response.blob());
        tile.version = version;
      }
    } catch {
      tile.asked = null; // asked again when it is next drawn
    } finally {
      this.loading -= 1;
      while (this.tiles.size > MOST_TILES) this.tiles.delete(this.tiles.keys().next().value);
      this.onChange();
      this.next();
    }
  }
}

/** A tile of the image, drawn as it is. */
export function decodePicture(blob) {
  return createImageBitmap(blob);
}

/** A tile of a layer as its values: one number a pixel, of the three bytes of its colour. */
export async function decodeValues(blob) {
  const bitmap = await createImageBitmap(blob, { premultiplyAlpha: "none", colorSpaceConversion: "none" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  const values = new Uint32Array(bitmap.width * bitmap.height);
  for (let i = 0; i < values.length; i += 1) values[i] = data[4 * i] | (data[4 * i + 1] << 8) | (data[4 * i + 2] << 16);
  return { values, width: bitmap.width, height: bitmap.height, canvas, context, colours: null };
}

/** The canvas of a tile of values under a table of colours; painted only when the table is another one. */
export function coloured(content, colours) {
  if (content.colours !== colours) {
    const image = new ImageData(content.width, content.height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let i = 0; i < pixels.length; i += 1) pixels[i] = colours.of(content.values[i]);
    content.context.putImageData(image, 0, 0);
    content.colours = colours;
  }
  return content.canvas;
}
