"""Draw the small charts of the page as inline SVG, by hand.

No viewBox on the outside: x is in per cent and y in pixels, so text keeps its size from a phone to A4.
Curves sit in a nested SVG that is stretched, with strokes that do not scale. Colour is a class (cA the
attack, cB bulk, cI our own result, cU unknown; of origins cT a thing, cR a thing as relay, cK a PC, cS a
server); hatching always means "no evidence".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from thingwatch.act.clean import safe
from thingwatch.act.wording import MINUS, count

MAX_COLUMNS = 1_200  # drawn columns of the long chart; a page shows 1,056 pixels

_TOPS = (1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10, 12)  # axis ends whose quarters are short numbers


def number(value: float) -> str:
    """Return *value* with at most two decimals and no idle zeros: a third of the page is numbers."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def svg(height: int, parts: Sequence[str], label: str = "", extra: str = "") -> Markup:
    """Return *parts* as one drawing, *height* pixels high; without a *label* readers skip it."""
    said = f'role="img" aria-label="{escape(safe(label))}"' if label else 'aria-hidden="true"'
    # Every text among the parts was escaped where it was made; the rest is numbers.
    return Markup(f'<svg class="c{extra}" width="100%" height="{height}" {said}>{"".join(parts)}</svg>')  # noqa: S704


def text(x: float, y: float, words: str, anchor: str = "start", style: str = "ax") -> str:
    """Return *words* at *x* per cent and *y* pixels (the line they stand on), cleaned and escaped."""
    place = f'x="{number(x)}%" y="{number(y)}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place}>{escape(safe(words))}</text>'


def title(words: str) -> str:
    """Return the words shown when a mark is pointed at."""
    return f"<title>{escape(safe(words))}</title>"


