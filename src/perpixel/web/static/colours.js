// Tables from the values of a layer to colours, as 0xAABBGGRR.

function packed(hex, alpha = 255) {
  const number = parseInt(hex.slice(1), 16);
  return ((alpha << 24) | ((number & 255) << 16) | (number & 0xff00) | (number >> 16)) >>> 0;
}

/** One value a pixel, from a table of 256. */
function byTable(table) {
  return { of: (value) => table[value & 255] };
}

/** Class indices: the colour of each class that is shown; background, hidden and unknown pixels are clear. */
export function maskColours(model, shown) {
  const classes = model.classes.map((each, k) => (shown[k] ? packed(each.colour) : 0));
  if (model.kind === "multilabel") {
    const top = (value) => classes.findLast((colour, k) => colour && (value >> k) & 1) ?? 0;
    return { of: top };
  }
  return byTable(Uint32Array.from({ length: 256 }, (_, value) => classes[value] ?? 0));
}

/** A share: ever more of a colour. */
export function shareColours(hex) {
  return byTable(Uint32Array.from({ length: 256 }, (_, value) => packed(hex, value)));
}
