"""Draw the small pictures of the page on formats, as SVG: python docs/format_pictures.py [FOLDER]."""

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path(__file__).parent / "images"
INK, PAPER, EDGE, SKY, LAND, MASK, SECOND = (
    "#24292f",
    "#ffffff",
    "#d0d7de",
    "#9ec5e8",
    "#6f9e4f",
    "#0072b2",
    "#e69f00",
)
ROW, WIDTH, INDENT, ICON = 22, 300, 18, 16

LAYOUTS = {
    "plain": "d images|.i a.png|.i b.png|d masks|.m a.png|.m b.png",
    "by-names": "i a.png|m a_mask.png|i b.png|m b_mask.png",
    "equal-stems": "i a.jpg|m a.png|i b.jpg|m b.png",
    "by-subset": "d train|.i a.png|d trainannot|.m a.png|d val|.i b.png|d valannot|.m b.png",
    "subset-inside": "d images|.d train|..i a.png|.d val|..i b.png|d labels|.d train|..m a.png|.d val|..m b.png",
    "by-image": "d a|.d images|..i a.png|.d masks|..m 1.png|..s 2.png|d b|.d images|..i b.png|.d masks|..m 1.png",
    "by-class": "d images|.i a.png|d masks|.d tree|..m a.png|.d road|..s a.png",
    "class-files": "d images|.i a.png|d masks|.m a_tree.png|.s a_road.png",
    "by-scene": "d river|.d images|..i a.png|.d masks|..m a.png|d forest|.d images|..i a.png|.d masks|..m a.png",
    "stack": "p volume.tif|q labels.tif",
    "numbered": "d images|.i a.tif|d masks|.o a.tif",
    "pair-list": "d scans|.i 7.tif|d truth|.m 7_final.png|l pairs.csv: image,mask,split,group",
    "subset-lists": "d images|.i a.png|.i b.png|d masks|.m a.png|.m b.png|l train.txt: a|l val.txt: b",
    "one-outline-file": "d images|.i a.jpg|.i b.jpg|j annotations.json",
    "outline-each": "i a.jpg|j a.json|i b.jpg|j b.json",
    "outline-beside": "d images|.d train|..i a.jpg|d labels|.d train|..j a.txt|l data.yaml: names",
    "map": "i ortho.tif|j fields.geojson",
    "unlabelled-test": "d train|.i a.png|d label|.m a.png|d test|.i z.png",
}
"""A folder a picture, a line a file: its depth in dots; d folder, i image, m and s masks, o numbered objects, p and q
stacks, l list, j outlines; and its name."""

GRIDS = {
    "alpha": (("0000", "0aa0", "0aa0", "0000"), {"0": "none", "a": MASK}),
    "smoothed": (("0122", "1222", "1222", "0122"), {"0": "#000000", "1": "#808080", "2": "#ffffff"}),
    "strokes": (
        ("0000000", "0aa0000", "0000000", "00000b0", "00bbbb0", "0000000"),
        {"0": "#e8e8e8", "a": MASK, "b": SECOND},
    ),
    "levels": (("0011", "0011", "2233", "2233"), {"0": "#000000", "1": "#555555", "2": "#aaaaaa", "3": "#ffffff"}),
    "nodata": (("xx00", "x0aa", "00aa", "000x"), {"x": "none", "0": "#000000", "a": "#ffffff"}),
    "pages": (
        ("0000|0000", "0aa0|0000", "0000|00b0", "0000|00b0"),
        {"0": "#000000", "a": MASK, "b": SECOND, "|": PAPER},
    ),
}
"""Masks of a few pixels and the colour of each sign; "none" is drawn as transparent."""
PIXEL = 20


def pictures() -> Iterator[tuple[str, str]]:
    """The name of each picture, and its SVG."""
    for name, tree in LAYOUTS.items():
        yield f"layout-{name}.svg", layout_picture(tree)
    for name, (rows, colours) in GRIDS.items():
        yield f"encoding-{name}.svg", grid_picture(rows, colours)


