const TEXTS = {
  en: {
    drop: "Drop an image here, or click to choose one. It does not leave this computer.",
    loading: "Loading the network …", ready: "Ready.", working: "Segmenting … %", done: "Done in % s.",
    fade: "Mask", save: "Save the mask (PNG)", outlines: "Save the outlines (GeoJSON)",
    unreadable: "This file is not an image that the browser can read.",
    about: "Made by perpixel; runs ONNX Runtime Web (MIT) in this page, without a connection.",
  },
  zh: {
    drop: "把图像拖到这里，或点击选择。图像不会离开这台电脑。",
    loading: "正在加载网络……", ready: "就绪。", working: "正在分割…… %", done: "完成，用时 % 秒。",
    fade: "掩膜", save: "保存掩膜（PNG）", outlines: "保存轮廓（GeoJSON）",
    unreadable: "浏览器无法读取这个文件。",
    about: "由 perpixel 生成；在本页内运行 ONNX Runtime Web（MIT），无需联网。",
  },
};
document.documentElement.lang = navigator.language;
const text = TEXTS[navigator.language.startsWith("zh") ? "zh" : "en"];
const find = id => document.getElementById(id);
const say = (key, value = "") => { find("state").textContent = text[key].replace("%", value); };
for (const each of document.querySelectorAll("[data-text]")) each.textContent = text[each.dataset.text];

const VIEWS = {none: [[0, 0]], hflip: [[0, 0], [0, 1]], flips: [[0, 0], [0, 1], [2, 0], [2, 1]],
  d4: [0, 1, 2, 3].flatMap(turns => [[turns, 0], [turns, 1]])};
const labels = CARD.codec.labels, classes = labels.names.length, channels = CARD.codec.mean.length;
let session = null, current = null;

