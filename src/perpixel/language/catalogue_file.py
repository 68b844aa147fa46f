"""The file of translations, in the part of gettext's .po format that is needed: msgid and msgstr, a line each."""

import json


def entries(text: str) -> dict[str, str]:
    r"""Translation by original.

    Raises:
        ValueError: A line is neither empty, a comment, a msgid, nor the msgstr of one.

    >>> entries('# a comment\nmsgid "yes"\nmsgstr "是"\n')
    {'yes': '是'}
    """
    found: dict[str, str] = {}
    original: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        kind, _, quoted = line.partition(" ")
        if not line or line.startswith("#"):
            continue
        if kind == "msgid" and original is None:
            original = json.loads(quoted)
        elif kind == "msgstr" and original is not None:
            found[original], original = json.loads(quoted), None
        else:
            raise ValueError(f"line {number}: {line}")
    return found