def layout_picture(tree: str) -> str:
    """A folder as a tree of icons and names."""
    parts = []
    lines = tree.split("|")
    for row, line in enumerate(lines):
        depth = len(line) - len(line.lstrip("."))
        kind, name = line[depth:].split(" ", 1)
        x, y = 8 + depth * INDENT, 8 + row * ROW
        parts.append(icon(kind, x, y))
        parts.append(f'<text x="{x + ICON + 8}" y="{y + 13}">{escape(name + "/" * (kind == "d"))}</text>')
    return _svg(WIDTH, 12 + ROW * len(lines), parts)


def icon(kind: str, x: int, y: int) -> str:
    """A sign of 16 × 16 for what a line is."""
    frame = f'<rect x="{x}" y="{y}" width="16" height="16" fill="{{}}" stroke="{INK}" stroke-width=".6"/>'
    photo = frame.format(SKY) + f'<path d="M{x} {y + 16}v-4l5-5 4 4 3-3 4 4v4z" fill="{LAND}"/>'
    blob = f'<circle cx="{x + 8}" cy="{y + 8}" r="4.5" fill="{{}}"/>'
    behind = f'<rect x="{x + 3}" y="{y - 3}" width="16" height="16" fill="{PAPER}" stroke="{INK}" stroke-width=".6"/>'
    spots = ((5, 6, MASK), (11, 11, SECOND))
    two = "".join(f'<circle cx="{x + right}" cy="{y + down}" r="3" fill="{fill}"/>' for right, down, fill in spots)
    ruled = "".join(f'<path d="M{x + 3} {y + k}h10" stroke="{INK}" stroke-width=".8"/>' for k in (4, 8, 12))
    outline = f'<path d="M{x + 3} {y + 11}l3-8 7 3-2 7z" fill="none" stroke="{MASK}" stroke-width="1.6"/>'
    return {
        "d": f'<path d="M{x} {y + 3}h6l2 2h8v9h-16z" fill="#f2cc60" stroke="{INK}" stroke-width=".6"/>',
        "i": photo,
        "p": behind + photo,
        "m": frame.format("#000000") + blob.format(MASK),
        "s": frame.format("#000000") + blob.format(SECOND),
        "o": frame.format("#000000") + two,
        "q": behind + frame.format("#000000") + blob.format(MASK),
        "l": frame.format(PAPER) + ruled,
        "j": frame.format(PAPER) + outline,
    }[kind]


def grid_picture(rows: tuple[str, ...], colours: dict[str, str]) -> str:
    """A mask of a few pixels."""
    parts = []
    for y, row in enumerate(rows):
        for x, sign in enumerate(row):
            place = f'x="{8 + x * PIXEL}" y="{8 + y * PIXEL}" width="{PIXEL}" height="{PIXEL}"'
            if colours[sign] != "none":
                parts.append(f'<rect {place} fill="{colours[sign]}"/>')
            else:
                corner = f"M{8 + x * PIXEL} {8 + y * PIXEL}"
                half = PIXEL // 2
                squares = f"{corner}h{half}v{half}h-{half}z{corner}m{half} {half}h{half}v{half}h-{half}z"
                parts.append(f'<path d="{squares}" fill="{EDGE}"/>')
    return _svg(16 + PIXEL * max(map(len, rows)), 16 + PIXEL * len(rows), parts)


def _svg(width: int, height: int, parts: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    style = f'font-family="ui-monospace,Menlo,Consolas,monospace" font-size="12" fill="{INK}"'
    card = f'<rect x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="4" fill="{PAPER}" stroke="{EDGE}"/>'
    return f"{head} {style}>{card}{''.join(parts)}</svg>\n"


def main(folder: Path) -> None:
    """Write every picture into a folder."""
    for name, svg in pictures():
        (folder / name).write_text(svg, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