async function unzipped(base64) {
  const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

async function start() {
  say("loading");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = await unzipped(FILES.wasm);
  const loader = new Blob([await unzipped(FILES.loader)], {type: "text/javascript"});
  ort.env.wasm.wasmPaths = {mjs: URL.createObjectURL(loader)};
  session = await ort.InferenceSession.create(new Uint8Array(await unzipped(FILES.model)), {executionProviders: ["wasm"]});
  say("ready");
}

/* Planes (K, h, w) turned a quarter counterclockwise as often as said, then mirrored left to right; [planes, h, w]. */
function turned(planes, h, w, turns, mirrored) {
  const k = planes.length / (h * w);
  for (let turn = 0; turn < turns; turn++) {
    const next = new planes.constructor(planes.length);
    for (let c = 0; c < k; c++) for (let y = 0; y < w; y++) for (let x = 0; x < h; x++)
      next[(c * w + y) * h + x] = planes[(c * h + x) * w + w - 1 - y];
    [planes, h, w] = [next, w, h];
  }
  if (mirrored) {
    const next = new planes.constructor(planes.length);
    for (let row = 0; row < k * h; row++) for (let x = 0; x < w; x++) next[row * w + x] = planes[row * w + w - 1 - x];
    planes = next;
  }
  return [planes, h, w];
}

async function probabilities(pixels, h, w) {
  const views = VIEWS[CARD.tta], total = new Float32Array(classes * h * w);
  for (const [turns, mirrored] of views) {
    const [seen, seenH, seenW] = turned(pixels, h, w, turns, mirrored);
    const feeds = {image: new ort.Tensor("uint8", seen, [1, channels, seenH, seenW])};
    let answer = (await session.run(feeds)).probabilities.data;
    if (mirrored) answer = turned(answer, seenH, seenW, 0, 1)[0];
    answer = turned(answer, seenH, seenW, (4 - turns) % 4, 0)[0];
    for (let i = 0; i < total.length; i++) total[i] += answer[i] / views.length;
  }
  return total;
}

/* The tiles along one side; see perpixel.geometry.tiling. */
function spans(length, tile, overlap, align) {
  const aligned = Math.ceil(length / align) * align, step = tile - overlap;
  const margin = Math.floor(Math.floor(overlap * 7 / 16) / align) * align, ramp = overlap - 2 * margin;
  const steps = length <= tile ? 0 : Math.ceil((length - tile + margin) / step), found = [];
  for (let i = 0; i <= steps; i++) {
    const begin = i * step, end = i === steps ? length : begin + step;
    const see = Math.min(Math.max(begin - margin, 0), aligned - Math.min(tile, aligned));
    found.push({see, begin, end, stop: i === steps ? end : end + ramp, ramp, size: Math.min(tile, aligned)});
  }
  return found;
}

function weight(span, at) {
  if (at < span.begin + span.ramp && span.begin > 0) return (at - span.begin + 1) / (span.ramp + 1);
  return at >= span.end ? 1 - (at - span.end + 1) / (span.ramp + 1) : 1;
}

function reflected(at, length) {
  const period = Math.max(1, 2 * (length - 1)), index = at % period;
  return Math.min(index, period - index);
}

async function segmented(pixels, h, w) {
  const [p, q] = CARD.ratio, align = CARD.align_px, native = px => Math.round(px * q / p / align) * align;
  const whole = h * w * (p / q) ** 2 <= CARD.whole_px;
  const tile = whole ? Math.ceil(Math.max(h, w) / align) * align : Math.max(native(CARD.tile_px), align);
  const overlap = whole ? 0 : Math.min(native(CARD.overlap_px), Math.floor(Math.floor(tile / 2) / align) * align);
  const total = new Float32Array(classes * h * w), rows = spans(h, tile, overlap, align), columns = spans(w, tile, overlap, align);
  let done = 0;
  for (const row of rows) for (const column of columns) {
    const window = new Uint8Array(channels * row.size * column.size);
    for (let c = 0, i = 0; c < channels; c++) for (let y = 0; y < row.size; y++) {
      const from = (c * h + reflected(row.see + y, h)) * w;
      for (let x = 0; x < column.size; x++) window[i++] = pixels[from + reflected(column.see + x, w)];
    }
    const answer = await probabilities(window, row.size, column.size);
    for (let k = 0; k < classes; k++) for (let y = row.begin; y < row.stop; y++) {
      const from = (k * row.size + y - row.see) * column.size - column.see, weightY = weight(row, y);
      for (let x = column.begin; x < column.stop; x++) total[(k * h + y) * w + x] += weightY * weight(column, x) * answer[from + x];
    }
    say("working", `${Math.round(100 * ++done / (rows.length * columns.length))} %`);
    await new Promise(resolve => setTimeout(resolve));
  }
  return total;
}

/* For each class layer a map of 0 and 1; multiclass labels have one pixel in one layer. */
function decoded(values, size) {
  const layers = labels.names.map(() => new Uint8Array(size)), thresholds = CARD.thresholds;
  const scale = labels.names.map((_, k) => Math.fround(thresholds.length ? 1 / Math.max(thresholds[k], 1e-6) : 1));
  const score = (k, i) => Math.fround(values[k * size + i] * scale[k]);
  for (let i = 0; i < size; i++) {
    if (labels.kind === "multilabel") {
      for (let k = 0; k < classes; k++) layers[k][i] = values[k * size + i] >= (thresholds[k] ?? 0.5) ? 1 : 0;
      continue;
    }
    let best = 0;
    for (let k = 1; k < classes; k++) if (score(k, i) > score(best, i)) best = k;
    layers[best][i] = 1;
  }
  return layers;
}

async function shown(file) {
  const options = {colorSpaceConversion: "none", premultiplyAlpha: "none"};
  const bitmap = await createImageBitmap(file, options).catch(() => null);
  if (!bitmap) return say("unreadable");
  const {width: w, height: h} = bitmap, canvas = find("image"), mask = find("mask");
  canvas.width = mask.width = w;
  canvas.height = mask.height = h;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  context.drawImage(bitmap, 0, 0);
  const rgba = context.getImageData(0, 0, w, h).data, pixels = new Uint8Array(channels * h * w);
  for (let c = 0; c < channels; c++) for (let i = 0; i < h * w; i++) pixels[c * h * w + i] = rgba[4 * i + c];
  say("working", "");
  await new Promise(resolve => setTimeout(resolve, 20));
  const began = performance.now(), layers = decoded(await segmented(pixels, h, w), h * w);
  current = {w, h, layers, name: file.name.replace(/\.\w+$/, "")};
  const drawn = new ImageData(w, h);
  layers.forEach((layer, k) => {
    if (k === CARD.background) return;
    for (let i = 0; i < h * w; i++) if (layer[i]) drawn.data.set([...labels.colours[k], 255], 4 * i);
  });
  mask.getContext("2d").putImageData(drawn, 0, 0);
  find("tools").hidden = false;
  say("done", ((performance.now() - began) / 1000).toFixed(1));
  return current;
}

/* The outlines along the pixels' edges: each connected region of a class (4 neighbours) a polygon with its holes. */
function outlines({w, h, layers}) {
  const features = [];
  layers.forEach((layer, k) => {
    if (k === CARD.background) return;
    const region = new Int32Array(w * h);
    let regions = 0;
    for (let first = 0; first < w * h; first++) {
      if (!layer[first] || region[first]) continue;
      region[first] = ++regions;
      for (const open = [first]; open.length;) {
        const at = open.pop(), x = at % w;
        for (const next of [x > 0 ? at - 1 : -1, x < w - 1 ? at + 1 : -1, at - w, at + w])
          if (next >= 0 && next < w * h && layer[next] && !region[next]) { region[next] = regions; open.push(next); }
      }
    }
    const rings = Array.from({length: regions + 1}, () => []), edges = new Map();
    const isIn = (x, y, r) => x >= 0 && y >= 0 && x < w && y < h && region[y * w + x] === r;
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
      const r = region[y * w + x];
      if (!r) continue;
      const add = (x0, y0, x1, y1) => {
        const key = `${r},${x0},${y0}`;
        if (!edges.has(key)) edges.set(key, []);
        edges.get(key).push([x1, y1]);
      };
      if (!isIn(x, y - 1, r)) add(x, y, x + 1, y);
      if (!isIn(x + 1, y, r)) add(x + 1, y, x + 1, y + 1);
      if (!isIn(x, y + 1, r)) add(x + 1, y + 1, x, y + 1);
      if (!isIn(x - 1, y, r)) add(x, y + 1, x, y);
    }
    for (const [key, ends] of edges) while (ends.length) {
      const [r, x0, y0] = key.split(",").map(Number), ring = [[x0, y0]];
      let [x, y] = ends.pop(), from = [x0, y0];
      while (x !== x0 || y !== y0) {
        ring.push([x, y]);
        const choices = edges.get(`${r},${x},${y}`), [dx, dy] = [x - from[0], y - from[1]];
        const right = choices.findIndex(([nx, ny]) => nx - x === -dy && ny - y === dx);  // keep the region's side
        from = [x, y];
        [x, y] = choices.splice(right < 0 ? 0 : right, 1)[0];
      }
      ring.push([x0, y0]);
      rings[r].push(ring.filter(([px, py], i) => {
        if (i === 0 || i === ring.length - 1) return true;
        const [[ax, ay], [bx, by]] = [ring[i - 1], ring[i + 1]];
        return (px - ax) * (by - py) !== (py - ay) * (bx - px);
      }));
    }
    const area = ring => ring.reduce((sum, [x, y], i) => i ? sum + ring[i - 1][0] * y - x * ring[i - 1][1] : sum, 0);
    for (const found of rings.slice(1)) {
      found.sort((a, b) => area(b) - area(a));
      features.push({type: "Feature", properties: {class: labels.names[k]}, geometry: {type: "Polygon", coordinates: found}});
    }
  });
  return {type: "FeatureCollection", features};
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
}

find("legend").innerHTML = labels.names.map((_, k) => `<span style="background: rgb(${labels.colours[k]})"></span><b></b>`).join("");
find("legend").querySelectorAll("b").forEach((each, k) => { each.textContent = labels.names[k]; });
find("mask").style.opacity = 0.5;
find("fade").oninput = event => { find("mask").style.opacity = event.target.value; };
find("save").onclick = () => find("mask").toBlob(blob => save(blob, `${current.name}.png`));
find("outlines").onclick = () => save(new Blob([JSON.stringify(outlines(current))]), `${current.name}.geojson`);
const drop = find("drop"), chooser = drop.querySelector("input");
drop.onclick = () => chooser.click();
drop.onkeydown = event => { if (event.key === "Enter") chooser.click(); };
chooser.onclick = event => event.stopPropagation();
chooser.onchange = () => started.then(() => shown(chooser.files[0]));
drop.ondragover = event => { event.preventDefault(); drop.classList.add("over"); };
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = event => {
  event.preventDefault();
  drop.classList.remove("over");
  if (event.dataTransfer.files.length) started.then(() => shown(event.dataTransfer.files[0]));
};
const started = start();
