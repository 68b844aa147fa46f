"""Ways to damage a file: its bytes, or one of its fields with everything around it made valid again."""

import io
import json
import math
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

DEEP: Any = []
for _ in range(200):
    DEEP = [DEEP]
ODD = [
    *(None, True, 0, -1, 1, 2, 255, 256, 65536, 2**31, 2**63, 10**30, -(2**40)),
    *(0.5, -0.0, 1e-300, 1e308, math.nan, math.inf, -math.inf),
    *("", "x", "\ud83d", "a\nb", "\x1b[2J", "..", "/etc/passwd", "x" * 5000, "=1+1", "1e9"),
    *([], {}, [[]], [1, [2]], {"a": 1}, [0] * 300, DEEP),
]
TOKENS = [
    *(b"9" * 5000, b"nan", b"-inf", b"1e999", b"[" * 300, b'{"a":' * 300, b"&a [*a, *a]", b"!!python/name:os.system"),
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b'"', b",", b"\x1b[2J", b"../", b"<!DOCTYPE a>", b"<a>" * 300),
]


def pick(draw, options):
    """One of them."""
    return options[int(draw.integers(len(options)))]


def damaged(content, draw):
    """Bytes with one to eight changes: flipped, replaced, cut out, doubled, filled, spliced, cut short."""
    content = bytearray(content)
    for _ in range(int(draw.integers(1, 9))):
        if not content:
            break
        near = len(content) if draw.random() < 0.5 else min(len(content), 200)
        place, length = int(draw.integers(near)), int(draw.integers(1, 17))
        match int(draw.integers(8)):
            case 0:
                content[place] = int(draw.integers(256))
            case 1:
                content[place] ^= 1 << int(draw.integers(8))
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = content[place : place + length]
            case 4:
                content[place : place + length] = bytes([pick(draw, [0, 255, 127, 1])]) * length
            case 5:
                other = int(draw.integers(len(content)))
                content[place : place + length] = content[other : other + length]
            case 6:  # a length, a count or an offset
                number = pick(draw, [0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, len(content)])
                content[place : place + 4] = struct.pack(pick(draw, ["<I", ">I"]), number)
            case _:
                del content[place:]
    return bytes(content)


def damaged_text(content, draw):
    """As `damaged`, and sometimes with a word that parsers trip over."""
    if draw.random() < 0.5:
        return damaged(content, draw)
    place = int(draw.integers(len(content) + 1))
    return content[:place] + pick(draw, TOKENS) + content[place + int(draw.integers(6)) :]


def replaced(value, draw, odd=ODD):
    """A tree of mappings and lists with one of its parts taken out, or replaced by something of another kind."""
    is_leaf = not isinstance(value, dict | list | tuple) or not value
    if is_leaf or draw.random() < 0.15:
        return pick(draw, odd)
    places = list(value) if isinstance(value, dict) else list(range(len(value)))
    place = pick(draw, places)
    copy = dict(value) if isinstance(value, dict) else list(value)
    match int(draw.integers(12)):
        case 0:
            del copy[place]
        case 1:
            copy[place] = copy[pick(draw, places)]
        case _:
            copy[place] = replaced(value[place], draw, odd)
    return tuple(copy) if isinstance(value, tuple) else copy


def damaged_json(content, draw):
    """JSON with another value in it, or damaged as text."""
    if draw.random() < 0.5:
        return damaged_text(content, draw)
    return json.dumps(replaced(json.loads(content), draw)).encode()


def damaged_png(content, draw):
    """A PNG of which one chunk is changed, or its compressed pixels, all check sums right again."""
    if draw.random() < 0.4:
        return damaged(content, draw)
    chunks, place = [], 8
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        chunks.append([content[place + 4 : place + 8], content[place + 8 : place + 8 + length]])
        place += 12 + length
    chosen = pick(draw, chunks)
    if chosen[0] == b"IDAT" and draw.random() < 0.5:
        pixels = zlib.decompress(b"".join(data for name, data in chunks if name == b"IDAT"))
        chosen[1] = zlib.compress(pick(draw, [damaged(pixels, draw), pixels * 50, b""]))
    elif draw.random() < 0.1:
        chosen[0] = pick(draw, [b"PLTE", b"tRNS", b"eXIf", b"iTXt", b"zTXt", b"acTL", b"IHDR", b"IEND"])
    else:
        chosen[1] = damaged(chosen[1], draw)
    joined = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
              for name, data in chunks]  # fmt: skip
    return content[:8] + b"".join(joined)


def damaged_tiff(content, draw):
    """A little-endian TIFF of which one to three fields of its first directory hold something else."""
    if draw.random() < 0.4:
        return damaged(content, draw)
    content, is_big = bytearray(content), content[2] == 43
    (first,) = struct.unpack_from("<Q" if is_big else "<I", content, 8 if is_big else 4)
    (count,) = struct.unpack_from("<Q" if is_big else "<H", content, first)
    size, start = (20, first + 8) if is_big else (12, first + 2)
    for _ in range(int(draw.integers(1, 4))):
        place = start + size * int(draw.integers(count))
        number = pick(draw, [0, 1, 2, 3, 8, 16, 17, 32, 255, 2**15, 2**16 - 1, 2**16, 2**20, 2**31, 2**32 - 1])
        match int(draw.integers(6)):
            case 0:
                struct.pack_into("<H", content, place, int(draw.integers(254, 340)))
            case 1:
                struct.pack_into("<H", content, place + 2, int(draw.integers(0, 19)))
            case 2:
                struct.pack_into("<I", content, place + 4, number)
            case _:
                struct.pack_into("<I", content, place + (12 if is_big else 8), number)
    return bytes(content)


def damaged_npy(content, draw):
    """An .npy file with another header of the right length."""
    if draw.random() < 0.4:
        return damaged(content, draw)
    shape = tuple(pick(draw, [0, 1, 3, 24, 32, 10**6, 2**31, 2**62, -1]) for _ in range(int(draw.integers(5))))
    kind = pick(draw, ["|u1", "<u2", "<f4", "<f8", "<c16", "|O", "|S7", "<M8[s]", "<i8", "|b1", ">f2", "|V5"])
    header = f"{{'descr': {kind!r}, 'fortran_order': {draw.random() < 0.5}, 'shape': {shape}}}\n".encode()
    return content[:8] + struct.pack("<H", len(header)) + header + content[128:]


def damaged_zip(content, draw, damage):
    """A .zip of which one member went through `damage(name, bytes, draw)`, its check sum right again."""
    if draw.random() < 0.4:
        return damaged(content, draw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(buffer, "w") as written:
        names = given.namelist()
        chosen = pick(draw, names)
        for name in names:
            data = given.read(name)
            if name == chosen and draw.random() < 0.1:
                continue
            written.writestr(name, damage(name, data, draw) if name == chosen else data)
    return buffer.getvalue()


def draw_of(seed, number):
    """The random numbers of one case: the same whatever ran before it."""
    return np.random.default_rng([seed, number])
