"""Make text written by strangers harmless to show: on a terminal, in a page, in a spreadsheet cell.

Everything a mail can say passes here before people see it. Raw bytes stay in the data files.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 400  # characters of one shown text; real subjects seldom pass 200
MAX_SPECIMEN = 6_000  # characters of one shown mail; a lure longer than this is read in the mail itself
MAX_MARKS = 3  # combining marks in a row; written languages need two, stacked "zalgo" text uses dozens
CUT = "…"

# Letters by category, yet drawn as nothing: fillers of Hangul and the empty Braille cell.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800")
# Control, format (bidi overrides, zero width, tags), surrogate, private use, unassigned.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn"))
# A cell beginning like this is run as a formula by spreadsheets; the wide forms are folded by some.
_FORMULA = frozenset("=+-@|%\uff1d\uff0b\uff0d\uff20")

_SCHEME = re.compile(r"(?i)\b(h)(?:tt)(ps?)(://)|\b(f)(?:t)(ps?)(://)")
_LINKED_HOST = re.compile(r"(?i)((?:h?xxps?|fxps?)://|\bwww(?=\.)|@)([^\s/?#<>\"']+)")
# Not after a single "/": "/label.php" is a file, and the name of one tells the reader something.
_BARE_HOST = re.compile(
    r"(?:(?<![\w./-])|(?<=//))(?:(?:[a-z0-9_-]{1,63}\.){1,9}[a-z]{2,24}|(?:[A-Z0-9_-]{1,63}\.){1,9}[A-Z]{2,24})\b"
)


def _kept(text: str, lines: bool) -> str:
    out: list[str] = []
    marks = 0
    for char in text:
        if char == "\n" and lines:
            out.append(char)
            marks = 0
            continue
        category = unicodedata.category(char)
        if category in ("Mn", "Me"):
            marks += 1
            if marks <= MAX_MARKS:
                out.append(char)
            continue
        if category in ("Zs", "Zl", "Zp") or char in "\t\n\r\v\f":
            out.append(" ")
        elif category not in _UNSEEN and char not in _BLANK:
            out.append(char)
        else:
            continue
        marks = 0
    return "".join(out)


def safe(value: object, limit: int = MAX_TEXT, *, lines: bool = False) -> str:
    """Return *value* as text that can neither steer a terminal nor change the order of what is read.

    Removed: control bytes and ESC, bidi overrides, zero-width and other unseen characters, lone
    surrogates, piles of combining marks. Every kind of space becomes a plain one. With *lines* true,
    line feeds stay; otherwise the result is one line. Longer than *limit* characters is cut in the
    middle with "…", for both ends of a name tell something. None gives "".
    """
    text = "" if value is None else str(value)
    # Enough is cleaned to fill both ends; a megabyte of subject is never walked.
    if len(text) > 4 * limit:
        text = text[: 2 * limit] + CUT + text[-2 * limit :]
    if not (text.isascii() and text.isprintable()):
        text = _kept(text.replace("\r\n", "\n"), lines)
    if not lines:
        text = " ".join(text.split(" ")).strip()
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    tail = limit - 1 - head
    return text[:head].rstrip() + CUT + (text[-tail:].lstrip() if tail else "")


def defang(value: object, limit: int = MAX_TEXT, *, lines: bool = False, bare: bool = True) -> str:
    """Return *value* cleaned, with links that no program will follow: hxxp://, and [.] within hosts.

    With *bare* false, only what stands after a scheme, "www" or "@" is taken for a host: sentences of
    our own name files, and report.html is none.
    """
    text = safe(value, limit, lines=lines)
    text = _SCHEME.sub(lambda m: f"{m[1]}xx{m[2]}{m[3]}" if m[1] else f"{m[4]}x{m[5]}{m[6]}", text)
    text = _LINKED_HOST.sub(lambda m: m[1] + _dotted(m[2]), text)
    return _BARE_HOST.sub(lambda m: _dotted(m[0]), text) if bare else text


def _dotted(host: str) -> str:
    return re.sub(r"(?<!\[)\.(?!\])(?=\w)", "[.]", host)


def safe_cell(value: object, limit: int = MAX_TEXT) -> str:
    """Return *value* for one CSV cell: cleaned, and never a formula.

    Numbers stay numbers, also negative ones. Text that a spreadsheet would run gets a leading
    apostrophe. Write the file with ``csv.QUOTE_ALL``: a reader that splits at ";" would otherwise make
    a new cell, and a formula, out of the middle of this one.
    """
    if isinstance(value, int | float):
        return str(value)
    text = safe(value, limit)
    return f"'{text}" if text[:1] in _FORMULA and text else text