def line(style: str, x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a straight line, x in per cent, y in pixels."""
    ends = (f'x1="{number(x1)}%" y1="{number(y1)}"', f'x2="{number(x2)}%" y2="{number(y2)}"')
    return f'<line class="{style}" {" ".join(ends)}/>'


def stretched(y: int, height: int, width: float, top: float, shapes: str, x: float = 0) -> str:
    """Return *shapes*, drawn on a field of *width* by *top*, stretched from *x* per cent to the right."""
    place = f'x="{number(x)}%" y="{y}" width="{number(100 - x)}%" height="{height}"'
    field = f'viewBox="0 0 {number(width)} {number(top)}" preserveAspectRatio="none"'
    return f'<svg {place} {field} aria-hidden="true">{shapes}</svg>'


def top_of(value: float) -> float:
    """Return the end of an axis from zero that holds *value* and has short quarters; at least 4."""
    if value <= 4:
        return 4
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in _TOPS if step * scale >= value)


def fold(counts: Sequence[float], columns: int = MAX_COLUMNS) -> list[float]:
    """Return *counts* in at most *columns* columns, each the highest of those it stands for."""
    width = max(1, -(-len(counts) // columns))
    return [max(counts[i : i + width]) for i in range(0, len(counts), width)]


def area(counts: Sequence[float], top: float) -> str:
    """Return the area under *counts* as one path; silence costs no bytes."""
    path: list[str] = []
    down = True
    for i, value in enumerate(counts):
        if value <= 0:
            if not down:
                path.append(f"V{number(top)}")
            down = True
            continue
        if down:
            path.append(f"M{i} {number(top)}")
        path.append(f"V{number(top - value)}H{i + 1}")
        down = False
    if not down:
        path.append(f"V{number(top)}")
    return "".join(path)


def axis(labels: Sequence[str]) -> Markup:
    """Return the head of a column of drawn cells: *labels* spread evenly from left to right."""
    last = max(1, len(labels) - 1)
    anchors = ["start"] + ["middle"] * (len(labels) - 2) + ["end"]
    ends = zip(labels, anchors, strict=True)
    return svg(16, [text(100 * i / last, 12, words, a) for i, (words, a) in enumerate(ends)])


def share_axis(*, narrow: bool = False) -> Markup:
    """Return the head of a column of shares, 0 to 100 %; *narrow* where five labels would touch."""
    return axis(("0", "50", "100 %") if narrow else ("0", "25", "50", "75", "100 %"))


def share_bar(share: dict[str, Any] | None, colour: str) -> Markup:
    """Return a SHARE as a bar with its interval; what is unknown follows, hatched."""
    grid = '<use href="#g4"/>'
    if not share or not share["denominator"] or share["unknown"] >= share["denominator"]:
        return unknown_bar()
    whole = share["denominator"]
    point, unknown = 100 * share["numerator"] / whole, 100 * share["unknown"] / whole
    parts = [grid, f'<rect class="bar {colour}" x="0%" y="6" width="{number(point)}%" height="9"/>']
    if unknown:
        width = min(unknown, 100 - point)
        parts.append(f'<rect class="hat" x="{number(point)}%" y="6" width="{number(width)}%" height="9"/>')
    low, high = 100 * share["low"], 100 * share["high"]
    if high - low >= 1:
        parts += [line("iv thin cI", low, 10.5, high, 10.5)]
        parts += [line("cap cI", x, 7, x, 14) for x in (low, high)]
    if not point:
        parts.append(line("ink", 0, 3, 0, 18))
    return svg(21, parts)


def unknown_bar() -> Markup:
    """Return a cell that is hatched from end to end: nothing is known, and no figure stands for it."""
    return svg(21, ['<use href="#g4"/><rect class="hat" x="0%" y="6" width="100%" height="9"/>'])


def marks(
    share: dict[str, Any], colour: str, y: float, top: float = 1.0, *, hollow: bool = False
) -> list[str]:
    """Return an interval with caps at *y*, and its dot; *hollow* for a one-sided reading.

    Without a point, or with a low end below 1 %, there is no dot: nothing there is more likely than the rest.
    """
    low, high = (100 * min(max(0.0, share[end] / top), 1.0) for end in ("low", "high"))
    point = share["point"]
    dotted = point is not None and (hollow or share["low"] >= 0.01)
    parts = [line(f"iv{'' if dotted and not hollow else ' thin'} {colour}", low, y, high, y)]
    parts += [line(f"cap {colour}", x, y - 4, x, y + 4) for x in (low, high)]
    if dotted:
        x = 100 * min(max(0.0, point / top), 1.0)
        parts.append(
            f'<circle class="{"open" if hollow else "f"} {colour}" cx="{number(x)}%" cy="{number(y)}" r="4.5"/>'
        )
    return parts


def interval(
    share: dict[str, Any] | None,
    colour: str,
    top: float = 1.0,
    *,
    hollow: bool = False,
    shade: dict[str, Any] | None = None,
) -> Markup:
    """Return an estimate with its interval on an axis of 0 to *top*, over the interval of *shade*.

    A share whose ends are unknown is hatched from end to end.
    """
    if not share or share["low"] is None or share["high"] is None:
        return unknown_bar()
    parts = ['<use href="#g4"/>']
    if shade and shade["low"] is not None and shade["high"] is not None:
        low, high = (100 * min(1.0, shade[end] / top) for end in ("low", "high"))
        place = f'x="{number(low)}%" y="0" width="{number(high - low)}%" height="24"'
        parts.append(f'<rect class="ref" {place}/>')
    return svg(24, [*parts, *marks(share, colour, 12, top, hollow=hollow)])


def judged(part: float, whole: float, estimate: dict[str, Any] | None, colour: str) -> Markup:
    """Return what was judged one by one as a bar, and below it the estimate for all."""
    width = 100 * part / whole if whole else 0
    style = "hat" if colour == "hat" else f"bar {colour}"
    parts = ['<use href="#g4"/>', f'<rect class="{style}" x="0%" y="3" width="{number(width)}%" height="9"/>']
    if estimate:
        parts += marks(estimate, colour, 20)
    return svg(26, parts)


def cross(share: float) -> Markup:
    """Return a reading that is not to be believed: a cross, neither bar nor dot."""
    return svg(24, ['<use href="#g4"/>', text(100 * share, 18, "×", "middle", "cross")])


def log_axis(decades: int) -> Markup:
    """Return the head of a column on a log scale, from 1 to ten to the power of *decades*."""
    # Five labels would touch in a narrow cell.
    told = (
        range(decades + 1) if decades < 4 else {0, decades} | ({decades // 2} if decades % 2 == 0 else set())
    )
    return axis(tuple(short(10**i) if i in told else "" for i in range(decades + 1)))


def log_dot(value: float, decades: int, colour: str, *, hollow: bool = False) -> Markup:
    """Return one row of a dot plot on a log scale; a dot and no bar, for a log scale has no zero to start from."""
    x = min(100.0, 100 * math.log10(max(1.0, value)) / decades)
    spots = [line("g", 100 * i / decades, -6, 100 * i / decades, 150) for i in range(decades + 1)]
    circle = f'<circle class="{"open" if hollow else "f"} {colour}" cx="{number(x)}%" cy="9" r="4.5"/>'
    return svg(18, [*spots, line("base", 0, 9, x, 9), circle])


def empty() -> Markup:
    """Return a cell with its grid and nothing on it: there is nothing to be unsure of."""
    return svg(24, ['<use href="#g4"/>'])


def part_bar(part: float, whole: float, colour: str) -> Markup:
    """Return *part* of *whole* as a plain bar; colour "hat" draws it as unknown."""
    width = min(100.0, 100 * part / whole) if whole else 0
    style = "hat" if colour == "hat" else f"bar {colour}"
    return svg(
        18, ['<use href="#g4"/>', f'<rect class="{style}" x="0%" y="5" width="{number(width)}%" height="8"/>']
    )


def dot(value: float, top: float, colour: str) -> Markup:
    """Return one row of a dot plot from 0 to *top*."""
    x = 100 * value / top if top else 0
    circle = f'<circle class="f {colour}" cx="{number(x)}%" cy="9" r="4.5"/>'
    return svg(18, ['<use href="#g4"/>', line("base", 0, 9, x, 9), circle])


def step(
    start: float, weight: float, low: float, high: float, towards: str = "cI", away: str = "cB"
) -> Markup:
    """Return one row of a waterfall in bits: a bar from *start*, on an axis of *low* to *high*."""
    wide = (high - low) or 1
    x1, x2 = (100 * (value - low) / wide for value in (start, start + weight))
    zero = 100 * (0 - low) / wide
    colour = towards if weight >= 0 else away
    # What weighs next to nothing was still weighed, and stays visible.
    place = f'x="{number(min(x1, x2))}%" y="7" width="{number(max(0.4, abs(x2 - x1)))}%" height="11"'
    return svg(
        26,
        [
            line("base", zero, 0, zero, 26),
            f'<rect class="bar {colour}" {place}/>',
            line("base", x2, 18, x2, 26),
        ],
    )


def total(weight: float, low: float, high: float, colour: str) -> Markup:
    """Return the last row of a waterfall: from nought to the sum."""
    zero, x = (100 * (value - low) / ((high - low) or 1) for value in (0.0, weight))
    dot_at = f'<circle class="f {colour}" cx="{number(x)}%" cy="12" r="5"/>'
    return svg(24, [line("base", zero, 0, zero, 24), line(f"iv thin {colour}", zero, 12, x, 12), dot_at])


def spark(counts: Sequence[float], colour: str) -> Markup:
    """Return a sparkline of at most 40 bars on its own scale."""
    bars = fold(counts, 40)
    most = max(bars, default=0) or 1
    # A bar too low to see would say "nothing"; the least that is something stays visible.
    scaled = [max(6, round(100 * value / most)) if value else 0 for value in bars]
    shape = f'<path class="area {colour}" d="{area(scaled, 100)}"/>'
    return svg(
        22, [stretched(1, 20, len(bars) or 1, 100, shape), line("base", 0, 21.5, 100, 21.5)], "", " spark"
    )


def bits_axis(low: float, high: float) -> Markup:
    """Return the head of a waterfall in bits."""
    values = (round(low + (high - low) * i / 4) for i in range(5))
    return axis(tuple(f"{value:+}".replace("-", MINUS) if value else "0" for value in values))


def short(number: float) -> str:
    """Return *number* in a few letters for a narrow place: "999", "1.2k", "12k", "3M"."""
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if number >= 0.9995 * size:
            shown = number / size
            return f"{shown:.1f}{letter}".replace(".0", "") if shown < 10 else f"{shown:.0f}{letter}"
    return count(number)
