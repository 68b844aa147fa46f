"""Label Studio's run lengths of painted masks.

A mask is a bit stream of its (R, G, B, A) pixels, here each value four times: 32 bits of length, 5 bits of word
size − 1, four times 4 bits of run sizes − 1; then blocks, each 1 bit (a run or single words), 2 bits (which size),
the number of values − 1 in that many bits, and the value, or the values.

Source: thi.ng/rle-pack, index.ts; label_studio_sdk.converter.brush, which the golden tests come from.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.shapes import AnyArray

WORD_BITS: Final = 8
RUN_BITS: Final = (3, 4, 8, 16)
CHANNELS: Final = 4
HEAD_BITS: Final = 32 + 5 + 4 * len(RUN_BITS)


def encode_rle(mask: AnyArray) -> list[int]:
    """Encode a mask (H, W), zero or not, as bytes of Label Studio's run lengths."""
    values = np.repeat(np.where(mask.ravel() != 0, 255, 0).astype(np.uint8), CHANNELS)
    bits = [f"{len(values):032b}", f"{WORD_BITS - 1:05b}", *(f"{bits - 1:04b}" for bits in RUN_BITS)]
    ends = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    for end, length in zip(ends, np.diff(ends, prepend=-1), strict=True):
        word = f"{values[end]:0{WORD_BITS}b}"
        left = int(length)
        while left:
            size = next((size for size, bits_of in enumerate(RUN_BITS) if left <= 2**bits_of), len(RUN_BITS) - 1)
            run = min(left, 2 ** RUN_BITS[size])
            bits.append(f"1{size:02b}{run - 1:0{RUN_BITS[size]}b}{word}")
            left -= run
    stream = "".join(bits)
    stream += "0" * (-len(stream) % 8)
    return list(int(stream, 2).to_bytes(len(stream) // 8, "big"))


def decode_rle(rle: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Decode run lengths into a mask (H, W): where the alpha is not zero.

    Raises:
        DataError: They are no run lengths of an image of this size.
    """
    try:
        bits = np.unpackbits(np.array(rle, np.uint8))
        if not isinstance(rle, list) or _number(bits[:32]) != height * width * CHANNELS or len(bits) < HEAD_BITS:
            raise ValueError
        word, sizes = _number(bits[32:37]) + 1, [_number(bits[37 + 4 * k : 41 + 4 * k]) + 1 for k in range(4)]
        values = _words(bits, word, sizes, height * width * CHANNELS)
    except (ValueError, TypeError, OverflowError, IndexError):
        raise DataError(
            f"a mask is not the run lengths of {height} × {width} pixels.", fix="send it as Label Studio does."
        ) from None
    return np.asarray(values.reshape(height, width, CHANNELS)[..., CHANNELS - 1] > 0)


def _words(bits: NDArray[np.uint8], word: int, sizes: list[int], count: int) -> NDArray[np.uint32]:
    values = np.zeros(count, np.uint32)
    place, done = HEAD_BITS, 0
    while done < count:
        size = sizes[_number(bits[place + 1 : place + 3])]
        start = place + 3 + size
        number = _number(bits[place + 3 : start]) + 1
        is_run = bool(bits[place])
        place = start + (word if is_run else word * number)
        if place > len(bits) or done + number > count:
            raise ValueError
        read = bits[start:place].reshape(-1, word)
        values[done : done + number] = read @ (1 << np.arange(word - 1, -1, -1))
        done += number
    return values


def _number(bits: NDArray[np.uint8]) -> int:
    if not len(bits):
        raise ValueError
    return int("".join(map(str, bits)), 2)
