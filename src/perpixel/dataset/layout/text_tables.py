"""Text files as people save them: UTF-8 or what Windows writes, with commas, semicolons or tabs."""

import csv
import re
from pathlib import Path
from typing import Final

from perpixel.errors import DataError
from perpixel.files.whole_file import content_of

SEPARATORS: Final = (",", ";", "\t")
BYTE_ORDER_MARKS: Final = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
MOST_BYTES: Final = 64 << 20


def decoded_text(path: Path) -> str:
    """The text of a file: UTF-8, UTF-16 with its mark, else Windows' Chinese or Western European.

    Raises:
        DataError: It cannot be read, or is no text.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} is too large for a table.", fix="move it out of the folder.")
        raw = content_of(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.", fix="check its permissions.") from error
    marked = next((name for mark, name in BYTE_ORDER_MARKS if raw.startswith(mark)), None)
    others = ["gb18030"] if _is_chinese(raw) else ["cp1252"]
    for encoding in [marked] if marked else ["utf-8-sig", *others]:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise DataError(f"{path} cannot be read as CSV: it is no text.", fix="save it as UTF-8 text with commas.")


def _is_chinese(raw: bytes) -> bool:
    """Whether all that is not ASCII is common Chinese in GB 2312; Western letters with accents stand alone.

    >>> _is_chinese("细胞".encode("gb18030")), _is_chinese("Größe, café".encode("cp1252"))
    (True, False)
    """
    runs = re.findall(rb"[\x80-\xff]+", raw)
    return bool(runs) and all(re.fullmatch(rb"(?:[\xa1-\xa3\xb0-\xd7][\xa1-\xfe])+", run) for run in runs)


def separator_of(line: str) -> str:
    """What separates the columns of a head line.

    >>> separator_of("image;mask"), separator_of("image mask"), separator_of("a;b,c;d")
    (';', ',', ';')
    """
    return max(SEPARATORS, key=lambda mark: (line.count(mark), -SEPARATORS.index(mark)))


def read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns' names, and the rows by name.

    Raises:
        DataError: The file cannot be read as a table.
    """
    text = decoded_text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    try:
        reader = csv.DictReader(text.splitlines(), delimiter=separator_of(first), skipinitialspace=True)
        rows = [
            {k: v or "" for k, v in row.items() if isinstance(k, str) and not isinstance(v, list)} for row in reader
        ]
    except csv.Error as error:
        raise DataError(
            f"{path} cannot be read as CSV: {error}.", fix="save it as UTF-8 text with commas."
        ) from error
    return [name for name in reader.fieldnames or [] if name is not None], rows
